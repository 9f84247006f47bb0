"""What a capture looks like from afar: load over time, protocols, services, hosts. All from the stored overview."""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from netsynth_core.units import format_bytes, format_duration
from netsynth_core.workspace.artefacts import Artefact
from netsynth_core.workspace.store import Workspace
from pages.parts import figures, reads
from pages.parts.feedback import readable_bugs, readable_errors
from pages.parts.text import number, plain

if TYPE_CHECKING:
    from netsynth_core.flows.overview import Overview

_PROTOCOLS = {
    "2": "IGMP", "4": "IP in IP", "41": "IPv6 in IP", "46": "RSVP", "47": "GRE", "50": "ESP", "51": "AH",
    "88": "EIGRP", "89": "OSPF", "103": "PIM", "112": "VRRP", "132": "SCTP",
}  # fmt: skip
"""Names of protocol numbers that captures often hold (IANA's list)."""
_BY = {"all": "everything", "protocol": "protocol", "service": "service", "marks": "TCP trouble"}


def overview_part(workspace: Workspace, flows: Artefact) -> None:
    """Load over time, then who and what."""
    with readable_errors():
        overview = reads.overview(str(workspace.folder), flows.id)
        _load(overview, flows.id)
        _kinds(overview, flows)
        _hosts(overview)


@st.fragment
def _load(overview: "Overview", id: str) -> None:
    """The I/O graph; a change of its settings draws it alone."""
    from netsynth_core.plots import capture_over_time
    from netsynth_core.plots.overview import usual_width, widths

    with readable_bugs():
        left, middle, right = st.columns([2, 3, 2], vertical_alignment="bottom")
        of = left.segmented_control(
            "Over time",
            ["packets", "bytes", "flows"],
            default="packets",
            key="load_of",
            required=True,
            format_func=lambda name: "IP bytes" if name == "bytes" else name,
        )
        kinds = [kind for kind in _BY if kind != "marks" or overview.marks.names]
        by = middle.segmented_control(
            "By",
            kinds,
            default="all",
            key="load_by",
            required=True,
            format_func=_BY.__getitem__,
            disabled=of == "flows",
        )
        choices = widths(overview)
        width = right.selectbox(
            "Interval", choices, index=choices.index(usual_width(overview)), format_func=_width, key=f"load_width_{id}"
        )
        figures.show(
            capture_over_time(
                overview, of=of, by="all" if of == "flows" else by, width=width, theme=figures.page_theme()
            ),
            key="load",
        )


def _width(ns: int) -> str:
    return format_duration(ns).removesuffix(" 0 s").removesuffix(" 0 min")


def _kinds(overview: "Overview", flows: Artefact) -> None:
    from netsynth_core.plots import services_bar

    theme = figures.page_theme()
    left, right = st.columns(2)
    with left:
        packets = {
            f"{_PROTOCOLS[name]} ({name})" if name in _PROTOCOLS else name: amount
            for name, (amount, _) in overview.protocols.items()
        }
        figures.show(services_bar(packets, of="packets", by="protocol", theme=theme), key="protocols")
    with right:
        figures.show(services_bar(overview.services or flows.facts.get("services", {}), theme=theme), key="services")


def _hosts(overview: "Overview") -> None:
    """The busiest hosts as a table, beside who talks to whom."""
    from netsynth_core.plots import talkers_heat_map

    left, right = st.columns([6, 5])
    with left:
        st.markdown("**Top talkers**")
        hosts = overview.hosts
        frame = pd.DataFrame(
            {
                "host": [plain(host.address, limit=60) for host in hosts],
                "packets": [host.packets_sent + host.packets_received for host in hosts],
                "bytes": [host.bytes_sent + host.bytes_received for host in hosts],
                "sent": [host.bytes_sent for host in hosts],
                "received": [host.bytes_received for host in hosts],
                "flows": [host.flows_begun + host.flows_answered for host in hosts],
                "begun": [host.flows_begun for host in hosts],
            }
        )
        small = st.column_config.NumberColumn
        st.dataframe(
            frame,
            hide_index=True,
            height=min(460, 38 + 35 * len(hosts)),
            key="hosts",
            alt="Busiest hosts",
            column_config={
                "host": st.column_config.TextColumn(width=118),
                "packets": small("pkts", width=58, help="Packets, both directions."),
                "bytes": small("IP bytes", format="compact", width=70, help="IP bytes, both directions."),
                "sent": small(format="compact", width=60, help="IP bytes it sent."),
                "received": small(format="compact", width=70, help="IP bytes it received."),
                "flows": small(width=54),
                "begun": small(width=58, help="Flows it is the originator of."),
            },
        )
        total = sum(host.bytes_sent + host.bytes_received for host in hosts)
        shown = f"{number(len(hosts))} of {number(overview.all_hosts)} hosts"
        st.caption(f"{shown}, together {format_bytes(total)} counted at both ends.")
    with right:
        figures.show(talkers_heat_map(overview.talkers, most=20, theme=figures.page_theme()), key="talkers")
