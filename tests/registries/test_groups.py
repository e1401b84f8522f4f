"""Groups: rows of elements inside a form, and rows inside those, at every place that speaks of a form."""

import io
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.registries.compare import compare
from app.registries.dictionary.markdown import markdown
from app.registries.dictionary.rows import dictionary
from app.registries.entries import FormCheck
from app.registries.forms import web_form
from app.registries.json_schema import entry_schema
from app.registries.load import assemble, canonical, load, read
from app.registries.questionnaire import questionnaire
from app.registries.radelement import export_set
from app.registries.schema import Definition
from app.registries.workbook import template
from tests.make.definitions import SMALL, small

GROUPED = (
    SMALL["elements_visit"]
    + """\
groups:
  - id: wounds
    title: Wounds
    at_least: 1
    at_most: 3
    elements:
      - {id: wound_kind, source_name: Wound_Kind, title: Kind, type: code, value_set: answer, required: true}
      - {id: depth, source_name: Depth, title: Depth, type: decimal, scale: 1, range: {hard: {high: 9}}, relevant_when: wound_kind = 'Y'}
      - {id: seen_before, source_name: Seen, title: Seen, type: boolean, required_when: smokes = 'Y'}
    groups:
      - id: stitches
        title: Stitches
        at_most: 2
        elements:
          - {id: thread, source_name: Thread, title: Thread, type: text, max_length: 5, required: true}
          - {id: knots, source_name: Knots, title: Knots, type: integer, relevant_when: depth IS NOT NULL}
"""
)
RULE = (
    "- {id: few-knots, form: visit, group: wounds.stitches, requires: knots <= 5 OR depth > 2,"
    " place: knots, remedy: Fewer knots.}\n"
)
KNOTS = (
    "- {id: knots_tied, form: visit, type: integer, over: group, group: wounds.stitches,"
    " expression: knots, aggregate: sum}\n"
)
MEASURES = SMALL["measures_all"].replace("smokes: Y}", "smokes: Y, wounds: [{wound_kind: Y}]}")


def grouped(folder: Path, **changed: str) -> Path:
    texts = {
        "elements_visit": GROUPED,
        "rules": SMALL["rules"] + RULE,
        "derived": SMALL["derived"] + KNOTS,
        "measures_all": MEASURES,
    }
    return small(folder, **(texts | changed))


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    return load(grouped(tmp_path_factory.mktemp("grouped")))


@pytest.fixture(scope="module")
def check(visits: Definition) -> FormCheck:
    return FormCheck(visits, "visit")


VISIT = {"visit_id": "1", "visit_date": "2025-03-04", "smokes": "N"}
ROW: dict[str, Any] = {
    "wound_kind": "Y",
    "depth": "2.5",
    "stitches": [{"thread": "silk", "knots": 3}, {"thread": "wire"}],
}


def flaws(check: FormCheck, rows: object, **how: bool) -> list[tuple[str, str]]:
    found = check.check({**VISIT, "wounds": rows}, **how).flaws
    return [(one.place, one.code.value) for one in found]


def test_canonical_rows_are_taken_as_they_are(check: FormCheck) -> None:
    sent = {**VISIT, "wounds": [ROW, {"wound_kind": "N"}]}
    checked = check.check(sent)
    assert checked.flaws == []
    assert checked.values == sent


