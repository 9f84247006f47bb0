"""A model's transitions as the forge takes them: direction, flags, payload class, first word, sizes and delays.

The laws of delays and sizes enter through pools: `POOL` draws a transition, made once from the capture's seed. A flow
then picks from them by its own stream, so what it gets depends on nothing but the seed and its row.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter, SchemaError
from netsynth_core.flows.payloads import CLASS_NAMES, EMPTY, LEAST, RANDOM, TEXT
from netsynth_core.flows.symbols import Symbol, parse_symbol
from netsynth_core.models.automata.automaton import END, TimedAutomaton
from netsynth_core.models.automata.payloads import PayloadModel, PayloadModels
from netsynth_core.models.automata.running import flatten

POOL: Final = 1024
LONGEST_GAP: Final = 3600 * 10**9
"""Drawn delays are cut at an hour."""
_BITS: Final = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
_NS: Final = {"ns": 1.0, "us": 1e3, "s": 1e9, "": 1e3}


@dataclass(frozen=True, eq=False)
class Spoken:
    """Transitions of one automaton in the order of `flatten`."""

    way: NDArray[np.int64]
    flags: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    token: NDArray[np.int32]
    """Position in the list of tokens shared by all models; -1 without."""
    tcp: NDArray[np.bool_]
    """Whether the symbol has flags; symbols of datagrams have none."""
    delays: NDArray[np.int64]
    """(transitions, POOL) ns."""
    sizes: NDArray[np.int32]
    """(transitions, POOL) payload bytes."""
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    carried: NDArray[np.int32]
    """Position of each transition's payload model among all models'; -1 without."""


def symbols_of(automaton: TimedAutomaton, *, name: str) -> dict[str, Symbol]:
    """The packet symbols of an automaton.

    Raises
    ------
    InvalidParameter
        When one of them is no packet symbol.
    """
    found = {}
    for text in automaton.alphabet:
        try:
            found[text] = parse_symbol(text)
        except SchemaError as error:
            raise InvalidParameter(
                f"Model {name} has the symbol {text!r}, from which no packet can be made.",
                hint="Forging needs symbols such as S_>_Empty or PA_<_Random: learn the model from words that "
                "`netsynth words` made of a capture.",
            ) from error
    return found


def flag_bits(letters: str) -> int:
    """The flags byte of a symbol's letters.

    >>> flag_bits("SA")
    18
    """
    return sum(_BITS[letter] for letter in letters)


def least_size(kind: int, token: str) -> int:
    """Fewest bytes a payload of the class has."""
    if kind == EMPTY:
        return 0
    if kind == RANDOM:
        return LEAST
    return max(1, len(token) + 1 if token else 1)


def speak_model(
    automaton: TimedAutomaton,
    tokens: dict[str, int],
    *,
    name: str,
    rng: np.random.Generator,
    payloads: PayloadModels | None = None,
    learnt: list[PayloadModel] | None = None,
) -> Spoken:
    """Everything the forge needs of a model's transitions.

    New first words are added to `tokens`, what `payloads` says of transitions to `learnt`.
    """
    symbols = symbols_of(automaton, name=name)
    flat = flatten(automaton)
    n = len(flat.ids)
    way, token = np.zeros(n, np.int64), np.full(n, -1, np.int32)
    flags, kind = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    tcp = np.zeros(n, bool)
    carried = np.full(n, -1, np.int32)
    delays, sizes = np.zeros((n, POOL), np.int64), np.zeros((n, POOL), np.int32)
    for e, id in enumerate(flat.ids):
        transition = automaton.by_transition[id]
        if transition.symbol == END or transition.delay is None:
            continue
        symbol = symbols[transition.symbol]
        way[e] = 0 if symbol.direction == ">" else 1
        flags[e] = flag_bits(symbol.flags)
        tcp[e] = bool(symbol.flags)
        kind[e] = CLASS_NAMES.index(symbol.payload)
        # the kind of a binary message is for reading: makers know the order of their own messages
        if symbol.token and kind[e] == TEXT:
            token[e] = tokens.setdefault(symbol.token, len(tokens))
        drawn = automaton.scale.decode(transition.delay.sample(POOL, rng=rng), rng=rng).astype(np.float64)
        if automaton.scale.unit == "dbus":
            drawn = np.where(drawn > 0, 10.0 ** (np.minimum(drawn, 120) / 10.0) * 1e3, 0.0)
        else:
            drawn = drawn * _NS[automaton.scale.unit]
        delays[e] = np.minimum(drawn, LONGEST_GAP).astype(np.int64)
        if kind[e] == EMPTY:
            continue
        held = None if payloads is None else payloads.get(id)
        if held is not None and learnt is not None and held.kind == symbol.payload:
            carried[e] = len(learnt)
            learnt.append(held)
        if transition.size is not None and automaton.size_scale is not None:
            octets = automaton.size_scale.decode(transition.size.sample(POOL, rng=rng), rng=rng)
        else:
            # a model that was learnt without sizes: anything a segment holds, on a logarithmic scale
            octets = np.exp(rng.uniform(np.log(16), np.log(1400), POOL)).astype(np.int64)
        least = least_size(int(kind[e]), symbol.token if kind[e] == TEXT else "")
        sizes[e] = np.clip(octets, least, 65_000)
    return Spoken(
        way,
        flags,
        kind,
        token,
        tcp,
        delays,
        sizes,
        sizes.min(axis=1, initial=65_000),
        sizes.max(axis=1, initial=0),
        carried,
    )
