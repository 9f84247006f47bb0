"""FlowChronicle on flow tables with planted sessions, by hand: ``python tests/benchmarks/flowchronicle_planted.py 2k
20k 200k``.

For each table: precision and recall of whole windows (recall by kind too), windows contained in one session, bits
against the empty model, CPU seconds and peak memory of a fresh process, and the same after a shuffle of every column
or of the rows against the instants (where no pattern of several flows may be found). At the end the growth exponent of
the CPU seconds from each table to the next. The tables 2k, 5k and 20k lie in a folder ``shared/bench`` beside the
checkout; others, such as 200k and 1m, are made by `planted_tables` in the folder that ``--tables`` names.
"""

import argparse
import itertools
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from planted_tables import count_of, write_table

BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench"


def measure(name: str, shuffle: str, folder: Path, settings: list[str]) -> dict[str, object]:
    """Figures of one table in this process."""
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.table_io import read_flow_table
    from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams

    if (BENCH / f"flows_{name}.csv").exists():
        flows = read_flow_table(BENCH / f"flows_{name}.csv")
        truth = pd.read_csv(BENCH / f"flows_{name}_truth.csv")
    else:
        flows = read_flow_table(folder / f"flows_{name}.parquet")
        truth = pd.read_parquet(folder / f"flows_{name}_truth.parquet")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if shuffle:
        rng = np.random.default_rng(0)
        frame = flows.frame.copy()
        order = rng.permutation(len(frame))
        for column in frame.columns:
            if column != "ts":
                frame[column] = frame[column].to_numpy()[order if shuffle == "rows" else rng.permutation(len(frame))]
        flows = FlowTable.from_columns(frame)
    cpu, wall = time.process_time(), time.perf_counter()
    model = FlowChronicle.fit(flows, FlowChronicleParams.from_settings(settings), rng=np.random.default_rng(0))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    drawing = time.process_time()
    model.sample(100_000, rng=np.random.default_rng(0))
    drawing = time.process_time() - drawing
    bits = model.bits
    return {
        "table": name,
        "shuffled": shuffle or "no",
        **score([w.rows for w in model.cover if len(w.rows) > 1], truth),
        "multi_flow_patterns": len(model.multi_flow_patterns),
        "patterns": len(model.patterns),
        "bits": round(bits.total),
        "empty": round(bits.empty),
        "saved": f"{1 - bits.total / bits.empty:.2%}",
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "sampled_per_cpu_s": round(100_000 / drawing),
        "rss_before_mb": before // 1024,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def score(windows: list[tuple[int, ...]], truth: pd.DataFrame) -> dict[str, object]:
    """Precision, recall and contained of windows of several rows."""
    session = truth["session"].to_numpy()
    whole: dict[int, list[int]] = {}
    kind_of: dict[int, str] = {}
    for row, number, kind in zip(truth["row"], truth["session"], truth["kind"], strict=True):
        if kind != "noise":
            whole.setdefault(number, []).append(row)
            kind_of[number] = kind
    planted = {tuple(rows): kind_of[number] for number, rows in whole.items()}
    right = {w for w in windows if w in planted}
    kinds = sorted(set(planted.values()))
    return {
        "windows": len(windows),
        "precision": round(len(right) / max(len(windows), 1), 4),
        "recall": round(len(right) / len(planted), 4),
        "contained": round(sum(len(set(session[list(w)])) == 1 for w in windows) / max(len(windows), 1), 4),
        "by_kind": {
            k: round(sum(planted[w] == k for w in right) / sum(v == k for v in planted.values()), 4) for k in kinds
        },
    }


def main() -> None:
    """Each table in turn, then the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables_named", nargs="*", default=["2k", "5k", "20k"], metavar="table")
    parser.add_argument("--shuffled", action="store_true", help="also shuffle columns, and rows")
    parser.add_argument("--set", action="append", default=[], help="a parameter, such as score=published")
    parser.add_argument("--tables", type=Path, help="folder of tables that are made; a temporary one when left out")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, _, shuffle = options.one.partition(":")
        print(json.dumps(measure(name, shuffle, options.tables, options.set)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.tables or Path(temporary)
        seconds = {}
        for name in options.tables_named:
            if not (BENCH / f"flows_{name}.csv").exists():
                write_table(name, folder)
            for shuffle in ("", "columns", "rows") if options.shuffled else ("",):
                figures = in_fresh_process(name, shuffle, folder, options.set)
                print(json.dumps(figures), flush=True)
                if not shuffle:
                    seconds[count_of(name)] = float(str(figures["cpu_s"]))
    sizes = list(seconds)
    for small, large in itertools.pairwise(sizes):
        exponent = math.log(seconds[large] / seconds[small]) / math.log(large / small)
        print(f"{small} to {large} flows: CPU seconds grow with exponent {exponent:.2f}")


def in_fresh_process(name: str, shuffle: str, folder: Path, settings: list[str]) -> dict[str, object]:
    """`measure` in a process of its own, so that peak memory is its own."""
    command = [sys.executable, __file__, "--one", f"{name}:{shuffle}", "--tables", str(folder)]
    command += [f"--set={setting}" for setting in settings]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    figures: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
