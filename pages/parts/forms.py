"""Forms from a generator's parameters: range, unit and help come from the pydantic fields."""

from typing import Any, Literal, get_args, get_origin

import annotated_types
import streamlit as st
from pydantic.fields import FieldInfo

from netsynth_core.params import Params

TITLES = {
    "bins": "Classes a number is cut into",
    "least_rows": "Fewest flows that must share a value",
    "most_flows": "Most flows in a pattern",
    "budget": "Time for the search",
    "privacy_k": "Fewest hosts of a pattern, for privacy",
    "generalise": "Leave single hosts out",
    "block": "Flows of a block",
    "score": "Score the search goes by",
    "start": "Automaton to start from",
    "missing": "Allow missing packets",
    "duplicates": "Allow repeated packets",
    "swaps": "Allow swapped packets",
    "additions": "Allow foreign packets",
    "max_rounds": "Most rounds of the search",
    "max_locations": "Most locations of the automaton",
    "max_transitions": "Simplify beyond so many transitions",
    "simplify_cost": "What simplifying may cost (share of the description)",
    "search_symbols": "Packets the search looks at",
    "idle_timeout_tcp": "TCP: silence that ends a flow",
    "idle_timeout_udp": "UDP: silence that ends a flow",
    "idle_timeout_icmp": "ICMP and others: silence that ends a flow",
    "active_timeout": "Longest time of one flow",
    "tunnels": "Look into tunnels (VXLAN, GRE, IP-in-IP)",
    "linger": "Time after a TCP end that still belongs to the flow",
}
"""Titles in words for parameters whose name says too little; a field's own title comes first."""


def params_form(params: type[Params], *, key: str) -> dict[str, Any]:
    """Widgets for every parameter, the advanced ones folded away; returns their values as a dictionary."""
    plain = {name: field for name, field in params.model_fields.items() if not _extra(field, "advanced", False)}
    advanced = {name: field for name, field in params.model_fields.items() if name not in plain}
    values = {name: _widget(name, field, key=f"{key}_{name}") for name, field in plain.items()}
    if advanced:
        with st.expander("Advanced settings", icon=":material/tune:"):
            values |= {name: _widget(name, field, key=f"{key}_{name}") for name, field in advanced.items()}
    return values


def _extra(field: FieldInfo, name: str, default: Any) -> Any:
    return field.json_schema_extra.get(name, default) if isinstance(field.json_schema_extra, dict) else default


def _limits(field: FieldInfo, *, whole: bool) -> tuple[float | None, float | None]:
    low: Any = None
    high: Any = None
    for rule in field.metadata:
        for single in rule if isinstance(rule, annotated_types.Interval) else [rule]:
            if isinstance(single, annotated_types.Ge):
                low = single.ge
            elif isinstance(single, annotated_types.Gt):
                low = single.gt + 1 if whole else single.gt
            elif isinstance(single, annotated_types.Le):
                high = single.le
            elif isinstance(single, annotated_types.Lt):
                high = single.lt - 1 if whole else single.lt
    return low, high


def _widget(name: str, field: FieldInfo, *, key: str) -> Any:
    unit = _extra(field, "unit", "")
    label = field.title or TITLES.get(name) or name.replace("_", " ").capitalize()
    label += f" ({unit})" if unit else ""
    help_text = field.description or None
    default = field.get_default(call_default_factory=True)
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] or [field.annotation]
    kind = field.annotation if get_origin(field.annotation) is Literal else kinds[0]
    optional = type(None) in get_args(field.annotation)
    if get_origin(kind) is Literal:
        choices = list(get_args(kind))
        return st.selectbox(label, choices, index=choices.index(default), key=key, help=help_text)
    if kind is bool:
        return st.toggle(label, value=bool(default), key=key, help=help_text)
    if kind in (int, float):
        low, high = _limits(field, whole=kind is int)
        return st.number_input(
            label,
            min_value=None if low is None else kind(low),
            max_value=None if high is None else kind(high),
            value=None if default is None else kind(default),
            step=1 if kind is int else None,
            format=None if kind is int else "%g",
            key=key,
            help=help_text,
            placeholder="no limit" if optional else None,
        )
    text = st.text_input(label, value="" if default is None else str(default), key=key, help=help_text)
    return None if optional and not text else text
