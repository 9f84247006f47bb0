"""Models in words and as drawings: DOT text, SVG, or plain JSON of what is drawn.

A pattern is drawn as one small graph: a box for each partial flow with its cells, arrows in the order of the flows, and
an arrow for each address that is used again. Texts from captures are escaped, never taken for markup.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from netsynth_core.errors import InvalidParameter, MissingExtra
from netsynth_core.files import dump_json
from netsynth_core.units import NS_PER_US, count, format_bits, format_duration, format_number

if TYPE_CHECKING:
    from netsynth_core.models.automata import Drawn
    from netsynth_core.models.automata.automaton import TimedAutomaton, Transition
    from netsynth_core.models.automata.payloads import PayloadModels
    from netsynth_core.models.delays import DelayLaw

MAX_TEXT = 60
MOST_TABLE_ROWS = 6
MOST_TABLE_VALUES = 5
MOST_SHOWN_WINDOWS = 10
DELAY_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Quantiles of a delay that are told."""
QUARTILES = (0.25, 0.5, 0.75)


def sentences(model: Any) -> list[str]:
    """The parts of a model, one sentence each: its patterns and machines, or its transitions; else none."""
    if hasattr(type(model), "sentences"):
        return list(model.sentences())
    if hasattr(model, "automaton"):
        return _automaton_sentences(model.automaton, getattr(model, "payloads", None))
    if hasattr(model, "patterns"):
        from netsynth_core.models.flowchronicle.describe import WORTH_NOTE
        from netsynth_core.models.flowchronicle.generation.words import machine_words

        ranked = sorted(model.patterns, key=lambda p: (-p.saved_bits, p.id))
        shown = [*ranked, *([model.empty] if model.empty.usage else [])]
        notes = [WORTH_NOTE] if len(ranked) > 1 else []
        return [*(_pattern_sentence(learnt, model) for learnt in shown), *machine_words(model), *notes]
    return []


@dataclass(frozen=True)
class Exported:
    """A drawing as text."""

    text: str
    notes: tuple[str, ...] = ()
    """Sentences on what it leaves out; the document of the model has all."""


def drawing(model: Any, form: str) -> Exported:
    """A drawing of a model.

    Parameters
    ----------
    form
        ``dot``, ``svg`` or ``json``.

    Raises
    ------
    InvalidParameter
        When the model has neither an automaton nor patterns.
    MissingExtra
        When no layout engine is at hand.
    LayoutTooSlow
        When the layout took too long.
    """
    if hasattr(model, "automaton"):
        if form == "svg":
            return _automaton_svg(model.automaton)
        facts: Any = automaton_facts(model.automaton, getattr(model, "payloads", None))
    elif hasattr(model, "patterns"):
        facts = {"patterns": pattern_facts(model)}
    else:
        raise InvalidParameter(
            f"A model of the kind {model.kind} has nothing to draw.",
            hint="Name a model with an automaton or with patterns.",
        )
    if form == "json":
        return Exported(dump_json(facts))
    from netsynth_core.models.automata import to_dot

    dot: str = to_dot(model.automaton) if hasattr(model, "automaton") else patterns_dot(facts["patterns"])
    return Exported(dot if form == "dot" else _laid_out(dot).svg)


def _laid_out(dot: str) -> "Drawn":
    from netsynth_core.models.automata import lay_out

    drawn = lay_out(dot)
    if drawn is None:
        raise MissingExtra(
            "There is no layout engine, so no SVG can be drawn.",
            hint="Install pygraphviz or Graphviz (dot), or export --format dot and draw it elsewhere.",
        )
    return drawn


# -- automata ---------------------------------------------------------------------------------------------------------


def _automaton_svg(automaton: "TimedAutomaton") -> Exported:
    from netsynth_core.models.automata import least_taken, to_dot

    left_out = least_taken(automaton)
    drawn = _laid_out(to_dot(automaton, leave_out=left_out))
    return Exported(drawn.svg, drawing_notes(len(automaton.transitions), len(left_out), quick=drawn.quick))


