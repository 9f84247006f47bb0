"""Services that speak in lines: the web, mail, file transfer, chat, calls and control."""

from typing import Final

import numpy as np

from netsynth_core.flows.services.evidence import Evidence, Mask, Side, as_mask

_METHODS: Final = tuple(
    f"{m} ".encode()
    for m in (
        "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE", "PROPFIND", "PROPPATCH",
        "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "SUBSCRIBE", "UNSUBSCRIBE", "NOTIFY", "M-POST",
        "RPC_CONNECT", "RPC_IN_DATA", "RPC_OUT_DATA", "QUERY",
    )
)  # fmt: skip
_MAIL_PORTS: Final = (25, 465, 587, 2525)
_IMAP_COMMANDS: Final = (b"LOGIN", b"CAPABILITY", b"AUTHENTICATE", b"STARTTLS", b"NOOP", b"LOGOUT", b"ID")


def http(e: Evidence) -> Mask:
    """A request's method and target, or a status line (RFC 9112 sections 3 and 4; HTTP/2 preface: RFC 9113 3.4)."""
    method = e.orig.starts(*_METHODS)
    weak = (method | e.orig.starts(b"get ", b"post ")) & e.on(80, 8080)
    request = e.orig.where(method, _has_target) | weak
    return as_mask(request | e.orig.starts(b"PRI * HTTP/2") | e.either_starts(b"HTTP/1.", b"HTTP/2"))


def _has_target(s: Side) -> Mask:
    """Which have a printable target behind the method: no space or control character where it begins."""
    space = np.argmax(s.head == 0x20, axis=1).astype(np.int64)
    target = s.pick(space + 1)
    return as_mask((target > 0x20) & (target < 0x7F) & (s.size > space + 1))


def rtsp(e: Evidence) -> Mask:
    """A request for an rtsp address or an answer (RFC 7826 sections 7 and 8)."""
    asked = e.orig.starts(*(m + b" rtsp" for m in (b"OPTIONS", b"DESCRIBE", b"SETUP", b"PLAY", b"ANNOUNCE")))
    return as_mask(asked | e.either_starts(b"RTSP/1.0 ", b"RTSP/2.0 "))


def ssdp(e: Evidence) -> Mask:
    """A search or notice by HTTP over UDP (UPnP Device Architecture 2.0 section 1)."""
    answer = e.either_starts(b"HTTP/1.1 ") & e.on(1900)
    return as_mask(e.either_starts(b"M-SEARCH * HTTP", b"NOTIFY * HTTP") | answer)


def smtp(e: Evidence) -> Mask:
    """The client's greeting, or the server's on a mail port or with its name (RFC 5321 section 4.1.1.1 and 4.2)."""
    greeting = e.resp.starts(b"220 ", b"220-", b"421 ", b"450 ", b"521 ", b"554 ")
    named = e.resp.where(greeting, lambda s: as_mask(s.holds(b"SMTP") | s.holds(b"smtp")))
    return as_mask(e.orig.says(b"EHLO", b"HELO", b"LHLO") | (greeting & e.on(*_MAIL_PORTS)) | named)


def ftp(e: Evidence) -> Mask:
    """The server's reply to a connection and a first command, or port 21 (RFC 959 section 4.2, RFC 4217)."""
    greeting = e.resp.starts(b"220 ", b"220-", b"220\r", b"120 ", b"421 ", b"530 ", b"331 ")
    command = e.orig.says(b"USER", b"AUTH", b"FEAT", b"SYST", b"HOST", b"ACCT")
    named = e.resp.where(e.resp.starts(b"220"), lambda s: as_mask(s.holds(b"FTP") & ~s.holds(b"SMTP")))
    return as_mask(greeting & (command | e.on(21)) | named)


def imap(e: Evidence) -> Mask:
    """The server's untagged greeting, or a tagged command of the state before login (RFC 9051 section 7.1)."""

    def tagged(s: Side) -> Mask:
        space = np.argmax(s.head == 0x20, axis=1).astype(np.int64)
        hit = s.nothing()
        for command in _IMAP_COMMANDS:
            same = (space > 0) & (space <= 12)
            for k, letter in enumerate(command, 1):
                same &= s.pick(space + k) & 0xDF == letter
            hit |= same & np.isin(s.pick(space + len(command) + 1), (0x20, 0x0D))
        return hit

    command = e.orig.where(as_mask(e.on(143) & e.orig.printable(4)), tagged)
    return as_mask(e.resp.starts(b"* OK", b"* PREAUTH", b"* BYE", b"* ok") | command)


def pop3(e: Evidence) -> Mask:
    """The server's greeting and a command of the state before login, or port 110 (RFC 1939 section 4, RFC 2449)."""
    greeting = e.resp.starts(b"+OK", b"-ERR ") & ~e.on(6379)
    command = e.orig.says(b"USER", b"CAPA", b"APOP", b"AUTH", b"STLS", b"QUIT", b"PASS")
    silent = (e.orig.size == 0) & e.resp.starts(b"+OK ") & (e.resp.size > 5)
    return as_mask(greeting & (command | e.on(110) | silent))


def irc(e: Evidence) -> Mask:
    """The client's registration, or the server's notice (RFC 2812 section 3.1, IRCv3 capabilities)."""
    others = e.resp.starts(b"220", b"+OK", b"-ERR", b"331")
    said = e.orig.says(b"NICK") | e.orig.starts(b"CAP LS", b"CAP REQ", b"CAP END") | e.orig.says(b"PASS", b"USER")
    told = e.resp.starts(b"NOTICE AUTH", b"NOTICE * ", b":irc")
    notice = e.resp.where(
        as_mask(e.resp.byte(0) == 0x3A), lambda s: as_mask(s.holds(b" NOTICE ") | s.holds(b" 001 ") | s.holds(b" 433 "))
    )
    weak = e.orig.says(b"PASS", b"USER")
    return as_mask(~others & ((said & (~weak | e.on(6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 7000)))
                              | told | notice))  # fmt: skip


