"""``netsynth surprise``: the sample log's faults come first, each with its reason; what is wrong is said."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netsynth_core.cli import main

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "orders.csv.gz"
LOG = "case,event\n" + "".join(f"c{i},open\nc{i},read\nc{i},close\n" for i in range(60)) + "odd,open\nodd,close\n"


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("orders")
    fitted = run("fit", "tadam", SAMPLE, "--set", "max_transitions=0", "-o", folder / "orders.json")
    assert fitted.exit_code == 0, fitted.output
    (folder / "small.csv").write_text(LOG)
    assert run("fit", "tadam", folder / "small.csv", "-o", folder / "small.json").exit_code == 0
    return folder


def wrong_orders() -> set[str]:
    """The faults that the sample log was made with."""
    scope: dict[str, object] = {"__name__": "make_orders", "__file__": str(ROOT / "sample_data" / "make_orders.py")}
    exec(compile((ROOT / "sample_data" / "make_orders.py").read_text(), "make_orders.py", "exec"), scope)
    return {f"order-{number:04d}" for number in scope["WRONG"]}  # type: ignore[attr-defined]


def test_the_faults_of_the_sample_log_come_first(orders: Path) -> None:
    result = run("surprise", orders / "orders.json", SAMPLE, "-o", orders / "out.csv", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    rows = list(csv.DictReader((orders / "out.csv").read_text().splitlines()))
    assert told["sequences"] == len(rows) == 1500
    assert told["anomalies"] == sum(row["anomaly"] == "True" for row in rows) <= 15
    assert [int(row["rank"]) for row in rows] == list(range(1, 1501))
    values = [float(row["surprise"]) for row in rows]
    assert values == sorted(values, reverse=True)
    wrong = wrong_orders()
    assert len(wrong) == 12
    assert wrong <= {row["case"] for row in rows[:25]}
    assert all(row["why"] for row in rows if row["case"] in wrong)
    checked_out_at_once = next(row for row in rows if row["case"] == "order-0998")
    assert checked_out_at_once["leaves_at"] == "1"


def test_json_lines_and_other_orders(orders: Path) -> None:
    path = orders / "out.jsonl"
    assert run("surprise", orders / "small.json", orders / "small.csv", "-o", path).exit_code == 0
    first = json.loads(path.read_text().splitlines()[0])
    assert first["case"] == "odd"
    assert first["reasons"][0]["why"] == "Event read is missing; once is usual."
    told = run("surprise", orders / "small.json", orders / "small.csv", "-o", path, "--by", "bits", "--threshold", 3)
    assert "of 3.00 bits or more" in told.stdout
    assert json.loads(path.read_text().splitlines()[0])["case"] == "odd"


def test_every_registered_kind_of_words_can_rank(orders: Path) -> None:
    assert run("fit", "markov", orders / "small.csv", "-o", orders / "markov.json").exit_code == 0
    result = run("surprise", orders / "markov.json", orders / "small.csv", "-o", orders / "m.csv", "--json")
    assert json.loads(result.stdout)["by"] == "per-event"
    refused = run("surprise", orders / "markov.json", orders / "small.csv", "-o", orders / "m.csv", "--by", "surprise")
    assert refused.exit_code == 2
    assert "automaton of TADAM" in refused.stderr


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", (), "empty"),
        ("case,event,time\n1,open,soon\n", (), "line 2: 'soon' is no time"),
        ("case,event\n1,open\n", ("--case", "nobody"), "no column 'nobody'"),
        ("alpha,beta\n1,2\n", (), "known to hold the case"),
        ("case,event,time\n1,open,1\n", (), "unknown unit"),
    ],
)
def test_bad_logs_are_told_and_leave_nothing(
    content: str, options: tuple[str, ...], message: str, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(content)
    result = run("surprise", orders / "small.json", tmp_path / "log.csv", "-o", tmp_path / "out.csv", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Hint:" in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_models_without_a_detector_say_what_they_lack_and_take_a_threshold_of_usual_sequences(orders: Path) -> None:
    assert run("fit", "markov", orders / "small.csv", "-o", orders / "markov.json").exit_code == 0
    out = orders / "plain.csv"
    told = run("surprise", orders / "markov.json", orders / "small.csv", "-o", out)
    assert told.exit_code == 0 and "this markov model lacks" in told.stderr and "--threshold" in told.stderr
    usual = ("--usual", orders / "small.csv", "--false-alarms", "0.05")
    told = run("surprise", orders / "markov.json", orders / "small.csv", "-o", out, *usual)
    assert told.exit_code == 0 and "1 sequence of " in told.stdout and "bits, anomaly" in told.stdout
    refused = run("surprise", orders / "small.json", orders / "small.csv", "-o", out, *usual)
    assert refused.exit_code == 2 and "--usual" in refused.output


def test_sentences_count_events_from_one_and_leaves_at_from_zero(orders: Path) -> None:
    (orders / "one.csv").write_text("case,event\nx,open\nx,close\nx,read\n")
    out = orders / "one.jsonl"
    assert run("surprise", orders / "small.json", orders / "one.csv", "-o", out).exit_code == 0
    row = json.loads(out.read_text())
    reasons = [r for r in row["reasons"] if r["side"] == "order" and r["event"] != "$"]
    assert reasons
    assert all(f"Event {r['event']} at {r['position'] + 1} " in r["why"] for r in reasons)


def test_columns_of_a_log_to_learn_from_may_be_named(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("who,event,timestamp\n" + "".join(f"c{i // 2},{'ab'[i % 2]},{i}\n" for i in range(60)))
    refused = run("fit", "tadam", log, "-o", tmp_path / "m.json")
    assert refused.exit_code != 0 and "known to hold the case" in refused.stderr and "--case NAME" in refused.stderr
    fitted = run("fit", "tadam", log, "--case", "who", "--time", "-", "-o", tmp_path / "m.json", "--json")
    assert fitted.exit_code == 0, fitted.output
    assert run("fit", "independent", log, "--case", "who", "-o", tmp_path / "n.json").exit_code == 2


def test_bits_of_the_published_score_are_told_apart(orders: Path) -> None:
    path = orders / "published.json"
    fitted = run("fit", "tadam", orders / "small.csv", "--set", "score=published", "-o", path)
    assert fitted.exit_code == 0 and fitted.stderr.count("do not compare") == 1
    assert "do not compare" in run("show", path).stdout
    assert "do not compare" not in run("show", orders / "small.json").stdout
