"""How fast captures are read, beside the tools people use: ``python tests/benchmarks/capture_speed.py CAPTURE.pcap
[--small SMALL.pcap] [--rounds 3] [--peers PYTHON]``.

The captures are those of `capture_files`; peers that are slow read the small one. Everything is timed in one run, in
turns, each in a process of its own (our steps five times in one warm process): the median counts. PYTHON is
an interpreter that has nfstream and dpkt. Ratios compare packets per CPU second, of ``netsynth flows`` wall seconds.

Measured on 2026-11-21, two cores with nothing else running, one round, 1,000,000 packets (540 MB), nfstream 6.6.0,
tshark 4.0.17, argus 3.0.8. Flows hold services and server names, which a loop with a dictionary does not look for::

                                                    CPU s   wall s   pkt/CPU s private MB
    bare loop over record headers                   0.172    0.172   5,811,412
    decode                                          0.122    0.122   8,197,059
    decode + flows + order                          0.341    0.341   2,930,444
    decode + flows + order + payload classes        0.533    0.533   1,876,567
    the same + flow table with texts                0.575    0.575   1,738,704
    decode pcapng                                   0.124    0.124   8,038,555
    decode gzip                                     2.082    2.082     480,365
    decode zstd                                     0.695    0.695   1,438,544
    netsynth flows                                  0.840    0.740   1,190,476         75
    tcpdump --count                                 0.190    0.184   5,263,158          1
    argus                                           0.930    1.023   1,075,269         10
    tshark -T fields                                2.380    2.404      42,017        163
    dpkt loop with a dictionary                     1.210    1.226      82,645         22
    nfstream without DPI                            7.590    6.285     131,752         44
    nfstream without DPI, with SPLT                11.320    9.368      88,339         45
    netsynth flows, nothing compiled                9.530    5.220     104,932        129

    decode + flows + order : nfstream without DPI, with SPLT = 33.17 (goal 20.00)
    decode + flows + order : dpkt loop with a dictionary = 35.46 (goal 40.00)
    decode + flows + order : tshark -T fields = 69.74 (goal 60.00)
    decode + flows + order : bare loop over record headers = 0.50 (goal 0.40)
    decode + flows + order + payload classes : nfstream without DPI, with SPLT = 21.24 (goal 12.00)
    decode pcapng : decode = 0.98 (goal 0.67)
    netsynth flows : argus = 1.38 by wall (goal 1.00)
    netsynth flows : nfstream without DPI = 8.50 by wall (goal 5.00)
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

DPKT = """
import dpkt, sys
flows = {}
with open(sys.argv[1], "rb") as handle:
    for ts, raw in dpkt.pcap.Reader(handle):
        try:
            packet = dpkt.ethernet.Ethernet(raw).data
            if not isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)):
                continue
            above = packet.data
            ports = (above.sport, above.dport) if isinstance(above, (dpkt.tcp.TCP, dpkt.udp.UDP)) else (0, 0)
        except (dpkt.dpkt.UnpackError, AttributeError):
            continue
        there, back = (packet.src, ports[0]), (packet.dst, ports[1])
        key = (there, back) if there < back else (back, there)
        flows.setdefault(key, []).append((ts, there < back, len(raw)))
print(len(flows))
"""
NFSTREAM = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    depth = int(sys.argv[2])
    print(sum(1 for _ in NFStreamer(
        source=sys.argv[1], statistical_analysis=True, splt_analysis=depth, n_dissections=0, n_meters=1)))
"""
FIELDS = "frame.time_epoch ip.src ip.dst ip.proto tcp.srcport tcp.dstport udp.srcport udp.dstport ip.len tcp.flags"


def timed(command: list[str], **settings: object) -> dict[str, float]:
    """CPU seconds of a command and its children, wall seconds, and the peak of its private memory in MB."""
    before, begin = os.times(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings)  # type: ignore[call-overload]
    peak = 0
    while process.poll() is None:
        peak = max(peak, private_kb(process.pid))
        time.sleep(0.02)
    wall, after = time.perf_counter() - begin, os.times()
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu": cpu, "wall": wall, "private_mb": peak / 1024}


def private_kb(pid: int) -> int:
    """RssAnon of a process, 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


# our steps, warm, in one process ---------------------------------------------------------------------------------


def steps(path: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Our steps and the bare loop over record headers, in turns in this process, after one turn that is not counted."""
    import numpy as np
    from numba import njit

    from netsynth_core.capture import read_capture
    from netsynth_core.flows.metering import meter_flows
    from netsynth_core.flows.payloads import classify

    @njit(nogil=True)
    def hop(data):  # type: ignore[no-untyped-def]
        at, n, total = 24, 0, 0
        while at + 16 <= len(data):
            size = data[at + 8] | data[at + 9] << 8 | data[at + 10] << 16 | data[at + 11] << 24
            total += data[at + 16]
            at += 16 + size
            n += 1
        return n, total

    def bare() -> None:
        hop(np.memmap(path, np.uint8, mode="r"))

    def flows() -> None:
        meter_flows(read_capture(path).packets).conversations  # noqa: B018 - laid out when first asked for

    def classes() -> None:
        packets = read_capture(path).packets
        meter_flows(packets).conversations  # noqa: B018
        classify(packets)

    def with_all() -> None:
        packets = read_capture(path).packets
        metered = meter_flows(packets)
        metered.conversations  # noqa: B018
        metered.flows  # noqa: B018
        classify(packets)

    jobs: dict[str, Callable[[], object]] = {
        "bare loop over record headers": bare,
        "decode": lambda: read_capture(path),
        "decode + flows + order": flows,
        "decode + flows + order + payload classes": classes,
        "the same + flow table with texts": with_all,
        "decode pcapng": lambda: read_capture(path.with_suffix(".pcapng")),
        "decode gzip": lambda: read_capture(path.with_name(path.name + ".gz")),
        "decode zstd": lambda: read_capture(path.with_name(path.name + ".zst")),
    }
    present = {".pcapng": path.with_suffix(".pcapng"), "gzip": path.with_name(path.name + ".gz")}
    present["zstd"] = path.with_name(path.name + ".zst")
    for name, file in present.items():
        if not file.exists():
            jobs.pop(f"decode {name.lstrip('.')}")
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            cpu, wall = time.process_time(), time.perf_counter()
            job()
            if turn:
                taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {name: _median([{"cpu": c, "wall": w} for c, w in pairs]) for name, pairs in taken.items()}


