"""Addresses that act as one machine."""

import numpy as np

from netsynth_core.models.flowchronicle.generation.machines import learn_machines

MS = 10**6
HOSTS = [
    *(f"10.0.0.{i}" for i in range(6)),
    "10.0.0.53",
    *(f"fd00::{i}" for i in range(6)),
    "fd00::53",
    "198.51.100.1",
    "fe80::1",
    "NAME",
]


def traffic(n: int, seed: int, *, turns: bool) -> tuple[np.ndarray, np.ndarray]:
    """Client i asks the resolver over IPv6; if `turns`, it connects over IPv4 and the resolver asks on over IPv4, soon
    after; else at any time."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        at, client = int(rng.integers(0, 5000 * 10**9)), int(rng.integers(0, 6))
        later = [
            at + int(rng.integers(MS // 10, 8 * MS)) if turns else int(rng.integers(0, 5000 * 10**9)) for _ in "ab"
        ]
        rows += [(at, 7 + client, 13), (later[0], 6, 14), (later[1], client, 14)]
    table = np.array(sorted(rows))
    return table[:, 1:].astype(np.int32), table[:, 0]


def test_addresses_that_take_turns_are_one_machine() -> None:
    machines = learn_machines(*traffic(600, 0, turns=True), HOSTS)
    for i in range(6):
        assert machines[7 + i] == machines[i] == i
    assert machines[13] == 6
    assert machines[14] == 14 and machines[15] == 15 and machines[16] == 16


def test_addresses_that_do_not_are_machines_of_their_own() -> None:
    for seed in range(5):
        machines = learn_machines(*traffic(600, seed, turns=False), HOSTS)
        assert (machines == np.arange(len(HOSTS))).all()


def test_one_version_and_one_flow() -> None:
    assert (learn_machines(np.zeros((1, 2), np.int32), np.zeros(1, np.int64), HOSTS) == np.arange(len(HOSTS))).all()
    assert (learn_machines(np.zeros((9, 2), np.int32), np.arange(9), HOSTS[:3]) == np.arange(3)).all()
