"""Every command of the table: what it writes, what it says as JSON, and that the same seed gives the same bytes."""

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import dpkt
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from netsynth_core.cli import main
from netsynth_core.cli.group import _COMMANDS
from netsynth_core.flows.table_io import read_flow_table, write_flow_table
from netsynth_core.flows.words_io import read_words, write_words
from tests.factories import flow_table, office_pcap, ping_words


def run(*args: object) -> Result:
    """The command line, in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


def ask(*args: object) -> dict[str, Any]:
    """The JSON object a command prints, once it is known to be the only thing there and to hold finite numbers."""
    result = run(*args, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    _require_finite(answer)
    return answer


def _require_finite(value: object) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _require_finite(item)
    elif isinstance(value, list):
        for item in value:
            _require_finite(item)
    elif isinstance(value, float):
        assert math.isfinite(value)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a capture, its flows, its words, and a model of each."""
    folder = tmp_path_factory.mktemp("made")
    office_pcap(folder / "office.pcap", 40)
    for args in (
        ("flows", folder / "office.pcap", "-o", folder / "flows.csv"),
        ("words", folder / "office.pcap", "-o", folder / "words"),
        ("fit", "flowchronicle", folder / "flows.csv", "-o", folder / "patterns.json"),
        ("fit", "tadam", folder / "words" / "http-SF.txt", "-o", folder / "http.json"),
    ):
        result = run(*args)
        assert result.exit_code == 0, result.output
    return folder


def test_flows(made: Path, tmp_path: Path) -> None:
    answer = ask("flows", made / "office.pcap", "-o", tmp_path / "f.parquet")
    assert {"packets", "bytes", "flows", "conversations", "services", "skipped", "first_skipped", "seconds"} <= set(
        answer
    )
    assert (answer["packets"], answer["flows"], answer["conversations"]) == (480, 80, 80)
    assert answer["services"] == {"dns": 40, "http": 40}
    table = read_flow_table(tmp_path / "f.parquet")
    assert len(table) == 80 and table.frame.equals(read_flow_table(made / "flows.csv").frame)


def test_flows_of_a_table_keeps_it(made: Path, tmp_path: Path) -> None:
    answer = ask("flows", made / "flows.csv", "-o", tmp_path / "again.csv.gz")
    assert answer["flows"] == 80 and answer["conversations"] == 0 and answer["packets"] == 480
    assert read_flow_table(tmp_path / "again.csv.gz").frame.equals(read_flow_table(made / "flows.csv").frame)


def test_words(made: Path, tmp_path: Path) -> None:
    answer = ask("words", made / "office.pcap", "-o", tmp_path / "w")
    assert [(f["service"], f["state"], f["words"]) for f in answer["files"]] == [("dns", "SF", 40), ("http", "SF", 40)]
    http = next(f for f in answer["files"] if f["service"] == "http")
    words = read_words(http["path"])
    assert (len(words), len(words.symbols), len(words.alphabet)) == (http["words"], http["symbols"], http["alphabet"])
    assert words.unit == "us" and words.names(0)[0].startswith("S_>")
    only = ask("words", made / "office.pcap", "-o", tmp_path / "one", "--service", "http", "--by", "service")
    assert [(f["service"], f["state"]) for f in only["files"]] == [("http", "")]
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["http.txt"]


@pytest.mark.parametrize("kind, source", [("flowchronicle", "flows.csv"), ("tadam", "words/http-SF.txt")])
def test_fit(made: Path, tmp_path: Path, kind: str, source: str) -> None:
    answer = ask("fit", kind, made / source, "-o", tmp_path / "m.json")
    assert answer["kind"] == kind and answer["seconds"] >= 0 and answer["peak_rss_bytes"] > 10**7
    assert set(answer["codelength"]) == {"model", "data", "total", "empty"}
    assert answer["codelength"]["total"] == pytest.approx(answer["codelength"]["model"] + answer["codelength"]["data"])
    assert answer["codelength"]["total"] < answer["codelength"]["empty"]
    sizes = {"patterns", "multi_flow_patterns"} if kind == "flowchronicle" else {"locations", "transitions"}
    assert all(answer[name] > 0 for name in sizes)
    assert json.loads((tmp_path / "m.json").read_text())["card"]["seed"] == 0