def _median(figures: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(figure[key] for figure in figures) for key in figures[0]}


# whole processes -------------------------------------------------------------------------------------------------


def commands(path: Path, small: Path, peers: str | None, folder: Path) -> dict[str, tuple[list[str], Path]]:
    """Whole processes to time: their words and the capture they read."""
    netsynth = str(Path(sys.executable).with_name("netsynth"))
    ours = [netsynth, "flows", str(path), "-o", str(folder / "flows.csv")]
    found: dict[str, tuple[list[str], Path]] = {"netsynth flows": (ours, path)}
    if shutil.which("tcpdump"):
        found["tcpdump --count"] = (["tcpdump", "-r", str(path), "--count"], path)
    if shutil.which("argus"):
        found["argus"] = (["argus", "-r", str(path), "-w", str(folder / "argus.out")], path)
    if shutil.which("tshark"):
        words = [part for name in FIELDS.split() for part in ("-e", name)]
        found["tshark -T fields"] = (["tshark", "-n", "-r", str(small), "-T", "fields", *words], small)
    if peers:
        for name, script in (("with_dpkt.py", DPKT), ("with_nfstream.py", NFSTREAM)):
            folder.joinpath(name).write_text(script)
        found["dpkt loop with a dictionary"] = ([peers, str(folder / "with_dpkt.py"), str(small)], small)
        found["nfstream without DPI"] = ([peers, str(folder / "with_nfstream.py"), str(path), "0"], path)
        found["nfstream without DPI, with SPLT"] = ([peers, str(folder / "with_nfstream.py"), str(path), "255"], path)
    return found


def cold(command: list[str], folder: Path) -> dict[str, float]:
    """A process that has nothing compiled."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "no_cache")}
    shutil.rmtree(folder / "no_cache", ignore_errors=True)
    return timed(command, env=environment)


def main() -> None:
    """The table, then the ratios that are goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--small", type=Path, help="what slow peers read; the same capture when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", help="an interpreter that has nfstream and dpkt")
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--small-packets", type=int, default=100_000)
    parser.add_argument("--steps", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    small = options.small or options.capture
    if options.steps:
        print(json.dumps(steps(options.capture, options.rounds)))
        return
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        jobs = commands(options.capture, small, options.peers, folder)
        timed(jobs["netsynth flows"][0])
        turns: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
        ours: list[dict[str, dict[str, float]]] = []
        for _ in range(options.rounds):
            one = [sys.executable, __file__, str(options.capture), "--steps", "--rounds", "5"]
            ours.append(json.loads(subprocess.run(one, check=True, stdout=subprocess.PIPE, text=True).stdout))
            for name, (command, _) in jobs.items():
                turns[name].append(timed(command))
        for name in ours[0]:
            table[name] = _median([turn[name] for turn in ours])
        table |= {name: _median(figures) for name, figures in turns.items()}
        table["netsynth flows, nothing compiled"] = cold(jobs["netsynth flows"][0], folder)
        sizes = {
            name: options.packets if read == options.capture else options.small_packets
            for name, (_, read) in jobs.items()
        }
    show(table, {name: sizes.get(name, options.packets) for name in table})


def show(table: dict[str, dict[str, float]], packets: dict[str, int]) -> None:
    """Print the table and the ratios."""
    print(f"{'':44} {'CPU s':>8} {'wall s':>8} {'pkt/CPU s':>11} {'private MB':>10}")
    rate = {name: packets[name] / max(figures["cpu"], 1e-9) for name, figures in table.items()}
    for name, figures in table.items():
        private = f"{figures['private_mb']:10.0f}" if "private_mb" in figures else ""
        print(f"{name:44} {figures['cpu']:8.3f} {figures['wall']:8.3f} {rate[name]:11,.0f} {private}")
    flows, classes = "decode + flows + order", "decode + flows + order + payload classes"
    goals = [
        (flows, "nfstream without DPI, with SPLT", 20), (flows, "dpkt loop with a dictionary", 40),
        (flows, "tshark -T fields", 60), (flows, "bare loop over record headers", 0.4),
        (classes, "nfstream without DPI, with SPLT", 12), ("decode pcapng", "decode", 1 / 1.5),
    ]  # fmt: skip
    print()
    for name, peer, goal in goals:
        if name in rate and peer in rate:
            print(f"{name} : {peer} = {rate[name] / rate[peer]:.2f} (goal {goal:.2f})")
    for peer, goal in (("argus", 1.0), ("nfstream without DPI", 5.0)):
        if peer in table:
            ratio = table[peer]["wall"] / table["netsynth flows"]["wall"]
            print(f"netsynth flows : {peer} = {ratio:.2f} by wall (goal {goal:.2f})")


if __name__ == "__main__":
    main()
