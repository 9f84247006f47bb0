"""The service of a flow: by its first payloads, else by its port.

A payload that a rule knows names the flow whatever its port. The responder's port names it only where no payload speaks
against it:

- no payload was captured, or the side that opens every connection of that service (`Rule.opens`) said nothing;
- over UDP every datagram has its protocol's header: one that has not is another service, unknown;
- over TCP the same holds where the flow's beginning was captured and the first payload is no mere part of what such a
  service says first. Where it was not, the first payload may come from the middle of a message and the port is
  believed, but for text on the port of a service that has none (`Rule.binary`).
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.capture.packets import PROTO_TCP, PROTO_UDP
from netsynth_core.flows.services.evidence import Evidence, Mask, Side
from netsynth_core.flows.services.rules import RULES

_TEXT_BYTES: Final = 12
"""Printable bytes in a row that are no ciphertext: one in 100,000 random heads has them."""
_OPENINGS: Final = {
    "tls": tuple(bytes((22, 3, minor)) for minor in range(5)),
    "ssh": (b"SSH-",),
    "http": (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"CONNECT ", b"DELETE ", b"PATCH ", b"HTTP/"),
    "smtp": (b"220 ", b"220-", b"EHLO ", b"HELO "),
    "ftp": (b"220 ", b"220-", b"USER "),
    "pop3": (b"+OK ",),
    "imap": (b"* OK ",),
}
"""How first messages begin; a part of one of these is a stream that goes on, and speaks against no port."""
_LENGTHS: Final = {"tls": 2}
"""Bytes behind such a beginning that may hold anything."""
_LAST_SERVER_PORT: Final = 32768
"""Ports from here on are left out of `server_ports`: systems also give them to clients (RFC 6335 section 6, Linux)."""


def label_heads(
    heads: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    proto: NDArray[np.uint8],
    port: NDArray[np.int32],
    *,
    begun: NDArray[np.bool_] | None = None,
) -> NDArray[np.object_]:
    """The service of each flow.

    Parameters
    ----------
    heads
        (n, 2, WIDTH) first payload bytes of originator and responder, zero behind their end.
    sizes
        (n, 2) true length of those payloads, bytes; 0 where a side sent none.
    proto, port
        IP protocol number and responder port per flow.
    begun
        Whether the flow's beginning was captured (its first packet is a SYN); None = of no TCP flow.

    Returns
    -------
    NDArray[np.object_]
        A name of `RULES`, or ``""`` when neither payload nor port tells.
    """
    codes = np.zeros(len(proto), np.int16)
    for number in (PROTO_TCP, PROTO_UDP):
        rows = np.flatnonzero(proto == number)
        if len(rows):
            started = np.ones(len(rows), np.bool_)
            if number == PROTO_TCP:
                started = np.zeros(len(rows), np.bool_) if begun is None else begun[rows]
            codes[rows] = _codes(
                heads[rows], sizes[rows].astype(np.int64), port[rows].astype(np.int64), number, started
            )
    return _NAMES[codes]


def _codes(
    heads: NDArray[np.uint8], sizes: NDArray[np.int64], port: NDArray[np.int64], proto: int, started: Mask
) -> NDArray[np.int16]:
    """One more than the position of each flow's rule; 0 = none."""
    stream = proto == PROTO_TCP
    e = Evidence(Side(heads[:, 0], sizes[:, 0]), Side(heads[:, 1], sizes[:, 1]), port, proto)
    codes = np.zeros(len(port), np.int16)
    by_port = _by_port()[0 if stream else 1, np.clip(port, 0, 65535)]
    for code, rule in enumerate(RULES, 1):
        test = rule.stream if stream else rule.datagram
        if test is not None:
            open_to = (codes == 0) & (by_port == 0) if rule.weak else codes == 0
            codes[test(e) & open_to] = code
    left = np.flatnonzero((codes == 0) & (by_port > 0))
    if len(left):
        there = Evidence(e.orig.take(left), e.resp.take(left), port[left], proto)
        codes[left] = np.where(_spoken_against(there, by_port[left], started[left], stream), 0, by_port[left])
    return codes


def _spoken_against(e: Evidence, codes: NDArray[np.int16], started: Mask, stream: bool) -> Mask:
    """Which flows' payloads, known to no rule, cannot be of the service their port stands for."""
    opens, binary, ruled = _traits()[0 if stream else 1][:, codes]
    orig, resp = e.orig.size > 0, e.resp.size > 0
    if stream:
        orig, resp = (told & ~_goes_on(side, codes) for told, side in ((orig, e.orig), (resp, e.resp)))
    spoken = ((opens & 1 != 0) & orig) | ((opens & 2 != 0) & resp)
    text = e.orig.printable(_TEXT_BYTES) | e.resp.printable(_TEXT_BYTES)
    against: Mask = (spoken & started & (ruled > 0)) | (text & (binary > 0))
    return against


def _goes_on(side: Side, codes: NDArray[np.int16]) -> Mask:
    """Which payloads are but a part of what the services of `codes` say first."""
    goes_on = side.nothing()
    for row in np.flatnonzero(side.size < _LONGEST_OPENING).tolist():
        name, size = str(_NAMES[codes[row]]), int(side.size[row])
        told = side.head[row, :size].tobytes()
        goes_on[row] = any(
            told[: len(text)] == text[:size] and size <= len(text) + _LENGTHS.get(name, 0)
            for text in _OPENINGS.get(name, ())
        )
    return goes_on


def services_by_port(port: NDArray[np.int32], proto: NDArray[np.object_]) -> NDArray[np.object_]:
    """The service that the responder's port stands for, of each flow.

    Parameters
    ----------
    port
        Responder port per flow.
    proto
        ``TCP``, ``UDP`` or another name per flow; other protocols have no services.

    Returns
    -------
    NDArray[np.object_]
        A name of `RULES`, or ``""`` when the port tells nothing.
    """
    names = np.full(len(proto), "", dtype=object)
    carried = (proto == "TCP") | (proto == "UDP")
    codes = _by_port()[(proto[carried] == "UDP").astype(np.int64), np.clip(port[carried], 0, 65535)]
    names[carried] = _NAMES[codes]
    return names


@lru_cache(maxsize=1)
def server_ports() -> NDArray[np.uint8]:
    """(2, 65536): 1 for TCP (row 0) and UDP (row 1) ports a server of one of `RULES` listens on, below 32768."""
    table = (_by_port() > 0).astype(np.uint8)
    table[:, _LAST_SERVER_PORT:] = 0
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1)
def _by_port() -> NDArray[np.int16]:
    table = np.zeros((2, 65536), np.int16)
    for code, rule in reversed(list(enumerate(RULES, 1))):
        table[0, list(rule.tcp)] = code
        table[1, list(rule.udp)] = code
    return table


@lru_cache(maxsize=1)
def _traits() -> NDArray[np.int8]:
    """(2, 3, rules + 1), for TCP and UDP: sides that open (bits), no text, a payload rule; by code."""
    table = np.zeros((2, 3, len(RULES) + 1), np.int8)
    for code, rule in enumerate(RULES, 1):
        table[:, 0, code] = {"": 0, "orig": 1, "resp": 2, "either": 3}[rule.opens]
        table[:, 1, code] = rule.binary
        table[:, 2, code] = rule.stream is not None, rule.datagram is not None
    return table


_NAMES: Final = np.array(["", *(rule.name for rule in RULES)], dtype=object)
_LONGEST_OPENING: Final = max(len(text) for texts in _OPENINGS.values() for text in texts) + 1
