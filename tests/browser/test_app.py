"""The app in a real Chromium: what AppTest cannot see, such as clicks in the graph, reloads, themes and requests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from netsynth_core.models.tadam.edits import RenameLocation
from netsynth_core.workspace import Artefact, JobState, Recipe, Workspace, cancel_job, get_job, start_job, wait_job
from netsynth_core.workspace.edited import apply_edit, open_model, read_log
from tests.app_workspace import models
from tests.browser.conftest import PATIENCE_MS, Server

expect.set_options(timeout=PATIENCE_MS)
PAGES = {
    "": "What do I have?",
    "capture": "What is in this capture?",
    "flows": "Which conversations?",
    "patterns": "Which flows follow one another?",
    "automata": "What do the packets say?",
    "generate": "Make synthetic traffic",
    "compare": "How near is it?",
    "history": "What was done?",
    "guide": "A first lesson",
}


def settled(page: Page) -> None:
    """Wait until the script has run."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def graph(page: Page) -> Locator:
    """The drawn automaton, whole in view."""
    frame = page.locator('.frame[data-ready="1"]')
    frame.wait_for()
    frame.get_by_role("button", name="Fit").click()
    return frame


@pytest.fixture
def automaton(filled: Workspace) -> Artefact:
    return models(filled, "tadam")[0]


@pytest.fixture
def rare(filled: Workspace, automaton: Artefact) -> str:
    """The least taken transition."""
    found = open_model(filled, automaton.id).model.automaton
    return min((t for t in found.transitions if t.symbol != "$"), key=lambda t: t.count).id


@pytest.fixture
def inner(filled: Workspace, automaton: Artefact) -> list[str]:
    """The locations that are neither the first nor the last."""
    found = open_model(filled, automaton.id).model.automaton
    return [place.id for place in found.locations if place.id not in (found.initial, found.final)]


def test_the_first_request_may_ask_for_any_page(chromium: str, page: Page, filled: Workspace, tmp_path: Path) -> None:
    fresh = Server(tmp_path)
    try:
        page.goto(fresh.url("flows", filled))
        expect(page.get_by_role("heading", name=PAGES["flows"])).to_be_visible()
        expect(page.get_by_text("Flows · 2")).to_be_visible()
    finally:
        page.close()
        fresh.stop()


def test_every_page_opens_and_follows_the_theme_of_the_system(page: Page, server: Server, filled: Workspace) -> None:
    colour = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    for path, heading in PAGES.items():
        page.emulate_media(color_scheme="light")
        page.goto(server.url(path, filled))
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        settled(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.evaluate(colour) == "rgb(255, 255, 255)"
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"{colour} === 'rgb(23, 22, 20)'")
        settled(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_click_on_a_transition_reaches_python(
    page: Page, server: Server, filled: Workspace, automaton: Artefact, rare: str
) -> None:
    page.goto(server.url("automata", filled, automaton=automaton.id))
    graph(page).locator(f"g.edge#{rare} text").click()
    expect(page.get_by_text(f"Transition {rare}", exact=True)).to_be_visible()
    expect(page.locator(f"g.edge#{rare}")).to_have_class(re.compile("selected"))
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(1)


def test_the_wide_line_of_a_transition_can_be_hit(
    page: Page, server: Server, filled: Workspace, automaton: Artefact, rare: str
) -> None:
    page.goto(server.url("automata", filled, automaton=automaton.id))
    middle = (
        graph(page)
        .locator(f"g.edge#{rare} path.hit")
        .evaluate(
            """path => {
                const half = path.getPointAtLength(path.getTotalLength() / 2);
                const at = half.matrixTransform(path.getScreenCTM());
                return [at.x + 3, at.y + 3];
            }"""
        )
    )
    page.mouse.click(*middle)
    expect(page.get_by_text(re.compile(r"^(Transition e|Location q)\d+$"))).to_be_visible()


def test_shift_selects_two_locations_to_merge(
    page: Page, server: Server, filled: Workspace, automaton: Artefact, inner: list[str]
) -> None:
    keep, absorb = inner[:2]
    page.goto(server.url("automata", filled, automaton=automaton.id))
    drawn = graph(page)
    drawn.locator(f"g.node#{keep} text").click()
    expect(page.get_by_text(f"Location {keep}", exact=True)).to_be_visible()
    drawn.locator(f"g.node#{absorb} text").click(modifiers=["Shift"])
    page.get_by_role("button", name=f"Merge {absorb} into {keep}…").click()
    expect(page.get_by_text("Before you apply it:")).to_be_visible()
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("1 edit", exact=True)).to_be_visible()
    assert absorb not in open_model(filled, automaton.id).model.automaton.by_location
    expect(page.locator(f"g.node#{absorb}")).to_have_count(0)


