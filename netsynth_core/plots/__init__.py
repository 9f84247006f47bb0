"""Figures of captures, models and reports: theme, figure functions, the standalone report.

Names are loaded when first used, so that reading a colour does not import Plotly.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Figure": "figure",
    "label": "figure",
    "DARK": "theme",
    "LIGHT": "theme",
    "Theme": "theme",
    "theme": "theme",
    "category_shares": "distributions",
    "ccdf": "distributions",
    "column_values": "distributions",
    "ecdf": "distributions",
    "load_over_time": "load",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
