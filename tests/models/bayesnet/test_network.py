"""Fitted networks: probabilities that sum to one, and samples that follow them."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from netsynth_core.models.bayesnet.network import Network


def fitted() -> Network:
    """Three variables, the last two depending on those before."""
    rng = np.random.default_rng(3)
    a = rng.integers(0, 3, 400)
    b = np.where(rng.random(400) < 0.8, a, 5)
    c = (a + b + (rng.random(400) < 0.2)) % 4
    codes = np.stack([a * 10, b, c]).astype(np.int32)
    return Network.fit(codes, np.array([[-1, -1, -1], [0, -1, -1], [0, 1, -1]]))


def test_probabilities_of_all_samples_sum_to_one() -> None:
    network = fitted()
    everything = np.array(list(product(*(v.alphabet for v in network.variables)))).T.astype(np.int32)
    assert np.exp2(network.log2_probability(everything).sum(axis=0)).sum() == pytest.approx(1.0)


def test_each_conditional_sums_to_one_also_for_a_configuration_never_seen() -> None:
    network = fitted()
    for a, b in product(network.variables[0].alphabet, network.variables[1].alphabet):
        c = network.variables[2].alphabet
        codes = np.stack([np.full(len(c), a), np.full(len(c), b), c]).astype(np.int32)
        assert np.exp2(network.log2_probability(codes)[2]).sum() == pytest.approx(1.0)


def test_a_value_never_seen_has_no_probability() -> None:
    assert fitted().log2_probability(np.array([[7], [0], [0]], np.int32))[0, 0] == -np.inf


def test_samples_follow_the_probabilities() -> None:
    network = fitted()
    drawn = network.sample(20_000, rng=np.random.default_rng(0))
    everything = np.array(list(product(*(v.alphabet for v in network.variables)))).T.astype(np.int32)
    expected = np.exp2(network.log2_probability(everything).sum(axis=0)) * 20_000
    observed = np.array([(drawn == column[:, None]).all(axis=0).sum() for column in everything.T])
    assert observed.sum() == 20_000
    common = expected >= 5
    observed = np.append(observed[common], observed[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    assert chisquare(observed, expected).pvalue > 1e-4


def test_same_seed_same_sample() -> None:
    network = fitted()
    once, twice = (network.sample(50, rng=np.random.default_rng(4)) for _ in range(2))
    assert (once == twice).all()
