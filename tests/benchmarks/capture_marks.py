"""Noise operations of learnt automata against what TCP's own numbers say of the same packets. Run by hand:

    python tests/benchmarks/capture_marks.py [CAPTURE...] [--service NAME] [--set max_transitions=0]

Without captures: `sample_data/office.pcap.gz`. The meter marks packets by their sequence numbers and identifications,
which the automata never see: they see flags, direction, payload class, delay and size. So the marks are evidence from
elsewhere:

    re-emission    re-emissions, and retransmissions, duplicate frames, duplicate ACKs or keep-alives
    repeated       re-emissions and additions, and the same marks: what is sent again later is no copy of the one before
    transposition  transpositions, and out-of-order packets
    late           operations of any kind, and out-of-order packets
    deletion       deletions, and packets before which bytes were not captured
    any            operations of any kind, and any of these marks

An operation agrees with a mark at most one packet away, each with one. Beside precision and recall stand those of as
many operations at random places of the same conversations (mean of `DRAWS`), and for whole conversations whether one
with operations is one with marks. The marks are no truth: what is retransmitted regularly belongs to a protocol (an
unanswered SYN), and what was lost before the capture without being sent again leaves no mark.
"""

import argparse
import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PacketTable
from netsynth_core.errors import NetsynthError
from netsynth_core.flows.extraction import LATER_FRAGMENT, extract_words
from netsynth_core.flows.metering import Mark, Metered
from netsynth_core.flows.source import read_flows
from netsynth_core.flows.words import Words
from netsynth_core.models.tadam import Tadam, TadamParams
from netsynth_core.models.tadam.noise import KINDS as OPERATIONS
from netsynth_core.workspace.contents import group_name
from netsynth_core.workspace.groups import decide_groups

SAMPLE = Path(__file__).parents[2] / "sample_data" / "office.pcap.gz"
DRAWS: Final = 20
TOLERANCE: Final = 1

_TWICE = Mark.RETRANSMISSION | Mark.DUPLICATE_FRAME | Mark.DUPLICATE_ACK | Mark.KEEP_ALIVE
_ALL: Final = frozenset(OPERATIONS)
KINDS: Final[dict[str, tuple[frozenset[str], Mark]]] = {
    "re-emission": (frozenset({"re-emission"}), _TWICE),
    "repeated": (frozenset({"re-emission", "addition"}), _TWICE),
    "transposition": (frozenset({"transposition"}), Mark.OUT_OF_ORDER),
    "late": (_ALL, Mark.OUT_OF_ORDER),
    "deletion": (frozenset({"deletion"}), Mark.GAP_BEFORE),
    "any": (_ALL, _TWICE | Mark.OUT_OF_ORDER | Mark.GAP_BEFORE),
}
ANY: Final = int(KINDS["any"][1])


class Agreement(NamedTuple):
    """Operations and marks of one kind."""

    operations: int
    marks: int
    hits: int

    @property
    def precision(self) -> float:
        """Share of operations near a mark."""
        return self.hits / self.operations if self.operations else float("nan")

    @property
    def recall(self) -> float:
        """Share of marks near an operation."""
        return self.hits / self.marks if self.marks else float("nan")


def marks_of(packets: PacketTable, metered: Metered, flow: int) -> NDArray[np.uint8]:
    """The marks of the packets of one conversation that have a symbol."""
    rows = metered.conversations.rows(flow)
    return metered.marks[rows[packets.fragment[rows] != LATER_FRAGMENT]]


def matched(found: Sequence[int], marked: Sequence[int]) -> int:
    """Pairs at most `TOLERANCE` apart, each position in one pair."""
    left, hits = sorted(marked), 0
    for place in sorted(found):
        near = next((m for m in left if abs(m - place) <= TOLERANCE), None)
        if near is not None:
            left.remove(near)
            hits += 1
    return hits


