"""Doing an edit on a learnt model: change the automaton, align the training words again, recount and compare."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from netsynth_core.errors import InvalidEdit
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.automata.editing import merge_locations, prune_transition, rename_location
from netsynth_core.models.edits import Edit, EditEffect
from netsynth_core.models.tadam.alignment import Aligned, align
from netsynth_core.models.tadam.data import Observations
from netsynth_core.models.tadam.edits import MergeLocations, PruneTransition, RenameLocation
from netsynth_core.models.tadam.explain import describe_alignments
from netsynth_core.models.tadam.joint import joint_laws
from netsynth_core.models.tadam.learner import automaton_of, codelength_of, make_task, noise_of, stored_prices
from netsynth_core.models.tadam.length import NoiseSwitches
from netsynth_core.models.tadam.noise import Alignment
from netsynth_core.models.tadam.state import State, Task, aligned_state, settle
from netsynth_core.units import count, format_bits, format_number

if TYPE_CHECKING:
    from netsynth_core.models.tadam.model import Tadam

Model = TypeVar("Model", bound="Tadam")


@dataclass(frozen=True, eq=False)
class Outcome(Generic[Model]):
    """A model after an edit, and what changed."""

    model: Model
    effect: EditEffect
    words: NDArray[np.int64]
    """Training words (positions) whose path or noise is another one now, or whose transition was pruned."""


def carry_out(model: Model, edit: Edit) -> Outcome[Model]:
    """Do an edit.

    Raises
    ------
    InvalidEdit
        When it is of another kind of model, names what is not there, leaves no run, or the training words are gone.
    """
    if isinstance(edit, RenameLocation):
        return _renamed(model, edit)
    if isinstance(edit, PruneTransition):
        changed = prune_transition(model.automaton, edit.transition)
    elif isinstance(edit, MergeLocations):
        changed = merge_locations(model.automaton, edit.keep, edit.absorb)
    else:
        raise InvalidEdit(
            f"There is no edit {edit.op!r} for a timed automaton.",
            hint="Its edits are prune_transition, merge_locations and rename_location.",
        )
    if model.observations is None:
        raise InvalidEdit(
            "The training words of this model are not at hand, so counts and bits cannot follow the edit.",
            hint="Keep the .npz that was written with the model beside its .json, or learn it again.",
        )
    task = make_task(model.observations, model.params, model.automaton.scale, model.automaton.size_scale)
    state = _resettled(task, changed, model)
    joint = joint_laws(task, state, model.automaton.size_scale)
    automaton = automaton_of(
        state,
        joint,
        alphabet=model.automaton.alphabet,
        scale=model.automaton.scale,
        size_scale=model.automaton.size_scale,
    )
    after = replace(
        model,
        automaton=automaton,
        noise=noise_of(state, automaton.size_scale),
        codelength=codelength_of(task, state, joint),
    )
    return _compared(model, after, edit, task)


def _renamed(model: Model, edit: RenameLocation) -> Outcome[Model]:
    old = model.automaton.location(edit.location).name
    after = replace(model, automaton=rename_location(model.automaton, edit.location, edit.name))
    bits = model.codelength.total
    sentence = f"Location {edit.location} is called {edit.name!r} instead of {old!r}; nothing else changes."
    return Outcome(after, EditEffect(bits, bits, (edit.sentence(), sentence)), np.zeros(0, np.int64))


def _resettled(task: Task, changed: TimedAutomaton, model: "Tadam") -> State:
    structure, fitted = stored_prices(changed, model.noise, model.params)
    state = aligned_state(task, structure, fitted)
    again = settle(task, state.structure, state.usage)
    return again if again.bits < state.bits else state


def _explanations(model: "Tadam", observations: Observations) -> tuple[list[Alignment], Aligned]:
    switches = NoiseSwitches.of(model.params)
    structure, fitted = stored_prices(model.automaton, model.noise, model.params)
    task = make_task(observations, model.params, model.automaton.scale, model.automaton.size_scale)
    aligned = align(observations, structure, fitted, switches, table=task.table)
    return describe_alignments(aligned, tuple(t.id for t in model.automaton.transitions), observations), aligned


def _compared(before: Model, after: Model, edit: Edit, task: Task) -> Outcome[Model]:
    observations = task.observations
    old, _ = _explanations(before, observations)
    new, _ = _explanations(after, observations)
    different = np.array([a.path != b.path or a.ops != b.ops for a, b in zip(old, new, strict=True)], bool)
    words = np.flatnonzero(different[observations.origin])
    total = observations.words
    sentences = [edit.sentence(), *_explained_sentences(old, new, observations)]
    if isinstance(edit, PruneTransition):
        sentences.append(_pruned_sentence(edit, old, new, observations))
    if isinstance(edit, MergeLocations):
        sentences.append(_merged_sentence(edit, before, after))
        sentences.append(f"{_of(len(words), total)} {_are(len(words))} explained otherwise now.")
    sentences += _lost_sentences(before, after, edit)
    gain = before.codelength.total - after.codelength.total
    sentences.append(f"The description gets {format_bits(abs(gain))} {'shorter' if gain >= 0 else 'longer'}.")
    effect = EditEffect(before.codelength.total, after.codelength.total, tuple(sentences))
    return Outcome(after, effect, words.astype(np.int64))


def _explained_sentences(old: list[Alignment], new: list[Alignment], observations: Observations) -> list[str]:
    """How many words fit exactly, fit with noise, and do not fit, before and after; first those that are lost."""
    counts = np.zeros((2, 3), np.int64)
    lost = 0
    for a, b, weight in zip(old, new, observations.weights.tolist(), strict=True):
        for row, one in enumerate((a, b)):
            counts[row, 2 if not one.accepted else 1 if one.ops else 0] += weight
        lost += weight if a.accepted and not b.accepted else 0
    sentences = [f"{_of(lost, observations.words)} can no longer be explained."] if lost else []
    if (counts[0] != counts[1]).any():
        told = [
            f"{format_number(before)} -> {format_number(after)} {how}"
            for before, after, how in zip(*counts.tolist(), ("exactly", "with noise", "not at all"), strict=True)
        ]
        sentences.append(f"Conversations explained: {', '.join(told)}.")
    return sentences


def _of(part: int, total: int) -> str:
    return f"{format_number(part)} of {count(total, 'conversation')}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _pruned_sentence(
    edit: PruneTransition, old: list[Alignment], new: list[Alignment], observations: Observations
) -> str:
    used = other = noise = lost = 0
    for a, b, weight in zip(old, new, observations.weights.tolist(), strict=True):
        if edit.transition not in a.path:
            continue
        used += weight
        if not b.accepted:
            lost += weight
        elif len(b.ops) > len(a.ops):
            noise += weight
        else:
            other += weight
    parts = [f"{format_number(other)} {_are(other)} now explained by another path", f"{format_number(noise)} as noise"]
    if lost:
        parts.append(f"{format_number(lost)} not at all")
    return f"{_of(used, observations.words)} used this transition: {', '.join(parts)}."


def _merged_sentence(edit: MergeLocations, before: "Tadam", after: "Tadam") -> str:
    kept, gone = before.automaton.location(edit.keep), before.automaton.location(edit.absorb)
    fewer = len(before.automaton.transitions) - len(after.automaton.transitions)
    return (
        f"{gone.name} ({gone.id}) becomes part of {kept.name} ({kept.id}); {count(fewer, 'transition')} "
        f"{'folds' if fewer == 1 else 'fold'} into others."
    )


def _lost_sentences(before: "Tadam", after: "Tadam", edit: Edit) -> list[str]:
    named = {getattr(edit, "transition", ""), getattr(edit, "absorb", "")}
    locations = sorted(set(before.automaton.by_location) - set(after.automaton.by_location) - named)
    sentences = []
    if locations:
        sentences.append(f"No conversation reaches {', '.join(locations)} any more: gone as well.")
    if isinstance(edit, PruneTransition):
        transitions = set(before.automaton.by_transition) - set(after.automaton.by_transition) - named
        if transitions:
            gone = len(transitions)
            served = f"{count(gone, 'transition')} that only served it {_are(gone)} gone as well."
            sentences.append(served)
    return sentences
