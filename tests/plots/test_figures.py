"""Every figure: drawn in both themes, says its n, has a text twin, escapes what was captured, stays small."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from netsynth_core import plots
from netsynth_core.evaluate import evaluate
from netsynth_core.flows.overview import overview_of_flows
from netsynth_core.flows.steps import Steps
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.figure import Figure
from netsynth_core.plots.overview import widths
from netsynth_core.plots.pairs import next_ports
from netsynth_core.plots.theme import DARK, LIGHT, Theme
from tests.evaluate.traffic import S, empty, flows, network

EVIL = "<script>alert(1)</script>"

REAL, MADE, NONE = network(150, seed=1), network(100, seed=2), empty()
REPORT = evaluate(REAL, MADE, rng=np.random.default_rng(0))
NOTHING = evaluate(NONE, NONE, rng=np.random.default_rng(0))
HOSTILE = FlowTable.from_columns(REAL.frame.assign(src_ip=EVIL, dst_ip=EVIL, service=EVIL, proto=EVIL))


def conversation(n: int, name: str = "S_>_Empty", *, marked: int | None = None) -> Steps:
    """`n` packets a second apart, directions in turn."""
    numbers = np.arange(n, dtype=np.int64)
    return Steps(
        rows=numbers,
        ts=S * (1 + numbers),
        forward=numbers % 2 == 0,
        flags=("SYN",) * n,
        seq=numbers,
        ack=numbers - 1,
        window=numbers,
        payload=numbers,
        classes=("Text",) * n,
        marks=tuple("retransmission" if place == marked else "" for place in range(n)),
        symbols=(name,) * n,
        frames=numbers + 1,
    )


def of_tables(real: FlowTable, made: FlowTable) -> dict[str, Callable[[Theme], Figure]]:
    values = {side: plots.column_values(t, "fwd_bytes") for side, t in (("real", real), ("made", made))}
    starts = real.frame["ts"].to_numpy()
    return {
        "load": lambda th: plots.load_over_time(real, made, theme=th),
        "bytes": lambda th: plots.load_over_time(real, of="bytes", theme=th),
        "autocorrelation": lambda th: plots.autocorrelation_lines(real, made, theme=th),
        "ecdf": lambda th: plots.ecdf(values["real"], values["made"], column="fwd_bytes", theme=th),
        "ccdf": lambda th: plots.ccdf(values["real"], values["made"], column="fwd_bytes", theme=th),
        "shares": lambda th: plots.category_shares(
            real.frame["dst_ip"], made.frame["dst_ip"], column="dst_ip", theme=th
        ),
        "pairs": lambda th: plots.pair_heat_maps(real, made, x="dst_ip", y="proto", theme=th),
        "next port": lambda th: plots.next_port_heat_map(real, made, theme=th),
        "overview": lambda th: plots.capture_over_time(overview_of_flows(real), by="service", theme=th),
        "talkers": lambda th: plots.talkers_heat_map(real, theme=th),
        "services": lambda th: plots.services_bar(real.frame["service"].value_counts().to_dict(), theme=th),
        "windows": lambda th: plots.window_strip({EVIL: (starts, starts + S)} if len(starts) else {}, theme=th),
    }


def other_figures(name: str) -> dict[str, Callable[[Theme], Figure]]:
    codes = np.arange(20, 60)
    counts = np.arange(40)
    law = (counts + 1) / (counts + 1).sum()
    steps = [(name, -300.0), ("b", 20.0)]
    return {
        "metrics": lambda th: plots.metric_dots(REPORT, "marginals", theme=th),
        "rules": lambda th: plots.metric_dots(REPORT, "rules", theme=th),
        "delay dbus": lambda th: plots.delay_histogram(
            codes, counts, law, unit="dbus", name=name, guard=(25, 50), theme=th
        ),
        "delay us": lambda th: plots.delay_histogram(10.0 ** np.arange(5), np.ones(5), unit="us", name=name, theme=th),
        "delay one": lambda th: plots.delay_histogram([7], [3], unit="", name=name, theme=th),
        "payloads": lambda th: plots.payload_histogram(np.arange(500), name=name, theme=th),
        "few payloads": lambda th: plots.payload_histogram([0, 0, 1460], name=name, theme=th),
        "ladder": lambda th: plots.ladder(conversation(3, name), originator=name, responder=name, chosen=1, theme=th),
        "waterfall": lambda th: plots.codelength_waterfall(1000.0, steps, theme=th),
    }


ALL = of_tables(REAL, MADE) | other_figures("q1")


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda th: th.name)
def test_a_figure_has_a_title_its_n_and_a_text_twin(name: str, theme: Theme) -> None:
    drawn = ALL[name](theme)
    layout = drawn.figure.layout
    assert layout.paper_bgcolor == theme.background
    assert layout.title.text
    assert "n = " in layout.title.text or "bits" in layout.title.text
    assert any(digit in drawn.alt for digit in "0123456789")
    assert len(drawn.alt) > 40
    json.loads(drawn.figure.to_json())


@pytest.mark.parametrize("name", sorted(ALL))
def test_captured_text_is_never_markup(name: str) -> None:
    drawn = (of_tables(HOSTILE, HOSTILE) | other_figures(EVIL))[name](LIGHT)
    spec = drawn.figure.to_json()
    assert EVIL not in json.dumps(json.loads(spec))
    assert "<script" not in json.dumps(json.loads(spec), ensure_ascii=False)


@pytest.mark.parametrize("name", sorted(of_tables(NONE, NONE)))
def test_without_data_a_figure_says_why(name: str) -> None:
    drawn = of_tables(NONE, NONE)[name](LIGHT)
    assert len(drawn.figure.data) == 0
    assert drawn.alt.endswith(".") and len(drawn.alt) > 20


def test_other_figures_without_data_say_why() -> None:
    for drawn in (
        plots.delay_histogram([], []), plots.delay_histogram([1, 2], [0, 0]), plots.payload_histogram([]),
        plots.ladder(conversation(0)), plots.metric_dots(NOTHING, "marginals"), plots.services_bar({"dns": 0}),
    ):  # fmt: skip
        assert len(drawn.figure.data) == 0


@pytest.mark.parametrize("name", sorted(of_tables(REAL, MADE)))
def test_a_single_flow_a_side_can_be_drawn(name: str) -> None:
    one = flows({})
    assert of_tables(one, one)[name](LIGHT).alt


def points(drawn: Figure) -> int:
    return sum(len(trace.x) for trace in drawn.figure.data if trace.x is not None)


def test_large_tables_are_thinned() -> None:
    rng = np.random.default_rng(0)
    many = rng.lognormal(5, 2, 300_000)
    assert points(plots.ecdf(many, many, column="x")) <= 5_000
    tail = plots.ccdf(many, many[:1000], column="x")
    assert points(tail) <= 5_000
    assert tail.figure.data[0].x[-1] == many.max()
    starts = np.sort(rng.integers(0, 10**12, 100_000))
    assert points(plots.window_strip({str(i): (starts, starts + 5) for i in range(30)})) <= 120_000


def test_series_differ_by_more_than_colour() -> None:
    for theme in (LIGHT, DARK):
        series = [theme.real, theme.synthetic, theme.model, theme.reference]
        assert len({s.colour for s in series}) == 4
        assert len({(s.dash, s.marker) for s in series}) == 4


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_stand_out_from_the_page() -> None:
    """WCAG 2.2: 4.5:1 for what may carry text, 3:1 for graphics."""
    for theme in (LIGHT, DARK):
        page = luminance(theme.background)
        wanted = {"real": 4.5, "synthetic": 4.5, "model": 4.5, "reference": 3.0}
        for role, least in wanted.items():
            ink = luminance(theme.series(role).colour)  # type: ignore[arg-type]
            assert (max(page, ink) + 0.05) / (min(page, ink) + 0.05) >= least, (theme.name, role)


def test_shares_put_the_largest_difference_on_top() -> None:
    real = pd.Series(["a"] * 50 + ["b"] * 50)
    made = pd.Series(["a"] * 52 + ["b"] * 8 + ["<i>"] * 40)
    drawn = plots.category_shares(real, made, column="x")
    assert list(drawn.figure.layout.yaxis.ticktext) == ["a", "&lt;i&gt;", "b"]
    assert drawn.alt.startswith("Shares of x, largest differences: b 50 % real, 8 % synthetic")


def test_the_ladder_shows_a_part_and_says_which() -> None:
    drawn = plots.ladder(conversation(500), first=100, most=25)
    assert "101 to 125 are shown" in drawn.figure.layout.title.text
    ends = [t for t in drawn.figure.data if t.mode == "markers" and "triangle" in t.marker.symbol]
    assert sorted(place for trace in ends for place in trace.customdata) == list(range(100, 125))


def test_a_marked_packet_is_told_by_word_dash_and_colour() -> None:
    drawn = plots.ladder(conversation(4, marked=2), theme=LIGHT)
    assert "retransmission" in drawn.alt
    dashed = [t for t in drawn.figure.data if t.mode == "lines" and t.line.dash == "dash"]
    assert [t.line.color for t in dashed] == [LIGHT.synthetic.colour]
    assert any("retransmission" in text for t in drawn.figure.data if t.mode == "text" for text in t.text)


def test_strips_of_groups_add_up_to_the_whole() -> None:
    overview = overview_of_flows(REAL)
    whole, parts = (plots.capture_over_time(overview, of="bytes", by=by) for by in ("all", "service"))
    total = np.sum([np.sum(trace.y) for trace in parts.figure.data])
    assert total == np.sum(whole.figure.data[0].y) == (REAL.frame["fwd_bytes"] + REAL.frame["bwd_bytes"]).sum()


def test_every_width_keeps_the_sum() -> None:
    overview = overview_of_flows(REAL)
    assert plots.capture_over_time(overview).figure.data[0].x[0] == np.datetime64(overview.start, "ns")
    sums = {np.sum(plots.capture_over_time(overview, width=w).figure.data[0].y) for w in widths(overview)}
    assert len(widths(overview)) > 1 and len(sums) == 1


def test_talkers_are_capped_and_say_how_much_is_shown() -> None:
    many = flows(*[{"src_ip": f"10.0.{i // 200}.{i % 200}"} for i in range(300)])
    drawn = plots.talkers_heat_map(many)
    assert np.asarray(drawn.figure.data[0].z).shape == (40, 1)
    assert "40 of 300 originators" in drawn.figure.layout.title.text


def test_heat_maps_share_one_scale_and_differ_around_0() -> None:
    drawn = plots.pair_heat_maps(REAL, MADE, x="dst_port", y="proto")
    real, made, difference = drawn.figure.data
    assert real.zmax == made.zmax
    assert difference.zmin == -difference.zmax
    np.testing.assert_allclose(np.asarray(made.z) - np.asarray(real.z), np.asarray(difference.z))
    assert np.asarray(real.z).sum() == pytest.approx(1)


def test_next_ports_by_hand() -> None:
    a, b = {"src_ip": "10.0.0.1"}, {"src_ip": "10.0.0.2"}
    table = flows(
        a | {"ts": 0, "dst_port": 53}, b | {"ts": 1, "dst_port": 22}, a | {"ts": 2, "dst_port": 443},
        a | {"ts": 90 * S, "dst_port": 80},
    )  # fmt: skip
    now, following = next_ports(table)
    assert list(now) == ["53", "22", "443", "80"]
    assert list(following) == ["443", "(none)", "(none)", "(none)"]


def test_the_waterfall_ends_at_the_model() -> None:
    steps = [(f"p{i}", -10.0 * i) for i in range(40)]
    drawn = plots.codelength_waterfall(10_000.0, steps, most=5)
    bars = drawn.figure.data[0]
    assert len(bars.x) == 1 + 5 + 1 + 1
    assert sum(bars.x) == pytest.approx(10_000 - 10 * sum(range(40)))


def test_reading_a_colour_does_not_import_plotly() -> None:
    import subprocess
    import sys

    script = "import sys, netsynth_core.plots as p; p.LIGHT.real.colour; print('plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
