"""Drafts from models: each flow's packets from the automaton chosen for it, the others by default.

The order in which models are tried for a flow: those of its service and state; those of its service over all states;
those of its service and another state; then those of its protocol (`tcp`, `udp`, `icmp`) and state, and those of its
protocol, since what few conversations do is learnt with its like in other services; where its service has none, also
those of its protocol and another state. Runs are conditioned on the flow's counts, on its state, and on being coherent
TCP (`netsynth_core.forge.drafting.coherence`); where no model has one, the run is made with fewer packets, of which
some are emitted again (pure acknowledgements rather than data), as the noise model of TADAM has it.

Byte totals are a soft target. Given the path, every payload size is first drawn from the law of its transition; then,
in each direction, sizes are drawn again one at a time (at most four times as often as there are packets) and a new one
is kept where it brings the sum nearer to the flow's bytes; what is still amiss is shifted within the range of sizes of
the transitions. So no packet has a size its transition cannot have, and a flow whose bytes its path cannot make gets
the nearest sum. The law of sizes is that of the transitions under no target, and leans towards it as far as needed.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.forge.columns import Draft
from netsynth_core.forge.drafting.alphabet import Spoken, speak_model, symbols_of
from netsynth_core.forge.drafting.coherence import Coherence
from netsynth_core.forge.drafting.defaults import draft_default, empty_draft
from netsynth_core.forge.plan import Plan
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.conditioned import (
    BACKWARD,
    FORWARD,
    NEVER,
    ConditionedSampler,
    conditioned_sampler,
)
from netsynth_core.models.automata.payloads import PayloadModel
from netsynth_core.units import count

TABLES: Final = 256 << 20
"""Most memory of all tables kept, bytes; older ones are made again when they are needed again."""
_FAMILIES: Final = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}
MOST_AGAIN: Final = 0.25
"""Largest share of a flow's packets (two are always allowed) that are emitted again to make its counts."""


class PacketModel(Protocol):
    """What the forge needs of a packet-level model."""

    @property
    def automaton(self) -> TimedAutomaton:
        """Over symbols ``FLAGS_DIRECTION_CLASS``."""
        ...

    @property
    def service(self) -> str:
        """Empty when unknown."""
        ...

    @property
    def state(self) -> str:
        """Empty when it was learnt from flows of any state."""
        ...


class _How(NamedTuple):
    """One way to draw flows from a model."""

    model: int
    group: str
    tcp: bool
    state: str


