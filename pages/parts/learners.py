"""The learners of automata: their names, choosing one, and what those learnt of the same conversations came to.

Only TADAM explains noise; the others stand beside it so that an analyst sees what that is worth.
"""

from typing import Any

import pandas as pd
import streamlit as st

from netsynth_core.models.generator import Level
from netsynth_core.models.registry import get_kind, kinds
from netsynth_core.workspace.artefacts import Artefact, ArtefactKind
from netsynth_core.workspace.edited import open_model
from netsynth_core.workspace.store import Workspace
from pages.parts import editing, reads
from pages.parts.forms import params_form
from pages.parts.text import count

TITLES = {
    "tadam": "TADAM",
    "tag": "TAG",
    "rti": "RTI+",
    "hmm": "Hidden Markov model",
    "markov": "Markov chain",
    "lookup": "Table of sequences",
}
"""Names of the learners for people; any other goes by its kind."""
PARTS = ("locations", "states", "sequences")
"""What learners say of their size, the first that they have."""


def title(kind: object) -> str:
    """The name of a learner for people."""
    return TITLES.get(str(kind), str(kind))


def packet_kinds() -> list[str]:
    """The kinds that learn from conversations, TADAM first."""
    return sorted((kind.name for kind in kinds() if kind.level is Level.PACKET), key=lambda name: name != "tadam")


def choose(*, key: str) -> str:
    """Choose a learner; says in a sentence what it is."""
    kind = st.selectbox("Learner", packet_kinds(), format_func=title, key=key)
    entry = get_kind(kind)
    st.caption(f"{entry.summary} ({entry.source})")
    return str(kind)


def settings(kind: str) -> dict[str, Any]:
    """Widgets for the parameters of a learner, and their values."""
    return params_form(get_kind(kind).params_class(), key=kind)


def learnt(workspace: Workspace) -> list[Artefact]:
    """The models of the workspace that were learnt from conversations."""
    return [a for a in workspace.artefacts(ArtefactKind.MODEL) if a.facts.get("level") == Level.PACKET]


def size_of(model: Any) -> tuple[str, int]:
    """What a model has many of, and how many."""
    size = model.describe().size
    return next((part, size[part]) for part in PARTS if part in size)


def words_about(workspace: Workspace, artefact: Artefact) -> str:
    """Learner and size of a model, such as ``RTI+, 83 locations``."""
    part = next((name for name in PARTS if name in artefact.facts), PARTS[0])
    return f"{title(artefact.facts.get('kind'))}, {editing.size_now(workspace, artefact, part)}"


def siblings(workspace: Workspace, artefact: Artefact) -> list[Artefact]:
    """The models learnt from the same conversations, by learner; of equal settings the newest."""
    source = [ref.id for ref in artefact.inputs]
    found: dict[str, Artefact] = {}
    for one in learnt(workspace):
        same = [ref.id for ref in one.inputs] == source and one.facts.get("group") == artefact.facts.get("group")
        if same:
            made = one.recipe.parameters.get("settings") if one.recipe is not None else None
            seed = one.recipe.seed if one.recipe is not None else 0
            found[f"{one.facts.get('kind')} {made} {seed}"] = one
    found[next((key for key, one in found.items() if one.id == artefact.id), "shown")] = artefact
    order = {kind: place for place, kind in enumerate(packet_kinds())}
    return sorted(found.values(), key=lambda a: (order.get(str(a.facts.get("kind")), len(order)), a.created))


@st.cache_resource(max_entries=24, show_spinner="Pricing the conversations…")
def bits(folder: str, source: str, group: str, id: str, state_hash: str, _model: Any) -> list[float]:
    """Bits that a model needs for each conversation it learnt from; worked out once for each state of the model."""
    found: list[float] = _model.word_bits(reads.words(folder, source, group)).tolist()
    return found


def bits_of(workspace: Workspace, artefact: Artefact) -> list[float]:
    """`bits` of a model as it stands."""
    held = open_model(workspace, artefact.id)
    group = str(artefact.facts.get("group", ""))
    return bits(str(workspace.folder), artefact.inputs[0].id, group, artefact.id, held.hash, held.model)


