"""Drawing flows: slices of time in order, exact numbers, rates over the week, and numbers that fit together."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netsynth_core.errors import InvalidParameter
from netsynth_core.flows.table import FlowTable
from netsynth_core.models.document import Document
from netsynth_core.models.flowchronicle import FlowChronicle
from netsynth_core.models.flowchronicle.generation import drawing
from netsynth_core.models.flowchronicle.generation.intensity import DAY, HOUR, MONDAY, WEEK

S = 10**9
BEGIN = MONDAY + 2800 * WEEK


def draw(model: FlowChronicle, n: int, **times: Any) -> list[pd.DataFrame]:
    return [t.frame for t in model.stream(n, rng=np.random.default_rng(0), **times)]


def test_slices_follow_each_other_in_time_and_hold_what_was_asked_for(
    model: FlowChronicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "SLICE", 100)
    parts = draw(model, 3001)
    assert len(parts) > 20 and sum(map(len, parts)) == 3001
    assert max(map(len, parts)) < 250
    ts = np.concatenate([p["ts"].to_numpy() for p in parts])
    assert (np.diff(ts) >= 0).all()
    whole = draw(model, 3001)
    assert pd.concat(parts).equals(pd.concat(whole))
    timed = [t.frame["ts"] for t in model.stream(None, 40 * 60 * S, rng=np.random.default_rng(0))]
    assert len(timed) > 5 and (np.diff(np.concatenate(timed)) >= 0).all()


def test_slices_change_nothing_in_the_shares(model: FlowChronicle, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw(model, 6000)[0]
    monkeypatch.setattr(drawing, "SLICE", 500)
    cut = pd.concat(draw(model, 6000))
    for name in ("dst_port", "proto", "src_ip"):
        a, b = (f[name].value_counts(normalize=True) for f in (whole, cut))
        assert a.sub(b, fill_value=0).abs().max() < 0.03, name
    pairs = [((f["dst_port"] == 53) & (f["ts"].shift(-1) - f["ts"] < S)).mean() for f in (whole, cut)]
    assert pairs[0] == pytest.approx(pairs[1], abs=0.05)


def test_any_number_over_any_time(model: FlowChronicle) -> None:
    begin = BEGIN + 12345
    (flows,) = draw(model, 500, duration=10 * S, start=begin)
    assert len(flows) == 500 and flows["ts"].between(begin, begin + 12 * S).all()
    assert len(draw(model, 0)[0]) == 0
    for bad in ({"n": -1}, {"n": None}, {"n": 5, "duration": 0}, {"n": 10**12}):
        with pytest.raises(InvalidParameter):
            list(model.stream(**{"n": None, **bad}, rng=np.random.default_rng(0)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def office() -> FlowTable:
    """Nine days: web by day on working days, backups at two in the night, with bytes that follow the packets."""
    rng = np.random.default_rng(3)
    rows = []
    for hour in range(9 * 24):
        day, clock = divmod(hour, 24)
        for port, rate in ((443, 30 if 8 <= clock < 18 and day % 7 < 5 else 1), (873, 25 if clock == 2 else 0)):
            for _ in range(rng.poisson(rate)):
                at = BEGIN + hour * HOUR + int(rng.integers(0, HOUR))
                packets = int(1 + rng.pareto(1.2) * 2)
                size = int(packets * rng.uniform(40, 1500 if port == 873 else 700))
                lasts = 0 if packets == 1 else int(rng.lognormal(20, 1))
                rows.append((at, "TCP", f"10.0.0.{rng.integers(2, 30)}", "10.0.1.1", port, packets, size, lasts))
    columns = ["ts", "proto", "src_ip", "dst_ip", "dst_port", "fwd_packets", "fwd_bytes", "duration"]
    return FlowTable.from_columns(pd.DataFrame(rows, columns=columns).assign(flags=".AP.SF"))


@pytest.fixture(scope="module")
def learnt(office: FlowTable) -> FlowChronicle:
    from netsynth_core.models.flowchronicle import FlowChronicleParams

    return FlowChronicle.fit(office, FlowChronicleParams(), rng=np.random.default_rng(0))


def test_flows_of_another_month_come_by_hour_and_weekday(office: FlowTable, learnt: FlowChronicle) -> None:
    begin = BEGIN + 30 * WEEK
    made = learnt.sample_for(2 * WEEK, begin, rng=np.random.default_rng(0)).frame
    hour, day = (made["ts"] - begin) // HOUR % 24, (made["ts"] - begin) // DAY % 7
    night = made["dst_port"] == 873
    assert (hour[night].isin([1, 2, 3])).mean() > 0.9
    web = ~night
    working = web & (day < 5) & hour.between(8, 17)
    assert working.sum() / web.sum() == pytest.approx(0.87, abs=0.06)
    real = office.frame
    assert len(made) == pytest.approx(14 / 9 * len(real), rel=0.12)
    assert (made["ts"].diff().dropna() >= 0).all()
    assert not set(made["ts"] - begin) & set(real["ts"] - BEGIN)


def test_the_card_says_what_start_times_are_inferred_from(learnt: FlowChronicle, model: FlowChronicle) -> None:
    assert any("weekday" in note for note in learnt.describe().notes)
    assert any("nothing about the hour" in note for note in model.describe().notes)


def test_bytes_packets_and_durations_fit_together(office: FlowTable, learnt: FlowChronicle) -> None:
    made, real = learnt.sample(20_000, rng=np.random.default_rng(1)).frame, office.frame
    ratio, seen = (f["fwd_bytes"] / f["fwd_packets"] for f in (made, real))
    assert ratio.min() >= seen.min() - 1 and ratio.max() <= seen.max() + 1
    # what is drawn inside the limits does not pile up on them
    assert ((ratio - seen.max()).abs() < 1).mean() < (((seen - seen.max()).abs() < 1).mean() + 0.01)
    assert (made["duration"][made["fwd_packets"] == 1] == 0).all()
    assert (made["duration"][made["fwd_packets"] > 1] > 0).all()
    spearman = [f["fwd_bytes"].corr(f["fwd_packets"], method="spearman") for f in (made, real)]
    assert spearman[0] == pytest.approx(spearman[1], abs=0.05)


def test_flags_have_bytes_of_their_own(fitted: Callable[..., Any]) -> None:
    """Flows of nothing but SYN hold headers; the same host and port has long flows too."""
    rng = np.random.default_rng(4)
    alone = rng.random(600) < 0.3
    frame = pd.DataFrame(
        {
            "ts": np.sort(rng.integers(0, 600 * S, 600)),
            "proto": "TCP",
            "src_ip": "10.0.0.1",
            "dst_ip": "10.0.0.2",
            "dst_port": 80,
            "fwd_packets": np.where(alone, rng.integers(1, 4, 600), rng.integers(1, 40, 600)),
            "flags": np.where(alone, "....S.", ".AP.SF"),
        }
    )
    frame["fwd_bytes"] = frame["fwd_packets"] * np.where(alone, 60, rng.integers(80, 1400, 600))
    made = fitted(FlowTable.from_columns(frame)).sample(4000, rng=rng).frame
    syn = made[made["flags"] == "....S."]
    assert (syn["fwd_bytes"] == 60 * syn["fwd_packets"]).all()


def test_a_document_holds_all_that_generating_needs(learnt: FlowChronicle) -> None:
    document = learnt.to_document()
    bare = Document(document.kind, document.version, document.card, document.body, {})
    again = FlowChronicle.from_document(bare)
    times = {"duration": DAY, "start": BEGIN}
    once, twice = (draw(m, 400, **times)[0] for m in (learnt, again))
    assert once.equals(twice)


def test_groups_that_never_answer_never_do(fitted: Callable[..., Any]) -> None:
    rng = np.random.default_rng(6)
    group = rng.random(400) < 0.3
    frame = pd.DataFrame(
        {
            "ts": np.sort(rng.integers(0, 400 * S, 400)),
            "proto": "UDP",
            "src_ip": rng.choice(["10.0.0.1", "10.0.0.2", "10.0.0.3"], 400),
            "dst_ip": np.where(group, "224.0.0.251", "10.0.0.9"),
            "dst_port": 5353,
            "fwd_packets": rng.integers(1, 5, 400),
            "bwd_packets": np.where(group | (rng.random(400) < 0.4), 0, rng.integers(1, 5, 400)),
        }
    )
    made = fitted(FlowTable.from_columns(frame)).sample(3000, rng=rng).frame
    assert (made["bwd_packets"][made["dst_ip"] == "224.0.0.251"] == 0).all()
    assert (made["bwd_packets"][made["dst_ip"] == "10.0.0.9"] > 0).any()
