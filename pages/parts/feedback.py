"""What the app says when something is missing or wrong: one tone, never a traceback for what the user can mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from netsynth_core.errors import NetsynthError
from pages.parts.text import md


def notice(error: NetsynthError) -> None:
    """Show an error that the user can mend: what happened, and what to do."""
    trouble(error.message, error.hint)


def trouble(message: str, hint: str, *, subject: str = "") -> None:
    """The same for an error that another process met: `subject` says what failed."""
    start = f"**{md(subject)}** failed. " if subject else ""
    st.error(f"{start}{md(message, limit=2000)}\n\n**What to do:** {md(hint, limit=1000)}", icon=":material/error:")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn errors that the user can mend into a notice; bugs pass through."""
    try:
        yield
    except NetsynthError as error:
        notice(error)


def empty(
    what: str, then: str, *, page: str | Path | None = None, label: str = "", icon: str = ":material/inbox:"
) -> None:
    """An empty state: what is missing, what to do next, and the way there."""
    with st.container(border=True):
        st.markdown(f"{icon} **{what}**")
        st.markdown(then)
        if page is not None:
            st.page_link(page, label=label, icon=":material/arrow_forward:")


def flash(message: str) -> None:
    """Say something once, after the rerun that follows."""
    st.session_state["_flash"] = message


def show_flash() -> None:
    """Show what `flash` left."""
    message = st.session_state.pop("_flash", None)
    if message:
        st.toast(message, icon=":material/check_circle:")
