"""What generating has learnt, in sentences and figures: starts, what follows, machines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netsynth_core.models.flowchronicle.generation.chains import Link
from netsynth_core.models.flowchronicle.generation.delays import DELAY_KNOTS
from netsynth_core.models.flowchronicle.generation.drawing import Drawer
from netsynth_core.models.flowchronicle.generation.intensity import COURSE, HOURS, SLOTS, Known
from netsynth_core.models.flowchronicle.generation.rhythms import GAP_KNOTS, SHORT, Rhythm
from netsynth_core.units import count, format_duration

if TYPE_CHECKING:
    from netsynth_core.models.flowchronicle.model import FlowChronicle


def start_profile(model: "FlowChronicle", id_: str) -> NDArray[np.float64]:
    """Windows an hour of one pattern by hour of the week from Monday 00:00 UTC, shape (168,)."""
    drawer = Drawer(model)
    place = [p.id for p in drawer.sources].index(id_)
    rates = drawer.intensities.week[drawer.pattern == place].sum(axis=0)
    return np.asarray(rates.reshape(HOURS, SLOTS).mean(axis=1), np.float64)


def start_words(model: "FlowChronicle", id_: str) -> str:
    """When the windows of one pattern start, as far as the training span can tell."""
    known = Drawer(model).intensities.known
    if not known.hours:
        return f"The hours are not known: the training flows span {format_duration(known.span)}."
    profile = start_profile(model, id_)
    law = next(p for p in (*model.patterns, model.empty) if p.id == id_).starts
    by_hour = profile.reshape(7, 24).mean(axis=0)
    words = [f"Most starts in the hour from {_busiest(by_hour):02d}:00 UTC, {_ratio(by_hour)}"]
    if known.weekends:
        days = profile.reshape(7, 24).mean(axis=1)
        words.append(f"weekends have {days[5:].mean() / max(days[:5].mean(), 1e-12):.2g} times a working day's")
    if law.cell is not None:
        words.append(f"they depend on {model.columns[law.cell].name}")
    return "; ".join(words) + _seen(known)


def _busiest(by_hour: NDArray[np.float64]) -> int:
    return int(np.argmax(by_hour))


def _ratio(by_hour: NDArray[np.float64]) -> str:
    return f"{by_hour.max() / max(by_hour.mean(), 1e-12):.2g} times the mean"


def _seen(known: Known) -> str:
    return "." if known.weekdays else "; weekdays are not told apart."


def timing_notes(model: "FlowChronicle") -> tuple[str, ...]:
    """How start times are generated, for the card: what the span tells, which rhythms are kept, and what is not."""
    known = Drawer(model).intensities.known
    held = [(p.id, rhythm) for p in (*model.patterns, model.empty) for rhythm in p.starts.rhythms]
    part = format_duration(known.span // COURSE)
    rest = (
        f"No other period is kept, and no burst shorter than {part} (a part of the training span)."
        if not known.hours
        else "No other period is kept, and no burst shorter than an hour."
    )
    if not held:
        return known.sentence(), f"No source was found that comes at a beat or in bursts. {rest}"
    short = known.span * SHORT // COURSE
    beats = sum(int((rhythm.runs[:, 1] - rhythm.runs[:, 0]).max()) > short for _, rhythm in held)
    kinds = [count(n, noun) for n, noun in ((beats, "beat"), (len(held) - beats, "burst")) if n]
    where = ", ".join(dict.fromkeys(id_ for id_, _ in held))
    more = "more flows than were seen in the same time are runs that overlap"
    return known.sentence(), f"{' and '.join(kinds)} of single sources {_are(held)} kept ({where}); {more}. {rest}"


def _are(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"


def rhythm_words(rhythm: Rhythm, model: "FlowChronicle") -> str:
    """One rhythm in a sentence."""
    cells = {model.columns[column].name: model.columns[column].text(code) for column, code in rhythm.cells}
    who = cells.get("src_ip", "One source")
    to = (
        f" to {cells['dst_ip']}"
        if "dst_ip" in cells
        else f" on port {cells['dst_port']}"
        if "dst_port" in cells
        else ""
    )
    low, middle, high = (format_duration(int(rhythm.knots[GAP_KNOTS * share // 100])) for share in (25, 50, 75))
    runs = rhythm.runs
    longest = format_duration(int((runs[:, 1] - runs[:, 0]).max()))
    spread = f"IQR {low} to {high}" if low != high else ""
    if rhythm.regular:
        times = f"in {count(len(runs), 'run')} of up to {longest}" if len(runs) > 1 else f"for {longest}"
        said = f"every {middle}{f' ({spread})' if spread else ''}, {count(rhythm.usage, 'time')} {times}"
    else:
        lasts = f"of up to {longest}" if len(runs) > 1 else f"of {longest}"
        gaps = ", ".join(part for part in (middle, spread) if part)
        said = f"in {count(len(runs), 'burst')} {lasts}, {count(rhythm.usage, 'time')}, gaps of {gaps}"
    return f"{who}{to} comes {said}; that is kept."


def links_of(model: "FlowChronicle", id_: str) -> tuple[Link, ...]:
    """The links that begin at a pattern, the most frequent first."""
    place = [p.id for p in (*model.patterns, model.empty)].index(id_)
    return tuple(sorted((link for link in model.links if link.before == place), key=lambda link: -link.count))


def link_words(link: Link, model: "FlowChronicle") -> str:
    """One link in a sentence."""
    before, after = ([*model.patterns, model.empty][place] for place in (link.before, link.next))
    share = f"{100 * link.share:.0f}"
    first = "a single flow" if before is model.empty else f"flow {link.flow + 1} of {before.id}"
    then = "a single flow" if after is model.empty else after.id
    end = {"src_ip": "source", "dst_ip": "destination"}[model.columns[link.end].name]
    middle = format_duration(int(link.knots[DELAY_KNOTS // 2]))
    pair = f", {100 * link.pair_share:.0f} % of them towards its other end" if link.pair_share >= 0.05 else ""
    return f"After {first} its {end} begins {then} {middle} later: {share} % of the times, {link.count} seen{pair}."


def machine_words(model: "FlowChronicle") -> tuple[str, ...]:
    """Addresses that act as one machine, in pairs."""
    hosts = model.hosts
    return tuple(
        f"{hosts[first]} and {hosts[second]} act as one machine."
        for second, first in enumerate(model.machines.tolist())
        if first != second
    )


def drawing_words(model: "FlowChronicle", id_: str) -> tuple[str, ...]:
    """How the windows of one pattern are drawn: when they start, and what begins after them."""
    if not model.pattern(id_).usage:
        return ("It has no window in the training flows, so none is generated.",)
    rhythms = (rhythm_words(rhythm, model) for rhythm in model.pattern(id_).starts.rhythms)
    return (*rhythms, start_words(model, id_), *(link_words(link, model) for link in links_of(model, id_)))