def drawing_notes(transitions: int, left_out: int, *, quick: bool) -> tuple[str, ...]:
    """What a drawing of an automaton does not show, in sentences."""
    from netsynth_core.models.automata.export import LABELS_UP_TO

    shown = transitions - left_out
    notes = []
    if left_out:
        notes.append(
            f"Of {count(transitions, 'transition')} the {format_number(shown)} that are taken most often are drawn; "
            "DOT and JSON have all."
        )
    if quick:
        notes.append(f"{count(shown, 'transition')}: laid out quickly, with straight lines and without labels.")
    elif shown > LABELS_UP_TO:
        notes.append(f"{count(shown, 'transition')}: drawn without labels.")
    return tuple(notes)


def automaton_facts(automaton: "TimedAutomaton", payloads: "PayloadModels | None" = None) -> dict[str, Any]:
    """All of an automaton as JSON values: locations, transitions with probabilities, laws, and what they carry.

    Of payloads lengths and templates are told, never stored ones.
    """
    from netsynth_core.models.automata import to_json

    facts = {**to_json(automaton), "unit": automaton.scale.unit}
    for entry in facts["transitions"]:
        held = None if payloads is None else payloads.get(entry["id"])
        if held is not None:
            entry["payload"] = {
                "kind": held.kind,
                "seen": held.seen,
                "lengths": [list(pair) for pair in held.lengths],
                "templates": [template.shown() for template in held.templates],
                "stored": len(held.samples),
            }
    return facts


def _automaton_sentences(automaton: "TimedAutomaton", payloads: "PayloadModels | None") -> list[str]:
    carried = {model.transition: f"; carries {model.sentence()}" for model in (payloads.models if payloads else ())}
    names = {location.id: f"{location.id} ({location.name})" for location in automaton.locations}
    return [
        f"{t.id}: {names[t.source]} reads {t.symbol}, goes to {names[t.target]}: "
        f"{count(t.count, 'time')}, {100 * automaton.probability(t):.1f} %"
        f"{delay_words(automaton, t)}{size_words(automaton, t)}{carried.get(t.id, '')}"
        for t in automaton.transitions
    ]


def delay_words(automaton: "TimedAutomaton", transition: "Transition") -> str:
    """Median and quartiles of a delay, such as ``; delay 2 ms (half within 1.6 to 3.2 ms)``; empty for the end.

    Where small and larger payloads have laws of their own, those of both; where a delay was seen too rarely for a law,
    what was seen.
    """
    law, by_size, told = transition.delay, transition.by_size, automaton.scale.describe
    if law is None or transition.count == 0:
        return ""

    def words(law: "DelayLaw") -> str:
        if not law.parts:
            seen = "any" if law.seen is None else " to ".join(dict.fromkeys(map(told, law.seen)))
            return f"{seen} (too few for a law)"
        low, middle, high = (told(law.quantile(share)) for share in QUARTILES)
        return middle if low == high else f"{middle} (half within {low} to {high})"

    if by_size is None:
        return f"; delay {words(law)}"
    small, large = words(by_size.small), words(by_size.large)
    return f"; delay {small} up to {count(int(by_size.most), 'byte')}, {large} beyond"


def size_words(automaton: "TimedAutomaton", transition: "Transition") -> str:
    """The size seen most often, such as ``; 120 bytes (83 %)``; quartiles where none makes up a quarter; or nothing."""
    scale, law = automaton.size_scale, transition.size
    if scale is None or law is None or not law.counts:
        return ""
    ranked = sorted(law.counts)
    whole = sum(seen for _, seen in ranked)
    code, most = max(ranked, key=lambda entry: entry[1])
    centres = scale.centres
    if code < len(scale.points) and 4 * most >= whole:
        share = "" if most == whole else f" ({100 * most / whole:.0f} %)"
        return f"; {count(round(float(centres[code])), 'byte')}{share}"
    sizes = sorted((float(centres[code]), seen) for code, seen in ranked)
    low, middle, high = (_weighted(sizes, share * whole) for share in QUARTILES)
    around = "" if low == high else f" (half within {format_number(low)} to {format_number(high)})"
    return f"; about {count(middle, 'byte')}{around}"


