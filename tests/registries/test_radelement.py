"""Common data elements: RadElement sets in, RadElement sets out."""

import copy
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from app.commands.registry import app
from app.registries.load import read
from app.registries.radelement import UnreadableSet, export_set, import_set, read_set
from app.registries.schema import Limits, Range

ON = date(2026, 11, 22)

STATUS = {"date": "2024-04-23", "name": "Proposed"}
V1: dict[str, Any] = {"number": 1, "date": "2024-04-23"}

OLDER: dict[str, Any] = {
    "id": "RDES901", "name": "Made-up lesion", "description": "For tests", "set_version": V1,
    "schema_version": "1.0.0", "status": STATUS, "history": [{"date": "2024-04-23", "status": STATUS}],
    "index_codes": [], "specialties": [],
    "elements": [
        {"id": "RDE9001", "name": "Make up", "definition": "What it is made of", "question": "Of what?",
         "element_version": V1, "schema_version": "1.0.0", "status": STATUS,
         "index_codes": [{"system": "RADLEX", "code": "RID1"}, {"system": "SNOMEDCT", "code": "1"}, {"system": "LOINC", "code": "1-8"}],
         "value_set": {"min_cardinality": 1, "max_cardinality": 1, "values": [
             {"code": "RDE9001.0", "value": "solid", "name": "solid", "definition": "It hides the vessels in it", "index_codes": [{"system": "RADLEX", "code": "RID2"}]},
             {"code": "RDE9001.1", "value": "ground_glass_that_hides_no_vessels", "name": "ground glass"}]}},
        {"id": "RDE9002", "name": "Signs", "element_version": V1, "schema_version": "1.0.0", "status": STATUS,
         "value_set": {"min_cardinality": 0, "values": [
             {"code": "RDE9002.0", "value": "halo", "name": "halo sign"},
             {"code": "RDE9002.1", "value": "crazy", "name": "crazy paving"}]}},
        {"id": "RDE9003", "name": "Size", "element_version": V1, "schema_version": "1.0.0", "status": STATUS,
         "float_value": {"min": 0.5, "max": 300, "step": 0.1, "unit": "mm"}},
        {"id": "RDE9004", "name": "Density", "element_version": V1, "schema_version": "1.0.0", "status": STATUS,
         "integer_value": {"min": -1024, "max": 3071, "step": 1, "unit": "HU"}},
    ],
}  # fmt: skip


TOO_LONG = "a_value_that_is_far_too_long" * 3


def newer(document: dict[str, Any]) -> dict[str, Any]:
    """The same in the later edition of the schema."""
    made = copy.deepcopy(document)
    made["schema_version"] = "1.1.0"
    made["current_status"] = {"date": "2024-04-23", "status": made.pop("status")["name"]}
    made["status_history"] = [made["current_status"]]
    del made["history"]
    for one in made["elements"]:
        one["current_status"] = {"date": "2024-04-23", "status": one.pop("status")["name"]}
    return made


def kept(document: dict[str, Any]) -> dict[str, Any]:
    """What both sides know of a set."""
    return {
        "id": document["id"],
        "name": document["name"],
        "elements": [
            {
                name: one[name]
                for name in ("id", "name", "definition", "question", "index_codes", "value_set", "integer_value", "float_value")
                if name in one
            }
            for one in document["elements"]
        ],
    }  # fmt: skip


@pytest.mark.parametrize("document", [OLDER, newer(OLDER), {"data": OLDER}])
def test_a_set_comes_back_as_it_went(document: dict[str, Any]) -> None:
    found = import_set(read_set(document))
    assert found.left == ()
    sets = {one.id: one for one in found.value_sets}
    written, left = export_set(found.form, sets, on=ON, description="For tests")
    assert left == ()
    expected = copy.deepcopy(kept(OLDER))
    expected["elements"][3]["integer_value"].pop("step")
    assert kept(written) == expected
    again = import_set(read_set(written))
    assert (again.form.elements, again.value_sets) == (found.form.elements, found.value_sets)


def test_a_set_is_elements_of_a_definition() -> None:
    form = import_set(read_set(OLDER)).form
    kind, signs, size, density = form.elements
    assert (form.id, form.codes.radelement) == ("made_up_lesion", "RDES901")
    assert (kind.id, kind.type, kind.required, kind.codes.radelement) == (
        "make_up",
        "code",
        True,
        "RDE9001",
    )
    assert (kind.codes.radlex, kind.codes.snomed, kind.codes.loinc) == ("RID1", "1", "1-8")
    assert (signs.type, signs.required) == ("codes", False)
    assert (size.type, size.scale, size.unit) == ("decimal", 1, "mm")
    assert size.range == Range(hard=Limits(low=Decimal("0.5"), high=Decimal(300)))
    assert (density.type, density.unit) == ("integer", "[hnsf'U]")


