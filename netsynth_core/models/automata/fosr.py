"""Automata in the JSON layout of the published tool chain (Fos-R), in both directions.

The layout: ``edges`` (``src``, ``dst``, ``symbol``, ``p``, ``count``, the law of delay and size, ``payloads``),
``noise`` (shares), ``initial_state``, ``accepting_state``, ``protocol``, ``metadata``. There are two versions of it:

======== ============================================================== ==========================================
layout   delay and size                                                 payloads
======== ============================================================== ==========================================
normal   ``mu`` [delay, size], ``cov`` 2 x 2; delay in ms (TCP) or µs   ``type`` and ``lengths`` or ``content``
gamma    ``distrib`` {law: gamma, shape, loc, scale} or {law: constant, ``content`` alone, hexadecimal
         value} of 10 log10 µs; ``statistics`` instead of ``noise``
======== ============================================================== ==========================================

Symbols differ in one character (``Text:GET`` there, ``Text-GET`` here). What the layout cannot hold, such as a mixture
of delays, is written by its mean and variance; the dependence of a delay on the size is not read. What comes from
outside is decoded strictly and within limits.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidParameter, SchemaError
from netsynth_core.flows.symbols import Symbol, format_symbol, parse_symbol
from netsynth_core.models.automata.automaton import END, TimedAutomaton, Transition
from netsynth_core.models.automata.payloads import PayloadModel, PayloadModels
from netsynth_core.models.delays import DelayLaw, DelayScale

LAYOUTS: Final = ("normal", "gamma")
MADE_UP: Final = 16
"""Payloads written for a transition whose model stores none."""
MICROSECONDS: Final = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
UNITS: Final = tuple(MICROSECONDS)
SHARES: Final = ("deletion", "reemission", "transposition", "addition")


# -- writing ----------------------------------------------------------------------------------------------------------


def to_fosr(
    automaton: TimedAutomaton,
    *,
    layout: Literal["normal", "gamma"] | str = "normal",
    service: str = "",
    state: str = "",
    noise: Sequence[int] = (1, 0, 0, 0, 0),
    payloads: PayloadModels | None = None,
    input_file: str = "",
    created: str = "",
) -> dict[str, Any]:
    """The automaton as JSON values.

    Parameters
    ----------
    layout
        One of `LAYOUTS`.
    noise
        Matches, deletions, re-emissions, transpositions, additions.
    payloads
        What transitions carry: stored payloads are written as they are; where there are none, lengths, or payloads
        made up from templates: ``metadata.made_up_payloads`` lists the positions of such edges.

    Raises
    ------
    InvalidParameter
        When its symbols are no packet symbols, or there is no such layout.
    """
    if layout not in LAYOUTS:
        raise InvalidParameter(f"There is no layout {layout!r}.", hint=f"The layouts are: {', '.join(LAYOUTS)}.")
    try:
        symbols = {name: parse_symbol(name) for name in automaton.alphabet}
    except SchemaError as error:
        raise InvalidParameter(error.message, hint="Only automata of packets have this layout.") from error
    tcp = any(symbol.flags for symbol in symbols.values())
    number = {location.id: i for i, location in enumerate(automaton.locations)}
    edges: list[dict[str, Any]] = []
    made_up: list[int] = []
    for t in automaton.transitions:
        edge: dict[str, Any] = {
            "src": number[t.source],
            "dst": number[t.target],
            "symbol": t.symbol if t.symbol == END else _outside(symbols[t.symbol]),
            "p": automaton.probability(t),
            "count": t.count,
        }
        edge |= _laws(automaton, t, layout, 1e-3 if tcp else 1.0)
        held = None if payloads is None else payloads.get(t.id)
        edge["payloads"] = _payloads(automaton, t, symbols.get(t.symbol), held, layout)
        if edge["payloads"].get("content") and (held is None or not held.samples):
            made_up.append(len(edges))
        edges.append(edge)
    total = max(sum(noise), 1)
    shares = {"none": noise[0] / total} | {n: k / total for n, k in zip(SHARES, noise[1:], strict=True)}
    name = "-".join(part for part in (service, state) if part) or "automaton"
    return {
        "edges": edges,
        ("noise" if layout == "normal" else "statistics"): shares,
        "initial_state": number[automaton.initial],
        "accepting_state": number[automaton.final],
        "protocol": "tcp" if tcp else "icmp" if service.startswith("icmp") else "udp",
        "metadata": {
            "service": service,
            "conn_state": state,
            "input_file": input_file,
            "creation_time": created,
            "automaton_name": name,
            **({"made_up_payloads": made_up} if made_up else {}),
        },
    }


def _outside(symbol: Symbol) -> str:
    return format_symbol(symbol).replace(f"{symbol.payload}-", f"{symbol.payload}:", 1)


def microseconds(scale: DelayScale) -> NDArray[np.float64]:
    """The delay that each code stands for, µs; of an unknown unit, as if it were µs."""
    codes = np.arange(scale.codes, dtype=np.float64)
    if scale.kind == "decibel" or scale.kind == "level" or scale.unit == "dbus":
        offset = scale.offset if scale.kind == "decibel" else 0
        return np.where(codes > 0, 10.0 ** ((codes - offset) / 10.0), 0.0)
    return codes * MICROSECONDS.get(scale.unit, 1.0)


def _laws(automaton: TimedAutomaton, t: Transition, layout: str, factor: float) -> dict[str, Any]:
    if t.delay is None:
        none = {"distrib": {"law": "constant", "value": 0.0}}
        return {"mu": [0.0, 0.0], "cov": [[1e-6, 0.0], [0.0, 1e-6]]} if layout == "normal" else none
    share = _without_floor(t.delay)
    delays = microseconds(automaton.scale)
    if layout == "gamma":
        level = np.where(delays > 0, np.maximum(10.0 * np.log10(np.maximum(delays, 1e-9)), 0.0), 0.0)
        mean = float(share @ level)
        variance = float(share @ (level - mean) ** 2)
        if variance < 0.05 or mean <= 0:
            return {"distrib": {"law": "constant", "value": mean}}
        return {
            "distrib": {"law": "gamma", "shape": mean**2 / variance, "loc": 0.0, "scale": variance / mean},
        }
    delays = delays * factor
    mean = float(share @ delays)
    variance = float(share @ (delays - mean) ** 2)
    sizes = _sizes(automaton, t, 4096)
    return {
        "mu": [mean, float(sizes.mean())],
        "cov": [[variance + 1e-6, 0.0], [0.0, float(sizes.var()) + 1e-6]],
    }


def _without_floor(law: DelayLaw) -> NDArray[np.float64]:
    """The probabilities without the uniform floor, which reaches to delays nobody waits for and would rule the mean."""
    share = np.maximum(law.probabilities - law.floor / law.codes, 0.0) if law.parts else law.probabilities
    whole: NDArray[np.float64] = share / share.sum()
    return whole


def _sizes(automaton: TimedAutomaton, t: Transition, n: int) -> NDArray[np.int64]:
    if t.size is None or automaton.size_scale is None:
        return np.zeros(n, np.int64)
    rng = np.random.default_rng(0)
    return automaton.size_scale.decode(t.size.sample(n, rng=rng), rng=rng)


def _payloads(
    automaton: TimedAutomaton, t: Transition, symbol: Symbol | None, held: PayloadModel | None, layout: str
) -> dict[str, Any]:
    if symbol is None or symbol.payload == "Empty":
        return {"type": "NoPayload"} if layout == "normal" else {"content": []}
    sizes = np.maximum(_sizes(automaton, t, 256), 1)
    if layout == "normal" and symbol.payload == "Random":
        if held is not None and held.lengths:
            lengths, weights = [size for size, _ in held.lengths], [count for _, count in held.lengths]
        else:
            values, counts = np.unique(sizes, return_counts=True)
            lengths, weights = values.tolist(), counts.tolist()
        return {"type": "Lengths", "lengths": lengths, "weights": weights}
    contents, weights = _contents(symbol, held, sizes)
    if layout == "gamma":
        return {"content": [content.hex() for content in contents], "weights": weights}
    if symbol.payload == "Text":
        texts = [content.decode("utf-8", errors="replace") for content in contents]
        return {"type": "Text", "content": texts, "weights": weights}
    return {
        "type": "Base64",
        "content": [base64.b64encode(content).decode("ascii") for content in contents],
        "weights": weights,
    }


def _contents(symbol: Symbol, held: PayloadModel | None, sizes: NDArray[np.int64]) -> tuple[list[bytes], list[int]]:
    """Stored payloads, else made-up ones of sizes the transition has."""
    if held is not None and held.samples:
        return list(held.samples), list(held.weights)
    rng = np.random.default_rng(0)
    made: list[bytes] = []
    for size in sizes[:MADE_UP].tolist():
        if held is not None and held.templates:
            head = held.templates[len(made) % len(held.templates)].write(size, rng=rng)
        else:
            head = (symbol.token + " ").encode("ascii")[:size] if symbol.token and symbol.payload == "Text" else b""
        rest = size - len(head)
        made.append(head + (b"x" * rest if symbol.payload == "Text" else rng.bytes(rest)))
    return made, [1] * len(made)