def test_fit_takes_captures_and_settings(made: Path, tmp_path: Path) -> None:
    from_capture = ask("fit", "tadam", made / "office.pcap", "--service", "http", "-o", tmp_path / "c.json")
    from_words = ask("fit", "tadam", made / "words" / "http-SF.txt", "-o", tmp_path / "w.json")
    assert from_capture["codelength"] == from_words["codelength"]
    plain = ask("fit", "flowchronicle", made / "office.pcap", "-o", tmp_path / "p.json", "--set", "most_flows=1")
    assert plain["multi_flow_patterns"] == 0


def test_fit_learns_each_word_file_of_a_folder(made: Path, tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    for path in (made / "words").glob("*.txt"):
        (tmp_path / "words" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "words" / "few-S0.txt").write_text("# netsynth words 1 unit=us service=few state=S0\na:0\n")
    answer = ask("fit", "tadam", tmp_path / "words", "-o", tmp_path / "models")
    assert answer["left_out"] == ["few-S0"] and [m["words"] for m in answer["models"]] == [40, 40]
    assert {path.name for path in (tmp_path / "models").glob("*.json")} == {"dns-SF.json", "http-SF.json"}
    alone, beside = (json.loads(p.read_text()) for p in (made / "http.json", tmp_path / "models" / "http-SF.json"))
    assert alone["body"] == beside["body"]
    forged = ask(
        *("forge", "--flows", made / "flows.csv", "--words-model", tmp_path / "models", "-o", tmp_path / "s.pcap")
    )
    assert forged["drawn"] == 80
    refused = run("fit", "tadam", tmp_path / "models", "-o", tmp_path / "none")
    assert refused.exit_code == 2 and "0 word files" in refused.stderr and not (tmp_path / "none").exists()


def test_fit_says_what_a_word_file_leaves_open(tmp_path: Path) -> None:
    (tmp_path / "events.txt").write_text("open read close\nopen close\n" * 20)
    result = run("fit", "tadam", tmp_path / "events.txt", "-o", tmp_path / "m.json", "--json")
    assert result.exit_code == 0, result.output
    (note,) = json.loads(result.stdout)["notes"]
    assert note == "No delays: read as event sequences, 40 words, 3 different symbols."
    assert result.stderr.count(note) == 1


def test_figures_for_people_are_rounded_and_grouped_and_notes_said_once(made: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ts,proto,src_ip,dst_ip,dst_port,fwd_bytes\n1,TCP,GATE,10.0.0.1,80,12345\n")
    result = run("flows", tmp_path / "t.csv", "-o", tmp_path / "f.csv")
    assert "bytes: 12 345" in result.stdout and "no address" not in result.stdout
    assert result.stderr.count("1 name that is no address") == 1
    fitted = run("fit", "flowchronicle", made / "flows.csv", "-o", tmp_path / "m.json")
    figures = [line.split(": ")[1] for line in fitted.stdout.splitlines() if "total:" in line]
    assert all(figure.endswith(" bits") for figure in figures) and " s\n" in fitted.stdout
    figures = [figure.removesuffix(" bits").replace(" ", "") for figure in figures]
    assert figures and all(len(figure.strip("-")) <= 6 for figure in figures)
    words = run("words", made / "office.pcap", "-o", tmp_path / "w", "--service", "http")
    assert "http-SF.txt: 40 words, 400 symbols, 8 different" in words.stdout


def test_kinds(tmp_path: Path) -> None:
    listed = {entry["kind"]: entry for entry in ask("kinds")["kinds"]}
    assert {"flowchronicle", "independent", "sequence", "tadam"} <= set(listed)
    for entry in listed.values():
        assert entry["level"] in ("flow", "packet") and entry["source"] and "extra" in entry
    rounds = next(p for p in listed["tadam"]["parameters"] if p["name"] == "max_rounds")
    assert rounds["minimum"] == 0 and rounds["maximum"] > 0 and rounds["help"]
    assert "max_rounds" in run("kinds").output


def test_show_says_the_card_and_the_parts(made: Path) -> None:
    card = ask("show", made / "patterns.json")
    assert card["kind"] == "flowchronicle" and card["level"] == "flow" and card["seed"] == 0
    # every flow is in a pattern, so none is left to be told of
    assert len(card["parts"]) == card["size"]["patterns"] and "drop_pattern" in card["edits"]
    assert card["parts"][-1].startswith("p1: A looks up a name at 192.0.2.53")
    automaton = ask("show", made / "http.json")
    assert len(automaton["parts"]) == automaton["size"]["transitions"]
    assert "codelength" in run("show", made / "http.json").output


def test_show_writes_instants_and_figures_for_people(made: Path) -> None:
    told = run("show", made / "patterns.json").stdout
    learnt = next(line for line in told.splitlines() if line.startswith("learnt from"))
    assert re.search(r"first \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", learnt)
    assert not re.search(r"\d{10}", learnt) and "resolution 1 " in learnt


def test_windows_count_rows_of_the_file_whatever_its_order(made: Path, tmp_path: Path) -> None:
    lines = (made / "flows.csv").read_text().splitlines()
    (tmp_path / "backwards.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    covers = []
    for name, path in (("a", made / "flows.csv"), ("b", tmp_path / "backwards.csv")):
        answer = ask("windows", made / "patterns.json", path, "-o", tmp_path / f"{name}.csv")
        rows = list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines()))
        assert list(rows[0]) == ["window", "pattern", "position", "row"]
        assert len({row["row"] for row in rows}) == len(rows) == answer["rows_covered"] > 0
        assert len({row["window"] for row in rows}) == answer["windows"]
        assert set(answer["codelength"]) == {"model", "data", "total", "empty"}
        windows: dict[str, list[int]] = {}
        for row in rows:
            windows.setdefault(row["window"], []).append(int(row["row"]))
        covers.append({tuple(w) for w in windows.values()})
    last = len(lines) - 2
    assert covers[0] == {tuple(last - row for row in window) for window in covers[1]}


def test_align_explains_each_word(made: Path, tmp_path: Path) -> None:
    words = read_words(made / "words" / "http-SF.txt")
    answer = ask("align", made / "http.json", made / "words" / "http-SF.txt", "-o", tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["word"] for line in lines] == list(range(len(words)))
    assert all(set(line) == {"word", "bits", "path", "ops", "accepted"} for line in lines)
    assert answer["words"] == answer["exact"] == len(words) and answer["repaired"] == answer["rejected"] == 0
    assert answer["bits"] == pytest.approx(sum(line["bits"] for line in lines), rel=1e-4)
    known = {t["id"] for t in json.loads(_exported(made / "http.json", tmp_path, "json"))["transitions"]}
    assert all(set(line["path"]) <= known for line in lines)


def test_align_names_what_is_wrong_with_a_word(made: Path, tmp_path: Path) -> None:
    first, *rest = (made / "words" / "http-SF.txt").read_text().splitlines()
    symbols = rest[0].split()
    (tmp_path / "odd.txt").write_text("\n".join([first, " ".join(symbols), " ".join(symbols[:4] + symbols[5:])]) + "\n")
    answer = ask("align", made / "http.json", tmp_path / "odd.txt", "-o", tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert answer["exact"] == 1 and answer["exact"] + answer["repaired"] + answer["rejected"] == 2
    assert lines[0]["accepted"] and lines[0]["ops"] == [] and lines[1]["bits"] > lines[0]["bits"]


def test_edit_applies_checked_edits_and_says_their_bits(made: Path, tmp_path: Path) -> None:
    edit = {"op": "rename_pattern", "pattern": "p1", "name": "office"}
    drop = {"edit": {"op": "drop_pattern", "pattern": "p1"}, "why": "test"}
    (tmp_path / "e.jsonl").write_text(json.dumps(edit) + "\n\n" + json.dumps(drop) + "\n")
    answer = ask("edit", made / "patterns.json", tmp_path / "e.jsonl", "-o", tmp_path / "new.json")
    assert [e["op"] for e in answer["edits"]] == ["rename_pattern", "drop_pattern"]
    assert answer["edits"][0]["before"] == answer["before"] and answer["edits"][1]["after"] == answer["after"]
    assert answer["after"]["total"] > answer["before"]["total"]
    shown = ask("show", tmp_path / "new.json")
    assert shown["size"]["patterns"] == ask("show", made / "patterns.json")["size"]["patterns"] - 1
    (tmp_path / "bad.jsonl").write_text(json.dumps({"op": "drop_pattern", "pattern": "p99"}) + "\n")
    before = (tmp_path / "new.json").read_bytes()
    refused = run("edit", made / "patterns.json", tmp_path / "bad.jsonl", "-o", tmp_path / "new.json")
    assert refused.exit_code == 2 and "bad.jsonl line 1" in refused.stderr and "p99" in refused.stderr
    assert (tmp_path / "new.json").read_bytes() == before


def test_edit_prices_without_writing(made: Path, tmp_path: Path) -> None:
    edits = [{"op": "split_pattern", "pattern": "p1", "gap": 1}, {"op": "set_weight", "pattern": "p2", "weight": 2}]
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, edits)) + "\n")
    answer = ask("edit", made / "patterns.json", tmp_path / "e.jsonl", "--preview")
    first, second = answer["edits"]
    assert first["after"]["total"] == second["before"]["total"] == second["after"]["total"]
    assert any(sentence.startswith("New: p") for sentence in first["sentences"])
    assert any("bits more" in sentence for sentence in second["sentences"])
    assert "file" not in answer and [path.name for path in tmp_path.iterdir()] == ["e.jsonl"]
    told = run("edit", made / "patterns.json", tmp_path / "e.jsonl", "--preview").stdout
    assert "not written" in told and "New: p" in told
    unsaid = run("edit", made / "patterns.json", tmp_path / "e.jsonl")
    assert unsaid.exit_code == 2 and "-o" in unsaid.stderr