def test_what_is_exported_is_a_set_to_the_published_schema() -> None:
    found = import_set(read_set(OLDER))
    written, _ = export_set(found.form, {one.id: one for one in found.value_sets}, on=ON)
    jsonschema_rs.validator_for(SCHEMA).validate(written)


def test_what_has_no_word_for_it_is_said_to_be_left() -> None:
    document = copy.deepcopy(OLDER)
    document["elements"][0]["value_set"]["values"][0]["value"] = TOO_LONG
    document["elements"][1]["value_set"]["max_cardinality"] = 2
    document["elements"][3]["integer_value"]["step"] = 5
    document["contributors"] = {"people": [{"name": "Somebody"}], "organizations": []}
    document["references"], document["images"], document["body_parts"] = ["A paper"], [], ["LUNG"]
    document["index_codes"] = [{"system": "ACRCOMMON", "code": "1"}]
    kind, signs, size, _ = document["elements"]
    kind["images"] = [{"url": "https://example.org"}]
    kind["index_codes"].append({"system": "RADLEX", "code": "RID9"})
    kind["value_set"]["values"][1]["value"] = "ground glass"
    signs["value_set"]["min_cardinality"] = 2
    signs["value_set"]["values"][0]["index_codes"] = [{"system": "ACRCOMMON", "code": "2"}]
    signs["value_set"]["values"][1]["images"] = [{"url": "https://example.org"}]
    size["float_value"]["step"] = 0.5
    assert set(import_set(read_set(document)).left) == {
        "contributors",
        "references",
        "body_parts",
        "index_codes",
        "elements.0.images",
        "elements.0.index_codes",
        "elements.0.value_set.values.0.value",
        "elements.0.value_set.values.1.value",
        "elements.1.value_set.max_cardinality",
        "elements.1.value_set.min_cardinality",
        "elements.1.value_set.values.0.index_codes",
        "elements.1.value_set.values.1.images",
        "elements.2.float_value.step",
        "elements.3.integer_value.step",
    }


@pytest.mark.parametrize("step", [None, 1, 0.1, 0.01, 0.0001])
def test_a_step_comes_back_and_none_is_invented(step: float | None) -> None:
    document = copy.deepcopy(OLDER)
    document["elements"][2]["float_value"] = {"min": 0, "max": 300, "unit": "mm"} | (
        {} if step is None else {"step": step}
    )
    found = import_set(read_set(json.loads(json.dumps(document), parse_float=str)))
    assert found.left == ()
    written, _ = export_set(found.form, {one.id: one for one in found.value_sets}, on=ON)
    assert written["elements"][2]["float_value"].get("step") == step


def test_a_code_of_one_s_own_is_none_that_another_value_has() -> None:
    document = copy.deepcopy(OLDER)
    values = document["elements"][1]["value_set"]["values"]
    values[0]["value"], values[1]["value"] = TOO_LONG, "0"
    (_, signs) = import_set(read_set(document)).value_sets
    assert [one.code for one in signs.codes] == ["1", "0"]


def test_an_id_is_given_to_one_element_and_one_value() -> None:
    found = import_set(read_set(OLDER))
    first, second = found.form.elements[2:]
    same = second.model_copy(update={"codes": first.codes})
    later = first.model_copy(
        update={
            "id": "later",
            "codes": first.codes.model_copy(update={"radelement": "TO_BE_DETERMINED1"}),
        }
    )
    kind = found.value_sets[0]
    codes = (
        kind.codes[0].model_copy(update={"radelement": None}),
        kind.codes[1].model_copy(update={"radelement": "RDE9001.0"}),
    )
    sets = {one.id: one for one in (kind.model_copy(update={"codes": codes}), found.value_sets[1])}
    form = found.form.model_copy(update={"elements": (*found.form.elements[:3], same, later)})
    written, left = export_set(form, sets, on=ON)
    ids = [one["id"] for one in written["elements"]]
    assert ids == ["RDE9001", "RDE9002", "RDE9003", "TO_BE_DETERMINED2", "TO_BE_DETERMINED1"]
    assert left == (f"{same.id}: has the id of another element; one is to be determined",)
    values = written["elements"][0]["value_set"]["values"]
    assert [one["code"] for one in values] == ["RDE9001.1", "RDE9001.0"]


def test_two_elements_of_one_name_get_two_ids() -> None:
    document = copy.deepcopy(OLDER)
    for one, name in zip(document["elements"], ("Size", "size!", "3D size", "size_2"), strict=True):
        one["name"] = name
    ids = [one.id for one in import_set(read_set(document)).form.elements]
    assert ids == ["size", "size_2", "e_3d_size", "size_2_2"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda one: one.pop("name"), "name: Field required"),
        (lambda one: one.update(id="ABC1"), "id: String should match"),
        (lambda one: one["elements"][1].update(id="RDE9001"), "RDE9001 is there twice"),
        (lambda one: one.update(elements=[]), "elements: Tuple should have at least 1 item"),
        (lambda one: one["elements"][0].pop("value_set"), "needs exactly one of"),
        (lambda one: one["elements"][0].update(integer_value={}), "needs exactly one of"),
        (lambda one: one["elements"].append({"element_ref_id": "RDE1", "element_version": 1}), "elements.4: refers to"),
        (lambda one: one["elements"][2]["float_value"].update(min="wide"), "elements.2.float_value.min"),
    ],
)  # fmt: skip
def test_what_is_no_set_is_refused_by_its_place(change: Any, complaint: str) -> None:
    document = copy.deepcopy(OLDER)
    change(document)
    with pytest.raises(UnreadableSet) as refused:
        read_set(document)
    assert any(complaint in one for one in refused.value.complaints), refused.value.complaints


