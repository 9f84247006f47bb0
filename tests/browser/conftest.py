"""Fixtures of the browser tests: one server and one Chromium a session, a workspace and a page each test.

Every request a page makes is recorded: a test fails when one goes anywhere but to 127.0.0.1.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

from netsynth_core.workspace import Workspace
from tests.app_workspace import filled_workspace, remove_filled

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL = {"127.0.0.1", "", None}
PATIENCE_MS = 45_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these are browser tests; the driver's own sockets and event loop may complain when they are collected."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; without one the tests are skipped, in CI they fail."""
    named = os.environ.get("NETSYNTH_CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = f"no Chromium: set NETSYNTH_CHROMIUM or install one of {', '.join(NAMES)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


class Server:
    """A running app."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "server.log").open("wb")
        command = [
            *(sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")),
            f"--server.port={self.port}",
            "--server.headless=true",
            "--server.fileWatcherType=none",
        ]
        environment = {**os.environ, "NETSYNTH_WORKSPACE": str(folder / "default")}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not self._healthy():
            assert self._process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the app does not start"
            time.sleep(0.1)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def url(self, page: str, workspace: Workspace, **query: str) -> str:
        """Address of a page on a workspace."""
        pairs = {"ws": str(workspace.folder), **query}
        return f"{self.address}/{page}?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in pairs.items())

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()
    remove_filled()


@pytest.fixture(scope="session")
def driver(chromium: str) -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def context(driver: Playwright, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    opened = driver.chromium.launch_persistent_context(
        str(tmp_path_factory.mktemp("profile")),
        executable_path=chromium,
        args=ARGUMENTS,
        viewport={"width": 1440, "height": 1000},
    )
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose every request is looked at."""
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    asked: list[str] = []
    faults: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("websocket", lambda socket: asked.append(socket.url))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    opened.close()
    outside = [url for url in asked if urlsplit(url).scheme in ("http", "https", "ws", "wss")]
    outside = [url for url in outside if urlsplit(url).hostname not in LOCAL]
    assert asked, "no request was recorded"
    assert not outside, f"asked for outside of 127.0.0.1: {outside}"
    assert not faults, f"errors in the page: {faults}"


@pytest.fixture
def filled(tmp_path: Path) -> Workspace:
    return filled_workspace(tmp_path / "filled")


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "empty")
