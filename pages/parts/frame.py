"""What stands on every page: the workspace, the steps with their marks, the running jobs."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from netsynth_core.errors import NetsynthError
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.store import Workspace
from pages.parts import jobs, reads, state
from pages.parts.feedback import flash, notice
from pages.parts.text import plain

ICON = Path(__file__).parent / "icon.svg"
_DRAWN = "_frame_drawn"
_STYLE = """<style>
.stMainBlockContainer { padding-top: 3.2rem; padding-bottom: 3rem; max-width: 1680px; }
@media (max-width: 1600px) { .stMainBlockContainer { padding-left: 2.2rem; padding-right: 2.2rem; } }
[data-testid="stSidebarUserContent"] { padding-bottom: 1rem; }
</style>"""


@dataclass(frozen=True)
class StepMark:
    """One step of the way from a capture to a report."""

    name: str
    page: str
    made: int
    stale: int

    @property
    def icon(self) -> str:
        """Done, to be made again, or not made; the label says it in words too."""
        if self.stale and self.stale == self.made:
            return ":material/update:"
        return ":material/check_circle:" if self.made else ":material/radio_button_unchecked:"

    @property
    def label(self) -> str:
        """Name, how many there are, and how many of them are stale."""
        if not self.made:
            return self.name
        return f"{self.name} · {self.made}" + (f" ({self.stale} stale)" if self.stale else "")


def step_marks(workspace: Workspace) -> list[StepMark]:
    """The steps in order, counted."""
    held = workspace.artefacts()
    stale = reads.stale_ids(workspace)

    def mark(name: str, page: str, chosen: list[Artefact]) -> StepMark:
        return StepMark(name, f"pages/{page}.py", len(chosen), sum(a.id in stale for a in chosen))

    def of(kind: ArtefactKind) -> list[Artefact]:
        return [a for a in held if a.kind is kind]

    models = of(ArtefactKind.MODEL)
    read = {ref.id for one in of(ArtefactKind.FLOWS) for ref in one.inputs}
    return [
        mark("Capture", "capture", [a for a in of(ArtefactKind.CAPTURE) if a.id in read]),
        mark("Flows", "flows", of(ArtefactKind.FLOWS)),
        mark("Patterns", "patterns", [a for a in models if reads.level(a) == "flow"]),
        mark("Automata", "automata", [a for a in models if reads.level(a) == "packet"]),
        mark("Synthetic", "generate", of(ArtefactKind.SYNTHETIC)),
        mark("Report", "compare", of(ArtefactKind.REPORT)),
    ]


def navigation() -> StreamlitPage:
    """The pages by section; returns the one that is asked for."""
    # An icon of our own for the browser's tab: an icon by name would be fetched from outside.
    st.set_page_config(page_title="netsynth", page_icon=str(ICON), layout="wide")
    return st.navigation(
        {
            "Workspace": [st.Page("pages/home.py", title="Home", icon=":material/home:", default=True)],
            "Data": [
                st.Page("pages/capture.py", title="Capture", icon=":material/sensors:"),
                st.Page("pages/flows.py", title="Flows", icon=":material/swap_horiz:"),
            ],
            "Learn": [
                st.Page("pages/patterns.py", title="Patterns", icon=":material/grid_view:"),
                st.Page("pages/automata.py", title="Automata", icon=":material/account_tree:"),
                st.Page("pages/logs.py", title="Event logs", icon=":material/manage_search:"),
            ],
            "Generate and judge": [
                st.Page("pages/generate.py", title="Generate", icon=":material/bolt:"),
                st.Page("pages/compare.py", title="Compare", icon=":material/balance:"),
            ],
            "Audit": [
                st.Page("pages/history.py", title="History", icon=":material/history:"),
                st.Page("pages/guide.py", title="Guide", icon=":material/school:"),
            ],
        }
    )


def title(heading: str, question: str) -> None:
    """The heading of a page and the question it answers; every page begins with it."""
    if not st.session_state.pop(_DRAWN, False):
        # A server that is asked for a page by its address before app.py ever ran takes the folder pages/ for a menu
        # and runs the page alone. Naming the pages ends that; the rerun then goes through app.py.
        navigation()
        st.rerun()
    st.session_state[jobs.PAGE] = heading
    st.title(heading, anchor=False)
    st.caption(question)


def draw() -> None:
    """Draw the frame around the page that follows."""
    st.session_state[_DRAWN] = True
    st.html(_STYLE)
    workspace = state.current()
    with st.sidebar:
        _workspace_part(workspace)
        if workspace is not None:
            jobs.strip(workspace)
    if workspace is None:
        problem = state.problem()
        if problem is not None:
            notice(problem)
        return
    with st.container(horizontal=True, gap="small", key="step_strip"):
        for mark in step_marks(workspace):
            st.page_link(mark.page, label=mark.label, icon=mark.icon)


def _workspace_part(workspace: Workspace | None) -> None:
    with st.container(border=True):
        st.caption("Workspace")
        st.text(plain(workspace.folder.name, limit=40) if workspace else "none open", help=_where(workspace))
        with st.popover("Open another", icon=":material/folder_open:", width="stretch"):
            workspace_form(key="side")


def _where(workspace: Workspace | None) -> str | None:
    return f"`{plain(workspace.folder, limit=300).replace('`', ' ')}`" if workspace else None


def workspace_form(*, key: str) -> None:
    """Open or create a workspace by its folder."""
    with st.form(f"workspace_{key}", border=False):
        folder = st.text_input("Folder", placeholder="/home/me/office-study", key=f"workspace_folder_{key}")
        left, right = st.columns(2)
        opening = left.form_submit_button("Open", width="stretch", type="primary")
        creating = right.form_submit_button("Create", width="stretch")
    if not (opening or creating):
        return
    if not folder.strip():
        st.warning("Write the folder of the workspace first.", icon=":material/edit:")
        return
    path = Path(folder.strip()).expanduser()
    try:
        opened = Workspace.open(path) if opening else Workspace.create(path)
    except NetsynthError as error:
        notice(error)
        return
    state.switch(opened)
    flash(f"{'Opened' if opening else 'Created'} {plain(opened.folder.name, limit=60)}.")
    st.rerun()
