"""What the app says when something is missing or wrong: one tone, never a traceback for what the user can mend."""

import logging
import traceback
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
def readable_errors(*, path: Path | None = None, name: str = "") -> Iterator[None]:
    """Turn errors that the user can mend into a notice; bugs pass through.

    `path` is told as `name` where it is given: the file of an upload lies where nobody put it.
    """
    try:
        yield
    except NetsynthError as error:
        message = error.message.replace(str(path), name) if path is not None and name else error.message
        trouble(message, error.hint)


@contextmanager
def readable_bugs() -> Iterator[None]:
    """The outermost guard: what nobody foresaw becomes a notice too, with its traceback folded away."""
    try:
        yield
    except NetsynthError as error:
        notice(error)
    except Exception as error:  # noqa: BLE001 - the last line before the screen: whatever it is, it is shown and logged
        bug(error)


def bug(error: Exception) -> None:
    """Show a fault of netsynth's own: what it is in one line, what helps, and the details for a report."""
    logging.getLogger("netsynth.app").error("A page failed", exc_info=error)
    first = " ".join(str(error).split())
    st.error(
        f"**Something went wrong in netsynth itself.** {type(error).__name__}: {md(first, limit=300)}\n\n"
        "**What to do:** Reload the page. When netsynth was updated while it ran, stop it and start it again. "
        "What is in the workspace folder is not harmed.",
        icon=":material/bug_report:",
    )
    with st.expander("Details", icon=":material/data_object:"):
        st.caption("For a report of the fault; it may name files of this machine.")
        st.code("".join(traceback.format_exception(error)), language=None, height=320)


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
