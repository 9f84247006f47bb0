"""Figures of captures, models and reports: theme, figure functions, the standalone report.

Names are loaded when first used, so that reading a colour does not import Plotly.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "DARK": "theme",
    "LIGHT": "theme",
    "Figure": "figure",
    "Theme": "theme",
    "autocorrelation_lines": "load",
    "capture_over_time": "overview",
    "category_shares": "distributions",
    "ccdf": "distributions",
    "codelength_waterfall": "patterns",
    "column_values": "distributions",
    "delay_histogram": "automata",
    "ecdf": "distributions",
    "label": "figure",
    "ladder": "conversation",
    "load_over_time": "load",
    "metric_dots": "metrics",
    "next_port_heat_map": "pairs",
    "pair_heat_maps": "pairs",
    "payload_histogram": "automata",
    "report_html": "report",
    "standard_figures": "report",
    "write_report": "report",
    "services_bar": "packets",
    "talkers_heat_map": "packets",
    "window_strip": "patterns",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
