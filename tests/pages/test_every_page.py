"""Every page opens on an empty and on a filled workspace, says what it is for, and shows no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.workspace import Workspace

PAGES = ("home", "capture", "flows", "patterns", "automata", "generate", "compare", "history", "guide")
Opener = Callable[..., AppTest]


def texts(app: AppTest) -> str:
    """All words of a page that AppTest sees."""
    kinds = ("title", "subheader", "markdown", "caption", "text", "error", "warning", "info", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def test_the_list_of_pages_is_whole() -> None:
    root = Path(__file__).parents[2] / "pages"
    assert {path.stem for path in root.glob("*.py")} - {"__init__"} == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_on_an_empty_workspace(page: str, empty: Workspace, open_page: Opener) -> None:
    app = open_page(empty, page)
    assert not app.exception
    assert not app.error
    assert len(app.title) == 1


@pytest.mark.parametrize("page", PAGES)
def test_on_a_filled_workspace(page: str, filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, page)
    assert not app.exception
    assert not app.error
    assert len(app.title) == 1


@pytest.mark.parametrize(
    ("page", "next_page"),
    [
        ("home", "capture"),
        ("flows", "capture"),
        ("patterns", "capture"),
        ("automata", "capture"),
        ("generate", "patterns"),
        ("compare", "capture"),
    ],
)
def test_an_empty_page_says_where_to_go(page: str, next_page: str, empty: Workspace, open_page: Opener) -> None:
    app = open_page(empty, page)
    links = [link.proto.page for link in app.get("page_link")]
    # The step strip links to every step: the way out of the empty state comes on top of it.
    assert links.count(next_page) == 2


def test_a_filled_workspace_is_counted_in_the_step_strip(filled: Workspace, open_page: Opener) -> None:
    app = open_page(filled, "home")
    labels = [link.proto.label for link in app.get("page_link")]
    assert labels[:6] == ["Capture · 2", "Flows · 2", "Patterns · 1", "Automata · 2", "Synthetic · 2", "Report · 1"]


def test_every_chart_has_words_for_those_who_cannot_see_it(filled: Workspace, open_page: Opener) -> None:
    for page in ("capture", "patterns", "compare"):
        charts = open_page(filled, page).get("plotly_chart")
        assert charts
        assert all(len(chart.proto.alt) > 20 for chart in charts)
