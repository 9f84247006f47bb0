"""Where the analyst stands: which workspace, which artefact, what is selected.

The workspace folder is the truth. The session only remembers what is looked at, and the address bar repeats it, so that
a reload or a link shows the same.
"""

import os
import sys
from pathlib import Path

import streamlit as st

from netsynth_core.errors import NetsynthError, WorkspaceError
from netsynth_core.workspace.store import Workspace

DEFAULT_FOLDER = "workspace"
VARIABLE = "NETSYNTH_WORKSPACE"
_OPEN = "_workspace"
_CHOSEN = "_chosen"


def current() -> Workspace | None:
    """The open workspace; None after `NetsynthError` was met, which `problem` then tells."""
    asked = st.query_params.get("ws")
    held: Workspace | None = st.session_state.get(_OPEN)
    if held is not None and (asked is None or Path(asked).absolute() == held.folder) and held.folder.is_dir():
        _remember(held)
        return held
    try:
        if asked is not None:
            # A link may open a workspace but never make one: making it is the analyst's own act.
            opened = Workspace.open(Path(asked).expanduser())
        else:
            opened = Workspace.open_or_create(Path(_named() or DEFAULT_FOLDER).expanduser())
    except NetsynthError as error:
        st.session_state["_problem"] = error
        st.session_state.pop(_OPEN, None)
        return None
    _remember(opened)
    return opened


def _named() -> str:
    """The folder that the app was started with: ``streamlit run app.py -- --workspace W``, else the environment's."""
    for place, argument in enumerate(sys.argv[1:], 1):
        name, sign, value = argument.partition("=")
        if name == "--workspace":
            return value if sign else "".join(sys.argv[place + 1 : place + 2])
    return os.environ.get(VARIABLE, "")


def problem() -> NetsynthError | None:
    """Why there is no open workspace."""
    return st.session_state.get("_problem")


def require() -> Workspace:
    """The open workspace.

    Raises
    ------
    WorkspaceError
        When there is none.
    """
    workspace = current()
    if workspace is None:
        raise problem() or WorkspaceError("No workspace is open.", hint="Open or create one on the home page.")
    return workspace


def switch(workspace: Workspace) -> None:
    """Make another workspace the open one and forget what was chosen in the old one."""
    for key in list(st.session_state):
        if key in (_CHOSEN, "_problem") or str(key).startswith("pick_"):
            del st.session_state[key]
    st.query_params.clear()
    _remember(workspace)


def _remember(workspace: Workspace) -> None:
    st.session_state.pop("_problem", None)
    st.session_state[_OPEN] = workspace
    default = Path(_named() or DEFAULT_FOLDER).expanduser().absolute()
    if workspace.folder != default and st.query_params.get("ws") != str(workspace.folder):
        st.query_params["ws"] = str(workspace.folder)


def recall(name: str) -> str | None:
    """What was chosen under `name`: by the address bar first, else earlier in this session."""
    return st.query_params.get(name) or st.session_state.get(_CHOSEN, {}).get(name)


def choose(name: str, value: str | None) -> None:
    """Remember a choice, in the session and in the address bar."""
    chosen = st.session_state.setdefault(_CHOSEN, {})
    if value:
        chosen[name] = value
        if st.query_params.get(name) != value:
            st.query_params[name] = value
    else:
        chosen.pop(name, None)
        if name in st.query_params:
            del st.query_params[name]
