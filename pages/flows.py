"""Which conversations are there: who with whom, how long, how much, and packet by packet?"""

import streamlit as st

from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.store import Workspace
from pages.parts import flow_filters, frame, jobs, reads, state
from pages.parts.feedback import empty, readable_bugs
from pages.parts.flow_actions import actions
from pages.parts.flow_detail import details
from pages.parts.flow_list import chosen_rows, order_choice, ordered, summary
from pages.parts.pickers import pick
from pages.parts.text import count


@st.fragment
def flow_list(workspace: Workspace, flows: Artefact) -> None:
    """Filters, table, and what is chosen in it; a change in here runs only this part of the page again."""
    with readable_bugs():
        folder = str(workspace.folder)
        view, index = reads.flow_view(folder, flows.id), reads.flow_index(folder, flows.id)
        wanted = flow_filters.flow_filter(index, name=flows.id)
        left = wanted.rows(index)
        shown = view if len(left) == len(view) else view.iloc[left]
        with st.container(horizontal=True, vertical_alignment="center"):
            # left of the caption: the table shows its tools above its right end
            set_parts = flow_filters.active(wanted)
            if set_parts:
                st.button(
                    f"Clear {count(set_parts, 'filter')}",
                    icon=":material/filter_alt_off:",
                    key="clear_filters",
                    type="tertiary",
                    on_click=flow_filters.clear,
                )
            order = order_choice()
            summary(shown, len(view))
        table = reads.flow_rows(folder, flows.id)
        in_order = ordered(shown, order)
        chosen = chosen_rows(table if in_order is view else table.iloc[in_order.index], name=flows.id)
        rows = chosen or [int(row) for row in shown.index]
        size = int(index.bytes.sum()) if len(rows) == len(view) else int(index.bytes[rows].sum()) if rows else 0
        details(workspace, flows, view, chosen)
        actions(workspace, flows, rows, size=size)


frame.title("Which conversations?", "Every bidirectional flow; the originator is the side that began it.")
workspace = state.require()
jobs.show_failure()
tables = workspace.artefacts(ArtefactKind.FLOWS)
if not tables:
    empty(
        "No flows yet.", "Open a capture: its flows are read at once.", page="pages/capture.py", label="Go to Capture"
    )
    st.stop()
flow_list(workspace, pick("Flows", tables, workspace=workspace, name="flows", stale=reads.stale_ids(workspace)))