def test_rows_are_brought_into_canonical_form(check: FormCheck) -> None:
    spelled = {"Wound Kind": "Y", "depth": 2.5, "Stitches": [{"THREAD": " silk ", "knots": "3"}]}
    checked = check.check({**VISIT, "Wounds": [spelled, {}, {"depth": ""}]})
    assert checked.flaws == []
    row = {"wound_kind": "Y", "depth": "2.5", "stitches": [{"thread": "silk", "knots": 3}]}
    assert checked.values["wounds"] == [row]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (None, [("wounds", "missing")]),
        ([], [("wounds", "missing")]),
        ([{}, {}], [("wounds", "missing")]),
        ("Y", [("wounds", "not-rows")]),
        ({"wound_kind": "Y"}, [("wounds", "not-rows")]),
        ([ROW, "Y"], [("wounds", "not-rows")]),
        ([ROW] * 4, [("wounds", "too-many-rows")]),
        ([{}, ROW], [("wounds[0]", "missing")]),
        ([ROW, {"depth": 3}], [("wounds[1].wound_kind", "missing")]),
        ([{"wound_kind": "X"}], [("wounds[0].wound_kind", "not-in-value-set")]),
        ([{"wound_kind": "R"}], [("wounds[0].wound_kind", "retired-code")]),
        ([{**ROW, "stitches": [{"knots": 1}]}], [("wounds[0].stitches[0].thread", "missing")]),
        ([{**ROW, "stitches": [{"thread": "s"}] * 3}], [("wounds[0].stitches", "too-many-rows")]),
        ([{**ROW, "deep": 1}], [("wounds[0].member 4", "unknown-element")]),
        ([{**ROW, "Depth": 1}], [("wounds[0].depth", "duplicate-element")]),
        ([{**ROW, "smokes": "Y"}], [("wounds[0].member 4", "unknown-element")]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_row_has_the_rows_place(
    check: FormCheck, rows: object, found: list[tuple[str, str]]
) -> None:
    assert flaws(check, rows) == found


def test_a_draft_may_leave_out_what_a_row_needs(check: FormCheck) -> None:
    assert flaws(check, None, draft=True) == []
    assert flaws(check, [{"depth": "1.0"}], draft=True) == []
    assert flaws(check, [{"wound_kind": "X"}], draft=True) == [
        ("wounds[0].wound_kind", "not-in-value-set")
    ]


SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", " ", "Y", "N", "R", "2.5", 2.5, "3", 3, True, "silk", "x" * 9, []]
)
STITCHES = st.dictionaries(st.sampled_from(["thread", "knots", "Thread", "none"]), SCALARS)
WOUNDS = st.dictionaries(st.sampled_from(["wound_kind", "depth", "seen_before"]), SCALARS).flatmap(
    lambda row: st.one_of(
        st.just(row),
        st.lists(STITCHES, max_size=3).map(lambda inner: {**row, "stitches": inner}),
    )
)


@given(st.lists(st.one_of(WOUNDS, SCALARS), max_size=4), st.booleans())
def test_the_quick_type_and_the_careful_look_agree_on_rows(
    check: FormCheck, rows: list[Any], draft: bool
) -> None:
    sent = {**VISIT, "wounds": rows}
    checked = check.check(sent, draft=draft)
    # An element that is blank means nothing, and keeps the quick type from taking the entry.
    careful = check.check({**sent, "note": " "}, draft=draft)
    assert checked.values == careful.values
    assert sorted(map(str, checked.flaws)) == sorted(map(str, careful.flaws))
    if not checked.flaws:
        assert check.check(checked.values, draft=draft).values == checked.values


