"""What is stale: made from something that has moved on since.

An artefact is stale when one of its inputs

- was deleted,
- is a model that was edited, undone or redone since (its head's hash differs from the one recorded),
- was superseded: a later artefact says in its recipe that it stands instead of it,
- is a capture kept by reference whose file is missing or changed on disk (size or time of change),
- or is itself stale.

A capture is stale itself when its file moved on. Stale artefacts stay usable; the mark only says that making them again
would give something else.
"""

from pathlib import Path

from netsynth_core.errors import DocumentError
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind, StaleReason
from netsynth_core.workspace.store import Workspace


def stale(workspace: Workspace) -> dict[str, tuple[StaleReason, ...]]:
    """Every stale artefact of the workspace with its reasons, by id; fresh ones are left out."""
    artefacts = {artefact.id: artefact for artefact in workspace.artefacts()}
    successors = {a.recipe.supersedes: a.id for a in artefacts.values() if a.recipe is not None and a.recipe.supersedes}
    found: dict[str, tuple[StaleReason, ...]] = {}

    def visit(artefact: Artefact) -> tuple[StaleReason, ...]:
        if artefact.id not in found:
            found[artefact.id] = ()
            reasons = _file_reasons(artefact)
            for ref in artefact.inputs:
                held = artefacts.get(ref.id)
                if held is None:
                    sentence = f"{ref.id} was deleted."
                elif held.kind is ArtefactKind.MODEL and _present_hash(workspace, held) != ref.hash:
                    sentence = f"The model {_name(held, workspace)} was edited since."
                elif ref.id in successors and successors[ref.id] != artefact.id:
                    sentence = f"{_name(held, workspace)} was made again as {successors[ref.id]}."
                elif above := visit(held):
                    sentence = f"{_name(held, workspace)} is stale: {above[0].sentence}"
                else:
                    continue
                reasons.append(StaleReason(input=ref.id, sentence=sentence))
            found[artefact.id] = tuple(reasons)
        return found[artefact.id]

    for artefact in artefacts.values():
        visit(artefact)
    return {id: reasons for id, reasons in found.items() if reasons}


def _present_hash(workspace: Workspace, model: Artefact) -> str:
    try:
        return workspace.current_hash(model)
    except DocumentError:
        return "unreadable"


def _name(artefact: Artefact, workspace: Workspace) -> str:
    try:
        return workspace.label(artefact.id).name
    except DocumentError:
        return artefact.name


def _file_reasons(artefact: Artefact) -> list[StaleReason]:
    if artefact.kind is not ArtefactKind.CAPTURE or artefact.files:
        return []
    path = Path(str(artefact.facts.get("path", "")))
    try:
        stat = path.stat()
    except OSError:
        return [StaleReason(input=artefact.id, sentence=f"{path} is no longer there.")]
    if stat.st_size != artefact.facts.get("size") or stat.st_mtime_ns != artefact.facts.get("mtime_ns"):
        return [StaleReason(input=artefact.id, sentence=f"{path} was changed since.")]
    return []
