"""Flows, conversations and timed words: what the models learn from."""

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words

__all__ = ["FlowTable", "Words"]
