#!/usr/bin/env python3
"""Record the sample capture: a small office of real servers and clients in network namespaces.

    sudo python3 sample_data/record.py --minutes 24 --out DIR

Needs root and the Debian packages it names when they are missing.  It makes its own network namespaces, runs
everything in them, captures with tcpdump, removes all of it again (also on Ctrl-C), and never touches the
host's own network.  See `README.md` beside it for what comes out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from recorder import measure, net, person, plan, servers

# What must be there, and the Debian package that brings it.
PROGRAMS = {
    "ip": "iproute2",
    "nft": "nftables",
    "ethtool": "ethtool",
    "tcpdump": "tcpdump",
    "sysctl": "procps",
    "dnsmasq": "dnsmasq-base",
    "nginx": "nginx-light",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "openssl": "openssl",
    "postfix": "postfix",
    "dovecot": "dovecot-imapd",
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "chronyd": "chrony",
    "krb5kdc": "krb5-kdc",
    "kadmin.local": "krb5-admin-server",
    "kinit": "krb5-user",
    "tinyproxy": "tinyproxy",
    "curl": "curl",
    "ping": "iputils-ping",
}
TWIN_FILTER = "tcp port 80"
TWIN = "office-http-clean"


def check() -> None:
    """Stop with a clear message if root, a program or the TAP driver is missing."""
    if os.geteuid() != 0:
        sys.exit("record.py has to make network namespaces: run it as root.")
    path = "/usr/sbin:/sbin:/usr/bin:/bin"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})
    if missing:
        sys.exit(
            "Programs are missing. On Debian this installs them:\n  apt-get install --no-install-recommends "
            + " ".join(missing)
        )
    if not Path("/dev/net/tun").exists():
        sys.exit("/dev/net/tun is missing: the bad link needs the kernel's tun driver.")


def versions() -> dict[str, str]:
    """Return the versions of the packages in use."""
    out = {}
    for package in sorted(set(PROGRAMS.values())):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
        out[package] = done.stdout or "not from a package"
    out["python"] = sys.version.split()[0]
    out["linux"] = os.uname().release.split("-")[0]
    return out


def capture(office: net.Office, host: str, device: str, path: Path, *words: str) -> subprocess.Popen:
    """Start tcpdump on a bridge: there every frame that crosses it is seen once."""
    process = office.spawn(
        host,
        [
            "tcpdump",
            "-i",
            device,
            "-w",
            str(path),
            "-B",
            "65536",
            "-s",
            "0",
            "-n",
            "--time-stamp-precision=nano",
            "-Z",
            "root",
            *words,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "listening on" in line:
            return process
    raise RuntimeError(f"tcpdump did not start on {device}")


def finish(process: subprocess.Popen) -> dict[str, int]:
    """End a tcpdump and return its own counts."""
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=30)[1]
    found = re.findall(r"(\d+) packets (captured|received by filter|dropped by kernel)", text)
    return {words.replace(" ", "_"): int(number) for number, words in found}


def record(office: net.Office, minutes: float) -> dict:
    """Build the office, let it live for some minutes, return the counts of the captures and of the noise."""
    tmp = office.tmp
    print("making namespaces", flush=True)
    office.build()
    print("starting servers", flush=True)
    servers.start_all(office)
    main = capture(office, "core", "br0", tmp / "office.pcap")
    twin = capture(office, "far", "brfar", tmp / f"{TWIN}.pcap", *TWIN_FILTER.split())
    begin = time.time() + 4
    end = begin + minutes * 60 - 10
    config = tmp / "clients.json"
    config.write_text(json.dumps({"tmp": str(tmp), "env": office.env, "begin": begin, "end": end, "seed": office.seed}))
    people = [host.name for host in plan.HOSTS if host.name.startswith(("ws", "sensor")) or host.name == "scanner"]
    for host in people:
        log = (tmp / f"client-{host}.log").open("ab")
        office.spawn(host, [sys.executable, "-m", "recorder.habits", host, str(config)], stdout=log, stderr=log)
    servers.start_ntp_clients(office, [host for host in people if host != "scanner"])
    print(f"recording until {time.strftime('%H:%M:%S', time.localtime(end + 10))}", flush=True)
    while time.time() < end + 10:
        time.sleep(min(20.0, max(0.1, end + 10 - time.time())))
        size = (tmp / "office.pcap").stat().st_size
        print(f"  {max(0, end + 10 - time.time()):5.0f} s left, {size / 1e6:.1f} MB", flush=True)
    counts = {"main_tcpdump": finish(main), "twin_tcpdump": finish(twin), "nftables": office.nft_counts()}
    counts["relays"] = office.noise_counts()
    return counts


def pack(source: Path, target: Path) -> None:
    """Compress a file so that the same bytes always give the same file."""
    with target.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(source.read_bytes())


def write_results(tmp: Path, out: Path, counts: dict, seed: int) -> None:
    """Write the captures, the truth file and the figures."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [row for path in tmp.glob("truth-*.csv") for row in csv.reader(path.open(newline=""))]
    rows.sort(key=lambda row: float(row[0]))
    with (tmp / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([person.FIELDS, *rows])
    measure.cut(tmp / "office.pcap", out / "small.pcap")
    for name in ("office.pcap", f"{TWIN}.pcap", "truth.csv"):
        pack(tmp / name, out / f"{name}.gz")
    done: dict[str, int] = {}
    for behaviour in {row[3]: row[4] for row in rows}.values():
        done[behaviour] = done.get(behaviour, 0) + 1
    files = ["office.pcap.gz", f"{TWIN}.pcap.gz", "small.pcap", "truth.csv.gz"]
    figures = {
        "seed": seed,
        "bad_link": net.BAD_LINK | {"nftables_drop_per_mille": net.NFT_DROP_PER_MILLE},
        "counts": counts,
        "sessions": dict(sorted(done.items())),
        "captures": {
            name: measure.count(path)
            for name, path in (
                ("office", tmp / "office.pcap"),
                (TWIN, tmp / f"{TWIN}.pcap"),
                ("small", out / "small.pcap"),
            )
        },
        "twin_and_main": measure.compare(tmp / f"{TWIN}.pcap", tmp / "office.pcap"),
        "files": {
            name: {
                "bytes": (out / name).stat().st_size,
                "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest(),
            }
            for name in files
        },
        "versions": versions(),
    }
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures["captures"]["office"], indent=1))


def main() -> None:
    """Check, record, clean up, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=24.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory with all logs")
    args = parser.parse_args()
    check()
    # A short path: sockets below it may not be longer than 107 characters.
    tmp = Path(tempfile.mkdtemp(prefix="nsy", dir="/tmp"))
    tmp.chmod(0o755)
    office = net.Office(tmp, args.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        try:
            counts = record(office, args.minutes)
        finally:
            office.close()
        write_results(tmp, args.out, counts, args.seed)
    except KeyboardInterrupt:
        sys.exit("Interrupted: everything is removed, nothing was written.")
    finally:
        if args.keep:
            print(f"kept {tmp}")
        else:
            shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    main()
