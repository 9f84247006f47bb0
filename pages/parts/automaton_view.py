"""An automaton made ready for the page: what is drawn, what each part says, how conversations fit it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from netsynth_core.errors import SchemaError
from netsynth_core.flows.symbols import parse_symbol
from netsynth_core.models.automata import Drawn, LayoutTooSlow, lay_out, least_taken, to_dot
from netsynth_core.models.automata.automaton import Transition
from netsynth_core.models.automata.export import LABELS_UP_TO, MOST_DRAWN
from netsynth_core.models.document import Document
from netsynth_core.models.tadam.noise import Alignment
from netsynth_core.plots.theme import Theme
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.edited import ModelState
from netsynth_core.workspace.store import Workspace
from pages.parts import figures, reads
from pages.parts.automaton_graph import automaton_graph
from pages.parts.text import count, md, plain

if TYPE_CHECKING:
    from netsynth_core.flows.words import Words

MAIN = 60
"""Transitions that can be read at a glance."""
FRAME = (900, 580)
"""Width and height of the graph's frame, pixels."""


@dataclass(frozen=True)
class Filter:
    """What is faded out of the graph."""

    least: float
    """Least probability of a transition."""
    seen: int
    """Least count of a transition."""
    compact: bool
    """Whether what is faded is left out of the layout."""

    def keeps(self, probability: float, taken: int) -> bool:
        """Whether a transition is shown."""
        return probability >= self.least and taken >= self.seen


@dataclass(frozen=True)
class TransitionFacts:
    """A transition in words and figures."""

    id: str
    source: str
    target: str
    symbol: str
    count: int
    probability: float
    delay: str
    sizes: str
    carries: str
    """What its packets carry; empty when nothing was learnt of it."""


@dataclass(frozen=True)
class LocationFacts:
    """A location in words and figures."""

    name: str
    role: str
    visits: int
    ways: str
    fixed: bool
    """Whether it is the initial or the final one."""


def transition_facts(model: Any, id: str) -> TransitionFacts:
    """One transition."""
    return _facts(model, model.automaton.transition(id))


def transition_rows(model: Any, chosen: Filter) -> list[TransitionFacts]:
    """The transitions that pass the filter, the most taken first, at most `MOST_DRAWN`."""
    automaton = model.automaton
    kept = [t for t in automaton.transitions if chosen.keeps(automaton.probability(t), t.count)]
    return [_facts(model, transition) for transition in sorted(kept, key=lambda t: -t.count)[:MOST_DRAWN]]


def _facts(model: Any, transition: Transition) -> TransitionFacts:
    automaton = model.automaton
    names = {place: automaton.by_location[place].name for place in (transition.source, transition.target)}
    return TransitionFacts(
        id=transition.id,
        source=f"{transition.source} · {plain(names[transition.source], limit=40)}",
        target=f"{transition.target} · {plain(names[transition.target], limit=40)}",
        symbol=plain(transition.symbol, limit=60) if transition.symbol != "$" else "$ (end)",
        count=transition.count,
        probability=automaton.probability(transition),
        delay=delay_words(model, transition),
        sizes=size_words(model, transition),
        carries=carried_words(model, transition.id),
    )


def delay_words(model: Any, transition: Transition) -> str:
    """The middle of the delays and where nine of ten lie."""
    law = transition.delay
    if law is None:
        return ""
    scale = model.automaton.scale
    low, middle, high = (scale.describe(law.quantile(share)) for share in (0.05, 0.5, 0.95))
    return middle if low == high else f"{middle} ({low} – {high})"


def delay_sentence(model: Any, id: str) -> str:
    """The delays of a transition in the model's law, and how finely delays are kept."""
    law, scale = model.automaton.transition(id).delay, model.automaton.scale
    if law is None:
        return ""
    low, middle, high = (scale.describe(law.quantile(share)) for share in (0.05, 0.5, 0.95))
    spread = "" if low == high else f", nine of ten between {low} and {high}"
    grid = " Delays are kept on a grid of 1 dB: neighbouring values are 26 % apart." if _in_decibel(model) else ""
    return f"Delay in the model: median {middle}{spread}.{grid}"


