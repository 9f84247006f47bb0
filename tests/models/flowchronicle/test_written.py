"""Patterns as text: what is written is read back as the same pattern; what cannot be read says which flow."""

import pytest

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.flowchronicle import AddPattern, DropPattern, FlowChronicle, NewCell, NewFlow
from netsynth_core.models.flowchronicle.written import parse_flows, written


def test_every_pattern_is_read_back_as_it_was(model: FlowChronicle) -> None:
    for learnt in model.patterns:
        rest = model.apply(DropPattern(pattern=learnt.id))
        again = rest.apply(AddPattern(flows=parse_flows(written(learnt.pattern, model.columns)), name="again"))
        (made,) = [p for p in again.patterns if p.name == "again"]
        assert made.pattern == learnt.pattern
        assert made.usage == learnt.usage


def test_cells_limits_and_quotes() -> None:
    flows = parse_flows('proto=UDP dst_port=53 service="a b"\n\nwithin=2s src_ip=@1.src_ip flags=\n')
    assert flows == (
        NewFlow(fixed={"proto": "UDP", "dst_port": "53", "service": "a b"}),
        NewFlow(fixed={"flags": ""}, reused={"src_ip": NewCell(flow=1, column="src_ip")}, within="2s"),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 flows"),
        ("proto=UDP\n" * 17, "17 flows"),
        ("proto", "Flow 1: 'proto' is no cell"),
        ("proto=UDP\nproto=TCP proto=UDP", "Flow 2"),
        ("proto='UDP", "quote"),
        ("proto=UDP\nwithin=soon proto=TCP", "Flow 2: within"),
        ("proto=UDP\nsrc_ip=@0.src_ip", "Flow 2: src_ip"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, reason: str) -> None:
    with pytest.raises(InvalidEdit, match=reason):
        parse_flows(text)
