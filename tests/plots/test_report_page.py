"""The standalone report: one file, no network, no markup from the data, both themes."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from netsynth_core.evaluate import METRICS, Report, evaluate
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots import report_html, standard_figures, write_report
from tests.evaluate.traffic import empty, network

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def pair() -> tuple[FlowTable, FlowTable, Report]:
    real, made = (
        FlowTable.from_columns(t.frame.assign(service=EVIL, dst_ip=EVIL))
        for t in (network(80, seed=1), network(60, seed=2))
    )
    return real, made, evaluate(real, made, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def text(pair: tuple[FlowTable, FlowTable, Report]) -> str:
    real, made, report = pair
    return report_html(report, standard_figures(real, made, report), title=EVIL, provenance={"real": EVIL, "seed": 0})


def test_nothing_captured_becomes_markup(text: str) -> None:
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in {tag for tag, _ in page.tags}
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert html.escape(EVIL) in text


def test_the_page_asks_nothing_of_a_server(text: str) -> None:
    page = Page(text)
    for tag, attrs in page.tags:
        assert tag not in ("link", "iframe", "object", "base", "form")
        assert "src" not in attrs and "href" not in attrs
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None and "default-src 'none'" in policy and "connect-src" not in policy
    assert len(text) < 6_500_000
    # The head of plotly.js, once.
    assert len(re.findall(r"plotly\.js v\d", text)) == 1


def test_every_metric_has_its_row_and_every_figure_its_words(
    text: str, pair: tuple[FlowTable, FlowTable, Report]
) -> None:
    page = Page(text)
    words = " ".join(page.texts)
    for metric in METRICS:
        assert metric.name in words
    real, made, report = pair
    figures = standard_figures(real, made, report)
    drawn = [attrs for tag, attrs in page.tags if tag == "div"]
    assert len(drawn) == len(figures)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawn)


def test_figures_are_there_in_both_themes(text: str) -> None:
    raw = re.search(r'id="figures">(.*?)</script>', text, re.S)
    assert raw is not None
    figures = json.loads(raw[1])
    for themes in figures.values():
        assert themes["light"]["layout"]["paper_bgcolor"] != themes["dark"]["layout"]["paper_bgcolor"]


def test_a_report_of_nothing_is_still_a_page() -> None:
    report = evaluate(empty(), empty(), rng=np.random.default_rng(0))
    page = Page(report_html(report, standard_figures(empty(), empty(), report)))
    assert "not computed" in " ".join(page.texts)


def test_without_figures_there_is_no_script(pair: tuple[FlowTable, FlowTable, Report]) -> None:
    assert "<script" not in report_html(pair[2])


def test_the_file_is_written_whole(pair: tuple[FlowTable, FlowTable, Report], tmp_path: Path) -> None:
    real, made, report = pair
    write_report(tmp_path / "report.html", report, real, made, provenance={"seed": 1})
    assert (tmp_path / "report.html").read_text("utf-8").rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
