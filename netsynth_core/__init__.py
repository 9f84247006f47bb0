"""netsynth: mine flow patterns, learn protocol automata, mend them, generate traffic and compare.

Importing the package loads nothing heavy; the names below are looked up when they are first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "read_capture": "netsynth_core.capture",
    "PacketTable": "netsynth_core.capture",
    "FlowTable": "netsynth_core.flows",
    "Words": "netsynth_core.flows",
    "Workspace": "netsynth_core.workspace",
    "NetsynthError": "netsynth_core.errors",
}

__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'netsynth_core' has no attribute {name!r}")