def _weighted(values: list[tuple[float, int]], rank: float) -> int:
    """The first of ascending (value, count) pairs that so many are at or below."""
    below = accumulate(seen for _, seen in values)
    return round(next(value for (value, _), seen in zip(values, below, strict=True) if seen >= rank))


# -- patterns ---------------------------------------------------------------------------------------------------------


def pattern_facts(model: Any) -> list[dict[str, Any]]:
    """Every pattern of a FlowChronicle model as JSON values, the one that saves most first.

    A cell is ``{"kind": "fixed", "value"}``, ``{"kind": "reused", "flow", "column"}`` (flows count from 1) or
    ``{"kind": "free"}``.
    """
    from netsynth_core.models.flowchronicle.pattern import Fixed, Reused

    columns = model.columns
    found = []
    for learnt in sorted(model.patterns, key=lambda p: (-p.saved_bits, p.id)):
        flows = []
        for flow in learnt.pattern.flows:
            cells: dict[str, dict[str, Any]] = {}
            for number, column in enumerate(columns):
                cell = flow.cell(number)
                if isinstance(cell, Fixed):
                    cells[column.name] = {"kind": "fixed", "value": column.text(cell.code)}
                elif isinstance(cell, Reused):
                    cells[column.name] = {"kind": "reused", "flow": cell.flow + 1, "column": columns[cell.source].name}
                else:
                    cells[column.name] = {"kind": "free"}
            flows.append(cells)
        found.append(
            {
                "id": learnt.id,
                "name": learnt.name,
                "usage": learnt.usage,
                "saved_bits": float(learnt.saved_bits),
                "flows": flows,
                "within_us": [2**exponent for exponent in learnt.pattern.within],
            }
        )
    return found


def _cell_texts(cells: dict[str, dict[str, Any]]) -> list[str]:
    texts = []
    for column, cell in cells.items():
        if cell["kind"] == "fixed":
            texts.append(f"{column} = {cell['value']}")
        elif cell["kind"] == "reused":
            texts.append(f"{column} = {cell['column']} of flow {cell['flow']}")
    return texts


def _pattern_sentence(learnt: Any, model: Any) -> str:
    name = f" {learnt.name!r}" if learnt.name else ""
    weight = "" if learnt.weight == 1 else f"; generated {learnt.weight:g} times as often"
    return f"{learnt.id}{name}: {model.whole_sentence(learnt)}{weight}"


def pattern_lines(model: Any, id: str) -> tuple[list[str], dict[str, Any]]:
    """One pattern for people and as JSON values: its sentence, its cells, its network with tables, how its windows are
    drawn, and its first windows.

    Raises
    ------
    InvalidParameter
        When the model has no patterns.
    InvalidEdit
        When no pattern has this id.
    """
    from dataclasses import asdict

    from netsynth_core.models.flowchronicle.generation.words import drawing_words
    from netsynth_core.models.flowchronicle.tables import cell_names, node_table

    if not hasattr(model, "describe_pattern"):
        raise InvalidParameter(f"Models of the kind {model.kind} have no patterns.", hint="Leave --pattern away.")
    learnt = model.pattern(id)
    lines = [_pattern_sentence(learnt, model)]
    grid = model.describe_pattern(learnt)
    gaps = gap_facts(learnt) if learnt.usage else []
    if not learnt.usage and not learnt.pattern.covered:
        return lines, {"id": id, "name": "", "sentence": model.whole_sentence(learnt), "windows": []}
    for place, cells in enumerate(grid):
        if place:
            lines.append(_gap_line(place, learnt, gaps))
        lines.append(f"flow {place + 1}: {', '.join(f'{c.column} {c.text}' for c in cells)}")
    lines.append(f"generated {learnt.weight:g} times as often as it occurs")
    tables = [node_table(learnt, model.columns, v) for v in range(len(cell_names(learnt, model.columns)))]
    for table in tables:
        lines += ["", f"{table.cell} ({count(table.all_values, 'value')})" + _given(table.parents, table.all_rows)]
        for row in table.rows[:MOST_TABLE_ROWS]:
            shares = [f"{v} {100 * p:.3g} %" for v, p in zip(table.values, row.probabilities, strict=True)]
            head = f"  {', '.join(row.given)}: " if row.given else "  "
            lines.append(f"{head}{', '.join(shares[:MOST_TABLE_VALUES])} (n = {row.count})")
    drawn = drawing_words(model, id)
    lines += ["", *drawn]
    windows: list[list[int]] = []
    if model.training is not None and id != "empty":
        windows = [list(map(int, rows)) for rows in model.cover.windows[id][:MOST_SHOWN_WINDOWS]]
    elif model.training is not None:
        windows = [[int(row)] for row in model.cover.uncovered[:MOST_SHOWN_WINDOWS]]
    if windows:
        lines += ["", f"rows of its first windows: {'; '.join(' '.join(map(str, rows)) for rows in windows)}"]
    facts = {
        "id": id,
        "name": learnt.name,
        "sentence": model.whole_sentence(learnt),
        "weight": learnt.weight,
        "gaps": gaps,
        "grid": [[asdict(cell) for cell in row] for row in grid],
        "network": [asdict(table) for table in tables],
        "generating": list(drawn),
        "windows": windows,
    }
    return lines, facts