def test_the_document_keeps_its_groups_when_it_is_published(visits: Definition) -> None:
    kept = assemble(json.loads(json.dumps(canonical(visits))))
    assert kept == visits
    assert list(kept.form("visit").group_paths) == ["wounds", "wounds.stitches"]


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("elements_visit", "at_most: 3", "at_most: 0", "elements/visit.yaml:26: `at_most` should be greater than or equal to 1"),
        ("elements_visit", "at_least: 1", "at_least: 4", "elements/visit.yaml:25: is above `at_most`"),
        ("elements_visit", "id: wounds", "id: pain", "elements/visit.yaml:23: there is an element `pain` already"),
        ("elements_visit", "id: thread", "id: depth", "elements/visit.yaml:36: there is an element `depth` around the group"),
        ("elements_visit", "id: seen_before", "id: zip", "elements/visit.yaml:30: there is an element `zip` around the group"),
        ("elements_visit", "id: knots, ", "id: e, ", "elements/visit.yaml:37: `e` is a word of our own"),
        ("elements_visit", "type: boolean, required_when", "type: boolean, identifying: true, required_when", "elements/visit.yaml:30: `seen_before` identifies: it stands outside the group"),
        ("elements_visit", "depth IS NOT NULL", "deepness IS NOT NULL", "elements/visit.yaml:37: no element or column `deepness` can be seen here"),
        ("elements_visit", "wound_kind = 'Y'}", "thread = 'Y'}", "elements/visit.yaml:29: no element or column `thread` can be seen here"),
        ("elements_visit", "type: integer, relevant_when: depth", "type: whole, relevant_when: depth", "elements/visit.yaml:37: `type`"),
        ("rules", "wounds.stitches", "wounds.stiches", "rules.yaml:4: there is no group `wounds.stiches`; did you mean `wounds.stitches`?"),
        ("rules", "place: knots", "place: pain", "rules.yaml:4: there is no element `pain`"),
        ("derived", "group: wounds.stitches", "group: stitches", "derived.yaml:3: there is no group `stitches`; did you mean `wounds.stitches`?"),
        ("derived", ", aggregate: sum", "", "derived.yaml:3: `knots_tied` needs an `aggregate`"),
        ("derived", "over: group, ", "", "derived.yaml:3: `group` belongs to derived columns over `group`"),
        ("derived", "id: knots_tied", "id: depth", "derived.yaml:3: there is a column `depth` already"),
        ("measures_all", "[{wound_kind: Y}]", "[{wound_kind: Q}]", "measures/all.yaml:10: `wounds[0].wound_kind`: not-in-value-set"),
        ("measures_all", "[{wound_kind: Y}]", "[{mind: Y}]", "measures/all.yaml:10: `wounds[0].member 1`: unknown-element"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_group_is_told_by_its_line(
    tmp_path: Path, file: str, before: str, after: str, says: str
) -> None:
    texts = {
        "elements_visit": GROUPED,
        "rules": SMALL["rules"] + RULE,
        "derived": SMALL["derived"] + KNOTS,
        "measures_all": MEASURES,
    }
    assert texts[file].count(before) == 1
    _, complaints = read(grouped(tmp_path, **{file: texts[file].replace(before, after)}))
    assert [one for one in complaints if one.startswith(says)], complaints


def test_groups_stand_two_deep_and_no_deeper(tmp_path: Path) -> None:
    deeper = GROUPED + (
        "        groups:\n          - id: fibres\n            title: Fibres\n            elements:\n"
        "              - {id: hair, source_name: Hair, title: Hair, type: boolean}\n"
    )
    _, complaints = read(grouped(tmp_path, elements_visit=deeper))
    assert complaints == ["elements/visit.yaml:39: groups stand 2 deep and no deeper"]


def test_a_new_version_says_what_becomes_of_its_groups(visits: Definition, tmp_path: Path) -> None:
    changed = (
        GROUPED.replace("at_most: 3", "at_most: 2")
        .replace("at_least: 1", "at_least: 2")
        .replace("type: integer, relevant_when: depth", "type: text, relevant_when: depth")
        .replace("      - {id: seen_before, source_name: Seen, title: Seen, type: boolean, required_when: smokes = 'Y'}\n", "")
    )  # fmt: skip
    new = load(
        grouped(tmp_path / "new", elements_visit=changed, rules=SMALL["rules"], derived=SMALL["derived"])
    )  # fmt: skip
    found = [str(one) for one in compare(visits, new)]
    assert "refused: visit.wounds.stitches.knots: was integer, is text" in found
    assert "breaks: visit.wounds: needs 2 rows, needed 1" in found
    assert "breaks: visit.wounds: takes 2 rows, took 3" in found
    assert "breaks: visit.wounds.seen_before: the element is gone" in found
    plain = load(small(tmp_path / "plain"))
    assert "breaks: visit.wounds.stitches: the group is gone" in map(str, compare(visits, plain))
    assert "breaks: visit.wounds: a new group that is required" in map(str, compare(plain, visits))


def test_the_schema_takes_the_rows_that_the_check_takes(
    visits: Definition, check: FormCheck
) -> None:
    schema = jsonschema_rs.Draft202012Validator(entry_schema(visits, "visit"))
    for rows, good in (
        ([ROW], True),
        ([ROW, {"wound_kind": "N"}], True),
        ([], False),
        ([ROW] * 4, False),
        ([{"depth": "2.5"}], False),
        ([{**ROW, "stitches": [{"knots": 1}]}], False),
        ([{**ROW, "deep": 1}], False),
    ):
        entry = {"form": "visit", "action": "submit", "elements": {**VISIT, "wounds": rows}}
        assert schema.is_valid(entry) is good
        assert (flaws(check, rows) == []) is good
    draft = {"form": "visit", "action": "save", "elements": {**VISIT, "wounds": [{"depth": "2.5"}]}}
    assert schema.is_valid(draft)


def test_a_template_has_columns_for_the_first_rows(visits: Definition) -> None:
    book = openpyxl.load_workbook(io.BytesIO(template(visits, "visit")))
    headings = [str(cell.value) for cell in book["Entries"][1]]
    assert [one for one in headings if "." in one][:8] == [
        "wounds.1.wound_kind",
        "wounds.1.depth",
        "wounds.1.seen_before",
        "wounds.1.stitches.1.thread",
        "wounds.1.stitches.1.knots",
        "wounds.1.stitches.2.thread",
        "wounds.1.stitches.2.knots",
        "wounds.2.wound_kind",
    ]
    told = [row[0].value for row in book["Elements"].iter_rows(min_row=2)]
    assert told[-5:] == [
        "wounds.wound_kind",
        "wounds.depth",
        "wounds.seen_before",
        "wounds.stitches.thread",
        "wounds.stitches.knots",
    ]


def test_a_questionnaire_repeats_a_group_and_asks_of_the_row_itself(visits: Definition) -> None:
    (group,) = questionnaire(visits, "visit", "http://hounsfield.test")["item"]
    wounds = group["item"][-1]
    assert (wounds["linkId"], wounds["type"], wounds["repeats"]) == ("wounds", "group", True)
    assert wounds["required"] is True
    assert {one["url"].rpartition("-")[2]: one["valueInteger"] for one in wounds["extension"]} == {
        "minOccurs": 1,
        "maxOccurs": 3,
    }
    kind, depth, _, stitches = wounds["item"]
    assert kind["linkId"] == "wounds.wound_kind"
    assert [one["question"] for one in depth["enableWhen"]] == ["wounds.wound_kind"]
    assert stitches["linkId"] == "wounds.stitches"
    knots = stitches["item"][1]
    assert knots["linkId"] == "wounds.stitches.knots"
    assert knots["enableWhen"] == [
        {"question": "wounds.depth", "operator": "exists", "answerBoolean": True}
    ]


def test_the_dictionary_and_the_web_form_have_every_element_of_a_row(visits: Definition) -> None:
    rows = [(one.group, one.element) for one in dictionary(visits) if one.group]
    assert rows == [
        ("wounds", "wound_kind"),
        ("wounds", "depth"),
        ("wounds", "seen_before"),
        ("wounds.stitches", "thread"),
        ("wounds.stitches", "knots"),
    ]
    page = markdown(visits)
    told = "### Rows: Stitches\n\nFrom 0 to 2 rows in each of wounds, sent as wounds.stitches."
    assert told in page
    assert "| `wounds.stitches` |" in page
    (section,) = web_form(visits, "visit")["sections"]
    (wounds,) = section["groups"]
    assert [one["element"] for one in wounds["questions"]] == ["wound_kind", "depth", "seen_before"]
    assert [one["group"] for one in wounds["groups"]] == ["stitches"]
    assert wounds["questions"][1]["shown_when"] == {
        "any": [{"element": "wound_kind", "code": "Y", "holds": True}]
    }


def test_a_radelement_set_says_that_it_left_the_rows_out(visits: Definition) -> None:
    _, left = export_set(
        visits.form("visit"), visits.value_sets, on=visits.accept_from, description="Visits"
    )
    assert {
        "wounds: a set has no rows inside it",
        "wounds.stitches: a set has no rows inside it",
    } <= set(left)
