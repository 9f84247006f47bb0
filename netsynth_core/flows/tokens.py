"""Tokens of texts: the first word of a message, where it says what the message does.

A text has a token only when it begins a turn (the payload before it went the other way): what follows in the same
direction is a body and begins with anything. The word is the first one, but for

- IMAP commands and their answers, whose first word is a tag that the client counts up: the second word;
- replies such as ``250-mail.example``: the code alone;
- RESP (Redis): the name of the command, and ``bulk``, ``int``, ``error``, ``array`` or ``null`` for replies;
- SSH banners: ``SSH``; syslog lines: none, they begin with a number and a date;
- protocols whose commands are free of case (mail, file transfer, IMAP): upper case.

A token is kept when it is a command of its service (`VOCABULARY`) or a three-digit reply code of one, or when it
recurs: in at least `LEAST_CONVERSATIONS` conversations of the service and in `LEAST_SHARE` of those that hold texts, at
most `MOST_TOKENS` a service. Every other text is plain ``Text``.
"""

import re
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from netsynth_core.capture.packets import PacketTable
from netsynth_core.flows.conversations import Conversations
from netsynth_core.machine import Loop

_TURNS: Final = Loop("netsynth_core.flows._kernels", "turns", results=0)
_FIRST_WORDS: Final = Loop("netsynth_core.flows._kernels", "first_words", results=0)

LONGEST: Final = 10
"""Most characters of a token; a longer first word is none."""
LEAST_CONVERSATIONS: Final = 3
LEAST_SHARE: Final = 0.01
MOST_TOKENS: Final = 24

_COMMANDS: Final = """
http GET POST HEAD PUT DELETE OPTIONS CONNECT PATCH HTTP/1.0 HTTP/1.1
smtp EHLO HELO MAIL RCPT DATA QUIT RSET NOOP AUTH STARTTLS VRFY
imap * + OK NO BAD CAPABILITY LOGIN LOGOUT SELECT EXAMINE FETCH STORE SEARCH UID IDLE DONE NOOP STARTTLS LIST
imap LSUB STATUS APPEND EXPUNGE CLOSE COPY MOVE ID NAMESPACE ENABLE
pop3 +OK _ERR USER PASS APOP CAPA STAT LIST RETR DELE UIDL TOP NOOP RSET QUIT STLS AUTH
ftp USER PASS SYST FEAT PWD CWD CDUP TYPE PASV EPSV PORT EPRT LIST NLST RETR STOR SIZE QUIT
redis GET SET DEL INCR EXPIRE EXISTS HGET HSET PING AUTH SELECT QUIT +OK +PONG bulk int error array null
ssh SSH
ssdp M_SEARCH NOTIFY HTTP/1.1
sip INVITE ACK BYE CANCEL REGISTER OPTIONS SIP/2.0
"""


def _vocabulary() -> dict[str, frozenset[str]]:
    """The lines of `_COMMANDS` by service."""
    table: dict[str, frozenset[str]] = {}
    for line in _COMMANDS.strip().splitlines():
        service, *words = line.split()
        table[service] = table.get(service, frozenset()) | frozenset(words)
    return table


VOCABULARY: Final = _vocabulary()
"""Commands and answers that are tokens however rare they are."""

_WORDS: Final = 3
_WIDTH: Final = 16
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9.+/_*]")
_CODE: Final = re.compile(r"^\d{3}-")
_TAG: Final = re.compile(r"^[A-Za-z]{0,4}\d{1,6}$")
_CASELESS: Final = frozenset({"smtp", "imap", "pop3", "ftp"})
_REPLY: Final = re.compile(r"^[1-5]\d\d$")
_RESP: Final = {
    "$": "bulk",
    ":": "int",
    "-": "error",
    "*": "array",
    "_": "null",
    "#": "bool",
    "%": "map",
    ",": "double",
}