def test_show_one_pattern(made: Path) -> None:
    facts = ask("show", made / "patterns.json", "--pattern", "p1")
    assert facts["id"] == "p1" and facts["sentence"] and facts["windows"] and len(facts["grid"]) >= 1
    for table in facts["network"]:
        assert all(len(row["probabilities"]) == len(table["values"]) for row in table["rows"])
    told = run("show", made / "patterns.json", "--pattern", "p1").stdout
    assert told.startswith("p1: ") and "flow 1: " in told and "rows of its first windows" in told
    assert facts["generating"] and all(sentence in told for sentence in facts["generating"])
    assert ask("show", made / "patterns.json", "--pattern", "empty")["id"] == "empty"
    for model, name in (("patterns.json", "p99"), ("http.json", "p1")):
        assert run("show", made / model, "--pattern", name).exit_code == 2


@pytest.mark.parametrize("kind", ["independent", "sequence"])
def test_baselines_are_learnt_shown_and_sampled(made: Path, tmp_path: Path, kind: str) -> None:
    ask("fit", kind, made / "flows.csv", "-o", tmp_path / "m.json", "--set", "bins=12")
    card = ask("show", tmp_path / "m.json")
    assert card["kind"] == kind and card["parameters"]["bins"] == 12 and card["edits"] == []
    ask("sample", tmp_path / "m.json", "-n", 40, "-o", tmp_path / "s.csv")
    assert len(read_flow_table(tmp_path / "s.csv")) == 40


