"""The name of the server a client asks for: the server name of TLS, the Host of HTTP.

The bytes are a stranger's: every length is held to what is there, and a name that holds anything but the characters of
host names and addresses is none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

LONGEST: Final = 255
"""Most characters of a name, RFC 1035 section 2.3.4."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9_*-][A-Za-z0-9._*-]*|\[[0-9A-Fa-f:.]+\])")
_FIELD: Final = re.compile(rb"\r?\n[Hh][Oo][Ss][Tt][ \t]*:[ \t]*([^\r\n]*)(?=\r|\n)")
_TARGET: Final = re.compile(rb"[A-Za-z_-]{3,20} (?:[a-z]{2,6}://)?([^\s/?#]+)")
_REQUEST: Final = re.compile(rb"[A-Z_-]{3,20} |get |post ")
_PORT: Final = re.compile(r":\d{0,5}$")


def server_name(payload: bytes) -> str:
    """The name of the server that a first payload asks for.

    Parameters
    ----------
    payload
        First payload of the originator.

    Returns
    -------
    str
        Lower-case printable ASCII of at most 255 characters, punycode as it is and without a port: the host name of a
        TLS ClientHello (RFC 6066 section 3), the Host field of an HTTP request (RFC 9110 section 7.2) or the authority
        of its target; ``""`` where there is none.

    Examples
    --------
    >>> server_name(b"GET / HTTP/1.1\\r\\nHost: made.example:8080\\r\\n\\r\\n")
    'made.example'
    """
    if payload[:2] == b"\x16\x03":
        return _clean(_tls_name(payload))
    if _REQUEST.match(payload):
        return _clean(_http_name(payload))
    return ""


def server_names(payloads: Sequence[bytes]) -> list[str]:
    """`server_name` of each."""
    return [server_name(payload) for payload in payloads]


def _clean(name: bytes) -> str:
    """The name as text, or nothing where it is none."""
    if not 0 < len(name) <= LONGEST + 6:
        return ""
    text = _PORT.sub("", name.decode("latin-1").strip()).rstrip(".")
    return text.lower() if len(text) <= LONGEST and _HOST.fullmatch(text) else ""


def _http_name(payload: bytes) -> bytes:
    end = payload.find(b"\r\n\r\n")
    head = payload[: end + 2] if end >= 0 else payload
    found = _FIELD.search(head)
    if found:
        return found[1]
    target = _TARGET.match(head)
    whole = target is not None and (head.startswith(b"CONNECT ") or b"://" in head[: target.end()])
    return target[1].rpartition(b"@")[2] if target and whole else b""


def _tls_name(payload: bytes) -> bytes:
    """The host name of a ClientHello, as far as it is there (RFC 8446 section 4.1.2)."""
    hello = payload[5:]
    if int.from_bytes(payload[3:5], "big") < len(hello):
        hello = b"".join(_fragments(payload))
    if hello[:1] != b"\x01":
        return b""
    at = 38
    for width in (1, 2, 1):
        if at + width > len(hello):
            return b""
        at += width + int.from_bytes(hello[at : at + width], "big")
    stop = min(len(hello), at + 2 + int.from_bytes(hello[at : at + 2], "big"))
    at += 2
    while at + 4 <= stop:
        kind, length = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
        if kind == 0:
            return _host_name(hello[at + 4 : min(stop, at + 4 + length)])
        at += 4 + length
    return b""


def _host_name(names: bytes) -> bytes:
    """The first entry of type host_name of a whole server name list (RFC 6066 section 3)."""
    at = 2
    while at + 3 <= len(names):
        length = int.from_bytes(names[at + 1 : at + 3], "big")
        if names[at] == 0:
            return names[at + 3 : at + 3 + length] if at + 3 + length <= len(names) else b""
        at += 3 + length
    return b""


def _fragments(payload: bytes) -> Iterator[bytes]:
    """What the handshake records of a payload hold."""
    at = 0
    while payload[at : at + 2] == b"\x16\x03":
        length = int.from_bytes(payload[at + 3 : at + 5], "big")
        yield payload[at + 5 : at + 5 + length]
        at += 5 + length
