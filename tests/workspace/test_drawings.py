"""What is said of automata is what their laws hold: delays by quartiles, sizes by the most frequent."""

import numpy as np

from netsynth_core.models.automata.automaton import Location, TimedAutomaton, Transition
from netsynth_core.models.automata.export import transition_label
from netsynth_core.models.delays import DelayLaw, DelayScale, Normal, Point, SizedDelays, SizeLaw, SizeScale
from netsynth_core.workspace.drawings import delay_words, sentences, size_words

SCALE = DelayScale.of("us", 10**6)
SIZES = SizeScale((0, 40, 1448))
MS = 30 + SCALE.offset  # the code of 1 ms


def law(*parts: Normal | Point, seen: tuple[int, int] | None = None) -> DelayLaw:
    normals = tuple(part for part in parts if isinstance(part, Normal))
    return DelayLaw(normals, SCALE.codes, (), tuple(part for part in parts if isinstance(part, Point)), seen)


def automaton(
    delay: DelayLaw, size: SizeLaw | None, by_size: SizedDelays | None = None, count: int = 7
) -> TimedAutomaton:
    return TimedAutomaton(
        alphabet=("ask",),
        locations=(Location("q0", "start"), Location("q1", "end"), Location("q2", "asked")),
        transitions=(
            Transition("e1", "q0", "q2", "ask", count, delay, size, by_size),
            Transition("e2", "q2", "q1", "$", count),
        ),
        initial="q0",
        final="q1",
        scale=SCALE,
        size_scale=SIZES,
    )


class Held:
    """A model that is little but its automaton."""

    kind = "tadam"

    def __init__(self, automaton: TimedAutomaton) -> None:
        self.automaton = automaton


def test_a_transition_is_said_with_its_delay_and_size() -> None:
    made = automaton(law(Normal(1.0, MS, 3.0)), SizeLaw(((0, 1), (1, 9)), SIZES.codes))
    assert sentences(Held(made)) == [
        "e1: q0 (start) reads ask, goes to q2 (asked): 7 times, 100.0 %; delay 1 ms (half within 630 µs to 1.6 ms); "
        "40 bytes (90 %)",
        "e2: q2 (asked) reads $, goes to q1 (end): 7 times, 100.0 %",
    ]


def test_delays_of_one_code_have_no_quartiles_and_rare_ones_no_law() -> None:
    for held, said in (
        (law(Point(1.0, MS + 1)), "; delay 1.3 ms"),
        (law(seen=(MS, MS + 10)), "; delay 1 ms to 10 ms (too few for a law)"),
        (law(seen=(MS, MS)), "; delay 1 ms (too few for a law)"),
        (law(), "; delay any (too few for a law)"),
    ):
        made = automaton(held, None, count=1)
        assert delay_words(made, made.transitions[0]) == said
        assert delay_words(made, made.transitions[1]) == ""


def test_delays_of_small_and_larger_payloads_are_both_said() -> None:
    both = SizedDelays(40.0, law(Point(1.0, MS)), law(Point(1.0, MS + 10)))
    made = automaton(law(Point(1.0, MS)), None, both)
    assert delay_words(made, made.transitions[0]) == "; delay 1 ms up to 40 bytes, 10 ms beyond"


def test_varied_sizes_are_said_by_quartiles() -> None:
    bins = [(int(code), 1) for code in SIZES.encode(np.array([100, 200, 400, 800]))]
    made = automaton(law(Point(1.0, MS)), SizeLaw(tuple(bins), SIZES.codes))
    low, middle, high = (round(float(SIZES.centres[code])) for code, _ in bins[:3])
    assert size_words(made, made.transitions[0]) == f"; about {middle} bytes (half within {low} to {high})"
    alone = automaton(law(Point(1.0, MS)), SizeLaw(((0, 5),), SIZES.codes))
    assert size_words(alone, alone.transitions[0]) == "; 0 bytes"
    assert size_words(alone, alone.transitions[1]) == ""


def test_labels_say_delays_to_two_digits() -> None:
    for code, said in (
        (MS - 20, "10 µs"),
        (MS - 9, "130 µs"),
        (MS + 2, "1.6 ms"),
        (MS + 24, "250 ms"),
        (MS + 31, "1.3 s"),
    ):
        made = automaton(law(Point(1.0, code)), None)
        assert transition_label(made, made.transitions[0]) == f"ask · 100 % · {said}"
