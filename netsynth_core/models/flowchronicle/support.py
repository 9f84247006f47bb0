"""Which flows can be at all, learnt from the training flows: a window with one that cannot is drawn again.

A Bayesian network knows its variables pairwise; it can join a state to flags, or an IPv4 host to an IPv6 one, that no
flow ever joined. Sampling is the model's own distribution given that every flow of the window is possible.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.columns import Column

GROUPS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("proto", "dst_port"), ()),
    (("proto", "service"), ()),
    (("proto", "state", "flags"), ("fwd_packets", "bwd_packets")),
    # groups never answer, and what is down does not
    (("dst_ip",), ("bwd_packets",)),
)
"""Columns whose values are possible only in a combination that was seen; of the second part only whether it is zero."""
ROUNDS = 30
"""How often impossible windows are drawn again; an edit can make a pattern that has no possible window."""


@dataclass(frozen=True, eq=False)
class Group:
    """One group of columns and the combinations that were seen."""

    columns: tuple[int, ...]
    """Places of the columns among the model's."""
    zero: tuple[int, ...]
    """Places of number columns, of which only zero or not counts."""
    seen: NDArray[np.int32]
    """Combinations x (columns + zero), sorted, each once."""

    def part(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """The group's combination of each flow (flows x columns)."""
        return np.concatenate((codes[:, self.columns], (codes[:, self.zero] != 0).astype(np.int32)), axis=1)


@dataclass(frozen=True, eq=False)
class Support:
    """What held for every training flow."""

    one_family: bool
    """Both ends of a flow have addresses of the same IP version."""
    apart: bool
    """No flow goes from a host to itself."""
    groups: tuple[Group, ...]


def family(address: str) -> int:
    """6 for an address with a colon, 4 for one of digits and dots, 0 for a name."""
    if ":" in address:
        return 6
    return 4 if address.replace(".", "").isdigit() else 0


def _families(columns: Sequence[Column]) -> NDArray[np.int8]:
    return _families_of(next(column.values for column in columns if column.kind == "host"))


@lru_cache(maxsize=4)
def _families_of(hosts: tuple[str, ...]) -> NDArray[np.int8]:
    found = np.array([*map(family, hosts), 0], np.int8)
    found.setflags(write=False)
    return found


def _ends(codes: NDArray[np.int32], columns: Sequence[Column]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    src, dst = (next(c for c, column in enumerate(columns) if column.name == name) for name in ("src_ip", "dst_ip"))
    return codes[..., src], codes[..., dst]


def learn_support(codes: NDArray[np.int32], columns: Sequence[Column]) -> Support:
    """The support of encoded training flows (flows x columns)."""
    place = {column.name: c for c, column in enumerate(columns)}
    groups = []
    for names, zero in GROUPS:
        if not all(name in place for name in names):
            continue
        group = Group(tuple(place[n] for n in names), tuple(place[n] for n in zero), np.zeros((0, 0), np.int32))
        groups.append(Group(group.columns, group.zero, np.unique(group.part(codes), axis=0)))
    src, dst = _ends(codes, columns)
    families = _families(columns)
    return Support(
        one_family=bool((families[src] == families[dst]).all()),
        apart=bool((src != dst).all()),
        groups=tuple(groups),
    )


def possible(support: Support, codes: NDArray[np.int32], columns: Sequence[Column]) -> NDArray[np.bool_]:
    """Which windows (windows x flows x columns) hold possible flows only."""
    flat = codes.reshape(-1, codes.shape[2])
    good = np.ones(len(flat), np.bool_)
    src, dst = _ends(flat, columns)
    if support.one_family:
        families = _families(columns)
        good &= families[src] == families[dst]
    if support.apart:
        good &= src != dst
    for group in support.groups:
        good &= _contained(group.part(flat), group.seen)
    return np.asarray(good.reshape(codes.shape[:2]).all(axis=1), np.bool_)


def _contained(rows: NDArray[np.int32], seen: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which rows are among the rows seen."""
    width = np.maximum(rows.max(axis=0, initial=0), seen.max(axis=0, initial=0)).astype(np.int64) + 1
    weight = np.concatenate(([1], np.cumprod(width[:-1])))
    return np.isin(rows @ weight, seen @ weight)


def draw_possible(
    draw: Callable[[int], NDArray[np.int32]], n: int, support: Support, columns: Sequence[Column]
) -> NDArray[np.int32]:
    """`n` windows from `draw`, impossible ones drawn again up to `ROUNDS` times."""
    codes = draw(n)
    for _ in range(ROUNDS):
        wrong = np.flatnonzero(~possible(support, codes, columns))
        if not len(wrong):
            break
        codes[wrong] = draw(len(wrong))
    return codes
