"""Fixtures of the page tests: the app under AppTest on an empty and on a filled workspace."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from netsynth_core.workspace import Workspace
from pages.parts import feedback
from tests.app_workspace import filled_workspace, remove_filled

APP = Path(__file__).parents[2] / "app.py"
Opener = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def _tidy() -> Iterator[None]:
    yield
    remove_filled()


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "empty")


@pytest.fixture
def filled(tmp_path: Path) -> Workspace:
    return filled_workspace(tmp_path / "filled")


def _raise(error: Exception) -> None:
    raise error


@pytest.fixture(autouse=True)
def _bugs_stay_bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app shows its own faults as a notice; a test shall see them as `app.exception`."""
    monkeypatch.setattr(feedback, "bug", _raise)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Open a page of the app on a workspace, as a fresh session."""

    # Every AppTest run starts as a server does before its first request, which takes the folder pages/ for a menu of
    # its own and would run a page without the frame. Here each run goes through app.py, as it does from then on; the
    # first request of a server is a browser test.
    monkeypatch.setattr(script_runner, "_mpa_v1", runpy.run_path)

    def opened(workspace: Workspace, page: str, **query: str) -> AppTest:
        monkeypatch.setenv("NETSYNTH_WORKSPACE", str(workspace.folder))
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        if page != "home":
            app.switch_page(f"pages/{page}.py")
            for name, value in query.items():
                app.query_params[name] = value
            app.run()
        return app

    return opened