@pytest.mark.parametrize("form", ["fosr", "fosr-gamma"])
def test_automata_go_to_fosr_and_come_back(made: Path, tmp_path: Path, form: str) -> None:
    answer = ask("export", made / "http.json", "--format", form, "-o", tmp_path / "out.json")
    shown = ask("show", made / "http.json")
    assert answer["edges"] == shown["size"]["transitions"]
    back = ask("import", tmp_path / "out.json", "-o", tmp_path / "model.json")
    assert back["transitions"] == shown["size"]["transitions"] and back["locations"] == shown["size"]["locations"]
    assert ask("show", tmp_path / "model.json")["warnings"]
    assert ask("sample", tmp_path / "model.json", "-n", 20, "-o", tmp_path / "words.txt")["rows"] == 20
    aligned = ask("align", tmp_path / "model.json", tmp_path / "words.txt", "-o", tmp_path / "a.jsonl")
    assert aligned["rejected"] == 0
    refused = run("import", made / "http.json", "-o", tmp_path / "no.json")
    assert refused.exit_code == 2 and "Hint:" in refused.stderr and not (tmp_path / "no.json").exists()


def _exported(model: Path, folder: Path, form: str) -> str:
    answer = ask("export", model, "--format", form, "-o", folder / f"drawing.{form}")
    text = Path(answer["file"]).read_text()
    assert answer["bytes"] == len(text.encode())
    return text


