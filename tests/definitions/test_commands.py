"""`hounsfield registry …` on the command line."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.registry import app
from app.errors import Conflict, InvalidDefinition, NotFound
from app.postgres import Addresses
from app.registries.load import PACKAGED, folders
from tests.definitions.conftest import LUNG
from tests.make.definitions import SMALL, changed_copy, small

REGISTRY = "early-lung-cancer-detection"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_check_without_a_folder_checks_what_is_packaged() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert f"{REGISTRY} 1.12.0: 9 forms" in result.stdout
    assert len(result.stdout.splitlines()) == len(folders(PACKAGED))


def test_check_prints_every_complaint_with_its_file(tmp_path: Path) -> None:
    small(tmp_path / "a", rules=SMALL["rules"].replace("packs < 5", "pack < 5"))
    small(tmp_path / "b", peers="- {id: all, title: All, by: alls}\n")
    result = run("check", tmp_path)
    assert isinstance(result.exception, InvalidDefinition)
    assert f"{tmp_path}/a/rules.yaml:2: no element or column `pack`" in result.stdout
    assert f"{tmp_path}/b/peers.yaml:1: `by`" in result.stdout


def test_check_asks_how_images_are_cleaned_too(tmp_path: Path) -> None:
    folder = small(tmp_path / "a")
    (folder / "deid.yaml").write_text(
        "options:\n- clean_pixel_data\n- Clean-All\n"
        "overrides:\n  PatientName: keep\n  Nobody: remove\n  PatientSize: burn\n"
    )
    result = run("check", tmp_path)
    assert isinstance(result.exception, InvalidDefinition)
    for said in ("unknown option 'clean_all'", "PatientName: no option", "'Nobody': no such"):
        assert said in result.stdout, said
    for line, told in (
        (3, "options: unknown option 'clean_all'"),
        (5, "overrides: override of PatientName: no option"),
        (6, "overrides: override of 'Nobody': no such attribute"),
        (7, "overrides: PatientSize: Input should be"),
    ):
        assert f"{folder}/deid.yaml:{line}: {told}" in result.stdout


def test_check_runs_the_worked_examples_and_says_what_came_out(tmp_path: Path) -> None:
    text = SMALL["measures_all"].replace("numerator: 1}]", "numerator: 2}]")
    folder = small(tmp_path / "a", measures_all=text)
    result = run("check", tmp_path)
    assert isinstance(result.exception, InvalidDefinition)
    said = f"{folder}/measures/all.yaml:12: `smokers`, 'One of two': `numerator` comes to 1, not 2"
    assert said in result.stdout


def test_check_of_an_empty_folder_is_a_complaint(tmp_path: Path) -> None:
    assert isinstance(run("check", tmp_path).exception, InvalidDefinition)


def test_check_finds_value_sets_shared_beside_the_definition(tmp_path: Path) -> None:
    folder = small(tmp_path / "visits" / "1.0.0")
    (tmp_path / "shared").mkdir()
    shutil.move(folder / "value_sets", tmp_path / "shared" / "value_sets")
    assert run("check", tmp_path).exit_code == 0
    assert run("check", folder).exit_code == 0


def test_list_and_show_name_the_registry() -> None:
    assert "1.12.0" in run("list").stdout
    shown = run("show", REGISTRY).stdout
    assert "Form exam (case): 39 elements" in shown
    assert "Measure adherence: Adherence to annual screening [not confirmed by a source]" in shown
    assert isinstance(run("show", "nothing").exception, NotFound)


def test_compare_says_what_breaks_and_refuses_what_cannot_be_compared(tmp_path: Path) -> None:
    old = small(tmp_path / "a")
    new = small(tmp_path / "b", rules=SMALL["rules"].replace("severity: warn", "severity: reject"))
    result = run("compare", old, new)
    assert (result.exit_code, result.stdout) == (0, "breaks: rule heavy-smoker: says otherwise\n")
    assert "The two say the same." in run("compare", old, old).stdout
    other = changed_copy(tmp_path / "c") / "1.12.0"
    refused = run("compare", LUNG, other)
    assert isinstance(refused.exception, Conflict)
    assert "refused: id" in refused.stdout


def test_dictionary_and_template_are_written(tmp_path: Path) -> None:
    assert run("dictionary", REGISTRY).stdout.startswith("# Early Lung Cancer Detection Registry")
    path = tmp_path / "follow-ups.xlsx"
    assert run("template", REGISTRY, "--form", "follow_up", "--to", path).exit_code == 0
    assert path.read_bytes()[:2] == b"PK"
    assert isinstance(run("template", REGISTRY, "--form", "risk_factors").exception, NotFound)


def test_publish_twice_changes_nothing_and_another_content_is_refused(
    database: Addresses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL", database.owner)
    monkeypatch.setenv("HOUNSFIELD_DATA", str(tmp_path / "data"))
    folder = small(tmp_path / "visits")
    assert "visits 1.0.0 published" in run("publish", folder, "--by", "the committee").stdout
    assert "visits 1.0.0 was published already" in run("publish", folder).stdout
    (folder / "rules.yaml").write_text("[]")
    assert isinstance(run("publish", folder).exception, Conflict)
    assert REGISTRY in run("publish").stdout
    assert "Everything was published already." in run("publish").stdout
