"""How far the payload classes agree with what the protocols say is in a packet. Run by hand:

    python tests/benchmarks/payload_classes.py [CAPTURE ...]

Without captures: the recorded sample and every file of ``shared/data/pcap`` beside the checkout. The truth of a packet
comes from its flow's service and the protocol's own framing, never from its bytes' statistics:

========== =================================================================================================== =======
truth      packets                                                                                             class
========== =================================================================================================== =======
tls data   in-order packets that hold nothing but application records (RFC 8446 section 5.1) or the middle of  Random
           one; with the record's header and nonce (13 bytes) at least 29 bytes where a record begins, else 16
tls hello  packets that begin with a handshake record of type hello, before any change of cipher               Replay
ssh data   packets of a direction behind the one that ends with NEWKEYS (RFC 4253 section 7.3), >= 16 bytes     Random
ssh names  the banner                                                                                          Text
http head  packets that begin with a request or status line                                                    Text
http text  packets behind a head with a text type and no encoding, up to the next head of the direction        Text
http data  packets behind a head with gzip, deflate or br, or with an image, video, zip: >= 256 bytes           Random
lines      SMTP, FTP, IMAP, POP3, IRC, Redis, SIP, SSDP up to STARTTLS: packets that end with a line end        Text
names      DNS, mDNS, LLMNR, NBNS, NTP, DHCP, SNMP, RADIUS                                                     Replay
control    Modbus, DNP3, BACnet, S7, EtherNet/IP, SMB headers                                                  Replay
========== =================================================================================================== =======

Retransmissions and packets behind a gap are left out: their place in the stream is not known. What disagrees is mostly
a truth that says too much: pages of the recorded sample are random bytes under ``text/html``, and images and archives
begin with headers of structured bytes.
"""

import collections
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from netsynth_core.capture import PacketTable, read_capture
from netsynth_core.capture.packets import FLAG_SYN
from netsynth_core.errors import NetsynthError
from netsynth_core.flows.metering import meter_flows
from netsynth_core.flows.payloads import CLASS_NAMES, RANDOM, REPLAY, TEXT, classify

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "pcap"
SAMPLE = ROOT / "sample_data" / "office.pcap.gz"

LINES: Final = frozenset({"smtp", "ftp", "imap", "pop3", "irc", "redis", "sip", "ssdp"})
NAMES: Final = frozenset({"dns", "mdns", "llmnr", "netbios", "ntp", "dhcp", "snmp", "radius"})
CONTROL: Final = frozenset({"modbus", "dnp3", "bacnet", "s7", "enip", "smb"})
_HEADS: Final = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"CONNECT ", b"HTTP/1.")
_TEXT_TYPES: Final = (b"text/", b"application/json", b"application/javascript", b"application/xml")
_DATA_TYPES: Final = (b"image/jpeg", b"image/png", b"video/", b"application/zip", b"application/x-gzip")

Judged = Iterator[tuple[str, int, int]]
"""Truth, class it stands for, position of the packet in its direction."""


def main() -> None:
    """Print the confusion table."""
    paths = [Path(name) for name in sys.argv[1:]] or [SAMPLE, *sorted(DATA.iterdir())]
    table: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    wanted: dict[str, int] = {}
    for path in paths:
        try:
            packets = read_capture(path).packets
        except NetsynthError:
            continue
        for truth, kind, found in judged(packets):
            table[truth][found] += 1
            wanted[truth] = kind
    print(f"{'truth':12}{'class':8}{'packets':>9}" + "".join(f"{name:>9}" for name in CLASS_NAMES) + f"{'agree':>10}")
    right = total = 0
    for truth, counts in sorted(table.items()):
        agree = counts[wanted[truth]]
        right, total = right + agree, total + counts.total()
        cells = "".join(f"{counts[kind]:9}" for kind in range(len(CLASS_NAMES)))
        print(f"{truth:12}{CLASS_NAMES[wanted[truth]]:8}{counts.total():9}{cells}{100 * agree / counts.total():9.2f} %")
    print(f"all: {right} of {total} packets, {100 * right / max(total, 1):.2f} %")


def judged(packets: PacketTable) -> Iterator[tuple[str, int, int]]:
    """Truth, its class and the class found, of each packet whose truth is known."""
    metered = meter_flows(packets)
    conversations, classes = metered.conversations, classify(packets)
    assert conversations is not None
    services = metered.flows.frame["service"].tolist()
    for flow, service in enumerate(services):
        part = slice(int(conversations.offsets[flow]), int(conversations.offsets[flow + 1]))
        rows, ways = conversations.packets[part], conversations.direction[part]
        for way in (0, 1):
            mine = in_order(packets, rows[ways == way])
            payloads = [packets.payload(row) for row in mine]
            for truth, kind, k in truths(service, payloads):
                yield truth, kind, int(classes[mine[k]])


