"""How far the services of netsynth and of nDPI agree, flow by flow. Run by hand:

    python tests/benchmarks/services_agreement.py [--peer PYTHON] [--verdicts FILE] [--disagreements]
    python tests/benchmarks/services_agreement.py --pin tests/flows/services_expected.txt

`PYTHON` is an interpreter that has nfstream (its release 6.6 holds nDPI); it reads every capture in a process of its
own, and its verdicts are kept in `FILE`, so that only the first run takes minutes. Flows are matched by their
addresses, ports and protocol. Counted are flows that nDPI tells by inspection (``application_confidence`` 6), not those
it guesses by port, address or cache. `NAMES` maps nDPI's names to ours; a name it does not hold is an application or a
protocol that netsynth does not know. The second form writes the table that tests/flows/test_services_real.py compares
with; look at what changed before it is committed.
"""

import argparse
import collections
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from netsynth_core.errors import NetsynthError
from netsynth_core.flows.metering import MeterParams
from netsynth_core.flows.source import read_flows

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "pcap"
SAMPLE = ROOT / "sample_data" / "office.pcap.gz"

BY_INSPECTION: Final = 6
"""nDPI's NDPI_CONFIDENCE_DPI."""

_PROMISED: Final = """
tls http dns ssh smtp imap pop3 ftp kerberos smb ldap mqtt ntp dhcp quic rdp mysql postgresql redis dnp3 modbus sip
"""
ASKED: Final = frozenset(_PROMISED.split())
"""The services that netsynth promises to tell by payload."""

_TABLE: Final = """
tls           TLS HTTPS DoH_DoT
http          HTTP HTTP2 HTTP_Proxy HTTP_Connect WebSocket
smtp/tls      SMTPS
imap/tls      IMAPS
pop3/tls      POPS
ftp/tls       FTPS
rdp/tls       TLS.RDP
smb/netbios   NetBIOS SMBv1
smb           SMBv23
s7            S7Comm S7CommPlus
gtp           GTP GTP_C GTP_U
dns           DNS
ftp           FTP_CONTROL
redis         RESP
xmpp          Jabber
mssql         MsSQL-TDS
enip          EthernetIP
opcua         OPC-UA
iso-tsap      ISO9506-1-MMS
synchrophasor IEEE-C37118
ike           IPSec
slp           Service_Location_Protocol
ptp           PTPv2
dhcpv6        DHCPV6
radius        Radius
"""
_SAME: Final = """
MDNS LLMNR DHCP NTP SSH SMTP IMAP POP3 Kerberos LDAP SNMP Syslog DCERPC MQTT AMQP MySQL PostgreSQL MongoDB Oracle
Cassandra Kafka Nats Memcached NFS RDP VNC Telnet IRC RTMP DNP3 Modbus BACnet QUIC DTLS STUN RTP SIP SSDP WireGuard
OpenVPN Teredo VXLAN NetFlow sFlow BGP TFTP SOCKS BITCOIN Diameter BitTorrent RSYNC COAP RTSP RIP
"""

NAMES: Final = {name: {name.lower()} for name in _SAME.split()} | {
    name: set(line.split()[0].split("/")) for line in _TABLE.strip().splitlines() for name in line.split()[1:]
}
"""nDPI's protocol names and the services of ours that mean the same.

Two of ours for one of nDPI's: it has one name for mail over TLS and mail that turns to TLS (ours stays with the first
message: STARTTLS is the plain protocol), and names the session service that carries SMB. Formats without a protocol
around them (JSON-RPC, SOAP on bare TCP) are none of our services.
"""

_PEER = """
import json, sys
from nfstream import NFStreamer
if __name__ == "__main__":
    rows = []
    for f in NFStreamer(source=sys.argv[1], n_dissections=20, statistical_analysis=False, n_meters=1,
                        idle_timeout=10**6, active_timeout=10**8, decode_tunnels=False):
        ends = [f.protocol, f.src_ip, f.src_port, f.dst_ip, f.dst_port]
        rows.append([*ends, f.application_name, f.application_confidence])
    json.dump(rows, open(sys.argv[2], "w"))
"""


class Verdict(NamedTuple):
    """What nDPI says of one flow."""

    proto: int
    src: str
    src_port: int
    dst: str
    dst_port: int
    name: str
    confidence: int

    def wanted(self) -> set[str] | None:
        """Our names for it; None where nDPI's is an application or protocol we do not know."""
        for part in (self.name, *self.name.split(".")):
            if part in NAMES:
                return NAMES[part]
        return None


def key(proto: int, src: str, src_port: int, dst: str, dst_port: int) -> tuple[object, ...]:
    """The same for both directions."""
    ends = sorted([(src, src_port), (dst, dst_port)])
    return (proto, *ends)