def nntp(e: Evidence) -> Mask:
    """The server's greeting with its name or port (RFC 3977 section 5.1)."""
    greeting = e.resp.starts(b"200 ", b"201 ", b"400 ", b"502 ")
    named = e.resp.where(greeting, lambda s: as_mask(s.holds(b"NNTP") | s.holds(b"InterNetNews")))
    return as_mask(named | (greeting & e.on(119, 433)))


def sip(s: Side) -> Mask:
    """A request for a sip address or an answer (RFC 3261 section 7)."""
    methods = b"INVITE REGISTER OPTIONS SUBSCRIBE NOTIFY MESSAGE ACK BYE CANCEL PUBLISH INFO PRACK UPDATE REFER".split()
    return s.starts(b"SIP/2.0 ", *(m + a for m in methods for a in (b" sip:", b" sips:", b" tel:")))


def xmpp(e: Evidence) -> Mask:
    """An XML stream is opened, or on the ports an XML declaration alone (RFC 6120 sections 4.2, 11.5)."""

    def told(s: Side) -> Mask:
        declaration = s.starts(b"<?xml ")
        opened = s.where(declaration, lambda part: part.holds(b"stream:stream"))
        return as_mask(s.starts(b"<stream:stream", b"</stream:stream") | opened | (declaration & e.on(5222, 5269)))

    return as_mask(told(e.orig) | told(e.resp))


def telnet(s: Side) -> Mask:
    """Two commands in a row, or a whole subnegotiation: interpret-as-command, verb, option (RFC 854, RFC 855)."""
    first = (s.byte(0) == 0xFF) & (s.byte(1) >= 0xFB) & (s.byte(1) != 0xFF) & (s.byte(2) <= 49)
    second = (s.byte(3) == 0xFF) & (s.byte(4) >= 0xFA) & (s.byte(4) != 0xFF)
    between = s.where(s.at(0, b"\xff\xfa"), lambda part: as_mask((part.byte(2) <= 49) & part.holds(b"\xff\xf0")))
    return as_mask(first & second & (s.size >= 6) | between)


def telnet_command(s: Side) -> Mask:
    """One command: enough on the port of Telnet."""
    return as_mask((s.byte(0) == 0xFF) & (s.byte(1) >= 0xF0) & (s.size >= 2))


def redis(e: Evidence) -> Mask:
    """A command as an array of bulk strings, or an answer on the port (Redis serialization protocol specification)."""

    def array(s: Side) -> Mask:
        digits = [(s.byte(k) >= 0x30) & (s.byte(k) <= 0x39) for k in (1, 2, 3)]
        one = digits[0] & s.at(2, b"\r\n$")
        two = digits[0] & digits[1] & s.at(3, b"\r\n$")
        three = digits[0] & digits[1] & digits[2] & s.at(4, b"\r\n$")
        return as_mask(one | two | three)

    def reply(s: Side) -> Mask:
        return as_mask(s.among(0, b"+-:$*_#,(!=%~>") & (s.size >= 3) & s.printable(3))

    command = e.orig.where(as_mask(e.orig.byte(0) == 0x2A), array)
    ping = e.orig.says(b"PING") & e.resp.starts(b"+PONG", b"-NOAUTH", b"-ERR")
    inline = e.where(e.on(6379), lambda part: as_mask(reply(part.resp) & part.orig.printable(4)))
    return as_mask(command | ping | inline)


def memcached(e: Evidence) -> Mask:
    """A text command and its answer or port, or a binary header on the port (memcached doc/protocol.txt)."""
    s = e.orig
    said = s.starts(b"get ", b"gets ", b"set ", b"add ", b"delete ", b"incr ", b"decr ", b"stats", b"version\r", b"mg ")
    replies = (b"VALUE ", b"STORED\r", b"END\r", b"STAT ", b"VERSION ", b"DELETED\r", b"NOT_FOUND\r", b"ERROR\r")
    binary = as_mask((s.byte(0) == 0x80) & (s.long(8) == s.size - 24) & (s.byte(1) <= 0x48))
    framed = e.orig.at(4, b"\0\1\0\0")
    return as_mask((said & (e.resp.starts(*replies) | e.on(11211))) | (e.on(11211) & (binary | framed)))


def syslog(s: Side) -> Mask:
    """A priority of one to three digits, at most 191, in angle brackets, and a letter or digit (RFC 5424 section 6)."""

    def told(part: Side) -> Mask:
        hit = part.nothing()
        for digits in (1, 2, 3):
            value, right = np.zeros(len(part), np.int64), part.byte(1 + digits) == 0x3E
            for k in range(1, digits + 1):
                digit = part.byte(k).astype(np.int64) - 0x30
                right = right & (digit >= 0) & (digit <= 9)
                value = value * 10 + digit
            text = (part.byte(2 + digits) >= 0x20) & (part.byte(2 + digits) < 0x7F) & part.printable(4)
            hit |= right & (value <= 191) & text
        return hit

    return s.where(as_mask((s.byte(0) == 0x3C) & (s.size >= 5)), told)


def nats(e: Evidence) -> Mask:
    """The server's information or the client's connect, as JSON (NATS client protocol)."""
    return as_mask(e.resp.starts(b"INFO {") | e.orig.starts(b"CONNECT {"))