@pytest.mark.parametrize("model", ["http.json", "patterns.json"])
def test_export(made: Path, tmp_path: Path, model: str) -> None:
    dot = _exported(made / model, tmp_path, "dot")
    assert dot.startswith("digraph") and dot.rstrip().endswith("}")
    svg = _exported(made / model, tmp_path, "svg")
    assert "<svg" in svg and "</svg>" in svg
    facts = json.loads(_exported(made / model, tmp_path, "json"))
    if model == "http.json":
        assert all(f'"{t["id"]}"' in dot or t["id"] in dot for t in facts["transitions"])
    else:
        assert len(facts["patterns"]) == ask("show", made / model)["size"]["patterns"]


def test_sample_is_what_was_asked_for_and_repeats(made: Path, tmp_path: Path) -> None:
    answer = ask("sample", made / "patterns.json", "-n", 50, "-o", tmp_path / "a.csv")
    assert answer["rows"] == 50 == len(read_flow_table(tmp_path / "a.csv")) and answer["rows_per_second"] > 0
    ask("sample", made / "patterns.json", "-n", 50, "-o", tmp_path / "b.csv", "--seed", 0)
    ask("sample", made / "patterns.json", "-n", 50, "-o", tmp_path / "c.csv", "--seed", 1)
    texts = [(tmp_path / f"{name}.csv").read_bytes() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]
    spoken = ask("sample", made / "http.json", "-n", 7, "-o", tmp_path / "w.txt")
    assert spoken["rows"] == 7 == len(read_words(tmp_path / "w.txt"))


def test_sample_of_a_duration_starts_and_ends_where_it_is_told(made: Path, tmp_path: Path) -> None:
    ask("sample", made / "patterns.json", "--duration", "60s", "--start", "2026-01-01", "-o", tmp_path / "a.csv")
    ts = read_flow_table(tmp_path / "a.csv").frame["ts"]
    begin = 1_767_225_600_000_000_000
    assert ts.min() >= begin and ts.max() < begin + 60_000_000_000 and len(ts) > 10


def test_sample_of_a_number_and_a_duration(made: Path, tmp_path: Path) -> None:
    args = ("sample", made / "patterns.json", "-n", 30, "--duration", "1h", "--start", "2026-01-01")
    assert ask(*args, "-o", tmp_path / "a.parquet")["rows"] == 30
    ts = read_flow_table(tmp_path / "a.parquet").frame["ts"]
    assert len(ts) == 30 and ts.min() >= 1_767_225_600_000_000_000 and ts.max() - ts.min() > 600_000_000_000