@dataclass
class Drafter:
    """Drafts batches of flows and counts what it could not draw."""

    plan: Plan
    models: Sequence[PacketModel]
    spoken: list[Spoken]
    tokens: tuple[str, ...]
    payloads: tuple[PayloadModel, ...] = ()
    """What transitions carry, of all models; `Draft.carried` counts in it."""
    fallbacks: Counter[str] = field(default_factory=Counter)
    drawn: int = 0
    """Flows drawn from an automaton."""
    exact: int = 0
    again: int = 0
    """Packets emitted again so that counts agree."""
    nearly: int = 0
    """Flows beyond the table of counts that were drawn by nearly the automaton's law."""
    _samplers: dict[_How, ConditionedSampler] = field(default_factory=dict)
    _keys: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Sequence[PacketModel], plan: Plan, *, seed: int) -> Self:
        """A drafter for the flows of a plan.

        Raises
        ------
        InvalidParameter
            When a model's symbols are no packet symbols.
        """
        tokens: dict[str, int] = {}
        payloads: list[PayloadModel] = []
        spoken = []
        keys: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i, model in enumerate(models):
            name = "/".join(part for part in (model.service, model.state) if part) or f"number {i + 1}"
            rng = np.random.default_rng([seed, i])
            held = getattr(model, "payloads", None)
            spoken.append(speak_model(model.automaton, tokens, name=name, rng=rng, payloads=held, learnt=payloads))
            keys[model.service, model.state].append(i)
        return cls(plan, models, spoken, tuple(tokens), tuple(payloads), _keys=dict(keys))

    def draft(self, flows: NDArray[np.int64]) -> Draft:
        """The packets of some flows of the plan."""
        plan = self.plan
        draft = empty_draft(plan.fwd[flows] + plan.bwd[flows])
        edges = np.full(len(draft.size), -1, np.int64)
        tcp = plan.columns.proto[flows] == 6
        groups: dict[tuple[str, str, bool], list[int]] = defaultdict(list)
        for i, key in enumerate(zip(plan.group[flows], plan.state[flows], tcp.tolist(), strict=True)):
            groups[key].append(i)
        left: list[NDArray[np.int64]] = []
        for (service, state, is_tcp), members in sorted(groups.items()):
            rest = np.array(members, np.int64)
            family = _FAMILIES[int(plan.columns.proto[flows[rest[0]]])]
            chain = self._chain(service, state)
            pooled = [n for key in ((family, state), (family, "")) for n in self._keys.get(key, []) if n not in chain]
            for tried in (chain, pooled if chain else self._chain(family, state)):
                for again in (False, True):
                    for number in tried:
                        rest = self._draw(draft, edges, flows, rest, _How(number, service, is_tcp, state), again=again)
            chain = chain or pooled or self._chain(family, state)
            if len(rest):
                label = f"{service}/{state}"
                self.fallbacks[f"counts not reachable: {label}" if chain else f"no automaton: {label}"] += len(rest)
                left.append(rest)
        if left:
            draft_default(plan, flows, draft, np.sort(np.concatenate(left)))
        self.exact += len(flows)
        return draft

    def notes(self) -> list[str]:
        """Sentences for the report."""
        found = []
        if self.again:
            found.append(
                f"{count(self.again, 'packet')} {'was' if self.again == 1 else 'were'} emitted again, so that flows "
                "have the counts asked for."
            )
        if self.nearly:
            found.append(
                f"{count(self.nearly, 'flow')} of many packets {'follows' if self.nearly == 1 else 'follow'} the law "
                "of an automaton only nearly."
            )
        return found

    def _chain(self, service: str, state: str) -> list[int]:
        """The models to try for a flow, best first."""
        if not service and not state:
            return []
        own = self._keys.get((service, state), [])
        whole = [] if state == "" else self._keys.get((service, ""), [])
        others = [
            i for key, numbers in self._keys.items() for i in numbers if key[0] == service and key[1] not in ("", state)
        ]
        others.sort(key=lambda i: (-self.models[i].automaton.uses, i))
        return [*own, *whole, *others]

    def _sampler(self, how: _How) -> ConditionedSampler:
        """The sampler for flows of one kind, with room for all of them."""
        found = self._samplers.get(how)
        if found is not None:
            return found
        plan, model = self.plan, self.models[how.model]
        symbols = symbols_of(model.automaton, name=model.service)
        mine = (plan.group == how.group) & (plan.state == how.state) & ((plan.columns.proto == 6) == how.tcp)

        def direction(name: str) -> int:
            symbol = symbols[name]
            return NEVER if bool(symbol.flags) != how.tcp else FORWARD if symbol.direction == ">" else BACKWARD

        alphabet = [symbols[name] for name in model.automaton.alphabet]
        found = conditioned_sampler(
            model.automaton,
            direction,
            fwd=int(plan.fwd[mine].max(initial=0)),
            bwd=int(plan.bwd[mine].max(initial=0)),
            constraint=Coherence(alphabet, state=how.state) if how.tcp else None,
        )
        self._samplers[how] = found
        while len(self._samplers) > 1 and sum(sampler.beta.nbytes for sampler in self._samplers.values()) > TABLES:
            del self._samplers[next(iter(self._samplers))]
        return found

    def _draw(
        self,
        draft: Draft,
        edges: NDArray[np.int64],
        flows: NDArray[np.int64],
        rest: NDArray[np.int64],
        how: _How,
        *,
        again: bool,
    ) -> NDArray[np.int64]:
        """Draw what can be drawn of the flows ``flows[rest]`` in one way; returns those that could not."""
        if len(rest) == 0:
            return rest
        sampler, spoken = self._sampler(how), self.spoken[how.model]
        fwd, bwd = self.plan.fwd[flows[rest]], self.plan.bwd[flows[rest]]
        made_f, made_b = fwd, bwd
        if again:
            made_f, made_b = _nearest_below(sampler, fwd, bwd).T
        todo = np.flatnonzero((made_f + made_b > 0) & sampler.reachable(made_f, made_b))
        if len(todo) == 0:
            return rest
        runs = sampler.draw(made_f[todo], made_b[todo], seeds=self.plan.columns.seed[flows[rest[todo]]])
        done = np.zeros(len(rest), bool)
        done[todo] = runs.whole
        self.nearly += int(np.count_nonzero(runs.whole & ~runs.exact))
        if again:
            for i in np.flatnonzero(runs.whole):
                part = slice(int(draft.offsets[rest[todo[i]]]), int(draft.offsets[rest[todo[i]] + 1]))
                path = runs.path[runs.offsets[i] : runs.offsets[i + 1]]
                lacking = (int(fwd[todo[i]] - made_f[todo[i]]), int(bwd[todo[i]] - made_b[todo[i]]))
                done[todo[i]] = self._emit_again(path, lacking, spoken, edges[part], draft.copy[part])
        else:
            lengths = np.diff(runs.offsets)
            place = np.repeat(draft.offsets[rest[todo]] - runs.offsets[:-1], lengths) + np.arange(len(runs.path))
            kept = np.repeat(runs.whole, lengths)
            edges[place[kept]] = runs.path[kept]
        self._shape(draft, edges, flows, rest[done], spoken, how.tcp)
        if np.any(spoken.carried >= 0):
            lengths = np.diff(draft.offsets)[rest[done]]
            starts = np.concatenate([[0], np.cumsum(lengths)])
            at = np.repeat(draft.offsets[rest[done]] - starts[:-1], lengths) + np.arange(starts[-1])
            draft.carried[at] = spoken.carried[edges[at]]
        self.drawn += int(done.sum())
        return rest[~done]

    def _emit_again(
        self,
        path: NDArray[np.int64],
        lacking: tuple[int, int],
        spoken: Spoken,
        edges: NDArray[np.int64],
        copy: NDArray[np.int32],
    ) -> bool:
        """Lay a path out with some packets repeated; False when a direction has none that could be."""
        repeats = np.zeros(len(path), np.int64)
        pure = (spoken.flags[path] & 0x17 == 0x10) & (spoken.kind[path] == 0)
        plain = (spoken.flags[path] & 0x07) == 0
        for side in (0, 1):
            if not lacking[side]:
                continue
            mine = spoken.way[path] == side
            for which in (mine & pure, mine & plain, mine & (spoken.flags[path] == 2)):
                places = np.flatnonzero(which)
                if len(places):
                    repeats[places] += lacking[side] // len(places)
                    repeats[places[: lacking[side] % len(places)]] += 1
                    break
            else:
                return False
        at = np.arange(len(path)) + np.concatenate([[0], np.cumsum(repeats)[:-1]])
        edges[:] = np.repeat(path, repeats + 1)
        copy[:] = 0
        step = np.arange(len(edges)) - np.repeat(at, repeats + 1)
        # a repeated pure acknowledgement is one more acknowledgement, anything else the same segment once more
        copy[:] = np.where(pure[np.repeat(np.arange(len(path)), repeats + 1)], 0, step)
        self.again += sum(lacking)
        return True

    def _shape(
        self,
        draft: Draft,
        edges: NDArray[np.int64],
        flows: NDArray[np.int64],
        which: NDArray[np.int64],
        spoken: Spoken,
        tcp: bool,
    ) -> None:
        from netsynth_core.forge.drafting.shaping._kernels import shape_paths

        plan, dialects = self.plan, self.plan.dialects
        plain = np.where(plan.columns.ipv6[flows], 40, 20) + (20 if tcp else 8)
        shape_paths(
            which,
            edges,
            plan.columns.seed[flows],
            np.full(len(flows), tcp),
            plan.bytes[flows],
            plan.duration[flows],
            dialects.syn_length[flows],
            dialects.later_length[flows],
            plain.astype(np.int64),
            plan.limit[flows],
            spoken.way,
            spoken.flags,
            spoken.kind,
            spoken.token,
            spoken.delays,
            spoken.sizes,
            spoken.low,
            spoken.high,
            draft,
        )


def _nearest_below(sampler: ConditionedSampler, fwd: NDArray[np.int64], bwd: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest counts not above those wanted, and near enough; zeros where there are none."""
    near = np.zeros((len(fwd), 2), np.int64)
    known: dict[tuple[int, int], tuple[int, int] | None] = {}
    for i, key in enumerate(zip(fwd.tolist(), bwd.tolist(), strict=True)):
        if key not in known:
            known[key] = sampler.nearest(*key, at_most=True)
        found = known[key]
        if found is not None and sum(key) - sum(found) <= max(2, MOST_AGAIN * sum(key)):
            near[i] = found
    return near
