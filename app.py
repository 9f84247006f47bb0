"""The frame of the app: pages, workspace, steps and jobs. What the pages show, they ask the core for."""

import streamlit as st

from pages.parts import frame
from pages.parts.feedback import readable_errors, show_flash

st.set_page_config(page_title="netsynth", page_icon=":material/lan:", layout="wide")

page = st.navigation(
    {
        "Workspace": [st.Page("pages/home.py", title="Home", icon=":material/home:", default=True)],
        "Data": [
            st.Page("pages/capture.py", title="Capture", icon=":material/sensors:"),
            st.Page("pages/flows.py", title="Flows", icon=":material/swap_horiz:"),
        ],
        "Learn": [
            st.Page("pages/patterns.py", title="Patterns", icon=":material/grid_view:"),
            st.Page("pages/automata.py", title="Automata", icon=":material/account_tree:"),
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

frame.draw(page)
show_flash()
with readable_errors():
    page.run()