def test_the_keyboard_alone_selects(page: Page, server: Server, filled: Workspace, automaton: Artefact) -> None:
    page.goto(server.url("automata", filled, automaton=automaton.id))
    drawn = graph(page)
    first = drawn.locator('g.item[tabindex="0"]')
    expect(first).to_have_count(1)
    first.focus()
    page.keyboard.press("ArrowRight")
    second = drawn.locator('g.item[tabindex="0"]').get_attribute("id")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(f"^(Transition|Location) {second}$"))).to_be_visible()


def test_prune_undo_redo_survive_a_reload(
    page: Page, server: Server, filled: Workspace, automaton: Artefact, rare: str
) -> None:
    page.goto(server.url("automata", filled, automaton=automaton.id))
    graph(page).locator(f"g.edge#{rare} text").click()
    page.get_by_role("button", name="Prune this transition…").click()
    expect(page.get_by_text(re.compile(r"Codelength .* bits → .* bits"))).to_be_visible()
    page.get_by_label("Why (kept in the history)").fill("a stray packet")
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("1 edit", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("1 edit", exact=True)).to_be_visible()
    graph(page)
    expect(page.locator(f"g.edge#{rare}")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.get_by_text("as learnt", exact=True)).to_be_visible()
    expect(page.locator(f"g.edge#{rare}")).to_have_count(1)
    page.reload()
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_text("1 edit", exact=True)).to_be_visible()
    assert read_log(filled.path(automaton.id)).records[0].why == "a stray packet"


def test_a_reload_keeps_model_and_selection(
    page: Page, server: Server, filled: Workspace, automaton: Artefact, rare: str
) -> None:
    page.goto(server.url("automata", filled, automaton=automaton.id))
    graph(page).locator(f"g.edge#{rare} text").click()
    expect(page.get_by_text(f"Transition {rare}", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(f"sel={rare}"))
    page.reload()
    expect(page.get_by_text(f"Transition {rare}", exact=True)).to_be_visible()
    graph(page)
    expect(page.locator(f"g.edge#{rare}")).to_have_class(re.compile("selected"))


def test_the_filter_fades_without_moving_and_the_view_stays(
    page: Page, server: Server, filled: Workspace, automaton: Artefact
) -> None:
    page.goto(server.url("automata", filled, automaton=automaton.id))
    drawn = graph(page)
    places = "frame => [...frame.querySelectorAll('g.node text')].map(t => [t.getAttribute('x'), t.getAttribute('y')])"
    before = drawn.evaluate(places)
    drawn.get_by_role("button", name="Zoom in").click()
    view = drawn.locator(".canvas svg").get_attribute("viewBox")
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(drawn.locator("g.below").first).to_be_attached()
    settled(page)
    assert drawn.evaluate(places) == before
    assert drawn.locator(".canvas svg").get_attribute("viewBox") == view


def test_hostile_names_stay_text_in_the_graph(
    page: Page, server: Server, filled: Workspace, automaton: Artefact, inner: list[str]
) -> None:
    hostile = "<img src=x onerror='window.hit=1'>"
    apply_edit(filled, automaton.id, RenameLocation(location=inner[0], name=hostile))
    page.goto(server.url("automata", filled, automaton=automaton.id))
    drawn = graph(page)
    expect(drawn.locator(f"g.node#{inner[0]} text")).to_contain_text("<img src=x")
    drawn.locator(f"g.node#{inner[0]} text").click()
    expect(page.get_by_text(f"Location {inner[0]}", exact=True)).to_be_visible()
    assert page.locator("img[src='x']").count() == 0
    assert page.evaluate("window.hit") is None
    tags = drawn.evaluate("frame => [...new Set([...frame.querySelectorAll('.canvas *')].map(e => e.localName))]")
    assert set(tags) <= {"svg", "g", "path", "polygon", "polyline", "ellipse", "text", "tspan"}


def test_a_cell_of_a_pattern_is_clicked_and_changed(page: Page, server: Server, filled: Workspace) -> None:
    patterns = models(filled, "flowchronicle")[0]
    page.goto(server.url("patterns", filled))
    grid = page.locator('.grid[data-ready="1"]')
    cell = grid.get_by_role("button", name=re.compile("^flow 2, dst_port: fixed at 80"))
    cell.click()
    expect(cell).to_have_attribute("aria-pressed", "true")
    page.get_by_role("radio", name="free").click()
    page.get_by_role("button", name="Change the cell…").click()
    expect(page.get_by_text("Before you apply it: In p1, make dst_port of flow 2 free.")).to_be_visible()
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("1 edit", exact=True)).to_be_visible()
    expect(grid.get_by_role("button", name=re.compile("^flow 2, dst_port: free"))).to_be_visible()
    assert read_log(filled.path(patterns.id)).head == 1


