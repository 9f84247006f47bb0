"""Flows in a real Chromium: numbers pressed in small, large, filtered and sorted tables, arrows, cuts."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from netsynth_core.flows.source import read_flows
from netsynth_core.workspace import Artefact, Workspace
from tests.app_workspace import do
from tests.browser.conftest import PATIENCE_MS, Server
from tests.factories import office_pcap

expect.set_options(timeout=PATIENCE_MS)
ROW = 35


@pytest.fixture
def small(empty: Workspace, tmp_path: Path) -> Artefact:
    path = office_pcap(tmp_path / "small.pcap", sessions=5)
    return do(empty, "flows", do(empty, "capture", path=str(path)).id)


@pytest.fixture
def large(empty: Workspace, tmp_path: Path) -> Artefact:
    """More flows than a table is sent whole with."""
    path = office_pcap(tmp_path / "large.pcap", sessions=1100)
    return do(empty, "flows", do(empty, "capture", path=str(path)).id)


def press(table: Locator, row: int, *, x: int) -> None:
    """Press a cell of the table, which is a canvas."""
    table.wait_for()
    table.page.wait_for_timeout(700)
    table.click(position={"x": x, "y": ROW + ROW * row + ROW // 2})


def test_a_flow_is_chosen_and_an_arrow_of_its_ladder_is_pressed(
    page: Page, server: Server, empty: Workspace, small: Artefact
) -> None:
    page.goto(server.url("flows", empty))
    press(page.get_by_test_id("stDataFrame").first, 1, x=37)
    expect(page.get_by_text("Flow 1", exact=False).first).to_be_visible()
    number = page.get_by_role("spinbutton", name=re.compile(r"^Packet"))
    expect(number).to_have_value("1")
    page.locator(".stPlotlyChart .scatterlayer .trace .points path").nth(0).wait_for()
    arrows = page.locator(".stPlotlyChart .scatterlayer .trace .points path")
    # the first trace with markers is that of the originator: its fourth arrow is packet 7
    arrows.nth(3).click(force=True)
    expect(number).not_to_have_value("1")
    expect(page.get_by_text("from the originator")).to_be_visible()


def test_a_flow_of_a_large_table_is_pressed_and_its_packets_are_saved(
    page: Page, server: Server, empty: Workspace, large: Artefact, tmp_path: Path
) -> None:
    page.goto(server.url("flows", empty))
    expect(page.get_by_text("Press the number of a flow")).to_be_visible()
    press(page.get_by_test_id("stDataFrame").first, 3, x=37)
    expect(page.get_by_text("Chosen: 3")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save packets of 1 flow as pcap").click()
    saved = tmp_path / "saved.pcap"
    waiting.value.save_as(saved)
    (flow,) = read_flows(saved).flows.frame.to_dict("records")
    assert (flow["service"], flow["fwd_packets"] + flow["bwd_packets"]) == ("http", 10)


def test_an_ordered_table_still_names_its_flows(page: Page, server: Server, empty: Workspace, large: Artefact) -> None:
    page.goto(server.url("flows", empty))
    page.get_by_label("Order", exact=True).click()
    page.get_by_role("option", name="by service").click()
    page.wait_for_timeout(1500)
    press(page.get_by_test_id("stDataFrame").first, 1, x=37)
    # every other flow is DNS: the second one by service is its second
    expect(page.get_by_text(re.compile(r"^Flow [23]: .*:53, dns"))).to_be_visible()


def test_filters_are_cleared_by_a_button_that_can_be_reached(
    page: Page, server: Server, empty: Workspace, large: Artefact
) -> None:
    page.goto(server.url("flows", empty))
    host = page.get_by_label("Address, network or port", exact=True)
    host.fill("192.0.2.12 53")
    host.press("Enter")
    expect(page.get_by_text(re.compile(r"^157 of 2.200 flows"))).to_be_visible()
    press(page.get_by_test_id("stDataFrame").first, 0, x=37)
    expect(page.get_by_text(re.compile(r"^Flow \d+: 192\.0\.2\.12:"))).to_be_visible()
    host.fill("192.0.2.12 99999")
    host.press("Enter")
    expect(page.get_by_text("The table keeps 192.0.2.12 53.")).to_be_visible()
    # while a row of the page comes in between, the words from before may stand for a moment beside the new ones
    expect(page.get_by_text(re.compile(r"^157 of 2.200 flows")).last).to_be_visible()
    page.get_by_test_id("stDataFrame").first.hover()
    page.get_by_role("button", name="Clear 1 filter").click()
    expect(page.get_by_text(re.compile(r"^2.200 of 2.200 flows")).last).to_be_visible()
    expect(host).to_have_value("")
