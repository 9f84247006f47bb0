"""HTTP/1.1 messages (RFC 9112) of exact size: the head is padded, Content-Length counts the body in all packets."""

from netsynth_core.forge.columns import ANY, FILL_LOW, FILL_RANDOM, FILL_TEXT, RANDOM, TEXT
from netsynth_core.forge.payloads.names import host_labels, word
from netsynth_core.forge.payloads.pattern import Made, Want
from netsynth_core.forge.payloads.tls import record

_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "NOTIFY", "M-SEARCH", "PROPFIND")
_WITH_BODY = ("POST", "PUT", "PATCH", "PROPFIND")
_MORE = 24
_SHORT = 12
_FILLS = {TEXT: FILL_TEXT, RANDOM: FILL_RANDOM, ANY: FILL_TEXT}


def http(want: Want) -> Made | None:
    """A request (originator), a response (responder), or the rest of a body."""
    fill = _FILLS.get(want.kind, FILL_LOW)
    if want.continued:
        return Made(b"" if fill == FILL_TEXT else b"\x80"[: want.size], fill)
    if want.token.startswith("HTTP/") or (
        not want.token and want.direction == 1 and want.kind in (TEXT, ANY) and want.size >= _SHORT
    ):
        return _response(want, want.token or "HTTP/1.1", fill)
    if want.token in _METHODS or (
        not want.token and want.direction == 0 and want.kind in (TEXT, ANY) and want.size >= _SHORT
    ):
        return _request(want, want.token or "GET", fill)
    if want.kind in (TEXT, ANY):
        # an empty line behind it, so that readers do not take the next message for more of this head
        return Made(f"{want.token} ".encode("ascii")[: want.size] if want.token else b"", FILL_TEXT, b"\r\n\r\n")
    return record(want)


def _fit(first: str, lines: list[str], size: int) -> bytes | None:
    """A head of exactly `size` bytes: as many of the lines as fit, and padding; None where there is none."""
    head = first + "\r\n"
    if len(head) + 2 > size:
        return None
    kept = ""
    for line in lines:
        left = size - len(head) - len(kept) - 2 - len(line) - 2
        if left == 0 or left >= 9:
            kept += line + "\r\n"
    left = size - len(head) - len(kept) - 2
    if 0 < left < 9:
        return None
    padding = f"X-Tag: {word(left - 9, left)}\r\n" if left else ""
    return (head + kept + padding + "\r\n").encode("ascii")


def _head(firsts: list[str], lines: list[str], size: int) -> bytes | None:
    """A head of `size` bytes, or of a few more where there is none: half a head would mislead readers."""
    for more in range(_MORE):
        for first in firsts:
            made = _fit(first, lines, size + more)
            if made is not None:
                return made
    return None


def _request(want: Want, method: str, fill: int) -> Made | None:
    host = ".".join(host_labels(16 + want.variant, want.variant))
    if method == "CONNECT" and want.ordinal:
        # a tunnel inside a tunnel is more than readers follow
        return None
    paths = [f"/{word(3 + extra, want.variant, extra)}" for extra in (5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11)]
    if method == "CONNECT":
        paths = [f"{host}:443", *(f"{word(3 + extra, want.variant)}.test:443" for extra in range(12))]
    elif method in ("NOTIFY", "M-SEARCH", "OPTIONS"):
        paths = ["*", *paths]
    firsts = [f"{method} {path} HTTP/1.1" for path in (*paths, "/")]
    lines = [f"Host: {host}", "User-Agent: netsynth/1", "Accept: */*", "Connection: keep-alive", "Accept-Language: en"]
    body = 0
    if method in _WITH_BODY:
        body = 0 if want.rest else max(0, want.size - 180)
        lines.insert(1, f"Content-Length: {body + want.rest}")
        lines.insert(2, "Content-Type: text/plain")
    head = _head(firsts, lines, want.size - body)
    return None if head is None else Made(head, fill, size=max(want.size, len(head)))


def _response(want: Want, version: str, fill: int) -> Made | None:
    server = f"Server: {word(4 + want.variant % 4, want.variant)}"
    kind = "text/plain" if fill == FILL_TEXT else "application/octet-stream"
    for size in (150, 128, 110, 96, 84, 72, 60):
        if want.size <= size + 8 and want.rest == 0:
            continue
        size = min(size, want.size)
        body = want.size - size + want.rest
        needed = [f"Content-Length: {body}"]
        # a short head keeps the body's class visible
        head = _fit(f"{version} 200 OK", [*needed, f"Content-Type: {kind}", server], size)
        if head is not None and b"Content-Length" in head:
            return Made(head, fill)
    lines = ["Content-Length: 0", server, "Connection: close"]
    status = ["204 No Content", "304 Not Modified", "200 OK", "404 Not Found", "403 Forbidden", "400 Bad Request"]
    status += ["202 Accepted", "201 Created", "302 Found", "410 Gone"]
    if want.rest:
        status, lines = status[2:3], [f"Content-Length: {want.rest}"]
    head = _head([f"{version} {text}" for text in status], lines, want.size)
    return None if head is None else Made(head, fill, size=max(want.size, len(head)))
