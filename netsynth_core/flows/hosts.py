"""Hosts by role, and the file that says where they live in the analyst's own network.

A role is what a host does in flows: it answers a service, asks, routes, or stands outside. The file (TOML) names the
hosts of each role and a pool of addresses; each host gets one address, always the same, so who talks to whom stays. A
host may also be given an address by itself.
"""

import ipaddress
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netsynth_core.errors import InvalidParameter, SchemaError
from netsynth_core.files import require_file, write_text
from netsynth_core.flows.table import FlowTable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
INTERNAL = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
ROUTER_ADVERTISEMENT = 134
MOST_FILE_BYTES = 16 << 20
SELDOM = "seldom seen"
SERVING = 5
"""A server answers at least one flow for so many that it opens."""
REFUSED_FLAGS = "..R.S."
_SERVERS = {"dns": "resolver", "dhcp": "DHCP server", "ntp": "time server"}


def parsed(text: str) -> Address | None:
    """The address of a text; None for a name that is none."""
    try:
        return ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None


def keeps_its_name(address: Address) -> bool:
    """Whether an address belongs to no single host (multicast, broadcast, loopback, unspecified) or to one link."""
    broadcast = address.version == 4 and (int(address) == 2**32 - 1 or int(address) & 0xFF == 0xFF)
    return broadcast or any(
        (address.is_multicast, address.is_loopback, address.is_unspecified, address.is_link_local, address.is_reserved)
    )


def is_shared(host: str) -> bool:
    """Whether an address is no single host's, such as a multicast group's."""
    address = parsed(host)
    return address is not None and keeps_its_name(address) and not address.is_link_local


def roles_of(flows: FlowTable, hosts: Iterable[str] = ()) -> dict[str, list[str]]:
    """Hosts by role, roles and hosts by how many flows they have.

    One that answers at least a fifth as many flows as it opens serves what most of them were: a service, or a port
    where no service is known. Router advertisements make a gateway. Outside is what is not private, where anything is.

    Parameters
    ----------
    hosts
        Further hosts to list; those without a flow are `SELDOM` seen.
    """
    frame = flows.frame
    carried = frame["proto"].isin(("TCP", "UDP"))
    refused = frame["state"].isin(("REJ", "RSTOS0")) | frame["flags"].isin((REFUSED_FLAGS,))
    answered = frame[(frame["bwd_packets"] > 0) & ((frame["service"] != "") | carried) & ~refused]
    answered = answered.assign(service=_services(answered))
    opened = frame["src_ip"].value_counts()
    served = answered["dst_ip"].value_counts()
    counted = answered.groupby(["dst_ip", "service"]).size().reset_index(name="flows")
    counted = counted.sort_values(["flows", "service"], ascending=[False, True]).drop_duplicates("dst_ip")
    mostly = dict(zip(counted["dst_ip"].astype(str), counted["service"].astype(str), strict=True))
    routers = set(frame["src_ip"][(frame["proto"] == "ICMPv6") & (frame["src_port"] == ROUTER_ADVERTISEMENT)])
    total = opened.add(frame["dst_ip"].value_counts(), fill_value=0)
    ranked = sorted(((str(name), int(n)) for name, n in total.items()), key=lambda item: (-item[1], item[0]))
    addresses = {name: parsed(name) for name, _ in ranked}
    local = any(a is not None and _internal(a) for a in addresses.values())
    found: dict[str, list[str]] = {}
    for name, _ in ranked:
        address = addresses[name]
        if address is not None and keeps_its_name(address):
            continue
        inside = address is None or not local or _internal(address)
        serves = served.get(name, 0) > 0 and SERVING * int(served.get(name, 0)) >= int(opened.get(name, 0))
        if name in routers:
            role = "gateway"
        elif serves:
            role = _SERVERS.get(mostly[name], f"{mostly[name]} server")
        else:
            role = "client" if int(opened.get(name, 0)) else "silent host"
        found.setdefault(role if inside else f"external {role}", []).append(name)
    rest = sorted({h for h in hosts if h not in addresses and not ((a := parsed(h)) and keeps_its_name(a))})
    return found | ({SELDOM: rest} if rest else {})


