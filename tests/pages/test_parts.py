"""The shared parts: hostile text, linked selection, forms from parameters, the open workspace."""

import re
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from netsynth_core.flows.metering import MeterParams
from netsynth_core.flows.words import Words
from netsynth_core.models.flowchronicle import FlowChronicleParams
from netsynth_core.models.tadam import TadamParams
from netsynth_core.params import Params, parameter
from pages.parts.automaton_view import marks_text
from pages.parts.forms import TITLES, params_form
from pages.parts.ladder import arrow, ladder_rows
from pages.parts.linked import Seen, merge
from pages.parts.text import md, number, plain

SPECIAL = re.compile(r"(?<!\\)(?:\\\\)*[*_`\[\]<>$:~#|!]")


@given(st.text())
def test_escaped_text_holds_no_markdown(text: str) -> None:
    assert SPECIAL.search(md(text)) is None


@given(st.text())
def test_plain_text_holds_no_control_or_direction_marks(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= 200
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize("value, shown", [(0, "0"), (1234567, "1 234 567"), (0.123456, "0.1235"), (12.0, "12")])
def test_numbers(value: float, shown: str) -> None:
    assert number(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == shown


SEEN = Seen(ids=("e1",), graph=(5, ("e1",)), rows=(0,), order=("e1", "e2", "e3"))


def test_the_graph_wins_when_it_changed() -> None:
    assert merge(SEEN, graph=(6, ("e2", "q1")), rows=(0,)) == ("e2", "q1")


def test_the_same_click_again_counts() -> None:
    seen = Seen(ids=("e2",), graph=(5, ("e1",)), rows=(1,), order=SEEN.order)
    assert merge(seen, graph=(6, ("e1",)), rows=(1,)) == ("e1",)


def test_the_table_wins_when_it_changed() -> None:
    assert merge(SEEN, graph=SEEN.graph, rows=(2,)) == ("e3",)


def test_nothing_changed() -> None:
    assert merge(SEEN, graph=SEEN.graph, rows=(0,)) == ("e1",)


def test_a_location_stays_selected_although_the_table_has_no_row_for_it() -> None:
    seen = Seen(ids=("q1",), graph=(5, ("q1",)), rows=(), order=SEEN.order)
    assert merge(seen, graph=(5, ("q1",)), rows=()) == ("q1",)


class Knobs(Params):
    """One parameter of each kind."""

    whole: int = parameter(5, "A whole number.", unit="flows", ge=2, lt=10)
    real: float = parameter(0.5, "A real number.", gt=0, le=1)
    choice: Literal["a", "b"] = parameter("b", "One of two.")
    flag: bool = parameter(True, "Yes or no.")
    words: str = parameter("x", "Some words.", advanced=True)
    limit: int | None = parameter(None, "None = no limit.", ge=1)


def knobs_page() -> None:
    import streamlit as st

    from tests.pages.test_parts import Knobs, params_form

    st.session_state["got"] = params_form(Knobs, key="k")


def test_a_form_has_range_unit_help_and_default_of_every_parameter() -> None:
    assert callable(params_form)
    app = AppTest.from_function(knobs_page).run()
    assert not app.exception
    assert app.session_state["got"] == Knobs().model_dump()
    whole = app.number_input(key="k_whole")
    assert (whole.label, whole.min, whole.max, whole.help) == ("Whole (flows)", 2, 9, "A whole number.")
    assert list(app.selectbox(key="k_choice").options) == ["a", "b"]
    assert app.expander[0].label == "Advanced settings"
    app.number_input(key="k_limit").set_value(7).run()
    assert Knobs.checked(app.session_state["got"]).limit == 7


@pytest.mark.parametrize("params", [FlowChronicleParams, MeterParams, TadamParams])
def test_every_parameter_that_a_page_asks_for_has_a_title_in_words(params: type[Params]) -> None:
    titles = [field.title or TITLES.get(name, "") for name, field in params.model_fields.items()]
    assert all(" " in title for title in titles)
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    "symbol, points", [("S_>_Empty", "right"), ("SA_<_Empty", "left"), (">_Replay", "right"), ("<_Text-a<_b", "left")]
)
def test_arrows_point_to_the_receiver(symbol: str, points: str) -> None:
    drawn = arrow(symbol)
    assert drawn.endswith("▶") == (points == "right")
    assert drawn.startswith("◀") == (points == "left")


def test_a_ladder_says_when_and_how_much() -> None:
    words = Words.from_lists([[("S_>_Empty", 0, 0), ("SA_<_Empty", 1500, 7)]], unit="us")
    rows = ladder_rows(words.names(0), words[0], unit="us")
    assert list(rows["time"]) == ["0", "1.5 ms"]
    assert list(rows["payload (B)"]) == [0, 7]


def test_marks_are_counted_the_most_frequent_first() -> None:
    marks = ("", "retransmission", "retransmission, duplicate ACK", "out of order")
    assert marks_text(marks) == "2 retransmission, 1 duplicate ACK, 1 out of order"
    assert marks_text(("", "")) == marks_text(()) == ""
