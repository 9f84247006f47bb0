"""Flow generators beside each other, by hand: ``python tests/benchmarks/flow_generators.py``.

Each kind learns from a table and draws as many flows; every metric of the report is printed for each kind beside the
noise floor (real against real), and how many metrics each kind keeps within it. The tables are the sample capture, the
benchmark table of 5,000 flows and two logs, in a folder ``shared`` beside the checkout; what is absent is left out, and
said. The metric of pattern windows needs a pattern set: that of FlowChronicle on the same table, so it is no neutral
judge.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
TABLES = {
    "office": ROOT / "sample_data" / "office.pcap.gz",
    "bench 5k": ROOT / ".." / "shared" / "bench" / "flows_5k.csv",
    "zeek rita": ROOT / ".." / "shared" / "data" / "flows" / "zeek_rita_proxy_rolling.csv",
    "apt29": ROOT / ".." / "shared" / "data" / "flows" / "zeek_apt29_day2.csv",
}
KINDS = ("flowchronicle", "independent", "sequence")


def measure(name: str, path: Path, seed: int, repeats: int, most: int) -> None:
    """Print the table of one flow table."""
    from netsynth_core.evaluate import Verdict, evaluate
    from netsynth_core.flows.source import read_flows
    from netsynth_core.models.registry import get_kind

    flows = read_flows([path]).flows
    if len(flows) > most:
        flows = flows.take(np.arange(most))
    models, seconds, reports = {}, {}, {}
    for kind in KINDS:
        entry = get_kind(kind)
        began = time.process_time()
        models[kind] = entry.model_class().fit(flows, entry.params_class()(), rng=np.random.default_rng(seed))
        seconds[kind] = time.process_time() - began
    for kind, model in models.items():
        drawn = model.sample(len(flows), rng=np.random.default_rng(seed))
        reports[kind] = evaluate(
            flows, drawn, patterns=models["flowchronicle"], rng=np.random.default_rng(seed), repeats=repeats
        )
    print(f"\n{name}: {len(flows):,} flows; floor is real against real")
    print(f"{'':34}{'floor':>10}" + "".join(f"{kind:>16}" for kind in KINDS))
    print(f"{'CPU s to learn':34}{'':>10}" + "".join(f"{seconds[kind]:>16.1f}" for kind in KINDS))
    print(f"{'bits':34}{'':>10}" + "".join(f"{models[k].describe().codelength.total:>16,.0f}" for k in KINDS))
    for row in reports[KINDS[0]].metrics:
        values = [figure(reports[kind][row.name]) for kind in KINDS]
        print(f"{row.name[:33]:34}{text(row.floor):>10}" + "".join(f"{value:>16}" for value in values))
    counts = [sum(m.verdict == Verdict.WITHIN for m in reports[kind].metrics) for kind in KINDS]
    print(f"{'metrics within the floor':34}{'':>10}" + "".join(f"{n:>14}  " for n in counts), flush=True)


def figure(result: Any) -> str:
    """A value with its mark."""
    mark = {"near": ".", "far": "x"}.get(result.verdict.value, " ")
    return "-  " if result.value is None else f"{text(result.value)} {mark}"


def text(value: float | None) -> str:
    """A figure of three digits."""
    return "-" if value is None else f"{value:.3g}"


def main() -> None:
    """Every table that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=f"of: {', '.join(TABLES)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="draws of each metric")
    parser.add_argument("--most", type=int, default=20_000, help="flows of a table at most, its first ones")
    options = parser.parse_args()
    print("After a value: x far from the floor, . near it, nothing within it.")
    for name in options.tables:
        path = TABLES[name]
        if not path.exists():
            print(f"{name}: {path} is absent", file=sys.stderr)
            continue
        measure(name, path, options.seed, options.repeats, options.most)


if __name__ == "__main__":
    main()
