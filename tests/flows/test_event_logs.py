"""Event logs: tables and lines become the same words, and what is wrong is said by line."""

import gzip
from pathlib import Path

import pytest

from netsynth_core.errors import NetsynthError, NotEnoughData, SchemaError, UnknownFormat
from netsynth_core.flows.event_logs import parse_event_log, read_event_log

TABLE = """case:concept:name;concept:name;time:timestamp;org:resource
a;Create Fine;2024-01-01T00:00:00+00:00;x
b;Create Fine;2024-01-01T00:00:05+00:00;x
a;Send: it;2024-01-01T01:00:02.500+01:00;x
"""


def listed(text: str, **columns: str) -> list[list[tuple[str, int]]]:
    words = parse_event_log(text, **columns).words
    return [list(zip(words.names(i), words[i].delays.tolist(), strict=True)) for i in range(len(words))]


def test_a_log_for_process_mining() -> None:
    log = parse_event_log(TABLE)
    assert listed(TABLE) == [[("Create_Fine", 0), ("Send_it", 2_500_000)], [("Create_Fine", 0)]]
    assert log.cases == ("a", "b")
    assert log.words.unit == "us"
    assert log.columns == {"case": "case:concept:name", "event": "concept:name", "time": "time:timestamp"}
    assert any("2 names" in note for note in log.notes)


@pytest.mark.parametrize(
    ("first", "second", "delay"),
    [
        ("1700000000", "1700000003", 3_000_000),
        ("1700000000.25", "1700000000.75", 500_000),
        ("1700000000000", "1700000000003", 3_000),
        ("1700000000000000", "1700000000000003", 3),
        ("1700000000000000000", "1700000000000005000", 5),
        ("2024-02-28 23:59:59", "2024-02-29 00:00:01", 2_000_000),
        ("2024/02/28 23:59:59,5", "2024/02/29 00:00:01", 1_500_000),
        ("0", "7", 7_000_000),
    ],
)
def test_times_in_many_forms(first: str, second: str, delay: int) -> None:
    assert listed(f"case\tevent\ttime\nx\ta\t{first}\nx\tb\t{second}\n") == [[("a", 0), ("b", delay)]]


def test_rows_are_sorted_by_time_and_said_so() -> None:
    text = "id,action,ts\n1,b,20\n1,a,10\n1,c,20\n"
    assert listed(text) == [[("a", 0), ("b", 10_000_000), ("c", 0)]]
    assert any("sorted by time" in note for note in parse_event_log(text).notes)


def test_without_times_the_file_says_the_order() -> None:
    assert listed("case,event\n2,z\n1,y\n2,a\n") == [[("z", 0), ("a", 0)], [("y", 0)]]
    assert listed("case,event,time\n2,z,9\n2,a,1\n", time="-") == [[("z", 0), ("a", 0)]]


def test_columns_may_be_named() -> None:
    text = "what,who\nstart,p\nstop,p\n"
    assert listed(text, case="who", event="what") == [[("start", 0), ("stop", 0)]]
    with pytest.raises(SchemaError, match="no column 'wo'"):
        parse_event_log(text, case="wo", event="what")
    with pytest.raises(SchemaError, match="known to hold the case"):
        parse_event_log(text)


def test_a_sequence_a_line_and_timed_words() -> None:
    assert listed("5 5 22\n11\n") == [[("5", 0), ("5", 0), ("22", 0)], [("11", 0)]]
    assert parse_event_log("5 5\n11\n").cases == ("line 1", "line 2")
    assert parse_event_log("5 5\n\n\n").cases == ("line 1", "line 2", "line 3")
    assert listed("# netsynth words 1 unit=us\na:0 b:7\n") == [[("a", 0), ("b", 7)]]
    assert parse_event_log("# netsynth words 1 unit=us\na:0 b:7\n").cases == ("line 2",)


def test_names_stay_distinct() -> None:
    words = parse_event_log("case,event\n1,a b\n1,a:b\n1,a_b\n1,$\n").words
    assert len(words.alphabet) == 4
    assert not any(mark in name for name in words.alphabet for mark in " :$")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,event,time\n1,a,never\n", "line 2: 'never' is no time"),
        ("case,event,time\n1,a,2024-01-01\n1,b,-3\n", "line 3: '-3' is no time"),
        ("case,event\n1,a\n,b\n", "line 3: the column 'case' is empty"),
        ("case,event\n1,\n", "line 2: the column 'event' is empty"),
        ("x,case,event\n1,a,b\n1\n", "line 3: 1 cell"),
        ("case,event,time\n1,a,1700000000\n1,b,1700000000000000000\n", "another unit"),
    ],
)
def test_bad_rows_are_named(text: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_event_log(text)
    assert message in caught.value.message
    assert caught.value.hint


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "fines.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode()))
    assert read_event_log(path).words.service == "fines"
    for content, error in ((b"", NetsynthError), (b"case,event\n", NotEnoughData), (b"\xff\xfe\x00", UnknownFormat)):
        path.write_bytes(content)
        with pytest.raises(error):
            read_event_log(path)


def test_days_before_months_with_dots_are_times_too() -> None:
    log = parse_event_log("case,event,time\na,x,31.12.2024 9:59:58\na,y,31.12.2024 10:00:00.5\na,z,1.1.2025\n")
    assert log.words.delays.tolist() == [0, 2_500_000, (13 * 3600 + 59 * 60 + 59) * 1_000_000 + 500_000]


def test_times_with_and_without_zone_are_told() -> None:
    mixed = parse_event_log("case,event,time\na,x,2024-01-01T10:00:00+02:00\na,y,2024-01-01 08:00:01\n")
    assert mixed.words.delays.tolist() == [0, 1_000_000]
    assert any("1 time of 2 named no zone" in note for note in mixed.notes)
    for zone in ("", "Z", "+0200"):
        alike = parse_event_log(f"case,event,time\na,x,2024-01-01T10:00:00{zone}\na,y,2024-01-01T10:00:01{zone}\n")
        assert not any("zone" in note for note in alike.notes)


def test_the_column_that_is_missing_is_named() -> None:
    with pytest.raises(SchemaError, match="to hold the event") as caught:
        parse_event_log("case,when\n1,2\n")
    assert "--event NAME" in caught.value.hint and "--case" not in caught.value.hint


def test_unicode_text_of_spreadsheets_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sheet.txt"
    path.write_text("case\tevent\nä\topen\nä\tclose\n", encoding="utf-16")
    log = read_event_log(path)
    assert log.cases == ("ä",) and log.words.names(0) == ["open", "close"]
