"""Flow logs of other tools, in and out: one module a format, a registry that tells them by content, and mappings."""

from netsynth_core.flows.logs.mapping import (
    FIELDS,
    REQUIRED,
    Mapping,
    Table,
    checked_mapping,
    propose_mapping,
    read_head,
    read_mapping,
)
from netsynth_core.flows.logs.registry import FORMATS, LogFormat, format_of, read_log, read_mapped
from netsynth_core.flows.logs.report import LogReport

__all__ = [
    "FIELDS",
    "FORMATS",
    "REQUIRED",
    "LogFormat",
    "LogReport",
    "Mapping",
    "Table",
    "checked_mapping",
    "format_of",
    "propose_mapping",
    "read_head",
    "read_log",
    "read_mapped",
    "read_mapping",
]
