"""What a person is told of flows that were read: figures, what was skipped and why, notes."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.flows.source import FlowSource
    from netsynth_core.flows.table import FlowTable


def flow_facts(source: "FlowSource") -> dict[str, Any]:
    """Figures of a flow source: packets, bytes, flows, conversations, services, skipped frames by reason."""
    from netsynth_core.flows.columns import MeteredFlows

    skipped: dict[str, int] = {}
    first: dict[str, int] = {}
    for report in source.reports:
        for reason, count in report.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
            first.setdefault(reason, report.first_skipped.get(reason, 0))
    for log in source.logs:
        for reason, count in log.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
            first.setdefault(reason, log.first_skipped.get(reason, 0))
    held = source.held
    services = held.service_counts() if isinstance(held, MeteredFlows) else Counter(held.frame["service"].tolist())
    return {
        "packets": sum(r.packets for r in source.reports) if source.reports else packet_total(source.flows),
        "bytes": sum(r.bytes for r in source.reports) if source.reports else byte_total(source.flows),
        "flows": len(held),
        "conversations": len(held) if source.metered is not None else 0,
        "services": {name or "unknown": n for name, n in sorted(services.items(), key=lambda s: (-s[1], s[0]))},
        "skipped": skipped,
        "first_skipped": first,
        "truncated": any(report.truncated for report in source.reports),
        "notes": flow_notes(source),
        **({"logs": [asdict(log) for log in source.logs]} if source.logs else {}),
    }


def flow_notes(source: "FlowSource") -> list[str]:
    """Sentences for a person on what was read, each once."""
    notes = [*(note for report in source.reports for note in report.notes), *source.notes]
    return list(dict.fromkeys(notes))


def packet_total(flows: "FlowTable") -> int:
    """Packets of all flows, both directions."""
    return int(flows.frame["fwd_packets"].sum() + flows.frame["bwd_packets"].sum())


def byte_total(flows: "FlowTable") -> int:
    """IP-layer bytes of all flows, both directions."""
    return int(flows.frame["fwd_bytes"].sum() + flows.frame["bwd_bytes"].sum())
