"""FlowChronicle on flow tables with planted sessions, by hand: ``python tests/benchmarks/flowchronicle_planted.py 2k
5k``.

For each table: precision and recall of whole windows (recall by kind too), windows contained in one session, bits
against the empty model, CPU seconds and peak memory of a fresh process, and the same after a shuffle of every column
or of the rows against the instants (where no pattern of several flows may be found). The tables lie in a folder
``shared/bench`` beside the checkout.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench"


def measure(name: str, shuffle: str) -> dict[str, object]:
    """Figures of one table in this process."""
    from netsynth_core.flows.table import FlowTable
    from netsynth_core.flows.table_io import read_flow_table
    from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams

    flows = read_flow_table(BENCH / f"flows_{name}.csv")
    truth = pd.read_csv(BENCH / f"flows_{name}_truth.csv")
    if shuffle:
        rng = np.random.default_rng(0)
        frame = flows.frame.copy()
        order = rng.permutation(len(frame))
        for column in frame.columns:
            if column != "ts":
                frame[column] = frame[column].to_numpy()[order if shuffle == "rows" else rng.permutation(len(frame))]
        flows = FlowTable.from_columns(frame)
    cpu, wall = time.process_time(), time.perf_counter()
    model = FlowChronicle.fit(flows, FlowChronicleParams(), rng=np.random.default_rng(0))
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
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def score(windows: list[tuple[int, ...]], truth: pd.DataFrame) -> dict[str, object]:
    """Precision, recall and contained of windows of several rows."""
    session = truth["session"].to_numpy()
    planted: dict[tuple[int, ...], str] = {}
    for _, rows in truth[truth["kind"] != "noise"].groupby("session"):
        planted[tuple(int(r) for r in rows["row"])] = str(rows["kind"].iloc[0])
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
    """Each table in a process of its own, so that peak memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=["2k", "5k", "20k"])
    parser.add_argument("--shuffled", action="store_true", help="also shuffle columns, and rows")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, _, shuffle = options.one.partition(":")
        print(json.dumps(measure(name, shuffle)))
        return
    for name in options.tables:
        for shuffle in ("", "columns", "rows") if options.shuffled else ("",):
            command = [sys.executable, __file__, "--one", f"{name}:{shuffle}"]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
            print(done.stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
