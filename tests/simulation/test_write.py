"""A nation in files: repeatable, complete, every door, and the truth beside it."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pydicom
import pytest
import python_calamine
from typer.testing import CliRunner

from app.commands.definitions import newest
from app.commands.simulate import simulate as command
from app.errors import Unprocessable
from app.ingest.formats import fhir
from app.ingest.formats.sent import opened
from app.simulation.canaries import Canaries
from app.simulation.doors import doors_of
from app.simulation.places import DOORS
from app.simulation.plan import Plan
from app.simulation.sending import Nation, read_lines
from app.simulation.write import simulate

PLAN = Plan(seed=21, facilities=14, cases=700, flawed=0.06, studies=5, single_posts=5)


@pytest.fixture(scope="module")
def definition():
    return newest("early-lung-cancer-detection")


@pytest.fixture(scope="module")
def folder(definition, tmp_path_factory):
    made = tmp_path_factory.mktemp("nation")
    simulate(PLAN, definition, made)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    # A workbook is a ZIP that holds the moment it was made.
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".xlsx"
    }


def rows_of(path: Path, door: str) -> list[dict]:
    """What a file says, as far as all doors can say it: form, action, key, dose."""
    if door in ("ndjson", "json", "single"):
        text = path.read_text()
        if door == "ndjson":
            entries = [json.loads(line) for line in text.splitlines()]
        else:
            entries = json.loads(text)
            entries = entries["entries"] if door == "json" else [entries]
        rows = [{"form": e["form"], "action": e["action"], **e["elements"]} for e in entries]
    elif door == "fhir":
        packed = fhir.entries(path.read_bytes(), newest("early-lung-cancer-detection"))
        entries = [opened(one.content) for one in packed]
        rows = [{"form": e.form, "action": e.action, **e.elements} for e in entries]
    elif door == "xlsx":
        sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        first, *rest = sheet.to_python()
        rows = [dict(zip(first, row, strict=True)) for row in rest]
    else:
        reader = csv.reader(
            io.StringIO(path.read_bytes().decode(), newline=""),
            delimiter="|" if door == "pipe" else ",",
        )
        first, *rest = list(reader)
        rows = [dict(zip([name.lower() for name in first], row, strict=True)) for row in rest]
    return [
        (
            row.get("_form") or row.get("form") or "exam",
            row.get("_action") or row.get("action") or "submit",
            row["exam_unique_id"],
            str(row.get("ctdivol") or ""),
        )
        for row in rows
    ]


def test_equal_plans_write_equal_bytes(definition, folder, tmp_path):
    simulate(PLAN, definition, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_another_seed_makes_another_nation_with_other_identities(definition, folder, tmp_path):
    simulate(Plan(seed=22, facilities=14, cases=100), definition, tmp_path / "other")
    other = (tmp_path / "other" / "canaries.txt").read_text()
    names = {line for line in other.splitlines() if line.startswith("exam identifier")}
    assert len(names) == 100
    assert names.isdisjoint((folder / "canaries.txt").read_text().splitlines())


def test_every_door_is_used_and_every_entry_is_in_exactly_one_row(definition, folder):
    nation = Nation.read(folder)
    assert {one["door"] for one in nation.submissions} == set(doors_of(definition)) > set(DOORS)
    assert any(one["corporate_account"] is not None for one in nation.submissions)
    keys = Counter()
    for one in nation.submissions:
        rows = rows_of(folder / one["path"], one["door"])
        assert len(rows) == one["entries"], one["path"]
        keys.update(key for form, action, key, _ in rows if form == "exam")
    truth = list(read_lines(folder / "truth.ndjson"))
    assert len(truth) == PLAN.cases == len({(one["facility"], one["key"]) for one in truth})
    assert {one["key"] for one in truth} == keys.keys()


def test_the_expected_counts_add_up(folder):
    nation = Nation.read(folder)
    sums = Counter()
    for one in nation.submissions:
        expect = one["expect"]
        assert expect["accepted"] + expect["rejected"] + expect["waiting"] == one["entries"]
        parts = ("created", "amended", "unchanged", "withdrawn", "saved")
        assert expect["accepted"] == sum(expect[part] for part in parts)
        sums.update(expect)
    assert all(sums[one] for one in ("created", "amended", "unchanged", "withdrawn", "saved"))
    assert sums["rejected"]
    answers = list(read_lines(folder / "answer_key.ndjson"))
    rejecting = {(a["submission"], a["row"]) for a in answers if a["severity"] == "reject"}
    assert len(rejecting) == sums["rejected"]
    sizes = {one["submission"]: one["entries"] for one in nation.submissions}
    assert all(1 <= one["row"] <= sizes[one["submission"]] for one in answers)


def test_instances_belong_to_cases_that_the_registry_holds(folder):
    nation = Nation.read(folder)
    truth = {one["key"]: one for one in read_lines(folder / "truth.ndjson")}
    canaries = Canaries.read(folder / "canaries.txt")
    assert len(nation.images) == PLAN.studies
    for study in nation.images:
        for path in study["paths"]:
            instance = pydicom.dcmread(folder / path)
            case = truth[study["key"]]
            assert instance.AccessionNumber == case["key"]
            assert instance.PatientID == case["elements"]["other_id"]
            assert instance.pixel_array.shape == (64, 64)
            found = canaries.found_in((folder / path).read_bytes())
            kinds = set(found.values())
            assert kinds >= {"name", "local identifier", "exam identifier", "birth date"}
            assert kinds >= {"image name", "image code", "uid"}


def test_a_folder_in_use_is_left_alone(definition, folder):
    with pytest.raises(FileExistsError):
        simulate(PLAN, definition, folder)


def test_the_command_writes_a_nation_and_tells_how_large(tmp_path):
    import typer

    app = typer.Typer()
    app.command()(command)
    out = tmp_path / "nation"
    done = CliRunner().invoke(app, [str(out), "--cases", "60", "--facilities", "3", "--seed", "9"])
    assert done.exit_code == 0, done.output
    assert "60 cases" in done.output
    assert len(list(read_lines(out / "truth.ndjson"))) == 60
    again = CliRunner().invoke(app, [str(out), "--cases", "60"])
    assert again.exit_code == 1
    assert isinstance(again.exception, Unprocessable)
    assert "new or empty" in str(again.exception)
