"""The module for incidental nodules: its findings, and that guideline and reporting are one."""

from typing import Any

import pytest

from app.registries.schema import Definition
from app.reporting.own import packaged
from tests.make.entries import EXAM, Desk, said

REGISTRATION = {
    name: EXAM[name]
    for name in (
        "facility_id", "facility_npi", "other_id", "refused_to_answer_ssn", "patient_first_name",
        "patient_last_name", "refused_medicare_id", "patient_dob", "patient_sex",
    )
}  # fmt: skip
NODULE: dict[str, Any] = REGISTRATION | {
    "exam_unique_id": "N-1",
    "exam_date": "2026-01-05",
    "radiologist_reading_npi": "1234567893",
    "nodule_exam_modality": "2",
    "anatomic_area": "3",
    "cancer_risk_level": "high",
    "known_cancer": "N",
    "immunosuppressed": "N",
    "guideline_used": "1",
    "follow_up_recommended": "Y",
    "recommended_modality": "1",
    "interval_min_months": 3,
    "interval_max_months": 6,
    "nodule_count": "single",
    "stability": "0",
    "hr_nodule_density": "part_solid",
    "hr_nodule_size": "9.0",
    "hr_nodule_solid_size": "4.0",
}
FOLLOW_UP: dict[str, Any] = {
    "exam_unique_id": "N-1",
    "nodule_follow_up_date": "2026-05-05",
    "nodule_follow_up_status": "completed",
    "nodule_follow_up_modality": "4",
    "nodule_outcome": "5",
    "tissue_diagnosis": "2",
}
DEATH = {"how_cause_was_determined": "3", "cause_of_death": "9", "death_within_30_days": "N"}
HOW = ("recommended_modality", "interval_min_months", "interval_max_months")
DONE = ("nodule_follow_up_modality", "nodule_outcome", "tissue_diagnosis")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        (dict.fromkeys(HOW) | {"follow_up_recommended": "N"}, []),
        ({"follow_up_recommended": "N"}, [(name, "not-relevant") for name in HOW]),
        (dict.fromkeys(HOW), [(name, "missing") for name in HOW]),
        ({"interval_max_months": 2}, [("interval_max_months", "rule")]),
        ({"hr_nodule_solid_size": None}, [("hr_nodule_solid_size", "missing")]),
        ({"hr_nodule_solid_size": "9.1"}, [("hr_nodule_solid_size", "rule")]),
        ({"hr_nodule_density": "solid"}, [("hr_nodule_solid_size", "not-relevant")]),
        ({"hr_nodule_size": "31.0"}, [("hr_nodule_size", "unusual"), ("hr_nodule_size", "rule")]),
        ({"other_id": None}, [("other_id", "rule")]),
        ({"exam_date": "2026-09-02"}, [("exam_date", "rule")]),
        ({"patient_dob": "2026-01-06"}, [("patient_dob", "rule")]),
        (DEATH | {"date_of_death": "2026-01-05"}, []),
        (DEATH | {"date_of_death": "2026-01-04"}, [("date_of_death", "rule")]),
        (DEATH | {"date_of_death": "2026-09-02"}, [("date_of_death", "rule")]),
    ],
)
def test_one_change_to_a_good_exam_with_a_nodule(
    lung: Definition, change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert said(Desk(lung, "nodule_exam").flaws(NODULE | change)) == found


@pytest.mark.parametrize(
    ("change", "recommended", "found"),
    [
        ({}, "Y", []),
        ({}, "N", [("nodule_follow_up_status", "rule")]),
        (dict.fromkeys(DONE) | {"nodule_follow_up_status": "lost"}, "Y", []),
        ({"tissue_diagnosis": None}, "Y", [("tissue_diagnosis", "missing")]),
        ({"nodule_follow_up_date": "2026-01-04"}, "Y", [("nodule_follow_up_date", "rule")]),
        ({"nodule_follow_up_date": "2026-09-02"}, "Y", [("nodule_follow_up_date", "rule")]),
    ],
)
def test_one_change_to_a_good_follow_up_of_a_nodule(
    lung: Definition, change: dict[str, Any], recommended: str, found: list[tuple[str, str]]
) -> None:
    parent = {"exam_date": "2026-01-05", "follow_up_recommended": recommended}
    assert said(Desk(lung, "nodule_follow_up").flaws(FOLLOW_UP | change, parent=parent)) == found


def test_the_registry_and_the_reporting_module_decide_by_the_same_tables(lung: Definition) -> None:
    ours = {one.id: one for one in lung.decisions}
    theirs = {
        one.id: one for one in packaged()["fleischner-2017"].tables if one.id.startswith("fleis")
    }
    assert len(theirs) == 3
    assert theirs.items() <= ours.items()


def test_what_is_asked_of_a_recommendation_is_what_the_reporting_module_recommends(
    lung: Definition,
) -> None:
    (asked,) = (one for one in lung.decisions if one.id == "nodule_advice")
    advised = {
        cell
        for table in lung.decisions
        if table.id.startswith("fleischner")
        for row in table.rows
        for cell in (row.then["advice"],)
    }
    assert advised == set(asked.inputs[0].values)
    months = {"P3M": 3, "P6M": 6, "P12M": 12}
    for point in packaged()["fleischner-2017"].end_points:
        if point.id not in advised:
            continue
        found = asked.decide({"advice": point.id})
        if point.follow_up is None:
            assert (point.id, found["needed"]) == ("none", "N")
            continue
        assert found["needed"] == ("E" if point.id == "optional-12" else "Y")
        assert found["earliest"] == months[point.follow_up.earliest]
        assert found["latest"] == months[point.follow_up.latest]
        assert found["tissue"] is ("Tissue sampling" in point.follow_up.acceptable)
