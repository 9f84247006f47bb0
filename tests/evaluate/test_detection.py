"""Detection: chance on fresh traffic, certain on broken traffic, blind to order unless it may see the neighbours."""

import pytest

from netsynth_core.evaluate.detection import LEAST_ROWS, detectability, flow_features, neighbour_features
from netsynth_core.evaluate.metric import NotApplicable
from netsynth_core.evaluate.views import prepare
from tests.evaluate.traffic import flows, network, shuffled_columns, shuffled_starts

one_flow, with_neighbours = detectability(flow_features), detectability(neighbour_features)


def test_fresh_flows_are_told_by_chance_and_shuffled_columns_always() -> None:
    table = network(400, seed=1)
    real, fresh, loose = prepare([table, network(400, seed=2), shuffled_columns(table, seed=0)])
    assert one_flow(real, fresh) == pytest.approx(0, abs=0.14)
    assert one_flow(real, loose) > 0.9


def test_order_is_seen_through_the_neighbours_only() -> None:
    real, mixed = prepare([network(400, seed=1), shuffled_starts(network(400, seed=2), seed=0)])
    assert one_flow(real, mixed) < 0.2
    assert with_neighbours(real, mixed) > 0.7


def test_the_same_rows_give_the_same_value() -> None:
    real, fresh = prepare([network(100, seed=1), network(100, seed=2)])
    assert one_flow(real, fresh) == one_flow(real, fresh)


def test_too_few_rows_have_no_value() -> None:
    few, many = prepare([flows(*[{}] * (LEAST_ROWS - 1)), network(100, seed=1)])
    with pytest.raises(NotApplicable, match="50 flows a side"):
        one_flow(few, many)
