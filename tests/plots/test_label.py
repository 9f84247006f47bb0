"""Captured text never becomes markup: Plotly's, a template's or the page's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.plots.figure import decade_ticks, duration, label, plain, share, thin

HOSTILE = [
    "<script>alert(1)</script>",
    "<a href='javascript:alert(1)'>x</a>",
    "<b>bold</b><br>",
    "&lt;b&gt;",
    "a\u202egpj.exe",
    "line\nbreak\x00\x1b[31m",
    "%{customdata}",
    "\ud800",
    "x" * 500,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is(text: str) -> None:
    shown = label(text)
    assert "<" not in shown and ">" not in shown
    assert re.search(r"[\x00-\x1f\u202a-\u202e\ud800-\udfff]", shown) is None
    assert "%{" not in shown


@given(st.text())
def test_labels_are_short_and_hold_no_markup(text: str) -> None:
    shown = label(text, length=20)
    entities = re.sub(r"&(amp|lt|gt);", "_", shown)
    assert len(entities.replace("\u2009", "")) <= 20
    assert not set("<>&") & set(entities)
    shown.encode("utf-8")


def test_entities_are_not_read_twice() -> None:
    assert label("&lt;") == "&amp;lt;"
    assert plain("a < b & c") == "a < b & c"


def test_harmless_text_is_unchanged() -> None:
    assert label("192.168.0.1:443 é ü") == "192.168.0.1:443 é ü"
    assert label(443) == "443"


def test_thin_keeps_the_ends_and_the_order() -> None:
    kept = thin(100_000, most=500)
    assert len(kept) == 500 and kept[0] == 0 and kept[-1] == 99_999
    assert (kept[1:] > kept[:-1]).all()
    assert list(thin(3)) == [0, 1, 2]


def test_numbers_as_people_read_them() -> None:
    assert share(0.25) == "25 %"
    assert duration(120 * 10**9) == "2 min"
    assert duration(90 * 10**9) == "1 min 30 s"
    assert decade_ticks(1, 1000) == ([1, 10, 100, 1000], ["1", "10", "100", "1k"])
