"""A link made of two TAP devices that delays, loses, doubles and swaps Ethernet frames.

Run inside a network namespace it makes both devices there; the caller moves the second one to its place.
It prints ``ready`` when the devices exist, and its counts as one line of JSON when it is terminated.

The kernel's netem would do the same, but it is often missing; twenty lines of Python are enough for the
few hundred frames a second of a small office.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import json
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


def open_tap(name: str) -> int:
    """Make the TAP device `name` in the current network namespace and return its file descriptor."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def relay(near: int, far: int, args: argparse.Namespace, counts: dict[str, int]) -> None:
    """Carry frames both ways until a signal comes.

    Parameters
    ----------
    near, far : int
        File descriptors of the TAP on the clients' side and of the TAP on the core's side.
    args : argparse.Namespace
        Rates and delays, see `main`.
    counts : dict
        Filled with what was done to the frames.
    """
    rng = random.Random(args.seed)
    waiting: list[tuple[float, int, int, bytes]] = []
    last_release = {near: 0.0, far: 0.0}
    serial = 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, out, frame = heapq.heappop(waiting)
            try:
                os.write(out, frame)
            except OSError:
                counts["write_errors"] += 1
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.5
        readable, _, _ = select.select([near, far], [], [], timeout)
        for source in readable:
            out, upward = (far, True) if source == near else (near, False)
            try:
                frame = os.read(source, 65536)
            except BlockingIOError:
                continue
            counts["up" if upward else "down"] += 1
            if rng.random() < args.drop:
                counts["dropped_up" if upward else "dropped_down"] += 1
                continue
            # Frames normally keep their order, whatever the jitter: only the held-back ones may be overtaken.
            due = max(last_release[out], time.monotonic() + (args.delay + rng.random() * args.jitter) / 1000)
            # Doubling and swapping are done towards the core only: there the main capture sees them, while a
            # capture on the clients' side stays free of them.
            if upward and rng.random() < args.hold:
                counts["held_back"] += 1
                release = due + rng.uniform(3.0, 12.0) / 1000
            else:
                release = last_release[out] = due
            serial += 1
            heapq.heappush(waiting, (release, serial, out, frame))
            if upward and rng.random() < args.dup:
                counts["doubled"] += 1
                serial += 1
                heapq.heappush(waiting, (release + rng.uniform(0.05, 2.0) / 1000, serial, out, frame))


def main() -> None:
    """Read the arguments, make the devices, relay until terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("near")
    parser.add_argument("far")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--drop", type=float, default=0.0)
    parser.add_argument("--dup", type=float, default=0.0)
    parser.add_argument("--hold", type=float, default=0.0, help="share of frames that may be overtaken")
    parser.add_argument("--delay", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--jitter", type=float, default=0.0, help="milliseconds on top of the delay")
    args = parser.parse_args()
    counts = dict.fromkeys(("up", "down", "dropped_up", "dropped_down", "doubled", "held_back", "write_errors"), 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    near, far = open_tap(args.near), open_tap(args.far)
    print("ready", flush=True)
    try:
        relay(near, far, args, counts)
    finally:
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
