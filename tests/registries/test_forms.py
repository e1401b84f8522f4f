"""What is made of a definition for those who fill in its forms agrees with what checks them."""

import io
from typing import Any

import jsonschema_rs
import openpyxl
import pytest

from app.registries.conditions import condition
from app.registries.dictionary.contents import contents
from app.registries.dictionary.markdown import markdown
from app.registries.dictionary.rows import dictionary
from app.registries.entries import FormCheck
from app.registries.forms import web_form
from app.registries.json_schema import entry_schema
from app.registries.load import PACKAGED, load
from app.registries.questionnaire import questionnaire
from app.registries.schema import Definition
from app.registries.workbook import template
from tests.make.definitions import packaged
from tests.make.entries import EXAM, FOLLOW_UP


@pytest.fixture(scope="module")
def lung() -> Definition:
    return load(PACKAGED / "early-lung-cancer-detection" / "1.12.0")


def test_the_dictionary_has_every_element_once_with_its_mark(lung: Definition) -> None:
    rows = {(row.form, row.element): row for row in dictionary(lung)}
    assert len(rows) == sum(len(form.elements) for form in lung.forms)
    marks = {row.source for row in rows.values()}
    assert marks == {"confirmed", "unconfirmed", "project"}
    packs = rows["exam", "number_of_packs_year_smoking"]
    assert (packs.required, packs.possible, packs.usual, packs.unknown) == (
        "conditional", "0 to 300", "0 to 150", ["999"],
    )  # fmt: skip
    lung_rads = rows["exam", "ct_exam_result_lung_rads"]
    assert [one.code for one in lung_rads.codes] == ["0", "1", "2", "3", "4A", "4B", "4X"]
    assert rows["subject", "patient_ssn"].identifying
    assert rows["exam", "age_at_exam"].computed


@pytest.mark.parametrize("found", packaged(), ids=lambda one: one.id)
def test_the_printed_dictionary_names_every_part_of_a_definition(found: Definition) -> None:
    page = markdown(found)
    for form in found.forms:
        assert f"## {form.title}" in page
        for element in form.elements:
            assert f"| `{element.id}` | {element.source_name} |" in page
        for group in form.group_paths.values():
            assert f"### Rows: {group[-1].title}" in page
    for rule in found.rules:
        assert f"| `{rule.id}` |" in page
    for name, parts in {
        "Measure": found.measures,
        "Worklist": found.worklists,
    }.items():
        for part in parts:
            assert f"| {name} | {part.id}" in page
            assert f"### {part.title}" in page
    for titled in (*found.decisions, *found.peers):
        assert f"### {titled.title}" in page
    for value_set in found.value_sets.values():
        assert f"({value_set.id})" in page
        for code in value_set.codes:
            assert f"| `{code.code}` | " in page
    for measure in found.measures:
        for factor in measure.case_mix:
            assert f"| Case mix by {factor.title} |" in page
    for conversion in found.conversions:
        assert f"### Version {conversion.converts}" in page
    for source in found.images:
        assert f"| {source.title or source.id} | `{source.form}` |" in page
    for reported in found.reported:
        assert all(f"| `{one.element}` |" in page for one in reported.elements)
    assert f"| Entries are taken from | {found.accept_from.isoformat()}" in page
    unconfirmed = [
        one for form in found.forms for one in form.elements if one.source == "unconfirmed"
    ]
    assert page.count("not confirmed by a source") >= len(unconfirmed)


@pytest.mark.parametrize("found", packaged(), ids=lambda one: one.id)
def test_every_row_of_a_printed_table_has_its_headings_columns(found: Definition) -> None:
    columns = 0
    for line in markdown(found).splitlines():
        bars = line.replace("\\|", "").count("|") if line.startswith("|") else 0
        assert bars in (columns, 0) or not columns
        columns = bars


