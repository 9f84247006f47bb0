"""Make synthetic traffic: flows from a flow model, packets for them from the automata."""

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from netsynth_core.errors import InvalidParameter, NetsynthError
from netsynth_core.units import format_bytes, format_duration, parse_duration, parse_instant
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.store import Workspace
from pages.parts import flow_columns, frame, jobs, reads, state
from pages.parts.feedback import empty, notice, readable_errors
from pages.parts.pickers import names_of, pick
from pages.parts.text import count, md, number, plain

MAX_FLOWS = 10_000_000
MAX_DOWNLOAD = 200_000_000
FIGURES = {
    "flows": ("Flows", None),
    "words": ("Words", None),
    "packets": ("Packets", None),
    "bytes": ("Bytes", None),
    "exact": ("Exact counts", "Flows that have exactly the packets the flow table asks for."),
    "seconds": ("Took", None),
}
LEFT_OUT = "left out:"
"""Reasons of the forge that begin so name flows that became no packets."""


def seed_input(key: str) -> int:
    """The seed: the same one gives the same bytes."""
    return int(
        st.number_input("Seed", min_value=0, max_value=2**32 - 1, value=0, key=key, help="Same seed, same bytes.")
    )


def amount_parameters(how: str, n: int, duration: str, start: str) -> dict[str, int]:
    """Parameters of the sampling step.

    Raises
    ------
    InvalidParameter
        When a text is no duration or instant.
    """
    parameters = {"n": n} if how == "a number of flows" else {"duration_ns": parse_duration(duration)}
    if parameters.get("duration_ns") == 0:
        raise InvalidParameter("The duration is 0.", hint="Write one above 0, such as 10m.")
    if start.strip():
        parameters["start_ns"] = parse_instant(start.strip())
    return parameters


def sample_form(workspace: Workspace, models: list[Artefact], stale: dict[str, str]) -> None:
    """Flows from a flow-level model."""
    st.subheader("1. Flows", anchor=False)
    if not models:
        empty("No flow model yet.", "Mine patterns first.", page="pages/patterns.py", label="Go to Patterns")
        return
    model = pick("Flow model", models, workspace=workspace, name="flow_model", stale=stale)
    how = st.segmented_control(
        "How much", ["a number of flows", "a stretch of time"], default="a number of flows", required=True, key="how"
    )
    learnt_from = training_flows(workspace, model)
    with st.form("sample", border=False):
        left, right = st.columns(2)
        n, duration = learnt_from, "10m"
        if how == "a number of flows":
            # The key names the model: another model begins with the number of its own training flows.
            n = int(
                left.number_input(
                    "Flows", min_value=1, max_value=MAX_FLOWS, value=learnt_from, step=1, key=f"n_{model.id}"
                )
            )
            st.caption(
                f"The model was learnt from {count(learnt_from, 'flow')}. The flows are spread over the same span: "
                "fewer of them mean a lower rate. For a shorter capture at the learnt rate take a stretch of time."
            )
        else:
            duration = left.text_input("Duration", value="10m", key="duration", help="Such as 90s, 10m, 1.5h or 2d.")
        start = right.text_input(
            "Start", key="start", placeholder="as learnt", help="ISO 8601 (UTC) or Unix seconds; empty = as learnt."
        )
        seed = seed_input("sample_seed")
        pressed = st.form_submit_button("Generate flows", type="primary", icon=":material/bolt:")
    if pressed:
        with readable_errors():
            parameters = amount_parameters(how or "", n, duration, start)
            jobs.start(workspace, Recipe(step=Step.SAMPLE, inputs=(model.id,), parameters=parameters, seed=seed))


def training_flows(workspace: Workspace, model: Artefact) -> int:
    """How many flows a flow model was learnt from."""
    tables = [a for a in reads.ancestors(workspace, model) if a.kind is ArtefactKind.FLOWS]
    return min(max(int(tables[0].facts.get("flows", 0)), 1), MAX_FLOWS) if tables else 1000


def forge_form(
    workspace: Workspace, automata: list[Artefact], synthetic: list[Artefact], stale: dict[str, str]
) -> None:
    """Packets for flows."""
    st.subheader("2. Packets", anchor=False)
    sources = workspace.artefacts(ArtefactKind.FLOWS) + synthetic
    if not synthetic:
        st.caption("Generate flows first; packets are then made for each of them by the automaton of its service.")
        return
    if not automata:
        empty("No automaton yet.", "Learn some first.", page="pages/automata.py", label="Go to Automata")
        return
    names = names_of(workspace, automata)
    newest = {str(model.facts.get("group") or names[model.id]): model.id for model in automata}
    flows = pick("For the flows", sources, workspace=workspace, name="forge_flows", stale=stale)
    with st.form("forge", border=False):
        chosen = st.multiselect(
            "Automata", list(names), default=list(newest.values()), format_func=names.__getitem__, key="forge_models"
        )
        st.caption(
            "A flow takes the automaton of its service and state, else of its service, else it gets default packets."
        )
        replay = st.checkbox(
            "Repeat captured payloads where automata store them",
            value=False,
            key="forge_replay",
            help="Off, payloads are made up; of the capture they keep only what templates hold.",
        )
        seed = seed_input("forge_seed")
        pressed = st.form_submit_button("Forge packets", type="primary", icon=":material/bolt:")
    if pressed and not chosen:
        st.warning("Choose at least one automaton.", icon=":material/edit:")
    elif pressed:
        jobs.start(
            workspace, Recipe(step=Step.FORGE, inputs=(flows.id, *chosen), parameters={"replay": replay}, seed=seed)
        )