def gap_facts(learnt: Any) -> list[dict[str, Any]]:
    """The limit of each gap, and quantiles of the delays that occurred, ns."""
    return [
        {
            "within_ns": NS_PER_US << within,
            "delay_ns": {f"{100 * share:g} %": law.quantile(share) for share in DELAY_SHARES},
        }
        for within, law in zip(learnt.pattern.within, learnt.delays, strict=True)
    ]


def _gap_line(place: int, learnt: Any, gaps: list[dict[str, Any]]) -> str:
    limit = f"  gap {place}: within {format_duration(NS_PER_US << learnt.pattern.within[place - 1])}"
    if not gaps:
        return limit
    seen = (f"{share} {format_duration(delay)}" for share, delay in gaps[place - 1]["delay_ns"].items())
    return f"{limit}; delays: {', '.join(seen)}"


def _given(parents: tuple[str, ...], rows: int) -> str:
    return f", given {' and '.join(parents)} ({count(rows, 'configuration')})" if parents else ""


def patterns_dot(patterns: list[dict[str, Any]]) -> str:
    """DOT text with one cluster per pattern."""
    lines = [
        "digraph patterns {",
        "  rankdir=LR; compound=true; fontname=Helvetica;",
        "  node [shape=box, style=rounded, fontname=Helvetica, fontsize=10];",
        "  edge [fontname=Helvetica, fontsize=9];",
    ]
    # From left to right, dot stacks clusters upwards: the last one written stands on top.
    for number, facts in reversed(list(enumerate(patterns))):
        title = (
            f"{facts['id']} {facts['name']}".strip()
            + f": {count(facts['usage'], 'window')}, saves {format_bits(facts['saved_bits'])}"
        )
        lines.append(f"  subgraph cluster_{number} {{ label={quote(title)}; color=gray;")
        for place, cells in enumerate(facts["flows"]):
            label = [f"flow {place + 1}", *_cell_texts(cells)]
            lines.append(f"    p{number}f{place} [label={quote(*label)}];")
        for place, limit in enumerate(facts["within_us"]):
            text = f"within {format_duration(limit * NS_PER_US)}"
            lines.append(f"    p{number}f{place} -> p{number}f{place + 1} [label={quote(text)}];")
        lines += [
            f"    p{number}f{cell['flow'] - 1} -> p{number}f{place} "
            f"[style=dashed, constraint=false, label={quote(cell['column'] + ' = ' + column)}];"
            for place, cells in enumerate(facts["flows"])
            for column, cell in cells.items()
            if cell["kind"] == "reused"
        ]
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def quote(*lines: str) -> str:
    """Lines of text as one DOT string: nothing in them is taken for DOT, and long ones are cut."""
    shown = []
    for line in lines:
        text = "".join(c if c.isprintable() else "?" for c in line)
        text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
        shown.append(text.replace("\\", "\\\\").replace('"', '\\"'))
    return '"' + "\\n".join(shown) + '"'
