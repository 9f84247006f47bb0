"""How near is the synthetic traffic to the real, and to what real traffic differs from itself?"""

import json

import pandas as pd
import streamlit as st

from netsynth_core.errors import DocumentError, NetsynthError
from netsynth_core.files import require_file
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import figures, frame, jobs, reads, state
from pages.parts.feedback import empty, notice
from pages.parts.pickers import names_of, pick, shown_name
from pages.parts.text import md, number, plain

SEVERITY = {"far": 0, "near": 1, "within the floor": 2, "too few flows": 3, "no floor": 4, "not computed": 5}
MARKS = {
    "far": "● far",
    "near": "◐ near",
    "within the floor": "○ within the floor",
    **{word: f"– {word}" for word in ("too few flows", "no floor", "not computed")},
}
BETTER = {"down": "lower is better", "up": "higher is better", "match": "as near to the floor as possible"}
NUMERIC = ("duration", "fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "inter-arrival")
CATEGORIES = ("service", "proto", "state", "dst_port", "flags", "src_ip", "dst_ip")


def compare_form(workspace: Workspace, real: list[Artefact], made: list[Artefact], stale: dict[str, str]) -> None:
    """Choose both sides and start."""
    with st.expander("Compare", icon=":material/balance:", expanded=not workspace.artefacts(ArtefactKind.REPORT)):
        left, right = st.columns(2)
        with right:
            other = pick("Synthetic", made, workspace=workspace, name="synthetic", stale=stale)
        origins = [a.id for a in reads.ancestors(workspace, other)]
        training = next((id for id in origins if any(a.id == id for a in real)), None)
        with left:
            follows = (other.id, training)
            source = pick("Real", real, workspace=workspace, name="real", stale=stale, follows=follows)
        warn_unrelated(workspace, source, other)
        held = [a for a in real if a.id != source.id and a.facts.get("flows")]
        names = names_of(workspace, held)
        models = [a for a in workspace.artefacts(ArtefactKind.MODEL)[::-1] if reads.level(a) == "flow"]
        kinds = names_of(workspace, models)
        with st.form("compare", border=False):
            left, right = st.columns(2)
            holdout = left.selectbox(
                "Hold-out",
                [None, *names],
                format_func=lambda id: names.get(id, "none: the real flows are split in two"),
                help="Real flows the model never saw; the noise floor is then real against hold-out.",
                key="holdout",
            )
            choices = [*sorted(kinds, key=lambda id: id not in origins), None]
            patterns = right.selectbox(
                "Patterns",
                choices,
                format_func=lambda id: kinds.get(id, "none"),
                help="The pattern set whose windows are counted on both sides.",
                key=f"compare_patterns_{other.id}",
            )
            seed = int(st.number_input("Seed", min_value=0, max_value=2**32 - 1, value=0, key="compare_seed"))
            pressed = st.form_submit_button("Compare", type="primary", icon=":material/balance:")
        if pressed:
            inputs = (source.id, other.id, *([patterns] if patterns else []))
            parameters = {"holdout": holdout} if holdout else {}
            jobs.start(workspace, Recipe(step=Step.EVALUATE, inputs=inputs, parameters=parameters, seed=seed))


def warn_unrelated(workspace: Workspace, real: Artefact, made: Artefact) -> None:
    """Say so when the synthetic flows were not learnt from these real ones, nor from the same files."""
    origins = reads.ancestors(workspace, made)
    tables = [a for a in origins if a.kind is ArtefactKind.FLOWS]
    files = {a.id for a in reads.ancestors(workspace, real) if a.kind is ArtefactKind.CAPTURE}
    if real.facts.get("flows") == 0:
        st.warning(f"{md(shown_name(workspace, real))} holds no flow: choose another side.", icon=":material/warning:")
    elif not tables:
        st.caption("What the synthetic flows were learnt from was deleted: check that both sides belong together.")
    elif real.id not in {a.id for a in tables} and not files & {a.id for a in origins}:
        st.warning(
            f"These do not belong together: {md(shown_name(workspace, made))} was learnt from "
            f"{md(shown_name(workspace, tables[0]))}, not from {md(shown_name(workspace, real))}. "
            "The differences will say how far the two captures are apart, not how good the model is.",
            icon=":material/link_off:",
        )


def metric_table(metrics: list[dict[str, object]]) -> dict[str, object]:
    """The metrics, the worst first; returns the chosen one."""
    metrics = sorted(metrics, key=severity)
    counts = {word: sum(m["verdict"] == word for m in metrics) for word in SEVERITY}
    st.markdown("**" + ", ".join(f"{number(n)} {word}" for word, n in counts.items() if n) + "**")
    st.caption(
        "The floor is the same number for real traffic against real traffic: a difference below it means nothing. "
        "Select a row to see what it is made of."
    )
    rows = [
        {
            "metric": plain(m["name"]),
            "family": m["family"],
            "value": m["value"],
            "floor": m["floor"],
            "verdict": MARKS.get(str(m["verdict"]), str(m["verdict"])),
            "better": BETTER.get(str(m["goal"]), str(m["goal"])),
            "n": (m["n"].get("each") or m["n"].get("synthetic")) if isinstance(m["n"], dict) else None,
            "note": plain(m["note"], limit=300),
        }
        for m in metrics
    ]
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0], "columns": [], "cells": []}},
        height=380,
        key="metrics",
        column_config={name: st.column_config.NumberColumn(format="%.3g") for name in ("value", "floor")},
        alt="Metrics, the worst first",
    )
    return metrics[min((event.selection.rows or [0])[0], len(metrics) - 1)]


