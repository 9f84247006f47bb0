"""Payloads from the payload models of transitions (`netsynth_core.models.automata.payloads`).

Which payload a packet gets, the first that applies:

1. replay is on and its transition stores payloads: the stored one of the nearest length, whole;
2. its service has a maker (`netsynth_core.forge.payloads.makers`), or its port wants well-formed messages: the maker's,
   since messages then agree with each other (transaction ids, lengths, questions and answers);
3. its transition has templates: one of them, written at the size drawn, fields made up;
4. bytes of its payload class.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.forge.columns import FILL_LOW, FILL_TEXT
from netsynth_core.forge.payloads.pattern import Made, PatternStore
from netsynth_core.models.automata.payloads import PayloadModel
from netsynth_core.units import count

VARIANTS: Final = 16
"""Different payloads written by templates for one transition and size."""


@dataclass
class LearntPayloads:
    """The payload models of all transitions, and what was made of them so far."""

    models: tuple[PayloadModel, ...] = ()
    replay: bool = False
    replayed: int = 0
    """Packets that repeat a stored payload."""
    templated: int = 0
    """Packets written by a template."""
    _made: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def chosen(
        self, carried: NDArray[np.int32], size: NDArray[np.int32], served: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which packets repeat stored payloads, and which are written by templates.

        Parameters
        ----------
        carried
            Position of each packet's payload model; -1 without.
        served
            Packets whose service has a maker, or whose port wants well-formed messages.
        """
        none = np.zeros(len(carried), bool)
        if not self.models:
            return none, none
        live = (carried >= 0) & (size > 0)
        stored = np.array([self.replay and bool(model.samples) for model in self.models], bool)
        written = np.array([bool(model.templates) for model in self.models], bool)
        repeats = live & stored[carried]
        return repeats, live & written[carried] & ~served & ~repeats

    def repeat(
        self,
        rows: NDArray[np.int64],
        carried: NDArray[np.int32],
        size: NDArray[np.int32],
        limit: NDArray[np.int64],
        choice: NDArray[np.uint64],
        pattern: NDArray[np.int32],
        store: PatternStore,
    ) -> None:
        """Give the packets `rows` stored payloads of the nearest length; `size` and `pattern` are changed."""
        for number in np.unique(carried[rows]).tolist():
            mine = rows[carried[rows] == number]
            model = self.models[number]
            order = sorted(range(len(model.samples)), key=lambda i: (len(model.samples[i]), i))
            lengths = np.array([len(model.samples[i]) for i in order], np.int64)
            weights = np.cumsum([model.weights[i] for i in order])
            right = np.clip(np.searchsorted(lengths, size[mine]), 0, len(lengths) - 1)
            left = np.maximum(right - 1, 0)
            nearer = np.where(size[mine] - lengths[left] < lengths[right] - size[mine], lengths[left], lengths[right])
            low = np.searchsorted(lengths, nearer, side="left")
            high = np.searchsorted(lengths, nearer, side="right")
            before = np.where(low > 0, weights[low - 1], 0)
            drawn = before + (choice[mine] % (weights[high - 1] - before).astype(np.uint64)).astype(np.int64)
            which = np.searchsorted(weights, drawn, side="right")
            places = np.array([self._stored(number, order[i], store) for i in range(len(order))], np.int32)
            pattern[mine] = places[which]
            size[mine] = np.minimum(lengths[which], limit[mine])
        self.replayed += len(rows)

    def write(
        self,
        rows: NDArray[np.int64],
        carried: NDArray[np.int32],
        size: NDArray[np.int32],
        choice: NDArray[np.uint64],
        pattern: NDArray[np.int32],
        store: PatternStore,
    ) -> None:
        """Give the packets `rows` payloads written by templates, of the size they have."""
        keys = np.column_stack(
            [carried[rows].astype(np.int64), size[rows].astype(np.int64), (choice[rows] % VARIANTS).astype(np.int64)]
        )
        different, which = np.unique(keys, axis=0, return_inverse=True)
        places = np.array(
            [self._written(number, octets, variant, store) for number, octets, variant in different.tolist()], np.int32
        )
        pattern[rows] = places[which]
        self.templated += len(rows)

    def _stored(self, number: int, sample: int, store: PatternStore) -> int:
        key = (number, -1, sample)
        if key not in self._made:
            self._made[key] = store.add(Made(self.models[number].samples[sample]))
        return self._made[key]

    def _written(self, number: int, size: int, variant: int, store: PatternStore) -> int:
        key = (number, size, variant)
        if key not in self._made:
            model = self.models[number]
            rng = np.random.default_rng(key)
            seen = np.cumsum([template.seen for template in model.templates])
            template = model.templates[int(np.searchsorted(seen, rng.integers(0, max(seen[-1], 1)), side="right"))]
            fill = FILL_TEXT if model.kind == "Text" else FILL_LOW
            self._made[key] = store.add(Made(template.write(size, rng=rng), fill))
        return self._made[key]

    def notes(self) -> list[str]:
        """Sentences for the report."""
        found = []
        if self.replayed:
            found.append(
                f"{count(self.replayed, 'packet')} {'repeats' if self.replayed == 1 else 'repeat'} payloads of the "
                "capture the models learnt from."
            )
        if self.replay and not any(model.samples for model in self.models):
            found.append("Replay was asked for, but no model stores payloads: learn them with payloads=replay.")
        return found
