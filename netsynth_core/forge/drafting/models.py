"""Drafts from models: each flow's packets from the automaton chosen for it, the others by default.

The order in which models are tried for a flow: those of its service and state; those of its service over all states;
those of its service and another state. The last two must end in the flow's own state; the first are drawn again a few
times when they do not. A model that cannot make the counts exactly, but nearly, makes fewer packets, of which some are
emitted again (pure acknowledgements rather than data), as the noise model of TADAM has it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from netsynth_core.flows.states import STATES, state_of
from netsynth_core.forge.columns import Draft
from netsynth_core.forge.drafting.alphabet import Spoken, speak_model
from netsynth_core.forge.drafting.defaults import draft_default, empty_draft
from netsynth_core.forge.plan import Plan
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.conditioned import NEVER, ConditionedSampler, conditioned_sampler

TRIES: Final = 8
"""How often a path is drawn to end in the flow's state."""
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


@dataclass(frozen=True, eq=False)
class _Voice:
    """One model restricted to TCP or to datagrams, with its table."""

    sampler: ConditionedSampler
    spoken: Spoken


@dataclass
class Drafter:
    """Drafts batches of flows and counts what it could not draw."""

    plan: Plan
    models: Sequence[PacketModel]
    spoken: list[Spoken]
    tokens: tuple[str, ...]
    fallbacks: Counter[str] = field(default_factory=Counter)
    drawn: int = 0
    """Flows drawn from an automaton."""
    exact: int = 0
    again: int = 0
    """Packets emitted again so that counts agree."""
    _voices: dict[tuple[int, bool], _Voice] = field(default_factory=dict)
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
        spoken = []
        keys: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i, model in enumerate(models):
            name = "/".join(part for part in (model.service, model.state) if part) or f"number {i + 1}"
            rng = np.random.default_rng([seed, i])
            spoken.append(speak_model(model.automaton, tokens, name=name, rng=rng))
            keys[model.service, model.state].append(i)
        return cls(plan, models, spoken, tuple(tokens), _keys=dict(keys))

    def draft(self, flows: NDArray[np.int64]) -> Draft:
        """The packets of some flows of the plan."""
        plan = self.plan
        draft = empty_draft(plan.fwd[flows] + plan.bwd[flows])
        edges = np.full(len(draft.size), -1, np.int64)
        tcp = plan.columns.proto[flows] == 6
        groups: dict[tuple[str, str, bool], list[int]] = defaultdict(list)
        for i, key in enumerate(zip(plan.service[flows], plan.state[flows], tcp.tolist(), strict=True)):
            groups[key].append(i)
        left: list[NDArray[np.int64]] = []
        for (service, state, is_tcp), members in sorted(groups.items()):
            rest = np.array(members, np.int64)
            chain = self._chain(service, state)
            for number in chain:
                rest = self._draw(draft, edges, flows, rest, number, state, is_tcp, again=False)
            for number in chain:
                rest = self._draw(draft, edges, flows, rest, number, state, is_tcp, again=True)
            if len(rest):
                label = f"{service or 'unknown service'}/{state}"
                self.fallbacks[f"counts not reachable: {label}" if chain else f"no automaton: {label}"] += len(rest)
                left.append(rest)
        if left:
            draft_default(plan, flows, draft, np.sort(np.concatenate(left)))
        self.exact += len(flows)
        return draft

    def notes(self) -> list[str]:
        """Sentences for the report."""
        if not self.again:
            return []
        return [f"{self.again} packets were emitted again, so that flows have the counts asked for."]

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

    def _voice(self, number: int, tcp: bool) -> _Voice:
        """The sampler of a model for TCP flows or for others, with room for every flow of its service."""
        found = self._voices.get((number, tcp))
        if found is None:
            plan, model, spoken = self.plan, self.models[number], self.spoken[number]
            mine = (plan.service == model.service) & ((plan.columns.proto == 6) == tcp)
            from netsynth_core.forge.drafting.alphabet import symbols_of

            symbols = symbols_of(model.automaton, name=model.service)

            def direction(name: str) -> int:
                symbol = symbols[name]
                return NEVER if bool(symbol.flags) != tcp else 0 if symbol.direction == ">" else 1

            sampler = conditioned_sampler(
                model.automaton,
                direction,
                fwd=int(plan.fwd[mine].max(initial=0)),
                bwd=int(plan.bwd[mine].max(initial=0)),
            )
            found = self._voices[number, tcp] = _Voice(sampler, spoken)
        return found

    def _draw(
        self,
        draft: Draft,
        edges: NDArray[np.int64],
        flows: NDArray[np.int64],
        rest: NDArray[np.int64],
        number: int,
        state: str,
        tcp: bool,
        *,
        again: bool,
    ) -> NDArray[np.int64]:
        """Draw what can be drawn of the flows ``flows[rest]`` from one model; returns those that could not."""
        if len(rest) == 0:
            return rest
        voice = self._voice(number, tcp)
        plan = self.plan
        fwd, bwd = plan.fwd[flows[rest]], plan.bwd[flows[rest]]
        if again:
            near = _nearest_below(voice.sampler, fwd, bwd)
            made_f, made_b = near[:, 0], near[:, 1]
        else:
            made_f, made_b = fwd, bwd
        can = (made_f + made_b > 0) & voice.sampler.reachable(made_f, made_b)
        todo = np.flatnonzero(can)
        own = self.models[number].state == state
        done = np.zeros(len(rest), bool)
        for attempt in range(TRIES):
            if len(todo) == 0:
                break
            seeds = plan.columns.seed[flows[rest[todo]]] + np.uint64(attempt * 7919)
            runs = voice.sampler.draw(made_f[todo], made_b[todo], seeds=seeds)
            right = runs.whole.copy()
            if tcp:
                right &= _ends_in(runs.path, runs.offsets, voice.spoken, state, runs.whole)
            keep = right | (runs.whole & own & (attempt == TRIES - 1))
            for i in np.flatnonzero(keep):
                flow = rest[todo[i]]
                part = slice(int(draft.offsets[flow]), int(draft.offsets[flow + 1]))
                path = runs.path[runs.offsets[i] : runs.offsets[i + 1]]
                lacking = (int(fwd[todo[i]] - made_f[todo[i]]), int(bwd[todo[i]] - made_b[todo[i]]))
                if sum(lacking) == 0:
                    edges[part] = path
                elif not self._emit_again(path, lacking, voice.spoken, edges[part], draft.copy[part]):
                    continue
                done[todo[i]] = True
            todo = todo[~done[todo] & (runs.whole | again)]
        self._shape(draft, edges, flows, rest[done], voice.spoken, tcp)
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
            known[key] = sampler.nearest(*key, at_most=True) if sum(key) <= sampler.most else None
        found = known[key]
        if found is not None and sum(key) - sum(found) <= max(2, MOST_AGAIN * sum(key)):
            near[i] = found
    return near


def _ends_in(
    path: NDArray[np.int64], offsets: NDArray[np.int64], spoken: Spoken, state: str, whole: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which paths leave the connection in the state."""
    from netsynth_core.forge.drafting.shaping._kernels import endpoint_states

    counts = np.where(whole, np.diff(offsets), 0)
    codes = np.zeros(len(counts), np.int64)
    endpoint_states(path, offsets[:-1], counts, spoken.way, spoken.flags, codes)
    names = np.array([state_of(o, r) for o in range(8) for r in range(8)], object)
    known = codes < 64
    right = np.zeros(len(counts), bool)
    right[known] = names[codes[known]] == (state if state in STATES else "OTH")
    return right