def _services(flows: "pd.DataFrame") -> "pd.Series[str]":
    """The service of each flow; that of its port where it has none, else protocol and port."""
    from netsynth_core.flows.services import services_by_port

    port, proto = flows["dst_port"].to_numpy(), flows["proto"].astype(object).to_numpy()
    known = services_by_port(port, proto)
    spot = np.array([f"{a} {b}" for a, b in zip(proto, port, strict=True)], dtype=object)
    named = flows["service"].astype(object).to_numpy()
    chosen = np.where(named != "", named, np.where(known != "", known, spot))
    return pd.Series(chosen, index=flows.index, dtype="str")


def _internal(address: Address) -> bool:
    return any(address in network for network in INTERNAL if network.version == address.version)


def write_hosts(path: str | Path, roles: dict[str, list[str]], *, source: str) -> None:
    """A file to start from: every role with its hosts and no pool, so that all hosts keep their addresses."""
    lines = [
        f"# Hosts of {_plain(source)}, by what they do. Give a role a pool, and its hosts move there in this order:",
        '#   pool = ["192.168.7.0/24", "192.168.8.10-192.168.8.60", "2001:db8:7::/64"]',
        "# A role without a pool, or without one of a host's IP version, leaves the host as it is.",
        "# [addresses] wins over pools. Multicast, broadcast and link-local addresses stay.",
    ]
    for role, hosts in roles.items():
        lines += ["", f"[roles.{_text(role)}]", "pool = []", "hosts = ["]
        lines += [f"  {_text(host)}," for host in hosts]
        lines += ["]"]
    lines += ["", "[addresses]", '# "10.0.0.5" = "192.168.7.20"', ""]
    write_text(path, "\n".join(lines))


def _text(value: str) -> str:
    """A TOML basic string: quotes, backslashes and control characters escaped (TOML 1.0, section String)."""
    marks = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(marks.get(c, f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c) for c in value) + '"'


def _plain(value: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in value)


@dataclass(frozen=True)
class Role:
    """One role of the file."""

    name: str
    hosts: tuple[str, ...]
    pool: tuple[str, ...]
    """Networks, ranges and single addresses, in the order in which they are used."""


@dataclass(frozen=True)
class HostPlan:
    """What a hosts file says."""

    roles: tuple[Role, ...]
    addresses: dict[str, str]

    def names(self, known: Sequence[str] = ()) -> dict[str, str]:
        """The new address of every host that gets one.

        Parameters
        ----------
        known
            All hosts that occur; those that stay as they are keep others off their addresses.

        Raises
        ------
        InvalidParameter
            When a pool has too few addresses, or two hosts would get one.
        """
        moving = {host for role in self.roles if role.pool for host in role.hosts if _has(role.pool, host)}
        moving |= set(self.addresses)
        new = dict(self.addresses)
        taken = set(new.values()) | {host for host in known if host not in moving}
        twice = [name for name, count in pd.Series(list(new.values()), dtype="str").value_counts().items() if count > 1]
        if twice:
            raise InvalidParameter(f"Two hosts get the address {twice[0]}.", hint="Give each host one of its own.")
        pools: dict[tuple[tuple[str, ...], int], Iterator[str]] = {}
        for role in self.roles:
            for host in role.hosts:
                if host in new or host not in moving:
                    continue
                version = _version(host)
                pool = pools.setdefault((role.pool, version), _addresses(role.pool, version))
                free = next((address for address in pool if address not in taken), None)
                if free is None:
                    count = sum(_version(h) == version for h in role.hosts)
                    raise InvalidParameter(
                        f"The pool of role {role.name!r} has too few IPv{version} addresses for its {count} hosts.",
                        hint="Add a network to the pool, or give some hosts an address under [addresses].",
                    )
                new[host] = free
                taken.add(free)
        return {host: name for host, name in new.items() if host != name}


def _version(host: str) -> int:
    """IP version of a host; names that are no addresses move like IPv4 hosts."""
    address = parsed(host)
    return 4 if address is None else address.version


def _has(pool: Sequence[str], host: str) -> bool:
    return any((":" in item) == (_version(host) == 6) for item in pool)


