"""Batch samples against exact inference of pgmpy on the same tables."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from netsynth_core.models.bayesnet.network import BACK_OFF, Network


def fitted() -> Network:
    """Four variables with up to two parents; not every combination occurs."""
    rng = np.random.default_rng(8)
    a = rng.integers(0, 3, 500)
    b = (a + (rng.random(500) < 0.3)) % 4
    c = rng.integers(0, 2, 500)
    d = np.where(c == 1, b * 2, a)
    return Network.fit(
        np.stack([a, b, c, d]).astype(np.int32), np.array([[-1, -1, -1], [0, -1, -1], [-1, -1, -1], [1, 2, -1]])
    )


def as_pgmpy(network: Network):  # type: ignore[no-untyped-def]
    """The same network as pgmpy's: every table written out, with the shares an unseen configuration falls back on."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    model = DiscreteBayesianNetwork()
    model.add_nodes_from([f"v{v}" for v in range(len(network.variables))])
    for v, variable in enumerate(network.variables):
        sizes = [len(network.variables[p].alphabet) for p in variable.parents]
        for parent in variable.parents:
            model.add_edge(f"v{parent}", f"v{v}")
        table = []
        for config in product(*map(range, sizes)):
            key = 0
            for value, size in zip(config, sizes, strict=True):
                key = key * size + value
            counts = np.zeros(len(variable.alphabet))
            if key in variable.configs:
                at = list(variable.configs).index(key)
                part = slice(variable.offsets[at], variable.offsets[at + 1])
                counts[variable.values[part]] = variable.counts[part]
            table.append((counts + BACK_OFF * variable.share()) / (counts.sum() + BACK_OFF))
        evidence = [f"v{p}" for p in variable.parents]
        model.add_cpds(TabularCPD(f"v{v}", len(variable.alphabet), np.array(table).T, evidence or None, sizes or None))
    assert model.check_model()
    return model


@pytest.mark.filterwarnings("ignore:.*:FutureWarning")  # pgmpy's own, on import
@pytest.mark.parametrize("asked", [(0, 3), (1, 2, 3), (0, 1, 2, 3)])
def test_batch_samples_have_the_joint_probabilities_of_exact_inference(asked: tuple[int, ...]) -> None:
    from pgmpy.inference import VariableElimination

    network = fitted()
    names = [f"v{v}" for v in asked]
    factor = VariableElimination(as_pgmpy(network)).query(names, show_progress=False)
    exact = np.moveaxis(factor.values, [factor.variables.index(n) for n in names], range(len(names))).ravel()
    assert exact.sum() == pytest.approx(1)
    n = 60_000
    drawn = network.sample(n, rng=np.random.default_rng(0))
    place = np.zeros(n, np.int64)
    for v in asked:
        alphabet = network.variables[v].alphabet
        place = place * len(alphabet) + np.searchsorted(alphabet, drawn[v])
    observed = np.bincount(place, minlength=len(exact))
    common = exact * n >= 5
    seen = np.append(observed[common], observed[~common].sum())
    expected = np.append(exact[common], exact[~common].sum()) * n
    keep = expected > 0
    assert seen[~keep].sum() == 0
    assert chisquare(seen[keep], expected[keep]).pvalue > 1e-4
