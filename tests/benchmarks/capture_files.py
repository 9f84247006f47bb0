"""Captures for benchmarks, of any size, with the truth beside them: ``python tests/benchmarks/capture_files.py DIR
--packets 1000000 --conversations 50000``.

Written are NAME.pcap, NAME.pcapng, with ``--packed`` also NAME.pcap.gz and NAME.pcap.zst, NAME_flows.csv (one row per
conversation of `capture_traffic`) and NAME_packets.npz (conversation and marks of each frame, by its number).
"""

import argparse
import csv
import gzip
import ipaddress
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from capture_traffic import START_US, Traffic, make_traffic
from numpy.typing import NDArray

TRUTH = (
    *("flow", "kind", "proto", "src_ip", "src_port", "dst_ip", "dst_port", "vlan", "first_us", "last_us"),
    *("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "marked", "reset", "fragments", "reuses"),
)


def pcap_chunks(traffic: Traffic) -> Iterator[bytes]:
    """The bytes of a pcap file (microseconds, little-endian, Ethernet)."""
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    parts = []
    for us, frame, length in zip(traffic.us.tolist(), traffic.frames, traffic.lengths.tolist(), strict=True):
        parts.append(struct.pack("<IIII", us // 1_000_000, us % 1_000_000, len(frame), length))
        parts.append(frame)
        if len(parts) > 20_000:
            yield b"".join(parts)
            parts = []
    yield b"".join(parts)


def pcapng_chunks(traffic: Traffic) -> Iterator[bytes]:
    """The bytes of a pcapng file: one section, one interface, enhanced packet blocks."""
    yield struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    yield struct.pack("<IIHHII", 1, 20, 1, 0, 262_144, 20)
    parts = []
    for us, frame, length in zip(traffic.us.tolist(), traffic.frames, traffic.lengths.tolist(), strict=True):
        pad = -len(frame) % 4
        size = 32 + len(frame) + pad
        parts.append(struct.pack("<IIIIIII", 6, size, 0, us >> 32, us & 0xFFFFFFFF, len(frame), length))
        parts.append(frame + bytes(pad) + size.to_bytes(4, "little"))
        if len(parts) > 20_000:
            yield b"".join(parts)
            parts = []
    yield b"".join(parts)


def write_all(traffic: Traffic, stem: Path, *, packed: bool) -> None:
    """Write the capture as pcap and pcapng (with `packed` also gzip and Zstandard) and its truth beside it."""
    with stem.with_suffix(".pcap").open("wb") as out:
        out.writelines(pcap_chunks(traffic))
    with stem.with_suffix(".pcapng").open("wb") as out:
        out.writelines(pcapng_chunks(traffic))
    if packed:
        import zstandard

        with gzip.GzipFile(stem.with_suffix(".pcap.gz"), "wb", compresslevel=1, mtime=0) as zipped:
            zipped.writelines(pcap_chunks(traffic))
        compressor = zstandard.ZstdCompressor(level=1)
        with stem.with_suffix(".pcap.zst").open("wb") as out, compressor.stream_writer(out) as stream:
            for chunk in pcap_chunks(traffic):
                stream.write(chunk)
    with stem.with_name(stem.name + "_flows.csv").open("w", newline="") as text:
        write_truth(traffic, csv.writer(text))
    np.savez_compressed(stem.with_name(stem.name + "_packets.npz"), flow=traffic.flow, mark=traffic.mark)


def write_truth(traffic: Traffic, table: "csv.Writer") -> None:
    """One row per conversation; bytes are those of the IP packets."""
    table.writerow(TRUTH)
    for c in traffic.conversations:
        source, target = ipaddress.ip_address(c.client), ipaddress.ip_address(c.server)
        begin, end = (int(x * 1e6) + START_US for x in (c.begin, c.end))
        table.writerow(
            [c.number, c.kind, c.proto, source, c.client_port, target, c.server_port, c.vlan, begin, end,
             *c.packets, *c.bytes, c.marked, int(c.reset), c.fragments, c.reuses]
        )  # fmt: skip


def repeat_capture(source: Path, target: Path, size: int) -> int:
    """Repeat a capture of `make_traffic` until it has `size` bytes; each turn is later and of other clients.

    A turn adds to the second octet of every client's address what it takes from the fourth: the checksums stay right.

    Returns
    -------
    int
        How many packets were written.
    """
    data = np.fromfile(source, np.uint8)
    starts = _record_starts(data)
    seconds = data[starts[:, None] + np.arange(4)].copy().view("<u4").ravel().astype(np.int64)
    at = starts + 16
    tagged = (data[at + 12] == 0x81) & (data[at + 13] == 0)
    ip = at + np.where(tagged, 18, 14)
    six = data[ip] >> 4 == 6
    source_at, target_at = ip + np.where(six, 20, 12), ip + np.where(six, 36, 16)
    clients = np.where(data[source_at] == 10, source_at, target_at)
    period = int(seconds[-1] - seconds[0]) + 400
    written = 0
    with target.open("wb") as out:
        out.write(data[:24].tobytes())
        turn = 0
        while out.tell() < size:
            piece = data.copy()
            moved = (seconds + turn * period).astype("<u4").view(np.uint8).reshape(-1, 4)
            piece[starts[:, None] + np.arange(4)] = moved
            piece[clients + 1] += np.uint8(turn)
            piece[clients + 3] -= np.uint8(turn)
            out.write(memoryview(piece)[24:])
            written += len(starts)
            turn += 1
    return written


def _record_starts(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    raw = memoryview(data)
    starts, at = [], 24
    while at < len(raw):
        starts.append(at)
        at += 16 + int.from_bytes(raw[at + 8 : at + 12], "little")
    return np.array(starts, np.int64)


def main() -> None:
    """Write a capture and its truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--name", default="bench_1m")
    parser.add_argument("--packed", action="store_true", help="also .pcap.gz and .pcap.zst")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    traffic = make_traffic(options.packets, options.conversations, seed=options.seed)
    write_all(traffic, options.folder / options.name, packed=options.packed)
    frames = np.array([len(frame) for frame in traffic.frames])
    print(
        f"{len(frames)} packets, {len(traffic.conversations)} conversations, "
        f"mean frame {traffic.lengths.mean():.0f} B, {frames.sum() / 1e6:.0f} MB captured, "
        f"{(traffic.mark > 0).mean():.2%} marked"
    )


if __name__ == "__main__":
    main()