@pytest.mark.parametrize("document", [None, [], "RDES1", {"data": 3}, {"elements": [1]}])
def test_what_is_no_document_is_refused(document: object) -> None:
    with pytest.raises(UnreadableSet):
        read_set(document)


REGISTRY = """
id: lesions
version: 1.0.0
title: Lesions
steward: A test
accept_from: 2026-01-01
channels: [json]
"""
EXAM = """
id: exam
title: Exam
level: case
key: [exam_id]
period: exam_date
includes: [made_up_lesion]
elements:
  - {id: exam_id, source_name: Exam, title: Exam, type: text}
  - {id: exam_date, source_name: Date, title: Date, type: date, required: true}
"""


def test_the_command_puts_a_set_into_a_definition_and_writes_nothing_over(tmp_path: Path) -> None:
    folder = tmp_path / "lesions" / "1.0.0"
    (folder / "elements").mkdir(parents=True)
    (folder / "registry.yaml").write_text(REGISTRY)
    (folder / "elements" / "exam.yaml").write_text(EXAM)
    (tmp_path / "set.cde.json").write_text(json.dumps(OLDER))
    run = CliRunner().invoke(
        app, ["import-cde", str(tmp_path / "set.cde.json"), "--into", str(folder)]
    )
    assert run.exit_code == 0, run.output
    definition, complaints = read(folder)
    assert complaints == []
    assert definition is not None
    found = import_set(read_set(OLDER))
    assert definition.form("made_up_lesion").elements == found.form.elements
    assert definition.value_sets == {one.id: one for one in found.value_sets}
    again = CliRunner().invoke(
        app, ["import-cde", str(tmp_path / "set.cde.json"), "--into", str(folder)]
    )
    assert again.exit_code == 1
    assert "is there already" in again.output


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": 3}', b"\xff\xfe", b"[" * 100_000])
def test_the_command_refuses_a_file_that_is_no_set(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.json").write_bytes(content)
    run = CliRunner().invoke(app, ["import-cde", str(tmp_path / "set.json")])
    assert run.exit_code == 1
    assert run.exception is None or isinstance(run.exception, SystemExit)
    assert "set.json" in run.output


def test_a_form_of_a_shipped_registry_is_exported_without_whom_it_is_about() -> None:
    run = CliRunner().invoke(app, ["export-cde", "early-lung-cancer-detection", "exam"])
    assert run.exit_code == 0, run.output
    document = json.loads(run.stdout)
    jsonschema_rs.validator_for(SCHEMA).validate(document)
    assert "exam_unique_id" not in run.stdout
    assert "Lung-RADS" in run.stdout


_ID = {"anyOf": [{"pattern": r"^RDES?\d+"}, {"pattern": r"TO_BE_DETERMINED\d+"}]}
_STATUS = {
    "type": "object",
    "required": ["date", "status"],
    "properties": {"status": {"enum": ["Proposed", "Published", "Retired"]}},
}
_NUMBER = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: {"type": "number"} for name in ("min", "max", "step")}
    | {"unit": {"type": "string"}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name", "description", "set_version", "current_status", "elements", "specialties", "schema_version"],
    "properties": {
        "id": _ID,
        "current_status": _STATUS,
        "specialties": {"type": "array", "minItems": 1, "items": {"required": ["name", "abbreviation"]}},
        "index_codes": {"type": "array", "minItems": 1},
        "elements": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "name", "element_version", "current_status", "schema_version"],
                "oneOf": [{"required": [one]} for one in ("integer_value", "float_value", "value_set")],
                "properties": {
                    "id": _ID,
                    "current_status": _STATUS,
                    "integer_value": _NUMBER,
                    "float_value": _NUMBER,
                    "value_set": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["values", "min_cardinality"],
                        "properties": {
                            "min_cardinality": {"type": "integer", "minimum": 0},
                            "max_cardinality": {"type": "integer", "minimum": 1},
                            "values": {"type": "array", "minItems": 2, "items": {
                                "type": "object", "required": ["code", "value", "name"],
                                "properties": {"code": {"anyOf": [
                                    {"pattern": r"RDE\d+\.\d+"}, {"pattern": r"TO_BE_DETERMINED\d+.\d+"}]}}}},
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
"""What the published schema of sets (cde.schema.json) requires of what is exported here."""
