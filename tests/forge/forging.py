"""Helpers of the forge tests: made flow tables, frames read with dpkt, models from made words."""

import io
from dataclasses import dataclass
from pathlib import Path

import dpkt
import numpy as np
import pandas as pd

from netsynth_core.flows.table import FlowTable
from netsynth_core.flows.words import Words
from netsynth_core.models.automata.automaton import TimedAutomaton
from netsynth_core.models.delays import DelayScale, SizeScale
from netsynth_core.models.tadam.data import deduplicate, encode_words
from netsynth_core.models.tadam.structure import markov_chain, to_automaton

START = 1_700_000_000_000_000_000
FLAGS = {"SF": ".AP.SF", "S0": "....S.", "REJ": ".A.RS.", "RSTO": ".APRS.", "OTH": ".AP..."}


def table(rows: list[dict[str, object]]) -> FlowTable:
    """A flow table; what a row leaves out has a plain value."""
    plain = {
        "ts": START, "duration": 10**8, "proto": "TCP", "src_ip": "192.0.2.1", "src_port": 40_000,
        "dst_ip": "198.51.100.7", "dst_port": 9999, "fwd_packets": 6, "bwd_packets": 5, "fwd_bytes": 900,
        "bwd_bytes": 2000, "flags": ".AP.SF", "service": "", "state": "",
    }  # fmt: skip
    made = [plain | {"ts": START + i * 10**9, "src_port": 40_000 + i} | row for i, row in enumerate(rows)]
    return FlowTable.from_columns(pd.DataFrame(made))


def frames_of(path: Path) -> list[tuple[int, bytes]]:
    """Instants (ns) and bytes of the frames of a capture."""
    raw = path.read_bytes()
    assert int.from_bytes(raw[:4], "little") == 0xA1B23C4D
    frames, at = [], 24
    while at < len(raw):
        seconds, nanos, captured, length = np.frombuffer(raw[at : at + 16], "<u4").tolist()
        assert captured == length
        frames.append((seconds * 10**9 + nanos, raw[at + 16 : at + 16 + captured]))
        at += 16 + captured
    assert dpkt.pcap.Reader(io.BytesIO(raw)).datalink() == dpkt.pcap.DLT_EN10MB
    return frames


def ones_sum(data: bytes) -> int:
    """Ones' complement sum of 16-bit words, by dpkt."""
    return int(dpkt.in_cksum(data))


def assert_checksums(frame: bytes) -> None:
    """Every checksum of a frame is right: a sum over covered bytes, checksum included, gives 0."""
    ip = dpkt.ethernet.Ethernet(frame).data
    if isinstance(ip, dpkt.ip6.IP6):
        header, segment = frame[14:54], frame[54:]
        proto, pseudo = ip.nxt, header[8:40]
        assert ip.plen == len(segment)
    else:
        header, segment = frame[14:34], frame[34:]
        assert ones_sum(header) == 0
        proto, pseudo = ip.p, header[12:20]
        assert ip.len == len(frame) - 14
    pseudo += len(segment).to_bytes(4, "big") + proto.to_bytes(4, "big")
    assert ones_sum((b"" if proto == 1 else pseudo) + segment) == 0


@dataclass(frozen=True)
class Model:
    """A packet-level model, as the forge takes it."""

    automaton: TimedAutomaton
    service: str
    state: str


def model_of(words: Words) -> Model:
    """The Markov chain over the symbols of some words."""
    scale = DelayScale.of(words.unit, int(words.delays.max(initial=0)))
    sizes = None if words.sizes is None else SizeScale.of(words.sizes)
    codes = 1 if sizes is None else sizes.codes
    seen = deduplicate(encode_words(words, words.alphabet, scale, sizes))
    structure, usage = markov_chain(seen, words.alphabet, delay_codes=scale.codes, size_codes=codes)
    made = to_automaton(structure, usage, None, alphabet=words.alphabet, scale=scale, size_scale=sizes)
    return Model(made, words.service, words.state)


def http_words(n: int = 40) -> Words:
    """Clean HTTP conversations of one to four exchanges."""
    rng = np.random.default_rng(0)
    words = []
    for _ in range(n):
        word = [("S_>_Empty", 0, 0), ("SA_<_Empty", 300, 0), ("A_>_Empty", 200, 0)]
        for _ in range(int(rng.integers(1, 5))):
            word += [("PA_>_Text-GET", int(rng.integers(10, 90_000)), int(rng.integers(80, 400)))]
            word += [("A_<_Empty", 300, 0), ("PA_<_Text-HTTP/1.1", 2000, int(rng.integers(200, 1400)))]
            word += [("A_<_Text", 30, 1400)] * int(rng.integers(0, 3)) + [("A_>_Empty", 200, 0)]
        words.append([*word, ("FA_>_Empty", 400, 0), ("FA_<_Empty", 300, 0), ("A_>_Empty", 200, 0)])
    return Words.from_lists(words, unit="us", service="http", state="SF")


def pooled_words(proto: str, *, seed: int = 1) -> Words:
    """Conversations of many services in one: payloads of any class, size and order, under the protocol's name."""
    rng = np.random.default_rng(seed)
    classes = ["Random", "Replay", "Text", "Text-GET", "Text-LOGIN", "Text-220"]
    words = []
    for _ in range(60):
        tcp = proto == "tcp"
        word = [("S_>_Empty", 0, 0), ("SA_<_Empty", 300, 0), ("A_>_Empty", 200, 0)] if tcp else []
        for _ in range(int(rng.integers(1, 6))):
            for way in "><":
                name = f"{way}_{classes[int(rng.integers(len(classes)))]}"
                word.append((f"PA_{name}" if tcp else name, int(rng.integers(0, 900)), int(rng.integers(1, 700))))
        words.append(word + ([("FA_>_Empty", 9, 0), ("FA_<_Empty", 9, 0), ("A_>_Empty", 9, 0)] if tcp else []))
    return Words.from_lists(words, unit="us", service=proto, state="")
