"""The standalone report: one HTML file with the metric table, the figures and where everything came from.

It opens without a network (Plotly stands in the file once), asks nothing of a server, runs no script but Plotly and its
own few lines, and every string that came from a capture or a file is escaped.
"""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Final

from plotly.offline import get_plotlyjs

import netsynth_core
from netsynth_core.evaluate.measure import figure_text
from netsynth_core.evaluate.metric import FAMILIES, Family, MetricResult, Verdict
from netsynth_core.evaluate.report import Report
from netsynth_core.files import write_text
from netsynth_core.flows.table import FlowTable
from netsynth_core.plots.distributions import category_shares, ccdf, column_values, ecdf
from netsynth_core.plots.figure import Figure, count
from netsynth_core.plots.load import autocorrelation_lines, load_over_time
from netsynth_core.plots.metrics import metric_dots
from netsynth_core.plots.pairs import next_port_heat_map, pair_heat_maps
from netsynth_core.plots.theme import DARK, FONT, LIGHT, Theme

FigureMaker = Callable[[Theme], Figure]

POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

FAMILY_WORDS: Final[dict[Family, str]] = {
    "marginals": "Does each column, taken alone, look real?",
    "dependence": "Do the columns of one flow belong together?",
    "inter-flow": "Do flows follow each other as in the capture?",
    "rules": "Could a network have made these flows?",
    "novelty": "Are the flows new, or copies?",
}

MARKS: Final[dict[Verdict, str]] = {
    Verdict.WITHIN: "●",
    Verdict.NEAR: "◐",
    Verdict.FAR: "○",
    Verdict.FEW: "–",
    Verdict.NO_FLOOR: "–",
    Verdict.UNKNOWN: "–",
}

GOALS: Final = {"down": "lower", "up": "higher", "match": "as the floor"}

_STYLE: Final = """
:root { color-scheme: light dark; --bg: %(light_bg)s; --fg: %(light_fg)s; --line: %(light_grid)s; --soft: #5b5f66; }
@media (prefers-color-scheme: dark) {
  :root { --bg: %(dark_bg)s; --fg: %(dark_fg)s; --line: %(dark_grid)s; --soft: #a3a8b0; }
}
body { background: var(--bg); color: var(--fg); font: 15px/1.5 %(font)s; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem; }
p.lead, .alt, td.note, caption { color: var(--soft); } .alt { font-size: .85rem; margin: .2rem 0 1.4rem; }
table { border-collapse: collapse; width: 100%%; table-layout: fixed; font-size: .9rem; margin: .6rem 0 1rem; }
th, td { text-align: left; padding: .28rem .6rem .28rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.verdict { white-space: nowrap; } tr.far td.verdict { font-weight: 700; }
td.note { font-size: .82rem; } caption { text-align: left; font-size: .85rem; padding-bottom: .3rem; }
figure { margin: 0; } pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
"""