def _in_decibel(model: Any) -> bool:
    scale = model.automaton.scale
    return scale.kind == "decibel" or scale.unit == "dbus"


def carried_words(model: Any, id: str) -> str:
    """What the packets of a transition carry: class, lengths, template, what is stored."""
    payloads = getattr(model, "payloads", None)
    held = None if payloads is None else payloads.get(id)
    return "" if held is None else held.sentence()


def size_words(model: Any, transition: Transition) -> str:
    """The most frequent payload sizes."""
    law, scale = transition.size, model.automaton.size_scale
    if law is None or scale is None or not law.counts:
        return ""
    total = sum(taken for _, taken in law.counts)
    own = sorted(((taken, scale.points[code]) for code, taken in law.counts if code < len(scale.points)), reverse=True)
    words = [f"{size} B {100 * taken / total:.0f} %" for taken, size in own[:3]]
    rest = total - sum(taken for taken, _ in own[:3])
    return ", ".join([*words, *([f"others {100 * rest / total:.0f} %"] if rest else [])])


def location_facts(model: Any, id: str) -> LocationFacts:
    """One location."""
    automaton = model.automaton
    place = automaton.location(id)
    entering, leaving = automaton.incoming[id], automaton.outgoing[id]
    role = "initial, " if id == automaton.initial else "final, " if id == automaton.final else ""
    visits = sum(t.count for t in (leaving if id == automaton.initial else entering))
    return LocationFacts(
        name=plain(place.name, limit=60),
        role=role,
        visits=visits,
        ways=f"{count(len(entering), 'way')} in, {count(len(leaving), 'way')} out",
        fixed=id in (automaton.initial, automaton.final),
    )


# -- drawing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawing:
    """A laid-out automaton."""

    dot: str
    drawn: Drawn | None
    """None when there is no layout engine or it took too long."""
    left_out: frozenset[str] = frozenset()
    """Ids that are not drawn."""
    failure: str = ""
    """Why there is no drawing, where it took too long."""


def too_many_for_labels(model: Any, chosen: Filter) -> bool:
    """Whether the drawing goes without labels on its transitions."""
    left_out = len(hidden_ids(model, chosen)) if chosen.compact else 0
    return len(model.automaton.transitions) - left_out > LABELS_UP_TO


def main_count(model: Any, *, most: int = MAIN) -> int:
    """How often a transition must be taken to be among the `most` taken ones."""
    counts = sorted((t.count for t in model.automaton.transitions), reverse=True)
    return counts[most - 1] if len(counts) > most else 0


def draw(held: ModelState, model: Any, chosen: Filter, direction: str) -> Drawing:
    """Lay the automaton out, once for each state, direction and (when compact) filter."""
    automaton = model.automaton
    left_out = frozenset(hidden_ids(model, chosen)) if chosen.compact else frozenset()
    left_out |= least_taken(automaton)
    wanted = {"left to right": ("LR",), "top down": ("TB",)}.get(direction, ("TB", "LR"))
    return max(
        (laid_out(to_dot(automaton, rankdir=rankdir, leave_out=left_out), left_out) for rankdir in wanted),
        key=_size_on_page,
    )


def laid_out(dot: str, left_out: frozenset[str] = frozenset()) -> Drawing:
    """DOT text with its layout, or why there is none."""
    try:
        return Drawing(dot, lay_out(dot), left_out)
    except LayoutTooSlow as error:
        return Drawing(dot, None, left_out, error.message)


def _size_on_page(drawing: Drawing) -> float:
    """How large the drawing comes out when it is fitted into its frame."""
    if drawing.drawn is None or not drawing.drawn.width or not drawing.drawn.height:
        return 0.0
    return min(FRAME[0] / drawing.drawn.width, FRAME[1] / drawing.drawn.height)


