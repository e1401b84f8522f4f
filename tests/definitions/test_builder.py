"""A registry is begun, drawn and shown by commands, and what they refuse is said."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.registry import app
from app.errors import Conflict, NotFound, Unprocessable
from app.registries import load
from app.registries.saying import Sayings
from app.simulation.sending import Nation, read_lines


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def knee(tmp_path: Path) -> Path:
    home = tmp_path / "knee"
    assert run("new", "knee-imaging", home).exit_code == 0
    return home


def test_a_new_registry_is_sound_and_bears_its_name(knee: Path) -> None:
    definition = load.load(knee)
    assert (definition.id, definition.title) == ("knee-imaging", "Knee imaging")
    assert definition.measures[0].examples
    assert "knee-imaging 1.0.0: 1 forms" in run("check", knee).stdout


def test_nothing_that_is_there_is_written_over_and_an_id_has_a_shape(knee: Path) -> None:
    assert isinstance(run("new", "other", knee).exception, Conflict)
    assert isinstance(run("new", "Knee Imaging", knee.parent / "x").exception, Unprocessable)
    assert not (knee.parent / "x").exists()


def test_data_are_drawn_for_the_doors_that_are_named(knee: Path, tmp_path: Path) -> None:
    done = run(
        "simulate", knee, "--cases", 60, "--door", "csv", "--flaws", "30%", "--out", tmp_path / "o"
    )
    assert done.exit_code == 0, done.output
    nation = Nation.read(tmp_path / "o")
    assert {one["door"] for one in nation.submissions} == {"csv"}
    answers = list(read_lines(tmp_path / "o" / "answer_key.ndjson"))
    assert {"missing", "not-in-value-set", "rule"} <= {one["code"] for one in answers}
    with (tmp_path / "o" / nation.submissions[0]["path"]).open(newline="") as file:
        assert {"exam_id", "result", "dose"} <= set(csv.DictReader(file).fieldnames or ())


def test_what_cannot_be_drawn_is_refused(knee: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    for words in (("--door", "fax"), ("--flaws", "all"), ("--flaws", "80%")):
        assert isinstance(run("simulate", knee, *words, "--out", out).exception, Unprocessable)
    assert isinstance(run("simulate", "no-such", "--out", out).exception, NotFound)


def test_rules_that_nothing_satisfies_are_named(knee: Path, tmp_path: Path) -> None:
    with (knee / "rules.yaml").open("a") as rules:
        rules.write(
            "\n- {id: never, form: exam, requires: dose > 5 AND dose < 4, place: dose, remedy: None.}\n"
            "\n- {id: given, form: exam, requires: dose IS NOT NULL, place: dose, remedy: Send it.}\n"
        )
    failed = run("simulate", knee, "--cases", 60, "--out", tmp_path / "o").exception
    assert isinstance(failed, Unprocessable)
    assert "never" in str(failed)


def test_the_profile_is_checked_like_the_rest(knee: Path) -> None:
    (knee / "simulation.yaml").write_text(
        "forms:\n  exam:\n    elements:\n      reslt: {filled: 1}\n"
        '      result: {weights: {"7": 1}}\n      dose: {cases: [{when: dos > 1}]}\n'
    )
    said = run("check", knee).stdout
    assert "simulation.yaml:4: there is no element `reslt`; did you mean `result`?" in said
    assert "simulation.yaml:5: there is no code `7`" in said
    assert "simulation.yaml:6: no element or column `dos` can be seen here" in said


def test_the_profile_is_no_part_of_the_document(knee: Path) -> None:
    before = load.load(knee)
    (knee / "simulation.yaml").unlink()
    after = load.load(knee)
    assert before.simulation != after.simulation
    assert before.digest == after.digest
    assert "simulation" not in load.canonical(before)


def test_the_site_says_what_has_changed_and_stands_without_a_script(
    knee: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    assert run("new", "knee-imaging", newer).exit_code == 0
    registry = newer / "registry.yaml"
    registry.write_text(registry.read_text().replace("version: 1.0.0", "version: 1.1.0"))
    form = newer / "elements" / "exam.yaml"
    form.write_text(
        form.read_text().replace("hard: {low: 0, high: 200}", "hard: {low: 0, high: 150}")
    )
    out = tmp_path / "site"
    assert run("docs", newer, out, "--before", knee).exit_code == 0
    assert "dose" in (out / "changes.html").read_text()
    for page in out.glob("*.html"):
        text = page.read_text()
        assert "http" not in text, "nothing is loaded from elsewhere"
        assert '<form id="search" role="search" hidden>' in text
    exam = (out / "form-exam.html").read_text()
    assert "when: Result is “A finding that calls for more”" in exam
    assert "needed then" not in exam


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("result = '2'", "Result is “A finding that calls for more”"),
        ("result NOT IN ('1', '9')", "Result is neither “Nothing found” nor “Not diagnostic”"),
        ("dose >= 2.50 OR dose_unknown", "Dose (CTDIvol) is at least 2.5 mGy or Dose (CTDIvol) is said to be unknown"),
        ("exam_date <= received_on", "Exam date is not after the day it is reported"),
        ("coalesce(dose > 1 AND result = '1', FALSE)", "Dose (CTDIvol) is more than 1 mGy and Result is “Nothing found”"),
        ("days_between(birth_date, exam_date) < 30", "The days from Date of birth to Exam date is less than 30"),
        ("CASE WHEN result = '1' THEN 'a' END", "CASE WHEN result = '1' THEN 'a' END"),
    ],
)  # fmt: skip
def test_expressions_are_said_in_words_or_left_as_they_are(
    knee: Path, text: str, words: str
) -> None:
    definition = load.load(knee)
    assert Sayings(definition, definition.form("exam")).said(text) == words