def test_the_site_and_the_print_tell_the_same(lung: Definition) -> None:
    pages = contents(lung)
    printed = markdown(lung)
    assert len({page.file for page in pages}) == len(pages)
    for page in pages:
        for section in page.sections:
            assert section.title in printed.replace("&lt;", "<")
            assert {len(row.cells) for row in section.rows} <= {len(section.head)}
    anchors = [row.anchor for page in pages for section in page.sections for row in section.rows]
    assert len(set(anchors)) == len(anchors)


def test_the_schema_admits_what_is_right_and_no_more(lung: Definition) -> None:
    schema = jsonschema_rs.Draft202012Validator(
        entry_schema(lung, "exam", "http://hounsfield.test")
    )
    good = {
        name: value.replace("-", "") if name == "patient_ssn" else value
        for name, value in EXAM.items()
    }
    assert schema.is_valid({"elements": good})
    assert schema.is_valid({"form": "exam", "action": "save", "elements": {"exam_unique_id": "A"}})
    assert not schema.is_valid({"action": "submit", "elements": {"exam_unique_id": "A"}})
    assert not schema.is_valid({"form": "follow_up", "elements": good})
    assert not schema.is_valid({"action": "erase", "elements": good})
    wrong: list[dict[str, Any]] = [
        {"ct_exam_result_lung_rads": "4"},
        {"ctdivol": 11},
        {"number_of_packs_year_smoking": 301},
        {"patient_dob": 19600501},
        {"patient_race": "6"},
        {"patient_race": ["6", "6"]},
        {"radiologist_reading_npi": "123"},
        {"favourite_colour": "blue"},
        {"age_at_exam": 66},
        {"exam_unique_id": ""},
    ]
    for change in wrong:
        assert not schema.is_valid({"elements": good | change}), change
    assert schema.is_valid({"elements": good | {"number_of_packs_year_smoking": 999}})


def test_the_schema_of_a_follow_up_asks_for_its_form(lung: Definition) -> None:
    schema = jsonschema_rs.Draft202012Validator(entry_schema(lung, "follow_up"))
    assert schema.is_valid({"form": "follow_up", "elements": FOLLOW_UP})
    assert not schema.is_valid({"elements": FOLLOW_UP})


@pytest.mark.parametrize(("form", "entry"), [("exam", EXAM), ("follow_up", FOLLOW_UP)])
def test_a_filled_in_template_is_an_entry_without_a_flaw(
    lung: Definition, form: str, entry: dict[str, Any]
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(template(lung, form)))
    sheet = book["Entries" if form == "exam" else form]
    headings = [cell.value for cell in sheet[1]]
    assert headings[:2] == ["_form", "_action"]
    for name, value in entry.items():
        sheet.cell(2, headings.index(name) + 1, value)
    check = FormCheck(lung, form)
    row = {heading: cell.value for heading, cell in zip(headings[2:], sheet[2][2:], strict=True)}
    checked = check.check(row)
    assert checked.flaws == []
    assert checked.values == check.check(entry).values


def test_a_template_offers_codes_notes_and_text_that_keeps_its_noughts(lung: Definition) -> None:
    made = template(lung, "exam")
    assert made == template(lung, "exam")
    book = openpyxl.load_workbook(io.BytesIO(made))
    assert book.sheetnames == ["Entries", "Codes", "Elements"]
    sheet, codes = book["Entries"], book["Codes"]
    headings = [cell.value for cell in sheet[1]]
    assert "age_at_exam" not in headings
    column = headings.index("ct_exam_result_lung_rads")
    letter = sheet.cell(1, column + 1).column_letter
    lists = [one for one in sheet.data_validations.dataValidation if f"{letter}2" in one.sqref]
    (offered,) = lists
    first, last = (int(part.split("$")[-1]) for part in offered.formula1.split("!")[1].split(":"))
    assert [codes.cell(row, 2).value for row in range(first, last + 1)] == [
        "0", "1", "2", "3", "4A", "4B", "4X",
    ]  # fmt: skip
    assert "4A = Suspicious" in sheet.cell(1, column + 1).comment.text
    npi = sheet.cell(1, headings.index("facility_npi") + 1).column_letter
    assert sheet.column_dimensions[npi].parent is sheet
    assert all(cell.data_type != "f" for rows in book for row in rows.iter_rows() for cell in row)


