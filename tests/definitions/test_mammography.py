"""The mammography registry: one change to a good entry is one finding, at the right place."""

from typing import Any

import pytest

from app.registries.load import PACKAGED, load
from tests.make.entries import Desk, said

MAMMOGRAPHY = load(PACKAGED / "mammography" / "1.1.0")
EXAM: dict[str, Any] = {
    "facility_id": "200001",
    "exam_unique_id": "M-1",
    "other_id": "MRN 1",
    "patient_dob": "1970-06-15",
    "patient_sex": "F",
    "exam_date": "2026-03-01",
    "interpreting_physician_npi": "1234567893",
    "screening_round": "S",
    "months_since_prior": 12,
    "modality": "DBT",
    "symptoms": "N",
    "breast_density": "B",
    "bi_rads_category": "0",
    "technical_recall": "N",
    "finding_laterality": "L",
    "finding_types": ["1", "2"],
}
OUTCOME: dict[str, Any] = {
    "exam_unique_id": "M-1",
    "outcome_unique_id": "O-1",
    "outcome_date": "2026-03-20",
    "procedure": "5",
    "tissue_result": "4",
    "cancer_laterality": "L",
    "histology": "1",
    "tumor_size": 12,
    "n_status": "N0",
    "overall_stage": "IA",
    "ajcc_cancer_staging_edition": "8",
}
IN_SITU = dict.fromkeys(("histology", "tumor_size", "n_status"))
NO_CANCER = IN_SITU | dict.fromkeys(
    ("cancer_laterality", "overall_stage", "ajcc_cancer_staging_edition")
)


def test_good_entries_have_no_finding_and_the_age_is_worked_out() -> None:
    (values, flaws), *_ = Desk(MAMMOGRAPHY, "exam").judge([EXAM])
    assert (flaws, values["age_at_exam"]) == ([], 55)
    assert Desk(MAMMOGRAPHY, "outcome").flaws(OUTCOME, parent={"exam_date": "2026-03-01"}) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"other_id": None}, [("other_id", "rule")]),
        ({"exam_date": "2026-09-02"}, [("exam_date", "rule")]),
        ({"patient_dob": "2010-06-15"}, [("patient_dob", "rule")]),
        ({"symptoms": "Y"}, [("symptoms", "rule")]),
        ({"bi_rads_category": "6", "technical_recall": None}, [("bi_rads_category", "rule")]),
        ({"bi_rads_category": "4", "technical_recall": None}, [("bi_rads_category", "rule")]),
        ({"technical_recall": None}, [("technical_recall", "missing")]),
        ({"finding_laterality": None}, [("finding_laterality", "missing")]),
        ({"months_since_prior": None}, [("months_since_prior", "missing")]),
        ({"screening_round": "F"}, [("months_since_prior", "not-relevant")]),
        ({"months_since_prior": 999}, []),
        ({"second_reader_npi": "1234567893"}, [("second_reader_npi", "rule")]),
        ({"date_of_death": "2026-02-28"}, [("date_of_death", "rule")]),
        ({"breast_density": "E"}, [("breast_density", "not-in-value-set")]),
    ],
)
def test_one_change_to_a_good_screen(change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert said(Desk(MAMMOGRAPHY, "exam").flaws(EXAM | change)) == found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"outcome_date": "2026-02-28"}, [("outcome_date", "rule")]),
        ({"outcome_date": "2026-09-02"}, [("outcome_date", "rule")]),
        ({"overall_stage": "0"}, [("overall_stage", "rule")]),
        ({"tissue_result": "3", **IN_SITU}, [("overall_stage", "rule")]),
        ({"tissue_result": "3", **IN_SITU, "overall_stage": "0"}, []),
        ({"tissue_result": "0", **NO_CANCER}, [("tissue_result", "rule")]),
        ({"tissue_result": "0", **NO_CANCER, "procedure": "7"}, []),
        ({"tumor_size": None}, [("tumor_size", "missing")]),
        ({"tumor_size": 999}, []),
        ({"tissue_result": None, **NO_CANCER, "procedure": "1"}, [("final_assessment", "missing")]),
    ],
)
def test_one_change_to_a_good_outcome(change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    flaws = Desk(MAMMOGRAPHY, "outcome").flaws(OUTCOME | change, parent={"exam_date": "2026-03-01"})
    assert said(flaws) == found
