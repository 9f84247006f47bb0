"""Protocols of text lines (SMTP, IMAP, POP3, FTP, SSH banners, syslog, SSDP): lines of exact size that begin as asked.

What these protocols carry after they went over to TLS is made of records.
"""

from netsynth_core.forge.columns import ANY, FILL_LOW, FILL_TEXT, TEXT
from netsynth_core.forge.payloads.http import http
from netsynth_core.forge.payloads.names import word
from netsynth_core.forge.payloads.pattern import Made, Want
from netsynth_core.forge.payloads.tls import record

_FIRST: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "smtp": (("EHLO", "MAIL", "RCPT", "DATA"), ("220", "250", "250", "354")),
    "imap": (("LOGIN", "SELECT", "FETCH", "LOGOUT"), ("*", "OK", "OK", "OK")),
    "pop3": (("USER", "PASS", "STAT", "RETR"), ("+OK", "+OK", "+OK", "+OK")),
    "ftp": (("USER", "PASS", "SYST", "TYPE"), ("220", "331", "230", "215")),
    "telnet": (("login:", "", "", ""), ("login:", "", "", "")),
}
_ARGUMENT = {
    "EHLO": "client.example",
    "HELO": "client.example",
    "MAIL": "FROM:<",
    "RCPT": "TO:<",
    "USER": "user",
    "PASS": "secret",
    "TYPE": "I",
    "220": "mail.example ESMTP",
    "250": "OK",
    "354": "Go ahead",
    "*": "OK",
    "+OK": "0",
}
_BARE = frozenset({"DATA", "QUIT", "RSET", "STAT", "SYST", "NOOP", "CAPA", "STLS", "STARTTLS"})


def lines(want: Want) -> Made | None:
    """One line, or several with running text between the first word and the line end."""
    if want.kind not in (TEXT, ANY):
        if want.service == "telnet":
            # no byte may read as the start of a command (255, RFC 854)
            return Made(b"", FILL_LOW)
        return record(want)
    first = want.token
    if not first and (want.kind == ANY or want.ordinal == 0):
        first = _FIRST.get(want.service, (("", "", "", ""), ("", "", "", "")))[want.direction][want.ordinal]
    if want.service == "imap" and want.direction == 0:
        return Made(_tagged(first, want))
    first = spelt(want.service, first, want.ordinal)
    line = _addressed(first, want) if want.service == "ftp" else None
    line = line or _line(first, want)
    if line is not None:
        return Made(line)
    if want.service == "pop3" and first == "+OK" and want.size > 60:
        # what stands behind +OK may be read as a message, which begins with header lines
        return Made(b"+OK\r\nSubject: a\r\n\r\n", FILL_TEXT, b"\r\n.\r\n")
    head = (first + " " if first else "").encode("ascii")
    if want.size < len(head) + 2:
        return Made(head, FILL_TEXT)
    return Made(head, FILL_TEXT, b"\r\n")


_ADDRESSED = frozenset({"227", "229", "257", "PORT", "EPRT"})
"""FTP words whose arguments readers take apart (RFC 959, RFC 2428)."""