def test_the_questionnaire_asks_what_the_form_asks(lung: Definition) -> None:
    made = questionnaire(lung, "exam", "http://hounsfield.test")
    assert made["resourceType"] == "Questionnaire"
    assert made["version"] == "1.12.0"
    items = {item["linkId"]: item for group in made["item"] for item in group["item"]}
    sent = [one.id for one in lung.form("exam").all_elements if one.computed is None]
    assert list(items) == sent
    known = set(items)
    for item in items.values():
        assert item["type"] in {"string", "choice", "integer", "decimal", "date", "boolean"}
        for asked in item.get("enableWhen", ()):
            assert asked["question"] in known
            assert len([key for key in asked if key.startswith("answer")]) == 1
        if len(item.get("enableWhen", ())) > 1:
            assert item["enableBehavior"] in {"all", "any"}
    assert items["reason_for_recall"]["enableWhen"] == [
        {
            "question": "ct_exam_result_lung_rads",
            "operator": "=",
            "answerCoding": {
                "system": "urn:hounsfield:early-lung-cancer-detection:lung-rads",
                "code": "0",
            },
        }
    ]
    assert items["occupational_exposures"]["repeats"] is True


def test_the_web_form_shows_an_element_when_its_condition_holds(lung: Definition) -> None:
    form = web_form(lung, "exam")
    questions = {
        one["element"]: one for section in form["sections"] for one in section["questions"]
    }
    assert questions["number_of_years_since_quit"]["shown_when"] == {
        "any": [{"element": "smoking_status", "code": "2", "holds": True}]
    }
    assert questions["ctdivol"]["step"] == "0.01"
    assert [one["form"] for one in form["sections"]] == ["exam", "subject", "risk_factors"]
    assert [one["alone"] for one in questions["occupational_exposures"]["choices"]].count(True) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 'x'", {"any": [("a", "x", True)]}),
        ("a IN ('x', 'y')", {"any": [("a", "x", True), ("a", "y", True)]}),
        ("coalesce(a, '') = 'x'", {"any": [("a", "x", True)]}),
        ("a <> 'x'", {"all": [("a", "x", False)]}),
        ("coalesce(a, 'x') NOT IN ('x', 'y')", {"all": [("a", "x", False), ("a", "y", False)]}),
        ("a IS NOT NULL", {"all": [("a", None, True)]}),
        ("a IS NULL", {"all": [("a", None, False)]}),
        ("coalesce(list_contains(a, 'x'), FALSE)", {"any": [("a", "x", True)]}),
        ("a = 'x' OR b = 'y'", {"any": [("a", "x", True), ("b", "y", True)]}),
        ("a = 'x' AND b <> 'y'", {"all": [("a", "x", True), ("b", "y", False)]}),
        ("a = 'x' AND b IN ('y', 'z')", None),
        ("a > 3", None),
        ("a = b", None),
        ("days_between(a, b) > 3", None),
        (None, None),
    ],
)  # fmt: skip
def test_conditions_become_data_or_are_left_to_the_check(
    text: str | None, expected: dict[str, list[tuple[str, str | None, bool]]] | None
) -> None:
    found = condition(text)
    if expected is None:
        assert found is None
        return
    assert found is not None
    asked = [(one.element, one.code, one.holds) for one in found.asked]
    assert {found.behavior: asked} == expected


def test_every_condition_of_the_lung_registry_can_be_shown_by_a_form(lung: Definition) -> None:
    for form in lung.forms:
        for element in form.elements:
            for text in (element.required_when, element.relevant_when):
                assert text is None or condition(text) is not None, (element.id, text)
