"""Columns as codes: round trips, sparse and constant tables, values that training did not have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.flows.table import FlowTable
from netsynth_core.models.flowchronicle.columns import NUMBERS, encode_flows, learn_columns


def table(numbers: list[int], **columns: Any) -> FlowTable:
    """A flow table whose number columns all hold `numbers`."""
    n = len(numbers)
    frame = pd.DataFrame(
        {
            "ts": np.arange(n) * 10**9,
            "proto": "TCP",
            "src_ip": "10.0.0.1",
            "dst_ip": [f"10.0.0.{i % 3}" for i in range(n)],
            "dst_port": 443,
            **dict.fromkeys(NUMBERS, numbers),
        }
    )
    return FlowTable.from_columns(frame.assign(**columns))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200), st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_a_number_comes_back_into_its_own_bin(numbers: list[int], bins: int) -> None:
    flows = table(numbers)
    columns = learn_columns(flows, bins=bins)
    column = next(c for c in columns if c.name == "fwd_bytes")
    codes = column.encode(flows.frame["fwd_bytes"])
    assert codes.max(initial=0) < column.size
    drawn = column.decode_numbers(codes, rng=np.random.default_rng(0))
    again = column.encode(pd.Series(drawn))
    assert (again == codes).all()
    assert ((drawn == 0) == (np.array(numbers) == 0)).all()
    assert drawn.max() <= max(numbers)


def test_a_value_that_fills_a_bin_comes_out_exactly() -> None:
    flows = table([40] * 50 + list(range(1000, 1050)))
    column = next(c for c in learn_columns(flows, bins=4) if c.name == "fwd_bytes")
    codes = column.encode(flows.frame["fwd_bytes"])
    drawn = column.decode_numbers(codes, rng=np.random.default_rng(1))
    assert (drawn[:50] == 40).all()


def test_the_tail_keeps_its_shape() -> None:
    """Half of a bin's draws lie below its median, however far the largest value is."""
    values = np.random.default_rng(0).pareto(0.7, 4000) * 100 + 1
    flows = table([int(v) for v in values])
    column = next(c for c in learn_columns(flows, bins=10) if c.name == "fwd_bytes")
    codes = column.encode(flows.frame["fwd_bytes"])
    top = codes == codes.max()
    real = flows.frame["fwd_bytes"].to_numpy()[top]
    drawn = column.decode_numbers(np.repeat(codes[top], 20), rng=np.random.default_rng(2))
    assert np.median(drawn) == pytest.approx(np.median(real), rel=0.15)


def test_both_addresses_share_one_dictionary() -> None:
    columns = {c.name: c for c in learn_columns(table([1, 2, 3]), bins=4)}
    assert columns["src_ip"].values == columns["dst_ip"].values == ("10.0.0.0", "10.0.0.1", "10.0.0.2")


def test_service_and_state_are_modelled_where_a_flow_has_them() -> None:
    assert "service" not in {c.name for c in learn_columns(table([1, 2]), bins=4)}
    assert "service" in {c.name for c in learn_columns(table([1, 2], service=["", "dns"]), bins=4)}


def test_what_training_did_not_have_gets_the_other_code() -> None:
    columns = learn_columns(table([0, 0, 5]), bins=4)
    other = table([7, 0], proto=["UDP", "TCP"], dst_ip=["192.0.2.1", "10.0.0.1"])
    codes = encode_flows(columns, other)
    names = [c.name for c in columns]
    proto, dst = names.index("proto"), names.index("dst_ip")
    assert codes[0, proto] == columns[proto].other
    assert codes[1, proto] != columns[proto].other
    assert codes[0, dst] == columns[dst].other


@pytest.mark.parametrize("numbers", [[0], [5], [0, 0], [7, 7, 7]])
def test_tiny_and_constant_tables_are_modelled(numbers: list[int], fitted: Callable[..., Any]) -> None:
    model = fitted(table(numbers))
    drawn = model.sample(9, rng=np.random.default_rng(0)).frame
    assert set(drawn["fwd_packets"]) == set(numbers)
    assert set(drawn["proto"]) == {"TCP"}
