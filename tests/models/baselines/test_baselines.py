"""The baselines beside FlowChronicle: the same columns and networks, without patterns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from netsynth_core.errors import DocumentError, InvalidEdit
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.baselines import Independent, IndependentParams, SequenceParams, Sequential
from netsynth_core.models.edits import Edit
from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams
from netsynth_core.models.registry import get_kind, kinds

S = 10**9


def alternating(blocks: int, seed: int = 0) -> FlowTable:
    """Blocks of five flows whose ports follow one another: the first port says the other four."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, blocks)
    ports = (first[:, None] * 10 + np.arange(5)).ravel() + 1000
    n = len(ports)
    frame = pd.DataFrame(
        {
            "ts": np.arange(n) * S,
            "proto": "TCP",
            "src_ip": [f"10.0.0.{i}" for i in rng.integers(1, 30, n)],
            "dst_ip": [f"10.0.1.{i}" for i in rng.integers(1, 30, n)],
            "dst_port": ports,
            "fwd_packets": rng.integers(2, 60, n),
            "fwd_bytes": 9000,
        }
    )
    return FlowTable.from_columns(frame)


def test_independent_is_the_empty_pattern_of_flowchronicle() -> None:
    flows = alternating(80)
    alone = Independent.fit(flows, IndependentParams(), rng=np.random.default_rng(0))
    mined = FlowChronicle.fit(flows, FlowChronicleParams(), rng=np.random.default_rng(0))
    # up to the label code and the number of patterns of a model that has none
    assert alone.describe().codelength.total == pytest.approx(mined.bits.empty, abs=4)
    assert not alone.inner.patterns and alone.inner.empty.usage == len(flows)


def test_a_sequence_knows_what_follows_and_independent_flows_do_not() -> None:
    flows = alternating(400)
    rng = np.random.default_rng(1)
    sequence = Sequential.fit(flows, SequenceParams(), rng=rng)
    independent = Independent.fit(flows, IndependentParams(), rng=rng)

    def kept(model: Sequential | Independent) -> float:
        ports = model.sample(2000, rng=np.random.default_rng(0)).frame["dst_port"].to_numpy()
        return float(np.mean(np.diff(ports) == 1))

    # blocks of long waits may overlap in time, so that not every flow has its neighbour beside it
    assert kept(sequence) > 2 * kept(independent)
    assert sequence.describe().codelength.total < independent.describe().codelength.total


def test_blocks_are_disjoint_and_the_last_flows_are_kept() -> None:
    flows = alternating(60).take(np.arange(298))
    model = Sequential.fit(flows, SequenceParams(), rng=np.random.default_rng(0))
    (block,) = model.inner.patterns
    assert (block.usage, model.inner.empty.usage, len(block.pattern)) == (59, 3, 5)
    assert block.pattern.covered == 0
    assert model.describe().size["blocks"] == 59
    drawn = model.sample(3000, rng=np.random.default_rng(0)).frame
    assert ks_2samp(drawn["fwd_packets"], flows.frame["fwd_packets"]).statistic < 0.1


def test_fewer_flows_than_a_block_are_learnt_as_they_are() -> None:
    model = Sequential.fit(alternating(1).take(np.arange(4)), SequenceParams(), rng=np.random.default_rng(0))
    assert not model.inner.patterns and len(model.sample(20, rng=np.random.default_rng(0))) == 20


def test_the_codelength_is_never_above_networks_without_edges() -> None:
    rng = np.random.default_rng(3)
    frame = alternating(100).frame.copy()
    for column in frame.columns.drop("ts"):
        frame[column] = frame[column].to_numpy()[rng.permutation(len(frame))]
    for kind in (Independent, Sequential):
        params = SequenceParams() if kind is Sequential else IndependentParams()
        bits = kind.fit(FlowTable.from_columns(frame), params, rng=rng).describe().codelength
        assert bits.total <= bits.empty + 1e-6


def test_nothing_is_edited_and_a_document_of_another_shape_is_refused() -> None:
    model = Sequential.fit(alternating(40), SequenceParams(), rng=np.random.default_rng(0))
    with pytest.raises(InvalidEdit, match="cannot be edited"):
        model.apply(Edit(op="drop_pattern"))
    document = model.to_document()
    with pytest.raises(DocumentError, match="not one over 4 free flows"):
        Sequential.from_document(replace(document, body={**document.body, "block": 4}))


def test_both_are_registered_with_their_source() -> None:
    names = [kind.name for kind in kinds()]
    assert names[:3] == ["flowchronicle", "independent", "sequence"]
    assert all("FlowChronicle, CoNEXT 2024" in get_kind(name).source for name in ("independent", "sequence"))
