"""Word files: what is written is read again, other forms are read as documented, errors name the line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsynth_core.errors import NewerDocument, SchemaError, UnknownFormat
from netsynth_core.flows.words import UNITS, Words
from netsynth_core.flows.words_io import format_words, looks_like_words, notes_on, parse_words, read_words, write_words

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters=":$ #", exclude_categories=["Z", "C"]), min_size=1, max_size=8
)
DELAYS = st.integers(0, 10**18 - 1)


def words_of(items: st.SearchStrategy[tuple]) -> st.SearchStrategy[Words]:
    return st.builds(
        lambda lists, unit, service, state: Words.from_lists(lists, unit=unit, service=service, state=state),
        st.lists(st.lists(items, min_size=1, max_size=8), max_size=8),
        st.sampled_from(UNITS),
        st.sampled_from(["", "http", "dns"]),
        st.sampled_from(["", "SF"]),
    )


def alike(one: Words, other: Words) -> bool:
    sizes = (one.sizes is None) == (other.sizes is None)
    if sizes and one.sizes is not None and other.sizes is not None:
        sizes = bool(np.array_equal(one.sizes, other.sizes))
    return (
        sizes
        and one.alphabet == other.alphabet
        and all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ("symbols", "delays", "offsets"))
        and (one.unit, one.service, one.state) == (other.unit, other.service, other.state)
    )


@given(words_of(st.tuples(NAMES, DELAYS)) | words_of(st.tuples(NAMES, DELAYS, DELAYS)))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, words: Words) -> None:
    path = tmp_path_factory.getbasetemp() / "words.txt"
    write_words(path, words)
    assert alike(read_words(path), words)
    assert looks_like_words(path.read_text("utf-8"))


def test_the_text_is_the_documented_one() -> None:
    words = Words.from_lists([[("S_>_Empty", 0, 0), ("SA_<_Empty", 120, 0)]], unit="us", service="http", state="SF")
    text = "# netsynth words 1 unit=us service=http state=SF\nS_>_Empty:0:0 SA_<_Empty:120:0\n"
    assert format_words(words) == text


def test_without_header_the_unit_is_unknown() -> None:
    words = parse_words("cS:0 sSA:45\ncS:0\n")
    assert (words.unit, len(words), words.sizes) == ("", 2, None)
    assert words.names(0) == ["cS", "sSA"] and words[0].delays.tolist() == [0, 45]


def test_event_sequences_have_no_delays() -> None:
    words = parse_words("5 5 22\n\n9 5\r\n")
    assert [words.names(k) for k in range(3)] == [["5", "5", "22"], [], ["9", "5"]]
    assert words.delays.tolist() == [0] * 5 and words.alphabet == ("22", "5", "9")


def test_what_a_file_does_not_say_is_noted() -> None:
    blank, events = notes_on(parse_words("5 5 22\n\n9 5\n"))
    assert blank == "1 word without a symbol (blank lines count as such)."
    assert "read as event sequences, 3 words, 3 different symbols" in events
    (unknown,) = notes_on(parse_words("cS:0 sSA:45\n"))
    assert "No unit of time" in unknown and "# netsynth words 1 unit=us" in unknown
    assert notes_on(parse_words("# netsynth words 1 unit=us\ncS:0 sSA:45\n")) == notes_on(parse_words("")) == ()


def test_gzip_byte_order_mark_and_comments_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.txt.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf# netsynth words 1 unit=dbus\n# a comment\na:1 b:2\n"))
    words = read_words(path)
    assert (words.unit, words.alphabet, len(words)) == ("dbus", ("a", "b"), 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:1 b:2\na:1 b\n", "line 2: 'b'"),
        ("a:1\na:x\n", "line 2: 'a:x' holds 'x'"),
        ("a:-1\n", "line 1: 'a:-1'"),
        ("a:1.5\n", "line 1: 'a:1.5'"),
        ("a:1:2\nb:1\n", "line 2: 'b:1'"),
        ("a:1:2:3\n", "line 1: 'a:1:2:3'"),
        (":1\n", "line 1: ':1'"),
        ("a:1 $:0\n", "line 1: '$:0'"),
        ("# netsynth words 1 unit=weeks\na:1\n", "line 1: 'weeks'"),
        ("# netsynth words one\na:1\n", "line 1: 'one'"),
    ],
)
def test_errors_name_line_and_item(text: str, told: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_words(text, name="w.txt")
    assert f"w.txt {told}" in caught.value.message and caught.value.hint


def test_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(NewerDocument, match="version 2"):
        parse_words("# netsynth words 2 unit=us\na:1\n")


def test_binary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"a:1 \xff\xfe")
    with pytest.raises(UnknownFormat, match="no UTF-8"):
        read_words(tmp_path / "b")


BENCH = Path(__file__).parents[2] / ".." / "shared" / "bench" / "words_500_noise5.txt"


@pytest.mark.skipif(not BENCH.is_file(), reason=f"{BENCH} is absent")
def test_the_benchmark_has_its_published_size() -> None:
    words = read_words(BENCH)
    assert (len(words), len(words.symbols), words.unit, len(words.alphabet)) == (500, 6372, "", 10)