def comparison(workspace: Workspace, artefact: Artefact) -> None:
    """The learners of the same conversations side by side: size, bits, and what they make of noise."""
    held = siblings(workspace, artefact)
    rows = [_row(workspace, one, shown=one.id == artefact.id) for one in held]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="learners_table",
        column_config={
            "learner": st.column_config.TextColumn(width=190),
            "model": st.column_config.NumberColumn("model (bits)", format="%.0f", help="Bits of the model itself."),
            "per conversation": st.column_config.NumberColumn(
                "bits per conversation",
                format="%.1f",
                help="Events, delays and payload sizes of the conversations it learnt from; fewer = expected.",
            ),
            "in all": st.column_config.NumberColumn(
                "with its share of the model",
                format="%.1f",
                help="Bits of a conversation and of its share of the model: what learnt them by heart pays here.",
            ),
            "noise": st.column_config.TextColumn(
                width=300, help="What it makes of lost, repeated and foreign packets."
            ),
        },
        alt="Learners of the same conversations: size, bits per conversation, and whether they explain noise",
    )
    st.markdown(_why(workspace, held))
    if any(_published(workspace, one) for one in held):
        st.caption("TADAM by the published score: its bits do not compare with those of the other rows.")
    missing = [title(kind) for kind in packet_kinds() if all(one.facts.get("kind") != kind for one in held)]
    if missing:
        st.caption(f"Not learnt from these conversations yet: {', '.join(missing)}. Choose a learner below.")


def _row(workspace: Workspace, artefact: Artefact, *, shown: bool) -> dict[str, Any]:
    model: Any = open_model(workspace, artefact.id).model
    card = model.describe()
    bits = card.codelength
    words = max(int(card.trained_on.get("words") or 0), 1)
    told = bits.empty > 0  # a model from elsewhere was never priced on these conversations
    return {
        "learner": ("▸ " if shown else "") + title(model.kind),
        "locations": len(model.automaton.locations),
        "transitions": len(model.automaton.transitions),
        "model": bits.model if told else None,
        "per conversation": bits.data / words if told else None,
        "in all": bits.total / words if told else None,
        "noise": _noise_words(card.size) if explains_noise(model) else "taken for behaviour",
    }


def _published(workspace: Workspace, artefact: Artefact) -> bool:
    model: Any = open_model(workspace, artefact.id).model
    return bool(model.describe().parameters.get("score") == "published")


def explains_noise(model: Any) -> bool:
    """Whether a model tells noise from behaviour, and where it is."""
    return hasattr(model, "align")


def _noise_words(size: dict[str, int]) -> str:
    return f"explained in {count(size.get('noisy_words', 0), 'conversation')}"


def _transitions(workspace: Workspace, artefact: Artefact) -> int:
    model: Any = open_model(workspace, artefact.id).model
    return len(model.automaton.transitions)


def _why(workspace: Workspace, held: list[Artefact]) -> str:
    """Why noise matters, in the figures of these conversations."""
    own = [one for one in held if one.facts.get("kind") == "tadam"]
    others = [one for one in held if one.facts.get("kind") != "tadam"]
    if not own or not others:
        return "Learn TADAM and another learner from the same conversations to see what noise is worth."
    sizes = {one.id: _transitions(workspace, one) for one in held}
    mine, other = min(own, key=lambda one: sizes[one.id]), max(others, key=lambda one: sizes[one.id])
    noisy = open_model(workspace, mine.id).model.describe().size.get("noisy_words", 0)
    ours = count(sizes[mine.id], "transition")
    theirs = f"{title(other.facts.get('kind'))} has {count(sizes[other.id], 'transition')}"
    if not noisy:
        return f"TADAM finds no noise in these conversations and keeps {ours}; {theirs}."
    return (
        f"TADAM explains {count(noisy, 'conversation')} with noise and keeps {ours}. Without a model of noise, packets "
        f"that were lost, repeated or strayed become ways of their own: {theirs}."
    )
