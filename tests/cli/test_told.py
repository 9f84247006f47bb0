"""What commands on automata tell people: units, progress, where a model comes from, what another kind lacks."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netsynth_core.cli import main

WORD = "S_>_Empty:0:0 SA_<_Empty:{}:0 PA_>_Text-GET:{}:90 PA_<_Replay:5000:112 FA_>_Empty:30:0\n"
HEADER = "# netsynth words 1 unit=us service=http state=SF\n"


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told")
    (folder / "words").mkdir()
    text = HEADER + "".join(WORD.format(2000 + 37 * i, 300 + 11 * i) for i in range(40))
    for name in ("http-SF", "web-SF"):
        (folder / "words" / f"{name}.txt").write_text(text)
    plain = HEADER.replace(" service=http state=SF", "") + text.removeprefix(HEADER)
    (folder / "plain.txt").write_text(plain)
    assert run("fit", "tadam", folder / "plain.txt", "-o", folder / "plain.json").exit_code == 0
    assert run("fit", "tag", folder / "plain.txt", "-o", folder / "tag.json").exit_code == 0
    return folder


def test_a_folder_says_how_far_it_is(made: Path) -> None:
    fitted = run("fit", "tadam", made / "words", "-o", made / "models")
    assert fitted.exit_code == 0, fitted.output
    lines = [line for line in fitted.stderr.splitlines() if " learnt in " in line]
    assert [line.partition(":")[0] for line in lines] == ["1 of 2", "2 of 2"]
    assert "1 of 2" not in fitted.stdout


def test_figures_have_units_and_searches_take_durations(made: Path) -> None:
    fitted = run("fit", "tadam", made / "plain.txt", "--set", "budget=1m", "-o", made / "again.json")
    total = next(line for line in fitted.stdout.splitlines() if "total:" in line)
    assert total.endswith(" bits") and "most memory: " in fitted.stdout
    shown = run("show", made / "again.json").stdout
    assert "budget 60," in shown and "service" not in shown and "state" not in shown
    told = run("kinds").stdout
    assert told.count("or a duration such as 90s or 5m): ") == 4 and "600.0" not in told


def test_what_was_imported_says_only_what_the_file_holds(made: Path) -> None:
    exported = run("export", made / "plain.json", "--format", "fosr", "-o", made / "out.json")
    assert "made up, not captured" in exported.stderr
    imported = run("import", made / "out.json", "-o", made / "back.json")
    assert imported.exit_code == 0 and "noisy" not in imported.stdout
    shown = run("show", made / "back.json").stdout
    assert "tadam (packet level), imported\n" in shown and "codelength: unknown" in shown
    assert "parameters:" not in shown and "seed" not in shown and "stored for replay" not in shown
    assert "noisy" not in shown.partition("\n\n")[0]
    aligned = run("align", made / "back.json", made / "plain.txt", "-o", made / "a.jsonl")
    assert aligned.exit_code == 0 and "was imported" in aligned.stderr


def test_a_learner_without_a_model_of_noise_is_told_so(made: Path) -> None:
    refused = run("align", made / "tag.json", made / "plain.txt", "-o", made / "b.jsonl")
    assert refused.exit_code == 2 and "no model of noise" in refused.stderr and "kind tadam" in refused.stderr


def test_json_for_other_programs_is_not_imported(made: Path) -> None:
    assert run("export", made / "plain.json", "--format", "json", "-o", made / "facts.json").exit_code == 0
    refused = run("import", made / "facts.json", "-o", made / "c.json")
    assert refused.exit_code == 2 and "for other programs" in refused.stderr and "Copy the model" in refused.stderr