def text_tokens(
    packets: PacketTable, conversations: Conversations, is_text: NDArray[np.bool_], service: NDArray[np.object_]
) -> tuple[NDArray[np.int64], list[str]]:
    """Codes of the kept tokens.

    Parameters
    ----------
    packets, conversations
        The packets and what belongs together.
    is_text
        Per position of the conversations: whether its payload is a text.
    service
        Per flow.

    Returns
    -------
    tuple
        A code per position and the tokens they stand for; code 0 is no token.
    """
    begins = np.empty(len(is_text), np.bool_)
    _TURNS(conversations.offsets, conversations.packets, conversations.direction, packets.payload_length, begins)
    where = np.flatnonzero(is_text & begins)
    flow = conversations.flow_of()[where]
    words = np.empty((len(where), _WORDS, _WIDTH), np.uint8)
    _FIRST_WORDS(packets.data, packets.payload_offset, packets.payload_captured, conversations.packets[where], words)
    out = np.zeros(len(is_text), np.int64)
    names: list[str] = [""]
    place = {"": 0}
    of_flow, services = pd.factorize(service)
    groups = of_flow[flow]
    for code, name in sorted(enumerate(services), key=lambda pair: str(pair[1])):
        mine = np.flatnonzero(groups == code)
        tokens, which = _tokens_of(words[mine], str(name))
        kept = _recurring(tokens, which, flow[mine]) | _spoken(tokens, str(name))
        for token in sorted(kept):
            if token not in place:
                place[token] = len(names)
                names.append(token)
        codes = np.array([place[token] if token in kept else 0 for token in tokens], np.int64)
        out[where[mine]] = codes[which]
    return out, names


def token_of(words: tuple[bytes, ...], service: str) -> str:
    """The token of a text from its first words.

    >>> token_of((b"a12", b"login", b"ann"), "imap")
    'LOGIN'
    """
    text = [word.decode("utf-8", errors="replace") for word in words]
    word = text[0]
    if service == "redis":
        return _resp_token(text)
    if service == "syslog":
        return ""
    if service == "imap" and _TAG.match(word) and text[1]:
        word = text[1]
    if _CODE.match(word):
        word = word[:3]
    if word.startswith("SSH-"):
        return "SSH"
    if len(word) > LONGEST:
        return ""
    word = _FOREIGN.sub("_", word)
    return word.upper() if service in _CASELESS else word


def _resp_token(text: list[str]) -> str:
    kind, rest = text[0][:1], text[0][1:]
    if kind == "*" and text[1].startswith("$") and text[2].isalpha() and len(text[2]) <= LONGEST:
        return text[2].upper()
    if kind == "$" and rest == "-1":
        return "null"
    if kind == "+":
        return _FOREIGN.sub("_", text[0]) if len(text[0]) <= LONGEST else "+"
    return _RESP.get(kind, "")


def _tokens_of(words: NDArray[np.uint8], service: str) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct tokens of some texts, and which of them each text has."""
    used = _WORDS if service in ("imap", "redis") else 1
    which = np.zeros(len(words), np.int64)
    for column in np.ascontiguousarray(words[:, :used]).reshape(len(words), used * _WIDTH).view(np.uint64).T:
        codes, values = pd.factorize(column)
        which = pd.factorize(which * max(len(values), 1) + codes)[0].astype(np.int64)
    first = np.empty(int(which.max()) + 1 if len(which) else 0, np.int64)
    first[which[::-1]] = np.arange(len(which))[::-1]
    tokens = []
    for row in words[first, :used]:
        texts = [bytes(word).rstrip(b"\0") for word in row]
        tokens.append(token_of((*texts, *[b""] * (_WORDS - used)), service))
    names = sorted(set(tokens))
    code = {name: i for i, name in enumerate(names)}
    return names, np.array([code[token] for token in tokens], np.int64)[which]


def _spoken(tokens: list[str], service: str) -> set[str]:
    """The tokens that are commands or reply codes of a service."""
    replies = {token for token in tokens if _REPLY.match(token)} if service in ("smtp", "ftp") else set()
    return replies | (VOCABULARY.get(service, frozenset()) & set(tokens))


def _recurring(tokens: list[str], which: NDArray[np.int64], flow: NDArray[np.int64]) -> set[str]:
    """The tokens that recur over conversations."""
    if not tokens:
        return set()
    pairs = pd.unique(flow * len(tokens) + which)
    conversations = np.bincount(pairs % len(tokens), minlength=len(tokens))
    least = max(LEAST_CONVERSATIONS, LEAST_SHARE * len(pd.unique(flow)))
    order = np.argsort(-conversations, kind="stable")
    kept = [tokens[k] for k in order.tolist() if tokens[k] and conversations[k] >= least]
    return set(kept[:MOST_TOKENS])
