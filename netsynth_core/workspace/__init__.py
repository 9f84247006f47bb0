"""Workspaces: the folder that is the truth, the recipes and jobs that fill it, and the chain that joins all floors.

`store` holds artefacts, `edited` models and their edits, `stale` says what moved on, `jobs` watches child processes,
`contents` reads and writes what lies in artefacts, `doing` and `steps` do the work.
"""

from netsynth_core.workspace.artefacts import Artefact, ArtefactKind, InputRef, Label, StaleReason
from netsynth_core.workspace.jobs import Job, JobState, JobStatus, cancel_job, get_job, start_job, stop_job, wait_job
from netsynth_core.workspace.recipes import Recipe, Step
from netsynth_core.workspace.stale import stale
from netsynth_core.workspace.store import Broken, Workspace

__all__ = [
    "Artefact",
    "ArtefactKind",
    "Broken",
    "InputRef",
    "Job",
    "JobState",
    "JobStatus",
    "Label",
    "Recipe",
    "StaleReason",
    "Step",
    "Workspace",
    "cancel_job",
    "get_job",
    "stale",
    "start_job",
    "stop_job",
    "wait_job",
]
