"""Proposed alterations: read by the schema, held against the checks, written out as a folder again."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.commands.definitions import packaged
from app.registries.alteration import DEEPEST, Alteration, Altered, altered
from app.registries.compare import compare
from app.registries.load import load, read
from app.registries.schema import Definition
from app.registries.writing import written
from tests.make.definitions import SMALL, small

ALTERATIONS: TypeAdapter[list[Alteration]] = TypeAdapter(list[Alteration])
PULSE = {"source_name": "Pulse", "title": "Pulse", "type": "integer"}


def proposed(*alterations: dict[str, Any]) -> list[Alteration]:
    return ALTERATIONS.validate_python(list(alterations))


def element(name: str, definition: dict[str, Any] | None, **where: str) -> dict[str, Any]:
    return {"kind": "element", "form": "visit", "element": name, "definition": definition} | where


def value(code: str, definition: dict[str, Any] | None) -> dict[str, Any]:
    return {"kind": "value", "value_set": "answer", "code": code, "definition": definition}


def value_set(name: str, definition: dict[str, Any] | None) -> dict[str, Any]:
    return {"kind": "value-set", "value_set": name, "definition": definition}


@pytest.fixture
def visits(tmp_path: Path) -> Definition:
    return load(small(tmp_path / "visits"))


def unpacked(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("definition", packaged(), ids=lambda one: f"{one.id}-{one.version}")
def test_a_definition_written_out_reads_as_the_same(definition: Definition, tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "again", written(definition))
    again, complaints = read(folder, (), sound=True)
    assert complaints == []
    assert again is not None
    assert (again.digest, again.accept_until) == (definition.digest, definition.accept_until)


def test_what_is_proposed_is_what_the_comparison_tells(visits: Definition) -> None:
    made = altered(
        visits,
        proposed(
            element("pulse", PULSE),
            element("note", None),
            element("mass", {**_as_written(visits, "mass"), "unit": "g"}),
            value("M", {"label": "Maybe"}),
            value("N", {"label": "Never"}),
            value_set("colours", {"title": "Colours", "codes": [{"code": "r", "label": "Red"}]}),
            element("colour", {"source_name": "C", "title": "C", "type": "code", "value_set": "colours"}),
        ),
    )  # fmt: skip
    assert made.complaints == ()
    assert made.definition is not None
    assert {str(one) for one in compare(visits, made.definition)} == {
        "new: visit.pulse: a new element",
        "new: visit.colour: a new element",
        "breaks: visit.note: the element is gone",
        "refused: visit.mass: was in kg, is in g",
        *(f"new: {place}: a new code M" for place in ANSWERED),
        *(f"changed: {place}: code N reads 'Never', was 'No'" for place in ANSWERED),
    }
    assert visits.form("visit").by_id["mass"].unit == "kg"


ANSWERED = ("visit.smokes", "visit.reasons", "call.better")


def _as_written(definition: Definition, name: str) -> dict[str, Any]:
    found = definition.form("visit").by_id[name]
    return found.model_dump(mode="json", exclude_defaults=True)


def told(made: Altered) -> list[str]:
    """Complaints on one line each, those of an alteration behind its number."""
    return [
        f"{'' if one.alteration is None else f'/{one.alteration}'}{one.place}: {one.says}"
        for one in made.complaints
    ]


@pytest.mark.parametrize(
    ("alteration", "complaint"),
    [
        (element("pulse", {**PULSE, "type": "int"}), "/0/definition/type: `type` should be 'text'"),
        (element("pulse", {**PULSE, "unitt": "/min"}), "/0/definition/unitt: `unitt` is not known here; did you mean `unit`"),
        (element("pulse", {"title": "Pulse"}), "/0/definition: `source_name` is missing"),
        (element("pulse", {**PULSE, "title": 5}), "/0/definition/title: `title` should be a valid string"),
        (element("pulse", {**PULSE, "required_when": "age >"}), "/0/definition/required_when: "),
        (element("pulse", {**PULSE, "type": "code", "value_set": "x"}), "/0/definition/value_set: there is no value set `x`"),
        (element("pulse", {**PULSE, "id": "heart"}), "/0/definition/id: is `pulse` here"),
        (element("pulse", None), "/0/element: there is no element `pulse` to take out"),
        (element("pulse", PULSE, form="visits"), "/0/form: there is no form `visits`"),
        (element("pulse", PULSE, group="rows"), "/0/group: there is no group `rows`"),
        (element("packs", None), "rules/heavy-smoker/requires: no element or column `packs`"),
        (value("Y", {"label": "Yes", "retird": True}), "/0/definition/retird: `retird` is not known here; did you mean `retired`"),
        (value("Q", None), "/0/code: there is no code `Q` to take out"),
        (value_set("colours", None), "/0/value_set: there is no value set `colours`"),
        (value_set("colours", {"title": "C", "codes": []}), "/0/definition/codes: "),
        (value_set("number", None), "forms/visit/elements/kind/value_set: there is no value set `number`"),
    ],
)  # fmt: skip
def test_one_fault_of_a_proposal_is_complained_of_at_its_place(
    visits: Definition, alteration: dict[str, Any], complaint: str
) -> None:
    found = told(altered(visits, proposed(alteration)))
    assert any(one.startswith(complaint) for one in found), found


def test_complaints_keep_their_places_when_others_are_set_aside(visits: Definition) -> None:
    wrong = {**PULSE, "type": "int"}
    found = altered(
        visits, proposed(element("pulse", wrong), element("age", wrong), value("M", {}))
    )
    assert {one.partition(": ")[0] for one in told(found)} == {
        "/0/definition/type", "/1/definition/type", "/2/definition",
    }  # fmt: skip


def test_an_element_of_a_groups_rows_is_altered_there(tmp_path: Path) -> None:
    rows = """\
groups:
  - id: marks
    title: Marks
    elements:
      - {id: place, source_name: Place, title: Place, type: text}
    groups:
      - id: sizes
        title: Sizes
        elements:
          - {id: size, source_name: Size, title: Size, type: integer}
"""
    folder = small(tmp_path, elements_visit=SMALL["elements_visit"] + rows)
    marks = load(folder)
    made = altered(marks, proposed(element("depth", {**PULSE}, group="marks.sizes")))
    assert made.definition is not None
    assert [str(one) for one in compare(marks, made.definition)] == [
        "new: visit.marks.sizes.depth: a new element"
    ]
    wrong = altered(marks, proposed(element("depth", {**PULSE, "type": "x"}, group="marks.sizes")))
    assert told(wrong)[0].startswith("/0/definition/type: ")


def test_the_next_version_is_a_folder_that_can_be_published(
    visits: Definition, tmp_path: Path
) -> None:
    made = altered(
        visits, proposed(element("pulse", PULSE)), version="1.1.0", accept_from=date(2027, 1, 1)
    )
    assert made.definition is not None
    again = load(unpacked(tmp_path / "next", written(made.definition)), ())
    assert (again.version, again.accept_from) == ("1.1.0", date(2027, 1, 1))
    assert again.digest == made.definition.digest != visits.digest


def test_what_is_deeper_than_any_definition_is_refused_before_it_is_looked_at() -> None:
    deep: Any = "x"
    for _ in range(DEEPEST + 1):
        deep = [deep]
    with pytest.raises(ValidationError, match="levels deep"):
        proposed(element("pulse", {"help": deep}))
