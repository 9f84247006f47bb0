"""Every conversation belongs to one group, and groups are joined when and only when their description gets shorter."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.flows.words import Words
from netsynth_core.models.tadam.grouping import chains_of
from netsynth_core.workspace.drawings import quote
from netsynth_core.workspace.fitting import fit_automata
from netsynth_core.workspace.groups import decide_groups, group_words, join_words
from tests.factories import flow_table, ping_words

# Odd rows of the made table are TCP, even ones UDP.
TCP_ROWS, UDP_ROWS = range(1, 2000, 2), range(0, 2000, 2)
ASKED = ["S_>_Empty", "SA_<_Empty", "PA_>_Text-GET", "PA_<_Text", "FA_>_Empty", "FA_<_Empty"]
REFUSED = ["S_>_Empty", "RA_<_Empty"]
STREAMED = ["S_>_Empty", "SA_<_Empty", *["PA_<_Text", "PA_>_Text-GET"] * 6, "R_>_Empty"]


def spoken(
    service: str, state: str, symbols: list[str], rows: range | list[int], *, about: int = 2000, size: int = 100
) -> Words:
    """Conversations of these symbols, of the given flows, with delays around `about` microseconds."""
    rng = np.random.default_rng(len(rows) + about)
    delays = np.exp(rng.normal(np.log(about), 0.4, (len(rows), len(symbols)))).astype(int)
    words = [
        [
            (s, 0 if i == 0 else int(d), 0 if s.endswith("Empty") else size)
            for i, (s, d) in enumerate(zip(symbols, row, strict=True))
        ]
        for row in delays
    ]
    made = Words.from_lists(words, unit="us", service=service, state=state)
    return Words(**{**made.__dict__, "flow_rows": np.array(rows, np.int64)})


def names_of(groups: list[Words]) -> dict[tuple[str, str], int]:
    return {(words.service, words.state): len(words) for words in groups}


FLOWS = flow_table(2000)


def test_two_states_of_one_behaviour_are_learnt_together_however_many_there_are() -> None:
    groups = [spoken("http", "SF", ASKED, TCP_ROWS[:400]), spoken("http", "S1", ASKED, TCP_ROWS[400:700])]
    found = decide_groups(groups, FLOWS)
    assert names_of(found.groups) == {("http", ""): 700}
    assert found.joinings[0].parts == ("http/SF", "http/S1") and found.joinings[0].saved > 0


@pytest.mark.parametrize("few", [12, 6])
def test_a_state_of_its_own_behaviour_stays_apart_even_with_few_conversations(few: int) -> None:
    groups = [spoken("http", "SF", ASKED, TCP_ROWS[:60])]
    groups.append(spoken("http", "RSTO", STREAMED, TCP_ROWS[60 : 60 + few], about=800_000))
    found = decide_groups(groups, FLOWS)
    assert names_of(found.groups) == {("http", "SF"): 60, ("http", "RSTO"): few}
    assert found.joinings[1].refused == "http/SF" and found.joinings[1].cost > 0 and found.joinings[1].saved == 0


def test_the_same_symbols_at_another_pace_are_another_behaviour() -> None:
    fast, slow = (
        spoken("http", s, ASKED, r, about=a)
        for s, r, a in zip(("SF", "S1"), (TCP_ROWS[:80], TCP_ROWS[80:160]), (300, 90_000), strict=True)
    )
    assert len(decide_groups([fast, slow], FLOWS).groups) == 2


def test_refused_connections_of_many_services_are_one_group_of_their_protocol_and_state() -> None:
    services = ["ftp", "http", "pop3", "smtp", "telnet"]
    groups = [spoken("http", "SF", ASKED, TCP_ROWS[:60])]
    groups += [spoken(name, "REJ", REFUSED, TCP_ROWS[60 + i : 61 + i]) for i, name in enumerate(services)]
    groups.append(spoken("tcp", "REJ", REFUSED, TCP_ROWS[100:130]))
    found = decide_groups(groups, FLOWS)
    assert names_of(found.groups) == {("http", "SF"): 60, ("tcp", "REJ"): 35}
    assert set(found.joinings[1].parts) == {*(f"{name}/REJ" for name in services), "tcp/REJ"}


def test_a_service_that_speaks_is_not_drawn_into_a_pool_of_connections_that_carry_nothing() -> None:
    dropped = ["S_>_Empty", "SA_<_Empty", "R_>_Empty"]
    groups = [spoken("smtp", "SF", ASKED, TCP_ROWS[:160])]
    groups += [spoken(name, "RSTO", dropped, TCP_ROWS[160 + 5 * i :][:5]) for i, name in enumerate(("http", "tls"))]
    assert names_of(decide_groups(groups, FLOWS).groups) == {("smtp", "SF"): 160, ("tcp", "RSTO"): 10}


def test_services_that_carry_payloads_are_joined_only_while_they_are_few() -> None:
    def of(n: int) -> dict[tuple[str, str], int]:
        web = spoken("http", "SF", [s.replace("Text-GET", "Text") for s in ASKED], TCP_ROWS[:n])
        mail = spoken("smtp", "SF", [s.replace("Text-GET", "Text") for s in ASKED], TCP_ROWS[n : 2 * n])
        return names_of(decide_groups([web, mail], FLOWS).groups)

    assert of(2) == {("tcp", "SF"): 4}
    assert of(200) == {("http", "SF"): 200, ("smtp", "SF"): 200}


def test_protocols_are_never_mixed_but_by_a_service_that_uses_both() -> None:
    tcp, udp = spoken("a", "SF", ["<_Replay"], TCP_ROWS[:3]), spoken("b", "SF", ["<_Replay"], UDP_ROWS[:3])
    assert names_of(decide_groups([tcp, udp], FLOWS).groups) == {("a", "SF"): 3, ("b", "SF"): 3}
    both = [spoken("dns", "SF", ["<_Replay"], [0, 1, 2, 3]), spoken("dns", "S0", ["<_Replay"], [4, 5])]
    assert names_of(decide_groups(both, FLOWS).groups) == {("dns", ""): 6}


def test_the_bits_reported_are_those_of_the_chains() -> None:
    groups = [spoken("http", "SF", ASKED, TCP_ROWS[:40]), spoken("http", "S1", ASKED, TCP_ROWS[40:50])]
    found = decide_groups(groups, FLOWS)
    one, other = chains_of(groups)
    whole = chains_of([*found.groups, *groups])[0]
    assert found.joinings[0].saved == pytest.approx(one.bits + other.bits - one.joined(other).bits)
    assert whole.bits == pytest.approx(one.joined(other).bits)
    assert one.joined(other).bits == pytest.approx(other.joined(one).bits)


SYMBOLS = ["S_>_Empty", "SA_<_Empty", "PA_>_Text", "PA_<_Random", "R_>_Empty"]


@st.composite
def some_groups(draw: st.DrawFn) -> list[Words]:
    """A few groups of a few short words of any symbols."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(["http", "dns", "tcp", "udp"]), st.sampled_from(["SF", "S0", ""])),
            max_size=7,
            unique=True,
        )
    )
    item = st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 10**6), st.integers(0, 1500))
    groups, at = [], 0
    for service, state in keys:
        lists = draw(st.lists(st.lists(item, min_size=1, max_size=6), min_size=1, max_size=5))
        words = Words.from_lists(lists, unit="us", service=service, state=state)
        groups.append(Words(**{**words.__dict__, "flow_rows": np.arange(at, at + len(lists))}))
        at += len(lists)
    return groups