def _addressed(first: str, want: Want) -> bytes | None:
    """An FTP line about an address, a port or a path; where none has the size, a plain line of the same side."""
    if first not in _ADDRESSED:
        return None
    room = want.size - len(first) - 3
    high = 195 + want.variant
    ends = {"227": f"(192,0,2,1,{high},80)", "229": f"(|||{high * 256 + 80}|)", "257": '"/"'}
    if first in ends:
        spare = room - len(ends[first]) - 1
        if first == "257" and room >= 4:
            return f'257 "/{word(room - 3, want.variant)}"\r\n'.encode("ascii")
        if spare == -1 or spare >= 1:
            said = word(spare, want.variant) + " " if spare > 0 else ""
            return f"{first} {said}{ends[first]}\r\n".encode("ascii")
        plain = "200"
    else:
        hosts = [f"{10**a},{10**b},2,1" for a in range(3) for b in range(3)]
        ports = [f"{p},{q}" for p in (4, 40, 195) for q in (8, 80, 180)]
        forms = [f"{host},{port}" for host in hosts for port in ports]
        if first == "EPRT":
            forms = [f"|1|{host.replace(',', '.')}|{port}|" for host in hosts for port in (2000, 50_000)]
            forms += [f"|2|2001:db8::{'1' * n}|{port}|" for n in (1, 2, 3, 4) for port in (2000, 50_000)]
        fitting = [form for form in forms if len(form) == room]
        if fitting:
            return f"{first} {fitting[want.variant % len(fitting)]}\r\n".encode("ascii")
        plain = "NOOP"
    room = want.size - len(plain) - 2
    if room < 0:
        return b"\r\n"[-want.size :].rjust(want.size, b" ")
    return f"{plain}{' ' if room else ''}{word(room - 1, want.variant)}\r\n".encode("ascii")


def _tagged(command: str, want: Want) -> bytes:
    """One IMAP command line: readers take the second word of every line for a command, and LOGIN needs two more."""
    tag = f"a{1 + want.ordinal}"
    names = (command, "NOOP") if command.isalpha() else ("NOOP",)
    for name in names:
        start = f"{tag} {name}" + (" user" if name == "LOGIN" else "")
        room = want.size - len(start) - 2
        if room == 0 and name != "LOGIN":
            return f"{start}\r\n".encode("ascii")
        if room >= (5 if name == "LOGIN" else 2):
            return f"{start} {word(room - 1, want.variant, name)}\r\n".encode("ascii")
    line = word(want.size - 2, want.variant) if want.size > 2 else ""
    return (line + "\r\n").encode("ascii")[-want.size :]


def spelt(service: str, token: str, ordinal: int) -> str:
    """How a token of `netsynth_core.flows.tokens` stands on the wire.

    >>> spelt("imap", "LOGIN", 0), spelt("pop3", "_ERR", 1)
    ('a1 LOGIN', '-ERR')
    """
    if service == "imap" and token not in ("", "*", "+"):
        return f"a{1 + ordinal} {token}"
    if token.startswith("_"):
        return "-" + token[1:]
    return token.replace("M_SEARCH", "M-SEARCH")


def _line(first: str, want: Want) -> bytes | None:
    """A short line of exact size, or None where running text serves better."""
    if not first or want.size > 100:
        return None
    room = want.size - len(first) - 2
    if room < 0:
        return None
    if room == 0:
        return f"{first}\r\n".encode("ascii")
    if first in _BARE:
        return f"{first}{' ' * room}\r\n".encode("ascii")
    argument = _ARGUMENT.get(first, "")
    rest = room - 1 - len(argument)
    if rest < 0:
        return f"{first} {word(room - 1, want.variant, first)}\r\n".encode("ascii")
    if argument.endswith("<"):
        if rest < 12:
            return f"{first} {word(room - 1, want.variant, first)}\r\n".encode("ascii")
        return f"{first} {argument}{word(rest - 9, want.variant, first)}@example>\r\n".encode("ascii")
    if not argument:
        return f"{first} {word(room - 1, want.variant, first)}\r\n".encode("ascii")
    filler = " " + word(rest - 1, want.variant, first) if rest > 1 else " " * rest
    return f"{first} {argument}{filler}\r\n".encode("ascii")


def ssdp(want: Want) -> Made | None:
    """SSDP: HTTP messages in datagrams."""
    token = spelt("ssdp", want.token, 0) or ("HTTP/1.1" if want.direction else "M-SEARCH")
    return http(want._replace(token=token, kind=TEXT, rest=0, continued=False))


def syslog(want: Want) -> Made | None:
    """A syslog message (RFC 3164): priority and text."""
    if want.kind not in (TEXT, ANY):
        return None
    head = (want.token + " " if want.token else "<30>").encode("ascii")
    # a priority and one letter at least
    return Made(head[: max(want.size, 5)], FILL_TEXT, size=max(want.size, 5))
