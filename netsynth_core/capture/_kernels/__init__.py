"""The compiled loops that read captures."""

from pathlib import Path

from netsynth_core.machine import Loop

_CAPTURE = Path(__file__).parents[1]


def _loop(name):
    return Loop(f"{__name__}.loop", name, results=8, others=(_CAPTURE / "pcap.py", _CAPTURE / "reasons.py"))


LOOPS = {
    (1, 0): _loop("decode_pcap"),
    (1, 1): _loop("decode_any_pcap"),
    (0, 0): _loop("decode_pcapng"),
    (0, 1): _loop("decode_any_pcapng"),
}
"""The loop by whether it is for classic pcap, and whether with what `rare` reads; compiled when first called."""
