"""What an edit takes at 20,000 flows, by hand: ``python tests/benchmarks/flowchronicle_edits.py [TABLE.csv]``.

CPU and wall seconds of each kind of edit on the pattern set of a table: of the model itself (cover, bits, networks,
laws and links brought up to date) and with the record of the history (two content hashes); the best of three.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench" / "flows_20k.csv"


def edits_of(model: Any) -> list[Any]:
    """One edit of each kind on the patterns of several flows that are used most."""
    from netsynth_core.models import flowchronicle as fc
    from netsynth_core.models.flowchronicle.tables import cell_names
    from netsynth_core.models.flowchronicle.written import parse_flows

    first, second = sorted(model.multi_flow_patterns, key=lambda p: -p.usage)[:2]
    place = cell_names(first, model.columns).index("2.dst_ip")
    column = next(c for c in model.columns if c.name == "dst_ip")
    server = column.values[int(first.network.variables[place].alphabet[0])]
    bond = {"flow": 1, "column": "src_ip", "from_flow": 1, "from_column": "src_ip"}
    by_hand = parse_flows("proto=UDP dst_port=53\nwithin=2s proto=TCP dst_port=80 src_ip=@1.src_ip")
    return [
        fc.EditCell(pattern=first.id, flow=2, column="dst_ip", cell="fixed", value=server),
        fc.EditCell(pattern=first.id, flow=2, column="proto", cell="free"),
        fc.EditCell(pattern=first.id, flow=2, column="src_ip", cell="free"),
        fc.SetGap(pattern=first.id, gap=1, within="50ms"),
        fc.SetGap(pattern=first.id, gap=1, within="60s"),
        fc.DropPattern(pattern=first.id),
        fc.SplitPattern(pattern=first.id, gap=1),
        fc.SplitPattern(pattern=first.id, flow=2, column="dst_ip", value=server),
        fc.MergePatterns(first=first.id, second=second.id, within="2s", **bond),
        fc.MergePatterns(first=first.id, second=second.id, within="2s", keep=False, **bond),
        fc.AddPattern(flows=by_hand),
        fc.SetWeight(pattern=first.id, weight=2.0),
        fc.RenamePattern(pattern=first.id, name="browsing"),
    ]


def best_of(work: Callable[[], Any], times: int = 3) -> tuple[float, float]:
    """CPU and wall seconds of the best run."""
    found = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(found)


def main() -> None:
    """Learn, then time each edit."""
    from netsynth_core.errors import InvalidEdit
    from netsynth_core.flows.table_io import read_flow_table
    from netsynth_core.models import flowchronicle as fc
    from netsynth_core.models.edits import EditLog
    from netsynth_core.workspace.edited import make_record

    flows = read_flow_table(Path(sys.argv[1]) if len(sys.argv) > 1 else BENCH)
    learnt = fc.FlowChronicle.fit(flows, fc.FlowChronicleParams(), rng=np.random.default_rng(0))
    print(f"{len(flows):,} flows, {len(learnt.patterns)} patterns")
    opened = fc.FlowChronicle.from_document(learnt.to_document())
    cpu, wall = best_of(lambda: opened.solved, times=1)
    print(f"covering once when a document is opened: {cpu:.3f} s CPU, {wall:.3f} s wall")
    print(f"{'edit':16}{'CPU s':>8}{'wall s':>8}{'with record':>13}{'bits':>10}")
    edits = edits_of(opened)
    dropped = opened.apply(edits[5])
    for model, edit in [*((opened, e) for e in edits), (dropped, fc.RestorePattern(pattern=edits[5].pattern))]:
        try:
            after = model.apply(edit)
        except InvalidEdit as error:
            print(f"{edit.op:16} refused: {error.message}")
            continue
        cpu, wall = best_of(lambda m=model, e=edit: m.apply(e))
        recorded, _ = best_of(lambda m=model, e=edit: make_record(m, e, EditLog()))
        change = after.bits.total - model.bits.total
        print(f"{edit.op:16}{cpu:>8.3f}{wall:>8.3f}{recorded:>13.3f}{change:>10,.0f}")


if __name__ == "__main__":
    main()