def hidden_ids(model: Any, chosen: Filter) -> list[str]:
    """Transitions below the filter, and the locations that only they touch."""
    automaton = model.automaton
    kept = [t for t in automaton.transitions if chosen.keeps(automaton.probability(t), t.count)]
    touched = {place for t in kept for place in (t.source, t.target)} | {automaton.initial, automaton.final}
    shown = {t.id for t in kept}
    return [t.id for t in automaton.transitions if t.id not in shown] + [
        place.id for place in automaton.locations if place.id not in touched
    ]


def show(drawing: Drawing, model: Any, chosen: Filter, selected: list[str], *, key: str) -> None:
    """Draw the graph, or what can be drawn without a layout engine."""
    automaton = model.automaton
    if drawing.drawn is None:
        why = drawing.failure or "There is no layout engine here."
        st.info(f"{md(why, limit=300)} The graph can be looked at; select in the table.", icon=":material/info:")
        st.graphviz_chart(drawing.dot, alt="The automaton; the table below says the same")
        return
    hidden = [id for id in hidden_ids(model, chosen) if id not in drawing.left_out]
    elements: list[dict[str, Any]] = []
    shown = [t for t in automaton.transitions if t.id not in drawing.left_out]
    ends = {place for t in shown for place in (t.source, t.target)}
    for place in (place for place in automaton.locations if place.id in ends):
        facts = location_facts(model, place.id)
        words = f"location {place.id} {facts.name}, {facts.role}visited {count(facts.visits, 'time')}"
        elements.append({"id": place.id, "label": words})
    for transition in shown:
        row = _facts(model, transition)
        words = f"transition {row.id}, {row.source} → {row.target}, {row.symbol}, {100 * row.probability:.3g} %"
        words += f", {count(row.count, 'time')}" + (f", delay {row.delay}" if row.delay else "")
        elements.append({"id": row.id, "label": words, "weight": row.probability})
    label = (
        f"Automaton of {count(len(automaton.locations), 'location')}, {count(len(automaton.transitions), 'transition')}"
    )
    automaton_graph(drawing.drawn.svg, elements, selected=selected, hidden=hidden, label=label, key=key)
    words = " Straight lines, places found quickly: there are many transitions." if drawing.drawn.quick else ""
    if len(automaton.transitions) > MOST_DRAWN:
        words += f" Of {count(len(automaton.transitions), 'transition')} only those taken most often are drawn."
    st.caption(f"Thicker lines are more probable.{words}", help=_layout_words(drawing.drawn.engine))


def _layout_words(engine: str) -> str:
    whose = "which was installed with netsynth" if "pygraphviz" in engine else "the one installed on this machine"
    return f"Where each location stands is worked out by the program Graphviz, {whose}; nothing is sent anywhere."


# -- delays, conversations, files -------------------------------------------------------------------------------------


def largest_last(models: list[Artefact]) -> list[Artefact]:
    """By the job that learnt them, and within it by how much they explain; pickers begin at the end."""
    return sorted(models, key=lambda a: (a.inputs[0].id if a.inputs else "", a.facts["codelength"]["empty"]))


def alignments(folder: str, artefact: Artefact, state_hash: str, model: Any) -> list[Alignment]:
    """How the model explains its conversations; worked out once for each state of the model."""
    key = (folder, artefact.id, state_hash)
    kept = st.session_state.get("_alignments")
    if kept is None or kept[0] != key:
        words = reads.words(folder, artefact.inputs[0].id, str(artefact.facts.get("group", "")))
        with st.spinner("Explaining the conversations…"):
            kept = (key, list(model.align(words)))
        st.session_state["_alignments"] = kept
    found: list[Alignment] = kept[1]
    return found


