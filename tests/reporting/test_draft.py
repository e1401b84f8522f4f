"""A report becomes a draft: shipped definitions take what shipped modules say, and it is what was meant."""

from pathlib import Path
from typing import Any

import pytest

from app.commands.definitions import newest
from app.fitting import misfits
from app.registries.entries import FormCheck
from app.registries.load import PACKAGED, folders, load, read
from app.registries.schema import Definition
from app.reporting.draft import drafted, taken_by, unfit
from app.reporting.evaluate import evaluate
from app.reporting.own import packaged
from tests.make.definitions import SMALL, small

DEFINITIONS = [load(folder) for folder in folders(PACKAGED)]
TAKEN = [(one, reported) for one in DEFINITIONS for reported in one.reported]
SOLID = {"applies": "true", "kind": "solid", "count": "single", "diameter": 7, "risk": "low"}


def filled(registry: str, module: str, answers: dict[str, Any]) -> dict[str, Any]:
    definition = newest(registry)
    reported = taken_by(definition, packaged()[module])
    assert reported is not None
    return drafted(definition, reported, evaluate(packaged()[module], answers))


def test_shipped_definitions_take_what_shipped_modules_say() -> None:
    assert len(TAKEN) >= 3
    for definition, reported in TAKEN:
        assert list(unfit(reported, packaged()[reported.module])) == [], definition.id


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        (
            SOLID,
            {
                "guideline_used": "1", "follow_up_recommended": "Y", "recommended_modality": "1",
                "interval_min_months": "6", "interval_max_months": "12", "cancer_risk_level": "low",
                "nodule_count": "single", "hr_nodule_density": "solid", "hr_nodule_size": "7",
            },
        ),
        (
            SOLID | {"diameter": "5.2"},
            {
                "guideline_used": "1", "follow_up_recommended": "N", "cancer_risk_level": "low",
                "nodule_count": "single", "hr_nodule_density": "solid", "hr_nodule_size": "5.2",
            },
        ),
        (
            {"applies": "true", "kind": "part_solid", "count": "single", "diameter": 9, "solid_diameter": 7},
            {
                "guideline_used": "1", "follow_up_recommended": "Y", "interval_min_months": "3",
                "interval_max_months": "6", "nodule_count": "single", "hr_nodule_density": "part_solid",
                "hr_nodule_size": "9", "hr_nodule_solid_size": "7",
            },
        ),
        ({"applies": "false"}, {}),
        ({"applies": "true", "kind": "solid"}, {"hr_nodule_density": "solid"}),
        ({}, {}),
    ],
)  # fmt: skip
def test_a_fleischner_report_fills_what_it_says_and_nothing_else(
    answers: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert filled("early-lung-cancer-detection", "fleischner-2017", answers) == wanted


def test_a_lung_rads_report_fills_the_category() -> None:
    answers = {"nodules": [{"kind": "solid", "status": "baseline", "diameter": 7.2}], "modifier_s": "yes"}  # fmt: skip
    assert filled("early-lung-cancer-detection", "lung-rads-2022", answers) == {
        "ct_exam_result_lung_rads": "3",
        "lung_rads_version": "2022",
        "ct_exam_result_modifier_s": "Y",
    }


def test_a_covid_report_fills_what_was_seen_and_the_category() -> None:
    answers = {"pneumonia": "true", "opacities": "none", "organizing": "false", "atypical": ["lobar", "cavitation"]}  # fmt: skip
    found = filled("covid-19-imaging", "covid-19-chest-ct", answers)
    assert found["atypical"] == ["lobar", "cavitation"]
    assert (found["pneumonia"], found["rsna_category"], found["modality"]) == ("true", "atypical", "CT")  # fmt: skip


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.id)
def test_what_is_filled_can_be_taken_by_its_form(definition: Definition) -> None:
    """Whatever codes a filling names, the form's own check takes them."""
    for reported in definition.reported:
        check = FormCheck(definition, reported.form)
        for one in reported.elements:
            for value in one.codes.values() or ([one.value] if one.value else []):
                found = check.check({one.element: value}, draft=True)
                assert one.element in found.values, (reported.module, one.element, value)


ROWS = {
    "elements_visit": SMALL["elements_visit"]
    + """\
groups:
  - id: findings
    title: Findings
    at_most: 5
    elements:
      - {id: what, source_name: What, title: What, type: text, max_length: 20}
      - {id: size, source_name: Size, title: Size, type: decimal, scale: 1}
      - {id: grade, source_name: Grade, title: Grade, type: code, value_set: number}
""",
    "reported": """\
- module: lung-rads-2022
  form: visit
  elements:
    - {element: note, answer: exam_category}
  groups:
    - group: findings
      items: nodules
      elements:
        - {element: what, answer: kind}
        - {element: size, answer: size}
        - {element: grade, answer: category, codes: {"2": "1"}}
""",
}


def test_each_item_of_a_module_becomes_a_row_of_a_group(tmp_path: Path) -> None:
    definition = load(small(tmp_path, **ROWS))
    (reported,) = definition.reported
    lung = packaged()["lung-rads-2022"]
    assert list(unfit(reported, lung)) == []
    nodules = [
        {"kind": "solid", "status": "baseline", "diameter": 4},
        {"kind": "ground_glass", "status": "new", "diameter": "8.26"},
    ]
    assert drafted(definition, reported, evaluate(lung, {"nodules": nodules}))["findings"] == [
        {"what": "solid", "size": "4", "grade": "1"},
        {"what": "ground_glass", "size": "8.3", "grade": "1"},
    ]
    assert "findings" not in drafted(definition, reported, evaluate(lung, {}))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("form: visit", "form: visits", "reported.yaml:2: there is no form of entries `visits`"),
        ("element: note", "element: notes", "reported.yaml:4: there is no element `notes`"),
        ("element: note", "element: age", "reported.yaml:4: `age` is worked out or identifies"),
        ("element: note", "element: visit_id", "`visit_id` is worked out or identifies"),
        ("answer: exam_category", "answer: a, value: b", "is filled by one of"),
        ("answer: exam_category", "source: project", "is filled by one of"),
        ("group: findings", "group: finding", "reported.yaml:6: there is no group `finding`"),
        ('{"2": "1"}', '{"2": "7"}', "there is no code of `grade` `7`"),
    ],
)
def test_one_fault_of_a_filling_is_one_complaint(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    changed = ROWS | {"reported": ROWS["reported"].replace(old, new, 1)}
    found = read(small(tmp_path, **changed))[1]
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("answer: exam_category", "answer: size", "4: `lung-rads-2022` asks and works out no `size`"),
        ("items: nodules", "items: stones", "7: `lung-rads-2022` has no group `stones`"),
        ("answer: kind", "answer: kinds", "9: `lung-rads-2022` asks and works out no `kinds`"),
    ],
)  # fmt: skip
def test_what_a_module_never_says_is_a_complaint_where_it_is_written(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    changed = ROWS | {"reported": ROWS["reported"].replace(old, new, 1)}
    assert read(small(tmp_path, **changed), also=misfits)[1] == [f"reported.yaml:{complaint}"]


def test_what_a_module_says_that_is_not_shipped_nobody_can_judge(tmp_path: Path) -> None:
    changed = ROWS | {"reported": ROWS["reported"].replace("lung-rads-2022", "of-ours")}
    assert read(small(tmp_path, **changed), also=misfits)[1] == []
