"""Rhythms: planted beacons keep their period and planted scans their length; what is neither is left to intensities."""

import numpy as np
import pandas as pd
import pytest

from netsynth_core.errors import DocumentError
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.document import Document
from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams
from netsynth_core.models.flowchronicle.generation import drawing
from netsynth_core.models.flowchronicle.generation.drawing import joined
from netsynth_core.models.flowchronicle.generation.intensity import DAY, HOUR, MONDAY, WEEK
from netsynth_core.models.flowchronicle.generation.rhythms import LEAST_RUN, fit_rhythms
from netsynth_core.models.flowchronicle.generation.words import drawing_words

S = 10**9
BEGIN = MONDAY + 2800 * WEEK
SPAN = 2 * HOUR
SCAN = BEGIN + 4000 * S
KEYS = ((0,), (0, 1))


def planted(seed: int) -> FlowTable:
    """Two hours: clients at random, one host that reports every minute, one that tries 300 ports within 40 s."""
    rng = np.random.default_rng(seed)
    rows = []
    for at in BEGIN + rng.integers(0, SPAN, 1500):
        client, server = f"10.0.0.{rng.integers(2, 20)}", f"198.51.100.{rng.integers(1, 9)}"
        rows.append((at, client, server, 443, 8, 9, ".AP.SF"))
    for beat in range(120):
        at = BEGIN + beat * 60 * S + int(rng.normal(2, 0.5) * S)
        rows.append((at, "10.0.0.7", "203.0.113.9", 4444, 5, 4, ".AP.SF"))
    for port in range(300):
        at = SCAN + int((port + rng.random() / 4) * 40 * S / 300)
        rows.append((at, "10.0.0.9", "10.0.1.1", 1 + 7 * port, 1, 1, ".A.R.S"))
    names = ["ts", "src_ip", "dst_ip", "dst_port", "fwd_packets", "bwd_packets", "flags"]
    frame = pd.DataFrame(rows, columns=names).sort_values("ts", kind="stable").assign(proto="TCP", duration=0)
    return FlowTable.from_columns(frame.assign(fwd_bytes=frame.fwd_packets * 60, bwd_bytes=frame.bwd_packets * 60))


@pytest.fixture(scope="module")
def flows() -> FlowTable:
    return planted(1)


@pytest.fixture(scope="module")
def learnt(flows: FlowTable) -> FlowChronicle:
    return FlowChronicle.fit(flows, FlowChronicleParams(), rng=np.random.default_rng(0))


def gaps(frame: pd.DataFrame) -> np.ndarray:
    """Quartiles of the time between two reports, s."""
    return np.asarray(np.quantile(np.diff(frame["ts"][frame["dst_port"] == 4444]) / S, [0.25, 0.5, 0.75]))


def scan(frame: pd.DataFrame) -> pd.Series:
    """Starts of the scan's flows."""
    return frame["ts"][frame["dst_ip"] == "10.0.1.1"]


def test_a_beacon_keeps_its_period_and_a_scan_its_place_and_length(flows: FlowTable, learnt: FlowChronicle) -> None:
    made = learnt.sample(len(flows), rng=np.random.default_rng(0)).frame
    assert gaps(made) == pytest.approx(gaps(flows.frame), abs=1.0)
    starts = scan(made)
    assert len(starts) == pytest.approx(300, rel=0.3)
    assert starts.between(SCAN, SCAN + 41 * S).mean() > 0.95


@pytest.mark.parametrize("length", [HOUR, 12 * HOUR])
def test_for_another_time_periods_and_lengths_are_kept(learnt: FlowChronicle, length: int) -> None:
    made = joined(learnt.stream(None, length, BEGIN + 5 * WEEK, rng=np.random.default_rng(1))).frame
    assert gaps(made) == pytest.approx([59.5, 60, 60.5], abs=1.0)
    starts = np.sort(scan(made).to_numpy())
    # the gaps of a scan are those that were seen
    assert np.median(np.diff(starts)) == pytest.approx(40 * S / 300, rel=0.5)