def _addresses(pool: Sequence[str], version: int) -> Iterator[str]:
    """The addresses of a pool in order; without those of networks and their broadcasts."""
    for item in pool:
        if (":" in item) != (version == 6):
            continue
        low, dash, high = item.partition("-")
        if dash:
            first, last = ipaddress.ip_address(low.strip()), ipaddress.ip_address(high.strip())
            kind = type(first)
            yield from (str(kind(value)) for value in range(int(first), int(last) + 1))
        else:
            yield from map(str, ipaddress.ip_network(item, strict=False).hosts())


def read_hosts(path: str | Path) -> HostPlan:
    """The plan of a hosts file, every part checked.

    Raises
    ------
    SchemaError
        When it is no TOML, or something in it is not what it should be; the message says where.
    """
    target = require_file(path)
    if target.stat().st_size > MOST_FILE_BYTES:
        raise SchemaError(f"{target} is larger than {MOST_FILE_BYTES >> 20} MiB.", hint="Start with netsynth hosts.")
    try:
        content = tomllib.loads(target.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"{target} is no TOML: {error}.", hint="Start from what netsynth hosts writes.") from error
    odd = set(content) - {"roles", "addresses"}
    if odd:
        raise SchemaError(f"{target} has a part {min(odd)!r}.", hint="It may have roles and addresses.")
    roles, seen = [], dict[str, str]()
    for name, body in _table(content.get("roles", {}), f"{target}: roles").items():
        where = f"{target}: role {name!r}"
        body = _table(body, where)
        if set(body) - {"pool", "hosts"}:
            raise SchemaError(f"{where} has {min(set(body) - {'pool', 'hosts'})!r}.", hint="It has pool and hosts.")
        role = Role(name, _texts(body.get("hosts", []), where), _texts(body.get("pool", []), where))
        for item in role.pool:
            _check_pool(item, where)
        for host in role.hosts:
            if host in seen:
                raise SchemaError(f"{where} holds {host!r}, and so does {seen[host]}.", hint="Keep it in one role.")
            seen[host] = f"role {name!r}"
        roles.append(role)
    addresses = _table(content.get("addresses", {}), f"{target}: addresses")
    for host, new in addresses.items():
        old = parsed(host)
        given = parsed(new) if isinstance(new, str) else None
        if given is None or (old is not None and old.version != given.version):
            raise SchemaError(
                f"{target}: {host!r} gets {new!r}; an address of its IP version is needed.",
                hint='Write "10.0.0.5" = "192.168.7.20".',
            )
    return HostPlan(tuple(roles), {host: str(parsed(new)) for host, new in addresses.items()})


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SchemaError(f"{where} is no table.", hint="Start from what netsynth hosts writes.")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise SchemaError(f"{where}: lists of texts are needed.", hint='Write pool = ["192.168.7.0/24"].')
    return tuple(value)


def _check_pool(item: str, where: str) -> None:
    low, dash, high = item.partition("-")
    try:
        if not dash:
            ipaddress.ip_network(item, strict=False)
            return
        first, last = ipaddress.ip_address(low.strip()), ipaddress.ip_address(high.strip())
        if first.version == last.version and int(first) <= int(last):
            return
    except ValueError:
        pass
    raise SchemaError(
        f"{where}: the pool {item!r} is no network, range or address.",
        hint='Write "192.168.7.0/24", "192.168.7.10-192.168.7.60" or "192.168.7.5".',
    )


def unmapped(names: dict[str, str], plan: HostPlan, known: Iterable[str]) -> list[str]:
    """Hosts the plan does not speak of; they keep their names."""
    spoken = set(names) | {host for role in plan.roles for host in role.hosts} | set(plan.addresses)
    return sorted(h for h in known if h not in spoken and not ((a := parsed(h)) is not None and keeps_its_name(a)))


def hosts_of(flows: FlowTable) -> list[str]:
    """All hosts of a table, in order."""
    both = np.concatenate([flows.frame[name].unique().astype(str) for name in ("src_ip", "dst_ip")])
    return [str(name) for name in np.unique(both.astype(str))]