def test_sampled_hosts_are_moved_by_a_file_and_anonymised(made: Path, tmp_path: Path) -> None:
    model = made / "patterns.json"
    answer = ask("hosts", model, "-o", tmp_path / "h.toml")
    assert answer["roles"] == ask("hosts", made / "flows.csv", "-o", tmp_path / "f.toml")["roles"]
    plain = ("sample", model, "-n", 60, "-o", tmp_path / "a.csv")
    ask(*plain)
    before = read_flow_table(tmp_path / "a.csv").frame
    # the file as written moves nothing
    kept = ask("sample", model, "-n", 60, "--hosts", tmp_path / "h.toml", "-o", tmp_path / "b.csv")
    assert kept["renamed"] == 0 and (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    text = (tmp_path / "h.toml").read_text().replace("pool = []", 'pool = ["172.20.0.0/16", "2001:db8:7::/64"]')
    (tmp_path / "h.toml").write_text(text)
    ask("sample", model, "-n", 60, "--hosts", tmp_path / "h.toml", "-o", tmp_path / "b.csv")
    secret = tmp_path / "secret"
    secret.write_bytes(b"0123456789abcdef")
    ask("sample", model, "-n", 60, "--anonymise", "--key-file", secret, "-o", tmp_path / "c.csv")
    for name in "bc":
        after = read_flow_table(tmp_path / f"{name}.csv").frame
        pairs = set(zip(before["src_ip"], after["src_ip"], strict=True))
        pairs |= set(zip(before["dst_ip"], after["dst_ip"], strict=True))
        assert len({old for old, _ in pairs}) == len({new for _, new in pairs}) == len(pairs)
        assert all(old != new for old, new in pairs)
        pd.testing.assert_frame_equal(
            before.drop(columns=["src_ip", "dst_ip"]), after.drop(columns=["src_ip", "dst_ip"])
        )
    for args in (("--anonymise", "--hosts", tmp_path / "h.toml"), ("--key-file", secret)):
        assert run("sample", model, "-n", 5, "-o", tmp_path / "d.csv", *args).exit_code == 2
    assert run("hosts", made / "http.json", "-o", tmp_path / "d.toml").exit_code == 2


def test_forge(made: Path, tmp_path: Path) -> None:
    args = ("forge", "--flows", made / "flows.csv", "--words-model", made / "http.json", "-o", tmp_path / "f.pcap")
    answer = ask(*args)
    assert {"packets", "bytes", "flows", "seconds", "bytes_per_second", "fallbacks"} <= set(answer)
    assert answer["flows"] == 80
    with (tmp_path / "f.pcap").open("rb") as handle:
        packets = list(dpkt.pcap.Reader(handle))
    assert len(packets) == answer["packets"]
    first = (tmp_path / "f.pcap").read_bytes()
    ask(*args)
    assert (tmp_path / "f.pcap").read_bytes() == first


def test_forge_accounts_for_every_flow(made: Path, tmp_path: Path) -> None:
    head, *rows = (made / "flows.csv").read_text().splitlines()
    gre = rows[0].replace("UDP", "GRE")
    (tmp_path / "f.csv").write_text("\n".join([head, *rows, gre, gre]) + "\n")
    args = ("forge", "--flows", tmp_path / "f.csv", "--words-model", made / "http.json", "-o", tmp_path / "s.pcap")
    answer = ask(*args)
    assert (answer["flows"], answer["drawn"], answer["by_default"]) == (80, 40, 40)
    assert answer["left_out"] == {"protocol 47": 2}
    said = "80 of 82 flows: 40 from automata, 40 by default rules; 2 left out: protocol 47 (2)."
    assert answer["account"] == said and f"forged {said}" in run(*args).stdout


def test_forge_takes_a_folder_of_models(made: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("http.json", "http.npz", "patterns.json", "patterns.npz"):
        if (made / name).exists():
            (tmp_path / "models" / name).write_bytes((made / name).read_bytes())
    answer = ask(
        "forge", "--flows", made / "flows.csv", "--words-model", tmp_path / "models", "-o", tmp_path / "f.pcap"
    )
    assert answer["flows"] == 80
    wrong = run(
        "forge", "--flows", made / "flows.csv", "--words-model", made / "patterns.json", "-o", tmp_path / "g.pcap"
    )
    assert wrong.exit_code == 2 and "packet-level" in wrong.stderr


def test_evaluate(made: Path, tmp_path: Path) -> None:
    write_flow_table(tmp_path / "s.csv", flow_table(80))
    args = ("evaluate", "--real", made / "flows.csv", "--synthetic", tmp_path / "s.csv")
    answer = ask(*args, "-o", tmp_path / "r.json", "--patterns", made / "patterns.json")
    for metric in answer["metrics"]:
        assert {"name", "family", "value", "floor", "goal", "n", "note"} <= set(metric)
    assert json.loads((tmp_path / "r.json").read_text())["metrics"] == answer["metrics"]
    ask(*args, "-o", tmp_path / "r.html", "--holdout", made / "flows.csv")
    page = (tmp_path / "r.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html") and 'src="http' not in page


@pytest.fixture(scope="module")
def chained(made: Path) -> tuple[Path, dict[str, Any]]:
    return made / "out", ask("generate", made / "office.pcap", "-o", made / "out", "--flows", 60)


def test_generate_does_the_whole_chain(chained: tuple[Path, dict[str, Any]]) -> None:
    folder, answer = chained
    names = {path.name for path in folder.iterdir()}
    assert names == {"flows.csv", "synthetic.csv", "synthetic.pcap", "report.json", "report.html", "models"}
    assert len(read_flow_table(folder / "flows.csv")) == 80 and len(read_flow_table(folder / "synthetic.csv")) == 60
    assert {"patterns.json", "http-SF.json", "dns-SF.json"} <= {path.name for path in (folder / "models").iterdir()}
    assert answer["read"]["flows"] == 80 and answer["sample"]["rows"] == 60 and answer["forge"]["flows"] == 60
    assert [a["name"] for a in answer["automata"]] == ["dns/SF", "http/SF"]
    assert set(answer["step_seconds"]) == {"read", "patterns", "automata", "sample", "forge", "evaluate"}


def test_generate_repeats_and_replaces(made: Path, chained: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = chained
    before = {name: (folder / name).read_bytes() for name in ("synthetic.csv", "synthetic.pcap", "report.json")}
    (folder / "mine.txt").write_text("kept")
    (folder / "models" / "old-S0.json").write_text("{}")
    ask("generate", made / "office.pcap", "-o", folder, "--flows", 60)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert (folder / "mine.txt").read_text() == "kept" and not (folder / "models" / "old-S0.json").exists()
    assert not list(folder.glob(".netsynth-*"))


def test_generate_from_a_flow_table_forges_by_default_rules(made: Path, tmp_path: Path) -> None:
    answer = ask("generate", made / "flows.csv", "-o", tmp_path / "out")
    assert answer["automata"] == [] and answer["forge"]["flows"] == 80
    assert answer["forge"]["account"] == "80 of 80 flows: 0 from automata, 80 by default rules; 0 left out."


def test_generate_with_other_hosts(made: Path, tmp_path: Path) -> None:
    plain, moved = (tmp_path / name for name in ("plain", "moved"))
    ask("generate", made / "flows.csv", "-o", plain)
    answer = ask("generate", made / "flows.csv", "--anonymise", "-o", moved)
    assert "keyed by the seed" in answer["sample"]["notes"][0]
    a, b = (read_flow_table(folder / "synthetic.csv").frame for folder in (plain, moved))
    assert not set(a["src_ip"]) & set(b["src_ip"])
    assert a["src_ip"].value_counts().tolist() == b["src_ip"].value_counts().tolist()
    # compared before hosts are renamed
    metrics = [json.loads((f / "report.json").read_text())["metrics"] for f in (plain, moved)]
    assert metrics[0] == metrics[1]
    assert (plain / "synthetic.pcap").read_bytes() != (moved / "synthetic.pcap").read_bytes()


def test_generate_from_words_of_another_world_is_refused(tmp_path: Path) -> None:
    write_words(tmp_path / "w.txt", ping_words())
    refused = run("generate", tmp_path / "w.txt", "-o", tmp_path / "out")
    assert refused.exit_code == 2 and "w.txt" in refused.stderr and "Hint:" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert run("generate", tmp_path / "w.txt", "-o", tmp_path / "deep" / "out").exit_code == 2
    (tmp_path / "mine").mkdir()
    assert run("generate", tmp_path / "w.txt", "-o", tmp_path / "mine").exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "w.txt"]


@pytest.mark.parametrize("name", list(_COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Example: netsynth {name}" in " ".join(result.output.split())
    documented = main.get_command(None, name)  # type: ignore[arg-type]
    assert documented is not None and documented.help