def test_a_beat_goes_on_from_slice_to_slice(learnt: FlowChronicle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "SLICE", 300)
    for length in (None, 6 * HOUR):
        number = 1920 if length is None else None
        parts = [t.frame for t in learnt.stream(number, length, rng=np.random.default_rng(2))]
        made = pd.concat(parts)
        assert len(parts) > 5 and (np.diff(made["ts"]) >= 0).all()
        assert gaps(made)[1] == pytest.approx(60, abs=1.5)


def test_rhythms_are_kept_in_documents(learnt: FlowChronicle) -> None:
    document = learnt.to_document()
    again = FlowChronicle.from_document(document)
    assert again.to_document().content_hash() == document.content_hash()
    a, b = (m.sample(500, rng=np.random.default_rng(3)).frame for m in (learnt, again))
    assert a.equals(b)
    body = document.body
    bare = [p for p in (*body["patterns"], body["empty"]) if p["starts"]["rhythms"]]
    assert bare
    bare[0]["starts"]["rhythms"][0]["runs"][0][2] = 0
    with pytest.raises(DocumentError, match="runs of a group"):
        FlowChronicle.from_document(Document(**{**document.__dict__, "body": body}))


@pytest.mark.parametrize("seed", range(8))
def test_independent_starts_have_no_rhythm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(BEGIN, BEGIN + DAY, 3000))
    codes = rng.integers(0, 6, (3000, 2)).astype(np.int32)
    rhythms, rest = fit_rhythms(starts, codes, KEYS, (BEGIN, BEGIN + DAY - 1), 1000)
    assert not rhythms and rest.all()


@pytest.mark.parametrize("seed", range(8))
def test_sessions_of_a_client_are_no_rhythm(seed: int) -> None:
    """A dozen flows in a minute, many times: neither a beat nor one burst; links and intensities have them."""
    rng = np.random.default_rng(seed)
    begins = rng.integers(BEGIN, BEGIN + DAY, 100)
    starts = np.sort((begins[:, None] + rng.exponential(5 * S, (100, 12)).cumsum(axis=1)).ravel()).astype(np.int64)
    codes = np.zeros((len(starts), 2), np.int32)
    assert not fit_rhythms(starts, codes, KEYS, (BEGIN, BEGIN + DAY - 1), 1000)[0]


def test_equal_times_have_no_rhythm() -> None:
    starts = np.full(100, BEGIN)
    assert not fit_rhythms(starts, np.zeros((100, 2), np.int32), KEYS, (BEGIN, BEGIN), 1000)[0]


@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.1])
def test_the_host_of_a_beat_is_told_from_others(jitter: float) -> None:
    rng = np.random.default_rng(4)
    beats = BEGIN + (np.arange(60) * 300 * S + rng.normal(0, jitter * 300 * S, 60)).astype(np.int64)
    others = rng.integers(BEGIN, BEGIN + 5 * HOUR, 900)
    starts = np.concatenate((beats, others))
    codes = np.concatenate((np.full((60, 2), 3), rng.integers(0, 6, (900, 2)))).astype(np.int32)
    order = np.argsort(starts, kind="stable")
    rows = codes[order]
    busy = (rows == 3).all(axis=1) & (order >= 60)
    starts, rows = starts[order][~busy], rows[~busy]
    rhythms, rest = fit_rhythms(starts, rows, KEYS, (int(starts[0]), int(starts[-1])), 1000)
    (found,) = rhythms
    assert found.cells == ((0, 3), (1, 3)) and found.usage == 60 == int((~rest).sum())
    assert found.regular and found.median_gap == pytest.approx(300 * S, rel=0.05)
    assert found.runs[0, 2] >= LEAST_RUN and found.lasting(5 * HOUR)


def test_what_is_kept_is_said(learnt: FlowChronicle) -> None:
    notes = " ".join(learnt.describe().notes)
    assert "1 beat and 1 burst of single sources are kept" in notes and "No other period is kept" in notes
    told = " ".join(words for p in (*learnt.patterns, learnt.empty) for words in drawing_words(learnt, p.id))
    assert "10.0.0.7 comes every 60 s" in told or "10.0.0.7 to 203.0.113.9 comes every 60 s" in told
    assert "10.0.0.9" in told
