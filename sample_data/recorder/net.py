"""The network of the office: namespaces, bridges, the router, the two relays and the clean-up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from recorder import plan

HERE = Path(__file__).resolve().parent
NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"
BAD_LINK = {"drop": 0.012, "dup": 0.020, "hold": 0.050, "delay": 1.5, "jitter": 1.0}
WAN_LINK = {"delay": 6.0, "jitter": 2.0}
NFT_DROP_PER_MILLE = 15


def run(*command: str) -> str:
    """Run a command, return what it printed; stop the recording if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Office:
    """All namespaces of one recording.

    Every namespace name starts with a prefix that holds the process number, so that nothing of the host and
    nothing of another recording can be meant by mistake.  No link touches the host's own namespace.

    Parameters
    ----------
    tmp : Path
        Directory for all state; removed by the caller.
    seed : int
        Seed of the noise.
    """

    def __init__(self, tmp: Path, seed: int) -> None:
        self.tmp = tmp
        self.seed = seed
        self.prefix = f"nsy{os.getpid()}-"
        self.made: list[str] = []
        self.processes: list[subprocess.Popen] = []
        self.relays: dict[str, subprocess.Popen] = {}
        self.ports = 0
        (tmp / "home").mkdir()
        # The workplace's own settings (proxies, certificate stores) must not leak into the recording.
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(tmp / "home"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(HERE.parent),
        }

    # -- namespaces ------------------------------------------------------------------------------------

    def ns(self, name: str) -> str:
        """Return the full namespace name of a host."""
        return self.prefix + name

    def add(self, name: str, nameserver: str | None = None) -> None:
        """Make a namespace with its own view of the files in /etc that name things."""
        ns = self.ns(name)
        etc = Path("/etc/netns") / ns
        self.made.append(name)
        etc.mkdir(parents=True)
        (etc / "nsswitch.conf").write_text(NSSWITCH)
        (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (etc / "resolv.conf").write_text(f"nameserver {nameserver}\nsearch {plan.DOMAIN}\n" if nameserver else "\n")
        run("ip", "netns", "add", ns)
        run("ip", "-n", ns, "link", "set", "lo", "up")
        for setting in (
            "net.ipv6.conf.all.accept_ra=0",
            "net.ipv6.conf.default.accept_ra=0",
            "net.ipv6.conf.default.router_solicitations=0",
            "net.ipv6.conf.default.dad_transmits=0",
        ):
            run("ip", "netns", "exec", ns, "sysctl", "-qw", setting)

    def bridge(self, name: str, device: str) -> None:
        """Make a namespace that is nothing but a switch."""
        self.add(name)
        ns = self.ns(name)
        run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        run(
            "ip",
            "-n",
            ns,
            "link",
            "add",
            device,
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        )
        run("ip", "-n", ns, "link", "set", device, "up")

    def plug(self, host: str, switch: str, bridge: str, device: str = "eth0") -> None:
        """Connect a host to a switch with a veth pair, without any offload.

        With offloads the capture would hold segments larger than the MTU and unfinished checksums.
        """
        self.ports += 1
        port, ns, sw = f"p{self.ports}", self.ns(host), self.ns(switch)
        run("ip", "-n", sw, "link", "add", port, "type", "veth", "peer", "name", device, "netns", ns)
        run("ip", "-n", ns, "link", "set", device, "address", f"02:20:00:00:00:{self.ports:02x}")
        for where, what in ((sw, port), (ns, device)):
            run(
                "ip",
                "netns",
                "exec",
                where,
                "ethtool",
                "-K",
                what,
                "tx",
                "off",
                "rx",
                "off",
                "tso",
                "off",
                "gso",
                "off",
                "gro",
                "off",
                "sg",
                "off",
            )
        run("ip", "-n", sw, "link", "set", port, "master", bridge, "up")
        run("ip", "-n", ns, "link", "set", device, "up")

    def address(self, host: plan.Host) -> None:
        """Give a host its addresses and its default routes."""
        ns = self.ns(host.name)
        wide4 = "24" if host.segment == "wan" else "16"
        for v4 in host.v4:
            run("ip", "-n", ns, "addr", "add", f"{v4}/{wide4}", "dev", "eth0")
        for v6 in host.v6:
            run("ip", "-n", ns, "-6", "addr", "add", f"{v6}/64", "dev", "eth0", "nodad")
        gateway4 = f"{plan.LAN4}.0.1" if host.segment != "wan" else host.v4[0].rsplit(".", 1)[0] + ".1"
        run("ip", "-n", ns, "route", "add", "default", "via", gateway4)
        if host.v6:
            gateway6 = (plan.WAN6 if host.segment == "wan" else plan.LAN6) + "1"
            run("ip", "-n", ns, "-6", "route", "add", "default", "via", gateway6)

    def build(self) -> None:
        """Make the switches, the router, all hosts and the two relays."""
        self.bridge("core", "br0")
        self.bridge("far", "brfar")
        self.bridge("wan", "brwan")
        self.add("rt")
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            run("ip", "netns", "exec", self.ns("rt"), "sysctl", "-qw", setting)
        self.plug("rt", "core", "br0")
        for v4 in (f"{plan.LAN4}.0.1/16",):
            run("ip", "-n", self.ns("rt"), "addr", "add", v4, "dev", "eth0")
        run("ip", "-n", self.ns("rt"), "-6", "addr", "add", f"{plan.LAN6}1/64", "dev", "eth0", "nodad")
        switches = {"lan": ("core", "br0"), "far": ("far", "brfar"), "wan": ("wan", "brwan")}
        for number, host in enumerate(plan.HOSTS):
            # Every third machine asks the name server over IPv6.
            over6 = bool(host.v6) and number % 3 == 0
            server = plan.BY_NAME["dns"].v6[0] if over6 else plan.BY_NAME["dns"].v4[0]
            self.add(host.name, None if host.segment == "wan" else server)
            self.plug(host.name, *switches[host.segment])
            self.address(host)
        (Path("/etc/netns") / self.ns("mx") / "resolv.conf").write_text("nameserver 203.0.113.53\n")
        self._outside_link()
        self._bad_link()
        self.nft("backup", "table ip silent { chain in { type filter hook input priority 0; policy drop; }; }")

    def _relay(self, name: str, where: str, near: str, far: str, options: dict[str, float]) -> None:
        command = [sys.executable, str(HERE / "relay.py"), near, far, "--seed", f"{self.seed}-{name}"]
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        process = self.spawn(where, command, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the relay {name} did not start; is /dev/net/tun there?")
        self.relays[name] = process

    def _outside_link(self) -> None:
        """Put some milliseconds between the router and the outside, else all replies come at once."""
        wan, rt = self.ns("wan"), self.ns("rt")
        self._relay("wan", "wan", "tapwan", "tapout", WAN_LINK)
        run("ip", "-n", wan, "link", "set", "tapout", "netns", rt)
        run("ip", "-n", wan, "link", "set", "tapwan", "master", "brwan", "up")
        run("ip", "-n", rt, "link", "set", "tapout", "up")
        for v4 in ("203.0.113.1/24", "198.51.100.1/24"):
            run("ip", "-n", rt, "addr", "add", v4, "dev", "tapout")
        run("ip", "-n", rt, "-6", "addr", "add", f"{plan.WAN6}1/64", "dev", "tapout", "nodad")

    def _bad_link(self) -> None:
        """Connect the branch to the office through a relay and through random drops by nftables."""
        far, core = self.ns("far"), self.ns("core")
        self._relay("bad", "far", "tapfar", "tapcore", BAD_LINK)
        run("ip", "-n", far, "link", "set", "tapcore", "netns", core)
        for ns, device, bridge in ((far, "tapfar", "brfar"), (core, "tapcore", "br0")):
            run("ip", "-n", ns, "link", "set", device, "master", bridge, "up")
        # Ingress comes before the bridge: what the core drops here, the main capture never sees; what the far
        # side drops, the main capture has seen already and will see again when it is sent once more.
        for host, device in (("core", "tapcore"), ("far", "tapfar")):
            self.nft(
                host,
                f'table netdev noise {{ chain in {{ type filter hook ingress device "{device}" '
                f"priority 0; numgen random mod 1000 < {NFT_DROP_PER_MILLE} counter drop; }}; }}",
            )

    def nft(self, host: str, rules: str) -> None:
        """Load nftables rules in a namespace."""
        run("ip", "netns", "exec", self.ns(host), "nft", rules)

    # -- processes -------------------------------------------------------------------------------------

    def spawn(self, host: str, command: list[str], **options) -> subprocess.Popen:
        """Start a program in a namespace; it is ended by `close` at the latest."""
        env = {**self.env, **options.pop("extra_env", {})}
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.ns(host), *command],
            env=env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
        self.processes.append(process)
        return process

    def daemon(self, host: str, command: str, **extra_env: str) -> subprocess.Popen:
        """Start a server with a private, empty /run, so that it meets nothing of the host's own servers."""
        log = (self.tmp / f"{host}.log").open("ab")
        shell = f"mount -t tmpfs none /run && mkdir -p /run/sshd && exec {command}"
        return self.spawn(host, ["sh", "-c", shell], stdout=log, stderr=log, extra_env=extra_env)

    def wait_port(self, host: str, port: int, kind: str = "t", seconds: float = 15.0) -> None:
        """Wait until something listens on a port of a host."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if run("ip", "netns", "exec", self.ns(host), "ss", f"-Hln{kind}", f"sport = :{port}").strip():
                return
            time.sleep(0.1)
        log = self.tmp / f"{host}.log"
        raise RuntimeError(f"nothing listens on {host}:{port}: {log.read_text()[-1500:] if log.exists() else ''}")

    def noise_counts(self) -> dict:
        """Stop the relays and return what they and nftables did to the frames."""
        out = {}
        for name, process in self.relays.items():
            # The relay runs below `ip netns exec`, which replaces itself by it: the process is the same.
            process.send_signal(signal.SIGTERM)
            out[name] = json.loads(process.communicate(timeout=10)[0].strip().splitlines()[-1])
        return out

    def nft_counts(self) -> dict[str, int]:
        """Return how many frames nftables dropped on each side of the bad link."""
        out = {}
        for host, label in (("core", "dropped_up"), ("far", "dropped_down")):
            rules = json.loads(run("ip", "netns", "exec", self.ns(host), "nft", "-j", "list", "ruleset"))
            for item in rules["nftables"]:
                for part in item.get("rule", {}).get("expr", []):
                    if "counter" in part:
                        out[label] = part["counter"]["packets"]
        return out

    def close(self) -> None:
        """End every process in the namespaces and remove them."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for name in self.made:
                found = subprocess.run(["ip", "netns", "pids", self.ns(name)], capture_output=True, text=True)
                for pid in found.stdout.split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), sig)
            time.sleep(1.0)
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "del", self.ns(name)], capture_output=True)
            shutil.rmtree(Path("/etc/netns") / self.ns(name), ignore_errors=True)
        with contextlib.suppress(OSError):  # it may hold something of the host's owner
            Path("/etc/netns").rmdir()
