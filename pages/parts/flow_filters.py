"""The filters above the table of flows: widgets that make a `FlowFilter`."""

from typing import TYPE_CHECKING

import streamlit as st

from netsynth_core.errors import NetsynthError
from netsynth_core.units import NS_PER_S, format_instant, parse_instant
from pages.parts.text import md, plain

if TYPE_CHECKING:
    from netsynth_core.flows.selecting import FlowFilter, FlowIndex

_KEYS = (
    "f_service",
    "f_state",
    "f_proto",
    "f_host",
    "f_name",
    "f_shortest",
    "f_longest",
    "f_least_bytes",
    "f_most_bytes",
    "f_least_packets",
    "f_most_packets",
    "f_from",
    "f_to",
)


def flow_filter(index: "FlowIndex", *, name: str) -> "FlowFilter":
    """Draw the filters and return what they say; what cannot be read is told below its field and keeps what it was.

    Parameters
    ----------
    name
        Name of the artefact, for which the last texts that could be read are kept.
    """
    from netsynth_core.flows.selecting import FlowFilter, check_hosts

    first = st.columns([2, 2, 2, 3, 2, 1.6], vertical_alignment="bottom")
    services = first[0].multiselect(
        "Service",
        index.choices("service"),
        key="f_service",
        placeholder="all",
        format_func=lambda service: plain(service, limit=40),
    )
    states = first[1].multiselect("State", index.choices("state"), key="f_state", placeholder="all")
    protocols = first[2].multiselect("Protocol", index.choices("proto"), key="f_proto", placeholder="all")
    hosts = first[3].text_input(
        "Address, network or port",
        key="f_host",
        placeholder="such as 10.0.0.0/8 443",
        max_chars=200,
        help="An address, a network (10.0.0.0/8), a port (443), both (10.0.0.5:443, [2001:db8::1]:53) or a part of a "
        "name. Several, with spaces between: each must fit one side of the flow.",
    )
    server_name = first[4].text_input(
        "Server name", key="f_name", placeholder="part of it", max_chars=200, help="What TLS or HTTP asked for."
    )
    with first[5].popover("More", icon=":material/tune:", width="stretch"):
        ranges, troubled = _ranges(index, name)
    last: dict[str, str] = st.session_state.setdefault(f"_filter_texts_{name}", {})
    try:
        check_hosts(hosts, index)
        last["hosts"] = hosts.strip()
    except NetsynthError as error:
        _, below = st.columns([6, 6.6])
        below.error(_told(error, last.get("hosts", "")), icon=":material/error:")
    for field, error, kept in troubled:
        _, below = st.columns([6, 6.6])
        below.error(f"{field}: {_told(error, kept)}", icon=":material/error:")
    return FlowFilter(
        services=tuple(services),
        states=tuple(states),
        protocols=tuple(protocols),
        hosts=last.get("hosts", ""),
        server_name=server_name.strip(),
        **ranges,
    )


def _told(error: NetsynthError, kept: str) -> str:
    """What is wrong with a field, and what the table shows meanwhile."""
    shows = f"The table keeps **{md(kept, limit=80)}**." if kept else "The table is shown without it."
    return f"{md(error.message, limit=300)} {md(error.hint, limit=300)} {shows}"


Trouble = tuple[str, NetsynthError, str]
"""Name of a field, what is wrong with it, and the text that is kept instead."""


def _ranges(index: "FlowIndex", name: str) -> tuple[dict[str, tuple[float | None, float | None]], list[Trouble]]:
    left, right = st.columns(2)
    troubled: list[Trouble] = []
    found: dict[str, tuple[float | None, float | None]] = {}
    for part, title, keys, step in (
        ("duration", "duration (s)", ("f_shortest", "f_longest"), None),
        ("bytes", "bytes", ("f_least_bytes", "f_most_bytes"), 1),
        ("packets", "packets", ("f_least_packets", "f_most_packets"), 1),
    ):
        least = left.number_input(
            f"Least {title}", min_value=0 if step else 0.0, value=None, step=step, key=keys[0], placeholder="any"
        )
        most = right.number_input(
            f"Most {title}", min_value=0 if step else 0.0, value=None, step=step, key=keys[1], placeholder="any"
        )
        found[part] = least, most
    span = index.flows.frame["ts"]
    help_text = (
        "UTC: 2026-11-21T14:05:00, or only 14:05:00 on the day the flows begin; or seconds since the start: +12.5"
    )
    begin = int(span.iloc[0]) if len(span) else 0
    after = left.text_input("Starts at or after", key="f_from", placeholder=format_instant(begin), help=help_text)
    last = int(span.iloc[-1]) if len(span) else 0
    before = right.text_input("Starts at or before", key="f_to", placeholder=format_instant(last), help=help_text)
    last: dict[str, str] = st.session_state.setdefault(f"_filter_texts_{name}", {})
    limits: list[int | None] = []
    for field, text in (("Starts at or after", after), ("Starts at or before", before)):
        try:
            limits.append(instant_of(text, begin))
            last[field] = text
        except NetsynthError as error:
            troubled.append((field, error, last.get(field, "")))
            limits.append(instant_of(last.get(field, ""), begin))
    found["start"] = limits[0], limits[1]
    return found, troubled


def instant_of(text: str, begin: int) -> int | None:
    """An instant a person wrote: absolute, a time of the first day, or ``+seconds`` after the start.

    Raises
    ------
    InvalidParameter
        When it is none.
    """
    words = text.strip().removesuffix("UTC").strip()
    if not words:
        return None
    if words.startswith("+") and words[1:].replace(".", "", 1).isdecimal():
        return begin + round(float(words[1:]) * NS_PER_S)
    if ":" in words and "-" not in words:
        words = f"{format_instant(begin)[:10]}T{words}"
    return parse_instant(words)


def active(chosen: "FlowFilter") -> int:
    """How many parts of a filter are set."""
    ranges = (chosen.duration, chosen.bytes, chosen.packets, chosen.start)
    texts = (chosen.services, chosen.states, chosen.protocols, chosen.hosts, chosen.server_name)
    return sum(map(bool, texts)) + sum(limit is not None for limits in ranges for limit in limits)


def clear() -> None:
    """Empty all filters; the callback of a button."""
    for key in _KEYS:
        held = st.session_state.get(key)
        st.session_state[key] = [] if isinstance(held, list) else "" if isinstance(held, str) else None
