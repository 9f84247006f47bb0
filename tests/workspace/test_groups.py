"""Every conversation belongs to one group, and every group is large enough or the last resort of a protocol."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsynth_core.flows.words import Words
from netsynth_core.workspace.drawings import quote
from netsynth_core.workspace.fitting import fit_automata
from netsynth_core.workspace.groups import group_words, join_words
from tests.factories import flow_table, ping_words


def group(service: str, state: str, rows: list[int]) -> Words:
    words = Words.from_lists([[(f"{service}{state}", r, 1)] for r in rows], unit="us", service=service, state=state)
    return Words(**{**words.__dict__, "flow_rows": np.array(rows, np.int64)})


def test_small_groups_are_joined_by_service_then_by_protocol() -> None:
    # Odd rows of the made table are TCP, even ones UDP.
    groups = [
        group("http", "SF", list(range(1, 61, 2))),
        group("smtp", "SF", [61 - 60, 3, 5]),
        group("smtp", "RSTO", [7, 9, 11]),
        group("dns", "S0", [0, 2]),
        group("tcp", "REJ", [13, 15]),
        group("udp", "S0", [4, 6, 8, 10, 12, 14]),
    ]
    found = group_words(groups, flow_table(60), minimum=5)
    named = {(words.service, words.state): sorted(words.flow_rows.tolist()) for words in found}  # type: ignore[union-attr]
    assert named == {
        ("http", "SF"): list(range(1, 60, 2)),
        ("smtp", ""): [1, 3, 5, 7, 9, 11],
        ("udp", "S0"): [4, 6, 8, 10, 12, 14],
        ("tcp", ""): [13, 15],
        ("udp", ""): [0, 2],
    }


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["http", "dns", "tcp", "udp"]), st.sampled_from(["SF", "S0", "REJ"]), st.integers(1, 9)
        ),
        max_size=8,
        unique_by=lambda g: g[:2],
    ),
    st.integers(1, 12),
)
def test_no_conversation_is_lost_or_taken_twice(sizes: list[tuple[str, str, int]], minimum: int) -> None:
    rows = iter(range(1000))
    groups = [group(service, state, [next(rows) for _ in range(n)]) for service, state, n in sizes]
    found = group_words(groups, flow_table(100), minimum=minimum)
    taken = [row for words in found for row in words.flow_rows.tolist()]  # type: ignore[union-attr]
    assert sorted(taken) == list(range(sum(n for _, _, n in sizes)))
    assert len({(words.service, words.state) for words in found}) == len(found)
    assert all(len(w) >= minimum for w in found if w.state or w.service not in ("tcp", "udp"))


def test_joined_words_say_what_the_parts_said() -> None:
    parts = [ping_words(3), group("x", "", [5, 6])]
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


@given(st.text(max_size=100))
def test_quoted_text_stays_one_dot_string(text: str) -> None:
    inner = quote(text, "end")[1:-1]
    assert "\n" not in inner and '"' not in inner.replace("\\\\", "").replace('\\"', "")
    assert inner.endswith("\\nend")
