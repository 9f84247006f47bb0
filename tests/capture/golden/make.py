"""Write the golden captures: run it with ``python -m tests.capture.golden.make`` when one is to be added.

The captures are kept as files, so that a change of the factories cannot change what is tested. The expected texts
beside them are compared byte for byte.
"""

import gzip
from pathlib import Path

from tests.capture.traffic import Frame, enhanced, interface, mixed, pcap, pcapng, section, simple

HERE = Path(__file__).parent


def cooked(frame: Frame) -> Frame:
    """The frame as Linux cooked v2 would capture it."""
    return Frame(frame.ts, frame.data[12:14] + bytes(18) + frame.data[14:], None, 276)


def main() -> None:
    """Write them all."""
    frames = mixed()
    plain = [f for f in frames if f.length is None and f.data[12:14] in (b"\x08\0", b"\x86\xdd")]
    raw = [Frame(f.ts, f.data[14:], None, 101) for f in plain]
    two = section(">") + interface(order=">") + interface(101, resolution=6, order=">")
    two += b"".join(enhanced(f, order=">") for f in frames[:12])
    two += b"".join(enhanced(f, number=1, ticks=f.ts // 1000, order=">") for f in raw[12:])
    two += simple(frames[-1].data, len(frames[-1].data), ">")
    captures = {
        "ethernet-le-us.pcap": pcap(frames, nanoseconds=False),
        "raw-be-ns.pcap": pcap(raw, order=">"),
        "cooked2-le-ns.pcap.gz": gzip.compress(pcap([cooked(f) for f in plain]), mtime=0),
        "two-interfaces-be.pcapng": two,
        "cut.pcapng": pcapng(frames)[:-100],
    }
    for name, content in captures.items():
        (HERE / name).write_bytes(content)


if __name__ == "__main__":
    main()