@pytest.fixture
def endless(empty: Workspace, tmp_path: Path) -> Iterator[str]:
    """A job that hashes a sparse file of 8 TiB: it takes no disk, and longer than any test."""
    path = tmp_path / "huge.pcap"
    with path.open("wb") as handle:
        handle.write(bytes.fromhex("d4c3b2a1"))
        handle.truncate(8 << 40)
    job = start_job(empty, Recipe(step="capture", parameters={"path": str(path)}, name="huge.pcap"))
    yield job.id
    cancel_job(empty, job.id)
    assert wait_job(empty, job.id, timeout_s=30).status.state.over


def test_a_job_is_found_again_after_a_reload_and_cancelled(
    page: Page, server: Server, empty: Workspace, endless: str
) -> None:
    page.goto(server.url("", empty))
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_text("take a file in: huge.pcap")).to_be_visible()
    page.reload()
    expect(sidebar.get_by_text("take a file in: huge.pcap")).to_be_visible()
    sidebar.get_by_role("button", name="Cancel").click()
    expect(sidebar.get_by_text("take a file in: huge.pcap")).to_have_count(0)
    assert get_job(empty, endless).status.state is JobState.CANCELLED
    assert not empty.artefacts()


def test_an_uploaded_capture_is_read_while_the_page_stays_usable(page: Page, server: Server, empty: Workspace) -> None:
    small = Path(__file__).parents[2] / "sample_data" / "small.pcap"
    page.goto(server.url("capture", empty))
    upload = page.get_by_role("tab", name=re.compile("Upload"))
    upload.wait_for()
    settled(page)
    upload.click()
    page.locator('input[type="file"]').set_input_files(str(small))
    expect(page.get_by_text("small.pcap").first).to_be_visible()
    page.get_by_role("button", name="Take it into the workspace").click()
    expect(page.get_by_text("Flows · 1")).to_be_visible()
    expect(page.get_by_text("Frames left out")).to_be_visible()
    (capture,) = empty.artefacts("capture")
    assert capture.files


def test_a_link_with_another_workspace_does_not_create_it(
    page: Page, server: Server, empty: Workspace, tmp_path: Path
) -> None:
    page.goto(server.url("", Workspace(tmp_path / "nowhere")))
    expect(page.get_by_text("is no netsynth workspace")).to_be_visible()
    assert not (tmp_path / "nowhere").exists()


def test_synthetic_packets_are_saved_from_the_browser(
    page: Page, server: Server, filled: Workspace, context: BrowserContext
) -> None:
    page.goto(server.url("generate", filled))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save packets as pcap").click()
    saved = Path(waiting.value.path()).read_bytes()
    made = next(a for a in filled.artefacts("synthetic") if "synthetic.pcap" in a.files)
    assert saved == (filled.path(made.id) / "synthetic.pcap").read_bytes()