def ask_peer(peer: str, path: Path) -> list[Verdict] | str:
    """nDPI's verdicts on a capture, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = path, Path(folder) / "rows.json"
        if path.suffix == ".gz":
            source = Path(folder) / path.stem
            source.write_bytes(gzip.decompress(path.read_bytes()))
        done = subprocess.run(
            [peer, "-c", _PEER, str(source), str(result)], capture_output=True, text=True, check=False
        )
        if not result.exists():
            lines = done.stderr.strip().splitlines()
            return lines[-1] if lines else f"exit status {done.returncode}"
        return [Verdict(*row) for row in json.loads(result.read_text())]


def our_services(path: Path) -> dict[tuple[object, ...], list[str]]:
    """Names of our flows by their ends; flows last as long as those of nfstream."""
    endless = MeterParams(
        idle_timeout_tcp=1e6, idle_timeout_udp=1e6, idle_timeout_icmp=1e6, active_timeout=1e8, linger=1e6
    )
    frame = read_flows([path], endless).flows.frame
    found: dict[tuple[object, ...], list[str]] = collections.defaultdict(list)
    numbers = {"TCP": 6, "UDP": 17}
    for row in frame[["proto", "src_ip", "src_port", "dst_ip", "dst_port", "service"]].itertuples(index=False):
        if row.proto in numbers:
            found[key(numbers[row.proto], row.src_ip, row.src_port, row.dst_ip, row.dst_port)].append(row.service)
    return found


def summary(path: Path) -> str:
    """Pairs of ends by service of one capture, as one line."""
    try:
        ours = our_services(path)
    except NetsynthError as error:
        return f"{path.name} {type(error).__name__}"
    counts = collections.Counter("/".join(sorted(set(names) - {""})) or "-" for names in ours.values())
    return " ".join([path.name, *(f"{name}={n}" for name, n in sorted(counts.items()))])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=sys.executable, help="interpreter that has nfstream")
    parser.add_argument("--verdicts", type=Path, help="where nDPI's verdicts are kept between runs")
    parser.add_argument("--disagreements", action="store_true", help="print every flow the two disagree on")
    parser.add_argument("--pin", type=Path, help="write the services of every capture to this file, and nothing else")
    options = parser.parse_args()
    if options.pin:
        options.pin.write_text("".join(f"{summary(path)}\n" for path in sorted(DATA.iterdir())))
        return
    kept = json.loads(options.verdicts.read_text()) if options.verdicts and options.verdicts.exists() else {}
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    unread, unknown, unmatched = [], collections.Counter[str](), 0
    wrong: collections.Counter[tuple[str, str]] = collections.Counter()
    for path in [*sorted(DATA.iterdir()), SAMPLE]:
        if path.name not in kept:
            kept[path.name] = ask_peer(options.peer, path)
        if isinstance(kept[path.name], str):
            unread.append(f"{path.name}: {kept[path.name]}")
            continue
        verdicts = [Verdict(*row) for row in kept[path.name]]
        try:
            ours = our_services(path)
        except NetsynthError as error:
            unread.append(f"{path.name}: netsynth: {error}")
            continue
        for verdict in verdicts:
            if verdict.confidence != BY_INSPECTION or verdict.proto not in (6, 17):
                continue
            wanted = verdict.wanted()
            if wanted is None:
                unknown[verdict.name] += 1
                continue
            names = ours.get(key(*verdict[:5]))
            if names is None:
                unmatched += 1
                continue
            label = "/".join(sorted(wanted))
            told = set(names) - {""}
            fine = bool(told) and told <= wanted
            counts[label]["agree" if fine else "other" if told else "none"] += 1
            if not fine:
                said = "/".join(sorted(told)) or "-"
                wrong[(verdict.name, said)] += 1
                if options.disagreements:
                    print(path.name, *verdict, "| ours:", said)
    if options.verdicts:
        options.verdicts.write_text(json.dumps(kept))
    report(counts, wrong, unknown, unread, unmatched)


def report(
    counts: dict[str, collections.Counter[str]],
    wrong: collections.Counter[tuple[str, str]],
    unknown: collections.Counter[str],
    unread: list[str],
    unmatched: int,
) -> None:
    """The tables."""
    print(f"{'service':24}{'flows':>8}{'agree':>8}{'other':>8}{'none':>8}")
    for label, count in sorted(counts.items()):
        print(f"{label:24}{count.total():8}{count['agree']:8}{count['other']:8}{count['none']:8}")
    asked = {label: count for label, count in counts.items() if set(label.split("/")) & ASKED}
    for title, table in (("services promised", asked), ("all services known", counts)):
        flows, agree = sum(c.total() for c in table.values()), sum(c["agree"] for c in table.values())
        print(f"{title}: {agree} of {flows} flows agree, {100 * agree / max(flows, 1):.2f} %; ", end="")
        rates = [c["agree"] / c.total() for c in table.values()]
        print(f"mean over services {100 * sum(rates) / max(len(rates), 1):.2f} %")
    print(f"flows of other ends than ours (VLANs, fragments): {unmatched}")
    print("disagreements (nDPI, ours):", *(f"{n} x {a} / {b}" for (a, b), n in wrong.most_common()), sep="\n  ")
    print("names of nDPI without a service of ours:", ", ".join(f"{n} {name}" for name, n in unknown.most_common()))
    print("not read by nfstream:", *unread, sep="\n  ")


if __name__ == "__main__":
    main()
