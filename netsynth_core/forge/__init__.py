"""From flows to packets: conversations drawn to the flows' counts, forged as a valid, time-sorted capture."""

from netsynth_core.forge.report import ForgeReport

__all__ = ["ForgeReport", "forge_capture"]


def __getattr__(name: str) -> object:
    if name == "forge_capture":
        from netsynth_core.forge.forge import forge_capture

        return forge_capture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
