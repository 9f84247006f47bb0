"""Every page opens on an empty and on a filled workspace, says what it is for, and shows no traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from netsynth_core.workspace import Workspace

PAGES = ("home", "capture", "flows", "patterns", "automata", "logs", "generate", "compare", "history", "guide")
Opener = Callable[..., AppTest]
ROOT = Path(__file__).parents[2]


def texts(app: AppTest) -> str:
    """All words of a page that AppTest sees."""
    kinds = ("title", "subheader", "markdown", "caption", "text", "error", "warning", "info", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def test_the_list_of_pages_is_whole() -> None:
    root = ROOT / "pages"
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


def test_the_first_page_loads_nothing_heavy(empty: Workspace) -> None:
    script = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=60).run();"
        "assert not app.exception and app.title;"
        "print(' '.join(m for m in sys.modules if '.' not in m))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "NETSYNTH_WORKSPACE": str(empty.folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # Streamlit itself loads plotly.
    assert not {"numba", "pgmpy", "sklearn", "torch"} & set(done.stdout.split())


def test_every_chart_has_words_for_those_who_cannot_see_it(filled: Workspace, open_page: Opener) -> None:
    for page in ("capture", "patterns", "compare"):
        charts = open_page(filled, page).get("plotly_chart")
        assert charts
        assert all(len(chart.proto.alt) > 20 for chart in charts)
