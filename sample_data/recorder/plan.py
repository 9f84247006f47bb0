"""The office that is recorded: its hosts, addresses, names, web sites and users.

Everything that two modules have to agree upon stands here, so that the network, the servers, the
clients and the measuring all speak of the same hosts.
"""

from __future__ import annotations

from dataclasses import dataclass

LAN4 = "10.20"
LAN6 = "fd00:20::"
WAN6 = "fd00:113::"
REALM = "OFFICE.TEST"
DOMAIN = "office.test"

# Service names by server port.  The capture is counted with this table, and `README.md` uses its names.
SERVICES = {
    ("udp", 53): "dns",
    ("tcp", 53): "dns",
    ("tcp", 80): "http",
    ("tcp", 443): "https",
    ("tcp", 22): "ssh",
    ("tcp", 25): "smtp",
    ("tcp", 143): "imap",
    ("tcp", 1883): "mqtt",
    ("tcp", 6379): "redis",
    ("udp", 123): "ntp",
    ("udp", 88): "kerberos",
    ("tcp", 88): "kerberos",
    ("tcp", 3128): "proxy",
}


@dataclass(frozen=True)
class Host:
    """One machine, that is one network namespace.

    Parameters
    ----------
    name : str
        Short name; with ``.office.test`` behind it, it is the DNS name of a machine in the office.
    segment : str
        ``lan`` (the office), ``far`` (the branch behind the bad link) or ``wan`` (the outside).
    v4 : tuple of str
        IPv4 addresses.
    v6 : tuple of str
        IPv6 addresses; hosts without one are reached over IPv4 only.
    role : str
        One line for the table of hosts.
    """

    name: str
    segment: str
    v4: tuple[str, ...]
    v6: tuple[str, ...] = ()
    role: str = ""


USERS = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"]
PASSWORD = "correct-horse-7"

BRANCH_WORKSTATIONS = ("ws07", "ws08", "ws09", "ws10")


def _workstations() -> list[Host]:
    out = []
    for number, user in enumerate(USERS, start=1):
        name = f"ws{number:02d}"
        segment = "far" if name in BRANCH_WORKSTATIONS else "lan"
        place = "branch, behind the bad link" if segment == "far" else "office"
        out.append(
            Host(
                name,
                segment,
                (f"{LAN4}.1.{10 + number}",),
                (f"{LAN6}1:{10 + number}",),
                f"workstation of {user} ({place})",
            )
        )
    return out


SERVERS = [
    Host("dns", "lan", (f"{LAN4}.0.2",), (f"{LAN6}2",), "dnsmasq, forwards what it does not know to extdns"),
    Host("web", "lan", (f"{LAN4}.0.3",), (f"{LAN6}3",), "nginx 80/443, /app asks redis on db for each request"),
    Host("mail", "lan", (f"{LAN4}.0.4",), (), "postfix 25, dovecot 143"),
    Host("files", "lan", (f"{LAN4}.0.5",), (), "OpenSSH 22 (public key and Kerberos)"),
    Host("mqtt", "lan", (f"{LAN4}.0.6",), (), "mosquitto 1883"),
    Host("db", "lan", (f"{LAN4}.0.7",), (), "redis 6379"),
    Host("ntp", "lan", (f"{LAN4}.0.8",), (), "chrony 123"),
    Host("kdc", "lan", (f"{LAN4}.0.9",), (), "MIT Kerberos KDC 88"),
    Host("proxy", "lan", (f"{LAN4}.0.10",), (), "tinyproxy 3128"),
    Host("printer", "lan", (f"{LAN4}.0.20",), (), "every port closed: answers with RST or port unreachable"),
    Host("backup", "lan", (f"{LAN4}.0.21",), (), "silent: nftables drops all that arrives"),
    Host("branch", "far", (f"{LAN4}.1.5",), (), "nginx 80 behind the bad link"),
]
SENSORS = [
    Host("sensor1", "lan", (f"{LAN4}.2.11",), (), "publishes over MQTT"),
    Host("sensor2", "lan", (f"{LAN4}.2.12",), (), "publishes over MQTT"),
    Host("sensor3", "far", (f"{LAN4}.2.13",), (), "publishes over MQTT (behind the bad link)"),
]
OUTSIDE = [
    Host(
        "exta",
        "wan",
        tuple(f"203.0.113.{n}" for n in (10, 11, 12, 13)),
        (f"{WAN6}10", f"{WAN6}12"),
        "nginx 80/443: news, shop, cdn, bank (.example)",
    ),
    Host(
        "extb",
        "wan",
        tuple(f"198.51.100.{n}" for n in (20, 21, 22, 23)),
        (f"{WAN6}21",),
        "nginx 80/443: weather, search, blog, updates (.example)",
    ),
    Host("c2", "wan", ("198.51.100.66",), (), "nginx 443, called by the beacon of ws05"),
    Host("mx", "wan", ("203.0.113.25",), (), "postfix 25 of partner.example"),
    Host("extdns", "wan", ("203.0.113.53",), (), "dnsmasq for the .example names"),
    Host("scanner", "wan", ("203.0.113.99",), (), "scans ports"),
]
HOSTS = [*SERVERS, *_workstations(), *SENSORS, *OUTSIDE]
BY_NAME = {host.name: host for host in HOSTS}

# Outside web sites: name -> (IPv4, IPv6 or None).  Three have IPv6, which browsers prefer.
SITES = {
    "news.example": ("203.0.113.10", f"{WAN6}10"),
    "shop.example": ("203.0.113.11", None),
    "cdn.example": ("203.0.113.12", f"{WAN6}12"),
    "bank.example": ("203.0.113.13", None),
    "weather.example": ("198.51.100.20", None),
    "search.example": ("198.51.100.21", f"{WAN6}21"),
    "blog.example": ("198.51.100.22", None),
    "updates.example": ("198.51.100.23", None),
}

PAGES = 14  # pages p0.html ... p13.html on each web site
IMAGES = 8  # pictures i0.bin ... i7.bin on each web site


def user_of(workstation: str) -> str:
    """Return the user who sits at a workstation (``ws03`` -> ``carol``)."""
    return USERS[int(workstation[2:]) - 1]