@settings(max_examples=60, deadline=None)
@given(some_groups())
def test_no_conversation_is_lost_or_taken_twice(groups: list[Words]) -> None:
    found = decide_groups(groups, FLOWS)
    taken = {row: words.names(i) for words in found.groups for i, row in enumerate(words.flow_rows.tolist())}  # type: ignore[union-attr]
    given_words = {row: w.names(i) for w in groups for i, row in enumerate(w.flow_rows.tolist())}  # type: ignore[union-attr]
    assert taken == given_words
    assert sum(len(words) for words in found.groups) == len(given_words)
    labels = [(words.service, words.state) for words in found.groups]
    assert len(set(labels)) == len(labels)
    assert all(len(a) >= len(b) for a, b in pairwise(found.groups))
    assert sorted(part for joining in found.joinings for part in joining.parts) == sorted(
        "/".join(part for part in (w.service, w.state) if part) for w in groups
    )
    assert all(joining.saved >= -1e-6 for joining in found.joinings)


@settings(max_examples=30, deadline=None)
@given(some_groups(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_no_chain_and_no_bit(groups: list[Words], random: object) -> None:
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    bits = {(w.service, w.state): c.bits for w, c in zip(groups, chains_of(groups), strict=True)}
    again = {(w.service, w.state): c.bits for w, c in zip(shuffled, chains_of(shuffled), strict=True)}
    assert again == pytest.approx(bits)
    assert decide_groups(groups, FLOWS).joinings == decide_groups(list(groups), FLOWS).joinings


def test_two_groups_of_one_name_are_refused() -> None:
    words = spoken("http", "SF", ASKED, TCP_ROWS[:3])
    with pytest.raises(ValueError, match="once"):
        group_words([words, words], FLOWS)


def test_joined_words_say_what_the_parts_said() -> None:
    parts = [ping_words(3), spoken("x", "", REFUSED, [5, 6])]
    joined = join_words(parts, service="both")
    assert [joined.names(i) for i in range(len(joined))] == [p.names(i) for p in parts for i in range(len(p))]
    assert joined.flow_rows is None and joined.sizes is not None and joined.service == "both"
    assert [w.delays.tolist() for w in joined] == [w.delays.tolist() for p in parts for w in p]
    with pytest.raises(ValueError, match="at least one"):
        join_words([])


def test_automata_are_the_same_however_many_processes_learn_them() -> None:
    groups = [ping_words(60, service="a"), ping_words(25, service="b", state=""), ping_words(40, service="c")]
    alone, beside = (fit_automata(groups, seed=3, processes=n) for n in (1, 2))
    assert [f.name for f in alone] == [f.name for f in beside] == ["a/SF", "b", "c/SF"]
    assert [f.document.content_hash() for f in alone] == [f.document.content_hash() for f in beside]
    assert all(f.model.to_document().content_hash() == f.document.content_hash() for f in beside)


class _Asked:
    """A watcher that wants the best so far."""

    stopping = True

    def step(self, phase: str, done: int, total: int | None = None, **facts: object) -> None:
        pass


def test_learners_in_child_processes_are_asked_to_stop_too() -> None:
    groups = [ping_words(60, service="a"), ping_words(40, service="c")]
    for processes in (1, 2):
        fitted = fit_automata(groups, seed=3, processes=processes, monitor=_Asked())
        assert all("stopped by hand" in " ".join(one.model.describe().warnings) for one in fitted), processes


@given(st.text(max_size=100))
def test_quoted_text_stays_one_dot_string(text: str) -> None:
    inner = quote(text, "end")[1:-1]
    assert "\n" not in inner and '"' not in inner.replace("\\\\", "").replace('\\"', "")
    assert inner.endswith("\\nend")


def test_a_conversation_of_a_hundred_thousand_packets_is_learnt_from() -> None:
    long = [*ASKED[:4], *["A_<_Random", "A_<_Random", "A_>_Empty"] * 33_332, "FA_<_Empty", "FA_>_Empty"]
    groups = [spoken("http", "SF", long, TCP_ROWS[:1]), spoken("http", "S1", ASKED, TCP_ROWS[1:30])]
    found = decide_groups(groups, FLOWS)
    assert sum(len(words.symbols) for words in found.groups) == len(long) + 29 * len(ASKED)
    largest = max(found.groups, key=lambda words: len(words.symbols))
    (fitted,) = fit_automata([largest], seed=0)
    size = fitted.model.describe().size
    assert size["rejected_words"] == 0 and size["transitions"] <= 60
    aligned = fitted.model.align(largest)
    assert all(one.accepted for one in aligned) and max(len(one.path) for one in aligned) > 99_000
