"""What a person is told of flows that were read: figures, what was skipped and why, notes."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsynth_core.capture.packets import ReadReport
    from netsynth_core.flows.logs import LogReport
    from netsynth_core.flows.source import FlowSource
    from netsynth_core.flows.table import FlowTable


def flow_facts(source: "FlowSource") -> dict[str, Any]:
    """Figures of a flow source.

    Returns
    -------
    dict
        ``packets``, ``bytes`` (of IP packets, as in the flow table), ``frame_bytes`` (of captures only: with the
        headers of the link layer, as on the wire), ``flows``, ``conversations``, ``services``, frames or rows
        ``skipped`` by reason with the ``first_skipped`` of each (and, of several files, the file it is in),
        ``truncated``, ``notes``, and the ``logs`` of other tools that were read.
    """
    skipped: dict[str, int] = {}
    first: dict[str, int] = {}
    places: dict[str, str] = {}
    reports: list[ReadReport | LogReport] = [*source.reports, *source.logs]
    for report in reports:
        for reason, count in report.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
            first.setdefault(reason, report.first_skipped.get(reason, 0))
            places.setdefault(reason, report.path)
    several = len(source.reports) + len(source.logs) > 1
    size, services = _totals(source)
    return {
        "packets": sum(r.packets for r in source.reports) if source.reports else packet_total(source.flows),
        "bytes": size,
        **({"frame_bytes": sum(r.bytes for r in source.reports)} if source.reports else {}),
        "flows": len(source.held),
        "conversations": len(source.held) if source.metered is not None else 0,
        "services": dict(sorted(services.items(), key=lambda s: (-s[1], s[0]))),
        "skipped": skipped,
        "first_skipped": first,
        **({"first_skipped_file": places} if several and places else {}),
        "truncated": any(report.truncated for report in source.reports),
        "notes": flow_notes(source),
        **({"logs": [_of_log(asdict(log)) for log in source.logs]} if source.logs else {}),
    }


def _of_log(report: dict[str, Any]) -> dict[str, Any]:
    """The report on a log without its notes, which stand among those of the source."""
    return {name: value for name, value in report.items() if name != "notes"}


def _totals(source: "FlowSource") -> tuple[int, dict[str, int]]:
    """IP bytes, and flows per service; those of ICMP count under its name, others without service as unknown."""
    from netsynth_core.flows.columns import MeteredFlows

    held = source.held
    if isinstance(held, MeteredFlows):
        totals = held.totals()
        size, icmp = totals.ip_bytes, {"icmp": totals.icmp, "icmpv6": totals.icmp6}
        services = Counter(held.service_counts())
    else:
        frame = held.frame
        size = byte_total(held)
        services = Counter(frame["service"].tolist())
        nameless = Counter(frame["proto"][frame["service"] == ""].tolist())
        icmp = {"icmp": nameless["ICMP"], "icmpv6": nameless["ICMPv6"]}
    services["unknown"] += services.pop("", 0) - sum(icmp.values())
    services.update(icmp)
    return size, {name: flows for name, flows in services.items() if flows}


def flow_notes(source: "FlowSource") -> list[str]:
    """Sentences for a person on what was read, each once; of several captures each names its file."""
    several = len(source.reports) > 1
    told = [f"{report.path}: {note}" if several else note for report in source.reports for note in report.notes]
    return list(dict.fromkeys([*told, *source.notes]))


def packet_total(flows: "FlowTable") -> int:
    """Packets of all flows, both directions."""
    return int(flows.frame["fwd_packets"].sum() + flows.frame["bwd_packets"].sum())


def byte_total(flows: "FlowTable") -> int:
    """IP-layer bytes of all flows, both directions."""
    return int(flows.frame["fwd_bytes"].sum() + flows.frame["bwd_bytes"].sum())