def in_order(packets: PacketTable, rows: np.ndarray) -> list[int]:
    """Rows with a whole payload of one direction, up to the first gap, each byte once."""
    chosen: list[int] = []
    following: int | None = None
    for row in rows.tolist():
        length, seq = int(packets.payload_length[row]), int(packets.seq[row])
        if packets.proto[row] == 6:
            if packets.flags[row] & FLAG_SYN:
                following = seq + 1 & 0xFFFFFFFF
                seq = following
            if length and following is not None and seq != following:
                if (seq - following & 0xFFFFFFFF) < 1 << 31:
                    break
                continue
            if length:
                following = seq + length & 0xFFFFFFFF
        if length and packets.payload_captured[row] == length and packets.fragment[row] == 0:
            chosen.append(row)
        elif length:
            break
    return chosen


def truths(service: str, payloads: list[bytes]) -> Judged:
    """What is known of the packets of one direction."""
    if service == "tls":
        yield from of_tls(payloads)
    elif service == "ssh":
        yield from of_ssh(payloads)
    elif service == "http":
        yield from of_http(payloads)
    elif service in LINES:
        for k, payload in enumerate(payloads):
            if (
                payload[:2] in (b"\x16\x03", b"\x17\x03")
                or b"STARTTLS" in payload.upper()
                or b"STLS" in payload.upper()
            ):
                return
            if payload.endswith(b"\n"):
                yield "lines", TEXT, k
    elif service in NAMES:
        yield from (("names", REPLAY, k) for k in range(len(payloads)))
    elif service in CONTROL:
        magics = (b"\xffSMB", b"\xfeSMB")
        yield from (("control", REPLAY, k) for k, p in enumerate(payloads) if service != "smb" or p[4:8] in magics)


def of_tls(payloads: list[bytes]) -> Judged:
    """Packets by the records that lie in them."""
    if not payloads or payloads[0][:2] != b"\x16\x03":
        return
    left, kind, head = 0, 0, b""
    changed = False
    for k, payload in enumerate(payloads):
        at, kinds = 0, set()
        begins = left == 0 and not head
        if left:
            kinds.add(kind)
        while at < len(payload):
            if left == 0:
                need = 5 - len(head)
                head, at = head + payload[at : at + need], at + need
                if len(head) < 5:
                    break
                kind, left, head = head[0], int.from_bytes(head[3:5], "big"), b""
                kinds.add(kind)
                changed |= kind in (20, 23)
                if kind not in (20, 21, 22, 23, 24) or left > 18432:
                    return
            step = min(left, len(payload) - at)
            at, left = at + step, left - step
        if begins and payload[0] == 22 and payload[5] in (1, 2) and not changed:
            yield "tls hello", REPLAY, k
        elif kinds == {23} and len(payload) >= (29 if begins else 16):
            yield "tls data", RANDOM, k


def of_ssh(payloads: list[bytes]) -> Judged:
    """Packets before and behind the new keys."""
    keyed = False
    for k, payload in enumerate(payloads):
        if payload.startswith(b"SSH-") and payload.endswith(b"\n"):
            yield "ssh names", TEXT, k
        elif keyed and len(payload) >= 16:
            yield "ssh data", RANDOM, k
        keyed = keyed or payload[-16:-10] == b"\0\0\0\x0c\x0a\x15"


def of_http(payloads: list[bytes]) -> Judged:
    """Heads, and bodies whose head tells what they are."""
    body = ""
    for k, payload in enumerate(payloads):
        if payload.startswith(_HEADS):
            yield "http head", TEXT, k
            body = _body(payload.lower())
        elif body == "text":
            yield "http text", TEXT, k
        elif body == "data" and len(payload) >= 256:
            yield "http data", RANDOM, k


def _body(head: bytes) -> str:
    """What a head says of its body; nothing where it says too little."""
    end = head.find(b"\r\n\r\n")
    if end < 0:
        return ""
    fields = {
        name.strip(): value.strip()
        for name, colon, value in (line.partition(b":") for line in head[:end].split(b"\r\n")[1:])
        if colon
    }
    encoding, kind = fields.get(b"content-encoding", b"identity"), fields.get(b"content-type", b"")
    if encoding in (b"gzip", b"x-gzip", b"deflate", b"br") or kind.startswith(_DATA_TYPES):
        return "data"
    return "text" if encoding == b"identity" and kind.startswith(_TEXT_TYPES) else ""


if __name__ == "__main__":
    main()
