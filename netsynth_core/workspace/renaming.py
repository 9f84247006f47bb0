"""Hosts of sampled flows under other names: moved by a hosts file, or anonymised under a key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsynth_core.files import require_file
from netsynth_core.flows.anonymising import Anonymiser, renamed_flows
from netsynth_core.flows.hosts import read_hosts, roles_of, unmapped
from netsynth_core.models.generator import Generator
from netsynth_core.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from netsynth_core.flows.table import FlowTable

ROLE_FLOWS = 20_000
"""Flows that are drawn to see what hosts do."""


@dataclass(frozen=True, eq=False)
class Renaming:
    """How hosts are renamed, and what a person should know of it."""

    names: dict[str, str] | Anonymiser
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def of(self, flows: "FlowTable") -> "FlowTable":
        """The flows under the new names."""
        return renamed_flows(flows, self.names)


def learnt_hosts(model: Generator[Any, Any, Any]) -> Sequence[str]:
    """The hosts a model may draw, where its kind can say."""
    return tuple(getattr(model, "hosts", ()))


def by_plan(path: Path, hosts: Sequence[str]) -> Renaming:
    """Hosts moved as a hosts file says.

    Parameters
    ----------
    hosts
        Those the model may draw; the ones the file does not speak of keep their names, which is told.
    """
    plan = read_hosts(path)
    names = plan.names(hosts)
    left = unmapped(names, plan, hosts)
    notes = []
    if left:
        listed = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
        notes.append(f"{path} does not speak of {len(left)} hosts, which keep their addresses: {listed}")
    return Renaming(names, tuple(notes), {"renamed": len(names), "kept": len(left)})


def by_key(key_file: Path | None, seed: int) -> Renaming:
    """All hosts anonymised under the bytes of a file, or under a key made of the seed."""
    if key_file is not None:
        return Renaming(Anonymiser(require_file(key_file).read_bytes()), (), {"anonymised": "key file"})
    note = "The renaming is keyed by the seed: who knows or guesses it can undo it. Give --key-file to share the flows."
    return Renaming(Anonymiser(f"netsynth seed {seed}".encode()), (note,), {"anonymised": "seed"})


def roles_of_model(model: Generator[Any, Any, Any], *, seed: int, monitor: Monitor = SILENT) -> dict[str, list[str]]:
    """Hosts of a flow-level model by role, told from flows it draws."""
    hosts = learnt_hosts(model)
    drawn = model.sample(max(ROLE_FLOWS, 20 * len(hosts)), rng=np.random.default_rng(seed), monitor=monitor)
    return roles_of(drawn, hosts)