def metrics_of(workspace: Workspace, report: Artefact) -> list[dict[str, object]]:
    """The metrics of a report.

    Raises
    ------
    DocumentError
        When its file is broken.
    """
    path = workspace.path(report.id, "report.json")
    try:
        metrics: list[dict[str, object]] = json.loads(require_file(path).read_bytes())["metrics"]
        if all({"name", "family", "value", "floor", "goal", "n", "note", "verdict"} <= set(m) for m in metrics):
            return metrics
    except (ValueError, KeyError, TypeError) as error:
        raise DocumentError(f"{path} is broken: {error}.", hint="Compare again.") from error
    raise DocumentError(f"{path} is no report of this version.", hint="Compare again.")


def severity(metric: dict[str, object]) -> tuple[int, float]:
    """The worst verdict first, within it the largest distance from the floor, in tolerances."""
    value, floor, tolerance = metric["value"], metric["floor"], metric.get("tolerance") or 1.0
    known = isinstance(value, int | float) and isinstance(floor, int | float) and isinstance(tolerance, int | float)
    distance = abs(float(value) - float(floor)) / float(tolerance) if known else 0.0  # type: ignore[arg-type]
    return SEVERITY.get(str(metric["verdict"]), 9), -distance


def detail(metric: dict[str, object]) -> None:
    """One metric in words, with its parts."""
    with st.container(border=True):
        st.markdown(f"**{md(metric['name'])}**: {md(metric.get('sentence') or metric['note'], limit=600)}")
        ns = metric["n"] if isinstance(metric["n"], dict) else {}
        said = ", ".join(f"{name} {number(int(n))}" for name, n in ns.items())
        st.caption(f"n: {md(said)}. Source: {md(metric.get('source') or 'netsynth', limit=300)}.")
        parts = metric.get("parts")
        if isinstance(parts, list) and parts:
            st.dataframe(
                pd.DataFrame(
                    [{"part": plain(p["name"], limit=120), "value": p["value"], "floor": p["floor"]} for p in parts]
                ).sort_values("value", ascending=False, kind="stable"),
                hide_index=True,
                height=min(38 + 35 * len(parts), 260),
                key=f"parts_{metric['name']}",
                column_config={name: st.column_config.NumberColumn(format="%.3g") for name in ("value", "floor")},
                alt="What the metric is made of",
            )


def plots(workspace: Workspace, report: Artefact, metric: dict[str, object]) -> None:
    """Real and synthetic beside each other."""
    from netsynth_core import plots as core

    sides = [ref.id for ref in report.inputs[:2]]
    try:
        real, made = (reads.flows(str(workspace.folder), id) for id in sides)
    except NetsynthError as error:
        notice(error)
        return
    choices = ["load over time", "autocorrelation", "next port", *NUMERIC, *CATEGORIES]
    named = next((name for name in choices if str(metric["name"]).split()[-1] == name), choices[0])
    if st.session_state.get("_plotted_for") != (report.id, metric["name"]):
        st.session_state["_plotted_for"] = (report.id, metric["name"])
        st.session_state["plot_of"] = named
    what = st.selectbox("Real and synthetic", choices, key="plot_of")
    theme = figures.page_theme()
    if what == "load over time":
        figures.show(core.load_over_time(real, made, theme=theme), key="load_flows")
        figures.show(core.load_over_time(real, made, of="bytes", theme=theme), key="load_bytes")
    elif what == "autocorrelation":
        figures.show(core.autocorrelation_lines(real, made, theme=theme), key="autocorrelation")
    elif what == "next port":
        figures.show(core.next_port_heat_map(real, made, theme=theme), key="next_port")
    elif what in CATEGORIES:
        figure = core.category_shares(real.frame[what], made.frame[what], column=what, theme=theme)
        figures.show(figure, key="shares")
    else:
        left, right = st.columns(2)
        values = [core.column_values(table, what) for table in (real, made)]
        with left:
            figures.show(core.ecdf(*values, column=what, theme=theme), key="ecdf")
        with right:
            figures.show(core.ccdf(*values, column=what, theme=theme), key="ccdf")


def downloads(workspace: Workspace, report: Artefact) -> None:
    """The report as files."""
    with st.container(horizontal=True):
        for file, label in (("report.html", "report as HTML"), ("report.json", "report as JSON")):
            path = workspace.path(report.id, file)
            if path.exists():
                st.download_button(
                    f"Save {label}",
                    path.read_bytes,
                    file_name=file,
                    icon=":material/download:",
                    on_click="ignore",
                    key=f"save_{file}",
                )


frame.title("How near is it?", "Every metric beside its noise floor: what real traffic reaches against itself.")
workspace = state.require()
jobs.show_failure()
stale = reads.stale_ids(workspace)
real = workspace.artefacts(ArtefactKind.FLOWS)
made = [a for a in workspace.artefacts(ArtefactKind.SYNTHETIC) if "flows.parquet" in a.files]
reports = workspace.artefacts(ArtefactKind.REPORT)
if not real:
    empty("No flows yet.", "Open a capture first.", page="pages/capture.py", label="Go to Capture")
elif not made:
    empty("Nothing generated yet.", "Generate flows first.", page="pages/generate.py", label="Go to Generate")
else:
    compare_form(workspace, real, made, stale)
if reports:
    report = pick("Report", reports, workspace=workspace, name="report", stale=stale)
    sides = {a.id: a for a in (*real, *made)}
    compared = [sides[ref.id] for ref in report.inputs[:2] if ref.id in sides]
    if len(compared) == 2:
        warn_unrelated(workspace, *compared)
    chosen = metric_table(metrics_of(workspace, report))
    downloads(workspace, report)
    detail(chosen)
    plots(workspace, report, chosen)
elif real and made:
    empty("No report yet.", "Choose both sides above and press Compare.")