def delay_figure(model: Any, id: str, *, theme: Theme) -> None:
    """The delays seen on a transition, under the law fitted to them."""
    from netsynth_core.plots import delay_histogram

    scale = model.automaton.scale
    codes, counts, fitted = model.transition_delays(id)
    # Codes of a logarithmic scale are decibels of a microsecond above its offset: the figure has a name for that unit.
    timed = scale.kind == "decibel" and scale.unit != ""
    unit = "dbus" if timed or scale.unit == "dbus" else ""
    law = model.automaton.transition(id).delay
    median = "" if law is None else scale.describe(law.quantile(0.5))
    centres = codes - scale.offset if timed else codes
    figure = delay_histogram(centres, counts, fitted, unit=unit, name=id, model_median=median, theme=theme)
    figures.show(figure, key=f"delays_{id}")


def through(model: Any, aligned: list[Alignment], selected: list[str]) -> list[Alignment]:
    """The conversations whose path takes every selected transition and visits every selected location."""
    automaton = model.automaton
    ways = [
        {t.id for t in automaton.incoming[id]} or {t.id for t in automaton.outgoing[id]}
        if id in automaton.by_location
        else {id}
        for id in selected
    ]
    return [a for a in aligned if all(way & set(a.path) for way in ways)]


def operations_text(alignment: Alignment) -> str:
    """The noise operations of one conversation in words; packets count from 1."""
    if not alignment.accepted:
        return "no path explains it"
    return ", ".join(f"{op.kind} at {op.position + 1}" for op in alignment.ops)


def tcp_marks(workspace: Workspace, group: Artefact, words: "Words", aligned: list[Alignment]) -> list[tuple[str, ...]]:
    """What TCP's own numbers say of each packet of these conversations; nothing where it is not known."""
    from netsynth_core.flows.steps import conversation_marks

    source = group.inputs[0].id if group.inputs else ""
    flows = next((a for a in workspace.artefacts(ArtefactKind.FLOWS) if a.id == source), None)
    if flows is None or "conversations.npz" not in flows.files or words.flow_rows is None:
        return [() for _ in aligned]
    metered = reads.metered(str(workspace.folder), flows.id)
    return [conversation_marks(metered, int(words.flow_rows[one.word])) for one in aligned]


def marks_text(marks: tuple[str, ...]) -> str:
    """How often each mark occurs in a conversation, the most frequent first."""
    counts = Counter(name for mark in marks for name in mark.split(", ") if name)
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def remarks(alignment: Alignment) -> dict[int, str]:
    """What to write beside the packets of a ladder."""
    words = {
        "deletion": "before it a packet is missing",
        "re-emission": "seen twice: a copy of the one before",
        "transposition": "swapped with the next one",
        "addition": "does not belong here",
    }
    found: dict[int, str] = {}
    for op in alignment.ops:
        found[op.position] = "; ".join(part for part in (found.get(op.position), words[op.kind]) if part)
    return found


def is_packet_symbol(name: str) -> bool:
    """Whether a symbol is one of packets, so that other tools know it."""
    try:
        parse_symbol(name)
    except SchemaError:
        return False
    return True


def exports(held: ModelState, model: Any, drawing: Drawing) -> list[tuple[str, str | Callable[[], str], str]]:
    """Label, content and suffix of every file an automaton can be saved as."""

    def document() -> str:
        made: Document = model.to_document()
        return json.dumps({"format": f"netsynth/{made.kind}", "version": made.version, "body": made.body}, indent=1)

    def fosr() -> str:
        from netsynth_core.models.automata.fosr import to_fosr

        named = {"service": model.service, "state": model.state}
        noise = model.noise.counts if hasattr(model, "noise") else (1, 0, 0, 0, 0)
        made = to_fosr(model.automaton, **named, noise=noise, payloads=getattr(model, "payloads", None))
        return json.dumps(made, indent=1)

    files: list[tuple[str, str | Callable[[], str], str]] = [("DOT", drawing.dot, "dot"), ("JSON", document, "json")]
    if all(is_packet_symbol(name) for name in model.automaton.alphabet):
        files.append(("JSON for Fos-R", fosr, "fosr.json"))
    if drawing.drawn is not None:
        files.insert(1, ("SVG", drawing.drawn.svg, "svg"))
    return files