def results(workspace: Workspace, synthetic: list[Artefact], stale: dict[str, str]) -> None:
    """What was made: figures, fallbacks, files to save."""
    st.subheader("Results", anchor=False)
    if not synthetic:
        empty("Nothing generated yet.", "What you generate is kept here, with its seed and the models it came from.")
        return
    made = pick("Synthetic", synthetic, workspace=workspace, name="synthetic", stale=stale)
    shown = [name for name in FIGURES if isinstance(made.facts.get(name), int | float)]
    for column, name in zip(st.columns(max(len(shown), 1)), shown, strict=False):
        label, help_text = FIGURES[name]
        column.metric(label, _figure(name, made.facts[name]), help=help_text)
    if made.facts.get("content") == "pcap":
        account(made)
    for note in made.facts.get("notes", []):
        st.info(md(note, limit=500), icon=":material/info:")
    seed = made.recipe.seed if made.recipe else 0
    st.caption(f"Seed {seed}. Made {made.created[:19].replace('T', ' ')} UTC.")
    with st.container(horizontal=True):
        for file in made.files:
            download(workspace, made, file)
    preview(workspace, made)


def account(made: Artefact) -> None:
    """What became of every flow: drawn from an automaton, given default packets, or left out, with the reasons."""
    fallbacks: dict[str, int] = made.facts.get("fallbacks") or {}
    left_out = {why: n for why, n in fallbacks.items() if why.startswith(LEFT_OUT)}
    default = {why: n for why, n in fallbacks.items() if why not in left_out}
    columns = st.columns(3)
    columns[0].metric("Flows from automata", number(made.facts.get("drawn", 0)))
    columns[1].metric(
        "With default packets",
        number(sum(default.values())),
        help="No automaton fits them: they have the right counts and sizes, and a plain handshake where there is one.",
    )
    columns[2].metric("Left out", number(sum(left_out.values())), help="Flows that became no packet.")
    for title, reasons, key in (
        ("Why default packets", default, "fallbacks"),
        ("Why left out", left_out, "left_out"),
    ):
        if not reasons:
            continue
        rows = [
            {"reason": plain(why.removeprefix(LEFT_OUT).strip()), "flows": flows}
            for why, flows in sorted(reasons.items(), key=lambda item: -item[1])
        ]
        with st.expander(f"{title}: {count(sum(reasons.values()), 'flow')}", expanded=key == "left_out"):
            st.dataframe(pd.DataFrame(rows), hide_index=True, key=key, alt=title)


def _figure(name: str, value: float) -> str:
    if name == "bytes":
        return format_bytes(value)
    return format_duration(value * 1e9) if name == "seconds" else number(value)


def download(workspace: Workspace, made: Artefact, file: str) -> None:
    """A button for a file that is there; flows go out as CSV, the exchange format."""
    path = workspace.path(made.id, file)
    if not path.exists():
        return
    if path.stat().st_size > MAX_DOWNLOAD:
        st.text(f"{file}: {format_bytes(path.stat().st_size)}, at {path}")
        return
    name, label = file, file
    if path.suffix == ".parquet":
        name, label = "synthetic-flows.csv", "flows as CSV"
    elif path.suffix == ".pcap":
        name, label = "synthetic.pcap", "packets as pcap"

    def content() -> bytes:
        if path.suffix != ".parquet":
            return path.read_bytes()
        from netsynth_core.flows.table_io import write_flow_table

        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / name
            write_flow_table(target, reads.flows(str(workspace.folder), made.id))
            return target.read_bytes()

    st.download_button(
        f"Save {plain(label, limit=40)}",
        content,
        file_name=plain(name, limit=80),
        icon=":material/download:",
        on_click="ignore",
        key=f"save_{made.id}_{file}",
    )


def preview(workspace: Workspace, made: Artefact) -> None:
    """The first flows that were made."""
    if "flows.parquet" not in made.files:
        return
    try:
        view = reads.flow_view(str(workspace.folder), made.id)
    except NetsynthError as error:
        notice(error)
        return
    st.dataframe(
        view.head(200),
        hide_index=True,
        height=300,
        key="synthetic_preview",
        column_order=flow_columns.order(view.columns.drop("label")),
        column_config=flow_columns.config(),
        alt="The first 200 synthetic flows",
    )


def whole_chain(workspace: Workspace) -> None:
    """Everything in one job, for those who trust the defaults."""
    flows = workspace.artefacts(ArtefactKind.FLOWS)
    if not flows:
        return
    with st.expander("Everything in one job: learn, generate, forge, compare", icon=":material/all_inclusive:"):
        source = pick("From the flows", flows, workspace=workspace, name="chain_flows")
        with st.form("chain", border=False):
            held = min(max(int(source.facts["flows"]), 1), MAX_FLOWS)
            n = int(st.number_input("Flows", min_value=1, max_value=MAX_FLOWS, value=held, key=f"chain_n_{source.id}"))
            seed = seed_input("chain_seed")
            if st.form_submit_button("Start", type="primary"):
                recipe = Recipe(step=Step.GENERATE, inputs=(source.id,), parameters={"flows": n}, seed=seed)
                jobs.start(workspace, recipe)


frame.title("Make synthetic traffic", "New times, volumes and values from the flow model; packets from the automata.")
workspace = state.require()
jobs.show_failure()
stale = reads.stale_ids(workspace)
models = workspace.artefacts(ArtefactKind.MODEL)
synthetic = workspace.artefacts(ArtefactKind.SYNTHETIC)
left, right = st.columns(2, gap="large")
with left:
    sample_form(workspace, [m for m in models if reads.level(m) == "flow"], stale)
with right:
    with_flows = [a for a in synthetic if "flows.parquet" in a.files]
    forge_form(workspace, [m for m in models if reads.level(m) == "packet"], with_flows, stale)
results(workspace, synthetic, stale)
whole_chain(workspace)