def compare(
    kind: str, found: list[list[tuple[str, int]]], marks: list[NDArray[np.uint8]]
) -> tuple[Agreement, Agreement]:
    """How operations of a kind agree with its marks, and how as many at random places would, on average."""
    names, mark = KINDS[kind]
    marked = [np.flatnonzero(m & int(mark)).tolist() for m in marks]
    # of two that are swapped the late one is marked: the second
    places = [[at + (name == "transposition") for name, at in ops if name in names] for ops in found]
    total = sum(map(len, places))
    known = sum(map(len, marked))
    hits = sum(matched(p, m) for p, m in zip(places, marked, strict=True))
    rng = np.random.default_rng(0)
    starts = np.cumsum([0, *(len(m) for m in marks)])
    lucky = 0
    for _ in range(DRAWS):
        drawn = np.sort(rng.choice(starts[-1], size=min(total, int(starts[-1])), replace=False))
        word = np.searchsorted(starts, drawn, side="right") - 1
        for at in np.unique(word).tolist():
            lucky += matched((drawn[word == at] - starts[at]).tolist(), marked[at])
    return Agreement(total, known, hits), Agreement(total * DRAWS, known * DRAWS, lucky)


def line(name: str, kind: str, real: Agreement, chance: Agreement) -> str:
    """One row of the table."""
    return (
        f"{name:16} {kind:14} {real.operations:6} {real.marks:6} {real.hits:6} {real.precision:9.3f} "
        f"{real.recall:7.3f} {chance.precision:11.3f} {chance.recall:9.3f}"
    )


def report(
    path: Path, service: str | None, params: TadamParams, totals: dict[str, list[tuple[Agreement, Agreement]]]
) -> None:
    """The rows of one capture."""
    source = read_flows([path])
    if source.packets is None or source.metered is None:
        return
    grouping = decide_groups(extract_words(source.packets, source.metered), source.flows)
    for words in grouping.groups:
        if service not in (None, words.service):
            continue
        measure(words, source.packets, source.metered, params, totals)


def measure(
    words: Words,
    packets: PacketTable,
    metered: Metered,
    params: TadamParams,
    totals: dict[str, list[tuple[Agreement, Agreement]]],
) -> None:
    """Learn from one group, align it and print its rows, if TCP says anything of it."""
    assert words.flow_rows is not None
    marks = [marks_of(packets, metered, int(flow)) for flow in words.flow_rows]
    if any(len(m) != len(words[i].symbols) for i, m in enumerate(marks)):
        raise NetsynthError("Packets and symbols of a conversation differ in number.", hint="Read the capture again.")
    if not any((m & ANY).any() for m in marks):
        return
    model = Tadam.fit(words, params, rng=np.random.default_rng(0))
    aligned = model.align(words)
    found = [[(op.kind, op.position) for op in one.ops] for one in aligned]
    name = group_name(words.service, words.state)
    for kind in KINDS:
        real, chance = compare(kind, found, marks)
        totals[kind].append((real, chance))
        if real.operations or real.marks:
            print(line(name, kind, real, chance), flush=True)
    noisy = np.array([bool(ops) for ops in found])
    marked = np.array([bool((m & ANY).any()) for m in marks])
    both = Agreement(int(noisy.sum()), int(marked.sum()), int((noisy & marked).sum()))
    share = len(words) * noisy.mean() * marked.mean()
    totals["conversations"].append((both, Agreement(both.operations * 1000, both.marks * 1000, round(share * 1000))))
    print(line(name, "conversations", *totals["conversations"][-1]), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--service", help="only automata of this service")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a parameter of the learner")
    options = parser.parse_args()
    params = TadamParams.from_settings(options.settings)
    print("group            kind           operat  marks   hits precision  recall  by_chance_p by_chance_r")
    totals: dict[str, list[tuple[Agreement, Agreement]]] = collections.defaultdict(list)
    for path in options.captures:
        try:
            report(path, options.service, params, totals)
        except NetsynthError as error:
            print(f"# {path.name}: {error}")
    for kind, pairs in totals.items():
        sums = [Agreement(*(sum(column) for column in zip(*side, strict=True))) for side in zip(*pairs, strict=True)]
        print(line("all", kind, *sums))


if __name__ == "__main__":
    main()
