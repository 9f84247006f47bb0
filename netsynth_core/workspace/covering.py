"""A model laid over data, as files: the windows of patterns, the alignments of words."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsynth_core.files import write_text
from netsynth_core.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from netsynth_core.flows.words import Words


def cover_file(model: Any, flows_path: Path, output: Path, *, monitor: Monitor = SILENT) -> dict[str, Any]:
    """Write the cover of a flow table (or capture) as CSV ``window,pattern,position,row``.

    `row` counts from 0 in the file, whatever its order; for a capture, in its flow table.

    Returns
    -------
    dict
        windows, rows_covered, rows, codelength of these flows.
    """
    import numpy as np

    from netsynth_core.flows.source import kind_of, read_flows
    from netsynth_core.flows.table_io import read_flow_rows

    if kind_of(flows_path) == "table":
        flows, rows = read_flow_rows(flows_path)
    else:
        flows = read_flows([flows_path], monitor=monitor).flows
        rows = np.arange(len(flows), dtype=np.int64)
    monitor.step("finding windows", 0, 1)
    windows = list(model.windows(flows))
    codelength = model.codelength(flows).to_json()
    lines = ["window,pattern,position,row"]
    for number, window in enumerate(windows):
        lines += [f"{number},{window.pattern},{position},{rows[row]}" for position, row in enumerate(window.rows)]
    write_text(output, "\n".join(lines) + "\n")
    return {
        "windows": len(windows),
        "rows_covered": sum(len(window.rows) for window in windows),
        "rows": len(flows),
        "codelength": codelength,
    }


def align_file(model: Any, words: "Words", output: Path, *, monitor: Monitor = SILENT) -> dict[str, Any]:
    """Write how a model explains each word, one JSON object a line.

    Returns
    -------
    dict
        words, exact (no noise operation), repaired (some), rejected (no path), bits of all.
    """
    monitor.step("aligning words", 0, len(words))
    lines = []
    exact = repaired = 0
    total = 0.0
    for number, alignment in enumerate(model.align(words)):
        operations = [[str(op.kind), int(op.position)] for op in alignment.ops]
        accepted = bool(alignment.accepted)
        exact += accepted and not operations
        repaired += accepted and bool(operations)
        total += float(alignment.bits)
        entry = {
            "word": number,
            "bits": round(float(alignment.bits), 4),
            "path": list(alignment.path),
            "ops": operations,
            "accepted": accepted,
        }
        lines.append(json.dumps(entry, ensure_ascii=False))
    write_text(output, "\n".join(lines) + "\n")
    monitor.step("aligning words", len(words), len(words))
    return {
        "words": len(words),
        "exact": exact,
        "repaired": repaired,
        "rejected": len(words) - exact - repaired,
        "bits": total,
    }
