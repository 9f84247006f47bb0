"""Automata as text for other programs: DOT for layout engines, JSON for everything else.

Symbols and names come from captures and are hostile: they pass through the graphviz package's escaping, are never read
as HTML, and nodes have ids of their own (n0, n1, ...). The ``id`` attributes are those of locations and transitions.
"""

from collections.abc import Collection
from typing import Any, Literal

from netsynth_core.models.automata.automaton import END, TimedAutomaton, Transition
from netsynth_core.models.automata.body import automaton_to_body

LONGEST_LABEL = 48
LABELS_UP_TO = 120
"""Automata with more transitions than this are laid out without labels on them, unless asked otherwise."""
MOST_DRAWN = 1000
"""Transitions that a drawing holds at most: the most taken ones."""


def shown_text(text: str, *, longest: int = LONGEST_LABEL) -> str:
    """Text fit for a label: one line, printable, cut when too long."""
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def share_text(share: float) -> str:
    """A share in percent, in few characters.

    >>> share_text(1.0), share_text(0.253), share_text(0.0031)
    ('100 %', '25 %', '0.31 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def transition_label(automaton: TimedAutomaton, transition: Transition) -> str:
    """Symbol, probability and middle delay of a transition."""
    parts = [
        "end" if transition.symbol == END else shown_text(transition.symbol),
        share_text(automaton.probability(transition)),
    ]
    law = transition.delay
    if law is not None and law.parts and automaton.scale.kind is not None:
        middle = automaton.scale.describe(law.quantile(0.5))
        if middle != "0":
            parts.append(middle)
    return " · ".join(parts)


def least_taken(automaton: TimedAutomaton, *, most: int = MOST_DRAWN) -> frozenset[str]:
    """Ids of the transitions that a drawing of at most `most` leaves out: those taken least often."""
    ranked = sorted(automaton.transitions, key=lambda transition: -transition.count)
    return frozenset(transition.id for transition in ranked[most:])


def to_dot(
    automaton: TimedAutomaton,
    *,
    min_probability: float = 0.0,
    rankdir: Literal["LR", "TB"] | str = "LR",
    labels: bool | None = None,
    leave_out: Collection[str] = frozenset(),
) -> str:
    """The automaton as DOT text.

    Parameters
    ----------
    min_probability
        Transitions below it are left out, and locations that then touch none.
    rankdir
        ``LR`` (left to right) or ``TB`` (top down).
    labels
        Whether transitions carry their symbol, probability and delay; None = up to `LABELS_UP_TO` transitions.
    leave_out
        Ids of transitions and locations that are not drawn.
    """
    import graphviz

    gone = frozenset(leave_out)
    drawn = [
        t
        for t in automaton.transitions
        if automaton.probability(t) >= min_probability and gone.isdisjoint((t.id, t.source, t.target))
    ]
    touched = {automaton.initial, automaton.final} | {end for t in drawn for end in (t.source, t.target)}
    labelled = len(drawn) <= LABELS_UP_TO if labels is None else labels
    graph = graphviz.Digraph(
        "automaton",
        graph_attr={"rankdir": "TB" if rankdir == "TB" else "LR", "bgcolor": "transparent"},
        node_attr={"shape": "box", "style": "rounded", "fontname": "sans-serif", "fontsize": "11"},
        edge_attr={"fontname": "sans-serif", "fontsize": "10"},
    )
    nodes: dict[str, str] = {}
    for location in automaton.locations:
        if location.id not in touched or location.id in gone:
            continue
        nodes[location.id] = f"n{len(nodes)}"
        shape = {automaton.initial: "circle", automaton.final: "doublecircle"}.get(location.id, "box")
        graph.node(nodes[location.id], label=graphviz.escape(shown_text(location.name)), id=location.id, shape=shape)
    for t in drawn:
        if t.source not in nodes or t.target not in nodes:
            continue
        label = graphviz.escape(transition_label(automaton, t)) if labelled else ""
        tooltip = graphviz.escape(f"{t.id} {transition_label(automaton, t)}")
        width = f"{0.6 + 2.4 * automaton.probability(t):.2f}"
        graph.edge(nodes[t.source], nodes[t.target], label=label, id=t.id, penwidth=width, tooltip=tooltip)
    source: str = graph.source
    return source


def to_json(automaton: TimedAutomaton) -> dict[str, Any]:
    """The automaton as JSON: what its model document holds of it, with probabilities besides the counts."""
    body = automaton_to_body(automaton).model_dump(mode="json")
    for entry, transition in zip(body["transitions"], automaton.transitions, strict=True):
        entry["probability"] = automaton.probability(transition)
    return body