# Draws each figure in the theme the reader's system asks for, and again when that changes.
_SCRIPT: Final = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function draw() {
  for (const [id, themes] of Object.entries(figures)) {
    const spec = dark.matches ? themes.dark : themes.light;
    Plotly.react(id, spec.data, spec.layout, {responsive: true, displaylogo: false, displayModeBar: "hover"});
  }
}
draw();
dark.addEventListener("change", draw);
"""


def standard_figures(real: FlowTable, synthetic: FlowTable, report: Report) -> list[FigureMaker]:
    """The figures of a report, each as a function of the theme: families at a glance, then the tables side by side."""

    def numeric(column: str) -> tuple[FigureMaker, FigureMaker]:
        a, b = column_values(real, column), column_values(synthetic, column)
        return (
            lambda theme: ecdf(a, b, column=column, theme=theme),
            lambda theme: ccdf(a, b, column=column, theme=theme),
        )

    def shares(column: str) -> FigureMaker:
        return lambda theme: category_shares(
            real.frame[column], synthetic.frame[column], column=column, most=15, theme=theme
        )

    def family(name: Family) -> FigureMaker:
        return lambda theme: metric_dots(report, name, theme=theme)

    return [
        *(family(name) for name in FAMILIES if any(r.value is not None for r in report.family(name))),
        lambda theme: load_over_time(real, synthetic, theme=theme),
        lambda theme: load_over_time(real, synthetic, of="bytes", theme=theme),
        shares("dst_port"),
        shares("proto"),
        shares("dst_ip"),
        *numeric("fwd_bytes"),
        numeric("bwd_bytes")[0],
        numeric("duration")[0],
        numeric("inter-arrival")[0],
        lambda theme: pair_heat_maps(real, synthetic, x="dst_port", y="proto", theme=theme),
        lambda theme: next_port_heat_map(real, synthetic, theme=theme),
        lambda theme: autocorrelation_lines(real, synthetic, theme=theme),
    ]


def report_html(
    report: Report,
    figures: Sequence[FigureMaker] = (),
    *,
    title: str = "Real and synthetic traffic",
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """The whole report as one HTML text.

    Parameters
    ----------
    figures
        Functions of the theme, such as `standard_figures` gives; each is drawn light and dark.
    provenance
        What the report is about (files, hashes, models, seed): JSON-able, shown as it is.
    """
    specs: dict[str, dict[str, Any]] = {}
    blocks = []
    for number, make in enumerate(figures):
        light, dark = make(LIGHT), make(DARK)
        name = f"figure-{number}"
        specs[name] = {"light": _spec(light), "dark": _spec(dark)}
        blocks.append(
            f'<figure><div id="{name}" role="img" aria-label="{html.escape(light.alt)}"></div>'
            f'<details class="alt"><summary>in words</summary>{html.escape(light.alt)}</details></figure>'
        )
    counts = ", ".join(f"{count(n)} {html.escape(side)}" for side, n in report.rows.items())
    style = _STYLE % {
        "light_bg": LIGHT.background, "light_fg": LIGHT.text, "light_grid": LIGHT.grid, "dark_bg": DARK.background,
        "dark_fg": DARK.text, "dark_grid": DARK.grid, "font": FONT,
    }  # fmt: skip
    scripts = ""
    if specs:
        scripts = (
            f"<script>{get_plotlyjs()}</script>\n"
            f'<script type="application/json" id="figures">{_script_json(specs)}</script>\n<script>{_SCRIPT}</script>\n'
        )
    tables = "\n".join(_table(family, report.family(family)) for family in FAMILIES)
    shown = {"netsynth": netsynth_core.__version__, "flows": dict(report.rows)} | dict(provenance or {})
    origin = json.dumps(shown, indent=1, ensure_ascii=False, default=str)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n"
        f'<p class="lead">{counts} flows. {_summary(report)}</p>\n'
        '<p class="lead">Each value stands beside its noise floor: the same number for real flows against other real '
        "flows, on equal terms. Within the floor: real data split in two differ as much.</p>\n"
        f"{tables}\n<h2>Figures</h2>\n{''.join(blocks)}\n"
        f"<h2>Where this comes from</h2>\n<pre>{html.escape(origin)}</pre>\n{scripts}</body>\n</html>\n"
    )


def write_report(
    path: str | PathLike[str],
    report: Report,
    real: FlowTable,
    synthetic: FlowTable,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the standalone report with the standard figures, whole or not at all.

    Raises
    ------
    StorageError
        When the file cannot be written.
    """
    write_text(path, report_html(report, standard_figures(real, synthetic, report), provenance=provenance))


def _spec(figure: Figure) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(figure.figure.to_json())
    # Plotly.py writes its whole default template into every figure; ours sets what it needs.
    spec["layout"].pop("template", None)
    return {"data": spec["data"], "layout": spec["layout"]}


def _script_json(value: object) -> str:
    """JSON that cannot close the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028")


def _summary(report: Report) -> str:
    counts = report.verdicts()
    return ", ".join(f"{n} {word}" for word, n in counts.items() if n) + f" of {len(report.metrics)} metrics."


COLUMNS: Final = (
    ("metric", 16, False),
    ("value", 13, True),
    ("floor", 8, True),
    ("verdict", 13, False),
    ("goal", 8, False),
    ("n a side", 7, True),
    ("in words", 35, False),
)
"""Heading, width in percent, whether numbers stand in it."""


def _table(family: Family, results: Sequence[MetricResult]) -> str:
    heads = "".join(
        f'<th scope="col" style="width:{width}%"{" class=number" if number else ""}>{name}</th>'
        for name, width, number in COLUMNS
    )
    return (
        f"<h2>{html.escape(family.capitalize())}</h2>\n<table><caption>{FAMILY_WORDS[family]}</caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{''.join(map(_row, results))}</tbody></table>"
    )


def _row(result: MetricResult) -> str:
    short = {"points": "share", "share": "share"}.get(result.unit, "")
    each = result.n.get("each", result.n.get("synthetic", 0))
    words = result.sentence if result.note in result.sentence else f"{result.sentence} {result.note}"
    spread = f" ± {figure_text(result.sd, short, digits=2)}" if result.value is not None and result.sd else ""
    return (
        f'<tr class="{result.verdict.name.lower()}"><th scope="row">{html.escape(result.name)}</th>'
        f'<td class="number">{html.escape(figure_text(result.value, short) + spread)}</td>'
        f'<td class="number">{html.escape(figure_text(result.floor, short))}</td>'
        f'<td class="verdict">{MARKS[result.verdict]} {result.verdict}</td><td>{GOALS[result.goal]}</td>'
        f'<td class="number">{count(each)}</td><td class="note">{html.escape(words)}</td></tr>\n'
    )
