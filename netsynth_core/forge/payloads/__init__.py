"""Payload bytes that are made, not replayed: one maker a protocol, none of it taken from any capture."""
