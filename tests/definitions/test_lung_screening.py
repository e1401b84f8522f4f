"""The lung registry: one change to a good entry is one finding, at the right place."""

from datetime import date
from typing import Any

import pytest

from app.registries.findings import Severity
from app.registries.schema import Definition
from tests.make.entries import EXAM, FOLLOW_UP, TODAY, Desk, said

PARENT = {"exam_date": "2026-05-01"}


def test_a_good_exam_has_no_finding_and_gains_what_is_worked_out(exams: Desk) -> None:
    (values, flaws), *_ = exams.judge([EXAM | {"history_of_cancers": ["99"]}])
    assert flaws == []
    assert values["age_at_exam"] == 66
    assert values["cancer_related_history"] == "N"
    assert values["patient_ssn"] == "123456789"


def test_a_good_follow_up_has_no_finding(follow_ups: Desk) -> None:
    assert follow_ups.flaws(FOLLOW_UP, parent=PARENT) == []
    assert follow_ups.flaws(FOLLOW_UP) == []


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        # rules
        ({"patient_ssn": None, "other_id": None}, "other_id", "rule"),
        ({"refused_to_answer_ssn": "Y"}, "refused_to_answer_ssn", "rule"),
        ({"patient_dob": "2026-08-12"}, "patient_dob", "rule"),
        ({"patient_dob": "2008-05-02"}, "patient_dob", "rule"),
        ({"patient_dob": "1925-04-30"}, "patient_dob", "rule"),
        ({"exam_date": "2026-09-02"}, "exam_date", "rule"),
        (
            {"smoking_status": "2", "number_of_years_since_quit": 57},
            "number_of_years_since_quit",
            "rule",
        ),
        ({"ctdivol": "3.01"}, "ctdivol", "rule"),
        # required when
        ({"number_of_packs_year_smoking": None}, "number_of_packs_year_smoking", "missing"),
        ({"smoking_status": "2"}, "number_of_years_since_quit", "missing"),
        ({"did_physician_provide_guidance": None}, "did_physician_provide_guidance", "missing"),
        ({"doc_of_shared_dec_making": None}, "doc_of_shared_dec_making", "missing"),
        ({"ct_exam_result_lung_rads": "0"}, "reason_for_recall", "missing"),
        (
            {"ct_exam_result_lung_rads": "0", "reason_for_recall": "UC"},
            "reason_for_recall_spec",
            "missing",
        ),
        ({"ct_exam_result_modifier_s": "Y"}, "what_were_the_other_findings", "missing"),
        (
            {"ct_exam_result_modifier_s": "Y", "what_were_the_other_findings": ["1", "5"]},
            "other_abnormalities_spec",
            "missing",
        ),
        (
            {"ct_exam_result_modifier_s": "Y", "what_were_the_other_findings": "4"},
            "other_int_lung_disease",
            "missing",
        ),
        ({"ct_exam_result_modifier_c": "Y"}, "years_since_prior_diagnosis", "missing"),
        ({"patient_other_comorbidities": "0;8"}, "patient_other_comorbidities_spec", "missing"),
        ({"health_insurance": ["7"]}, "health_insurance_other_spec", "missing"),
        ({"education_level": "8"}, "education_level_other_spec", "missing"),
        ({"occupational_exposures": ["8"]}, "occupational_exposures_spec", "missing"),
        ({"history_of_cancers": ["4"]}, "history_of_cancers_spec", "missing"),
        # out of place
        ({"reason_for_recall": "N"}, "reason_for_recall", "not-relevant"),
        ({"number_of_years_since_quit": 3}, "number_of_years_since_quit", "not-relevant"),
        ({"other_int_lung_disease": "1"}, "other_int_lung_disease", "not-relevant"),
        ({"education_level_other_spec": "x"}, "education_level_other_spec", "not-relevant"),
        ({"years_since_prior_diagnosis": 3}, "years_since_prior_diagnosis", "not-relevant"),
        # types, limits, codes
        ({"ctdivol": "10.01"}, "ctdivol", "out-of-range"),
        ({"ctdivol": "0"}, "ctdivol", "out-of-range"),
        ({"number_of_packs_year_smoking": "300.1"}, "number_of_packs_year_smoking", "out-of-range"),
        ({"number_of_packs_year_smoking": "150.1"}, "number_of_packs_year_smoking", "unusual"),
        ({"ct_exam_result_lung_rads": "4"}, "ct_exam_result_lung_rads", "not-in-value-set"),
        ({"occupational_exposures": ["10", "2"]}, "occupational_exposures", "exclusive-code"),
        ({"history_of_cancers": ["99", "3"]}, "history_of_cancers", "exclusive-code"),
        ({"history_of_cancers": ["88", "3"]}, "history_of_cancers", "exclusive-code"),
        ({"patient_race": ["2"]}, "patient_race", "retired-code"),
        ({"radiologist_reading_npi": "1234567890"}, "radiologist_reading_npi", "not-an-npi"),
        ({"patient_ssn": "12-34"}, "patient_ssn", "pattern"),
        ({"patient_first_name": "'-'"}, "patient_first_name", "pattern"),
        ({"facility_id": "20000"}, "facility_id", "pattern"),
        ({"exam_date": "31/02/2026"}, "exam_date", "not-a-date"),
        ({"exam_unique_id": "x" * 51}, "exam_unique_id", "too-long"),
        ({"exam_unique_id": None}, "exam_unique_id", "missing"),
        ({"patient_sex": None}, "patient_sex", "missing"),
        ({"age_at_exam": 66}, "age_at_exam", "unknown-element"),
        ({"favourite_colour": "blue"}, f"member {len(EXAM) + 1}", "unknown-element"),
        # death
        ({"date_of_death": "2026-04-30"} | {
            "how_cause_was_determined": "3", "cause_of_death": "1", "death_within_30_days": "N",
        }, "date_of_death", "rule"),
        ({"date_of_death": "2026-09-02"} | {
            "how_cause_was_determined": "3", "cause_of_death": "1", "death_within_30_days": "N",
        }, "date_of_death", "rule"),
        ({"date_of_death": "2026-06-30"} | {
            "how_cause_was_determined": "8", "cause_of_death": "1", "death_within_30_days": "N",
        }, "other_method_of_determining", "missing"),
        ({"date_of_death": "2026-06-30"} | {
            "how_cause_was_determined": "1", "cause_of_death": "2", "death_within_30_days": "N",
        }, "non_lung_cancer_cause", "missing"),
        ({"cause_of_death": "1"}, "cause_of_death", "not-relevant"),
    ],
)  # fmt: skip
def test_one_change_to_a_good_exam_is_one_finding(
    exams: Desk, change: dict[str, Any], place: str, code: str
) -> None:
    assert said(exams.flaws(EXAM | change)) == [(place, code)]


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"follow_up_date": "2026-05-01"}, "follow_up_date", "rule"),
        ({"follow_up_date": "2026-09-02"}, "follow_up_date", "rule"),
        ({"follow_up_date": None}, "follow_up_date", "missing"),
        ({"exam_unique_id": " "}, "exam_unique_id", "missing"),
        ({"follow_up_diagnostic": "8"}, "follow_up_diagnostic_other_spec", "missing"),
        ({"follow_up_diagnostic": "7"}, "follow_up_diagnostic", "not-in-value-set"),
        ({"tissue_diagnosis_method": None}, "tissue_diagnosis_method", "missing"),
        ({"location_from_sample_obtained": None}, "location_from_sample_obtained", "missing"),
        ({"location_from_sample_obtained": "10"}, "location_other_spec", "missing"),
        ({"histology_non_small_cell_lc": None}, "histology_non_small_cell_lc", "missing"),
        (
            {"histology_non_small_cell_lc": "6"},
            "other_non_small_cell_lc_histology_spec",
            "missing",
        ),
        ({"overall_stage": None, "ajcc_cancer_staging_edition": None}, "overall_stage", "missing"),
        ({"t_status": None}, "t_status", "missing"),
        ({"n_status": None}, "n_status", "missing"),
        ({"m_status": None}, "m_status", "missing"),
        ({"stage_clinical_or_pathologic": None}, "stage_clinical_or_pathologic", "missing"),
        ({"ajcc_cancer_staging_edition": None}, "ajcc_cancer_staging_edition", "missing"),
        ({"period_of_follow_up": 13}, "period_of_follow_up", "unusual"),
        ({"location_other_spec": "apex"}, "location_other_spec", "not-relevant"),
    ],
)
def test_one_change_to_a_good_follow_up_is_one_finding(
    follow_ups: Desk, change: dict[str, Any], place: str, code: str
) -> None:
    assert said(follow_ups.flaws(FOLLOW_UP | change, parent=PARENT)) == [(place, code)]


def test_a_follow_up_of_a_year_later_is_warned_about_only(follow_ups: Desk) -> None:
    found = follow_ups.flaws(FOLLOW_UP, parent={"exam_date": "2025-05-19"})
    assert [(one.place, one.severity) for one in found] == [("follow_up_date", Severity.WARN)]
    assert follow_ups.flaws(FOLLOW_UP, parent={"exam_date": "2025-05-20"}) == []


def test_histology_is_asked_of_malignancy_of_the_lung_and_no_other(follow_ups: Desk) -> None:
    plain = {
        "exam_unique_id": "A-1",
        "follow_up_date": "2026-05-20",
        "follow_up_diagnostic": "4",
        "tissue_diagnosis_method": "2",
        "location_from_sample_obtained": "9",
    }
    for tissue in ("1", "4"):
        assert follow_ups.flaws(plain | {"tissue_diagnosis": tissue}) == []
    for tissue in ("6", "7", "99"):
        found = said(follow_ups.flaws(plain | {"tissue_diagnosis": tissue}))
        assert found == [("histology", "missing")]


def test_without_its_own_id_a_follow_up_is_told_apart_by_day_and_procedure(
    follow_ups: Desk,
) -> None:
    draft = {"exam_unique_id": "A-1"}
    missing = follow_ups.flaws(draft, draft=True)
    assert said(missing) == [("follow_up_date", "missing"), ("follow_up_diagnostic", "missing")]
    assert follow_ups.flaws(draft | {"follow_up_unique_id": "F-1"}, draft=True) == []


def test_a_draft_needs_its_key_alone_and_no_rule_speaks_of_it(exams: Desk) -> None:
    assert exams.flaws({"exam_unique_id": "A-1", "ct_exam_result_lung_rads": "0"}, draft=True) == []
    assert said(exams.flaws({"ctdivol": "high"}, draft=True)) == [
        ("ctdivol", "not-a-number"),
        ("exam_unique_id", "missing"),
    ]


def test_what_could_not_be_used_is_complained_of_once(exams: Desk) -> None:
    """Neither as missing nor by a rule that it would have broken."""
    found = exams.flaws(EXAM | {"patient_dob": "yesterday", "exam_date": "2026-13-01"})
    assert said(found) == [("patient_dob", "not-a-date"), ("exam_date", "not-a-date")]
    assert said(exams.flaws(EXAM | {"smoking_status": "7"})) == [
        ("smoking_status", "not-in-value-set")
    ]


def test_sentinels_pass_every_limit_and_are_kept_as_sent(exams: Desk) -> None:
    given = EXAM | {
        "smoking_status": "2",
        "number_of_packs_year_smoking": 999,
        "number_of_years_since_quit": "99",
    }
    (values, flaws), *_ = exams.judge([given])
    assert flaws == []
    assert values["number_of_packs_year_smoking"] == "999.0"
    assert values["number_of_years_since_quit"] == 99


def test_the_day_of_receipt_is_the_only_clock(exams: Desk) -> None:
    assert said(exams.flaws(EXAM, received_on=date(2026, 4, 30))) == [("exam_date", "rule")]
    assert exams.flaws(EXAM, received_on=date(2026, 5, 1)) == []


def test_a_registration_by_itself_is_checked_like_one_with_an_exam(lung: Definition) -> None:
    desk = Desk(lung, "subject")
    person = {name: value for name, value in EXAM.items() if name in lung.form("subject").by_id}
    death = {
        "date_of_death": "2026-08-01", "how_cause_was_determined": "2",
        "cause_of_death": "9", "death_within_30_days": "U",
    }  # fmt: skip
    assert desk.flaws(person | death) == []
    assert said(desk.flaws(person | {"patient_ssn": None, "other_id": None})) == [
        ("other_id", "rule")
    ]
    assert said(desk.flaws(person | death | {"date_of_death": "1959-08-01"})) == [
        ("date_of_death", "rule")
    ]
    assert said(desk.flaws(person | death, received_on=date(2026, 7, 31))) == [
        ("date_of_death", "rule")
    ]
    assert said(desk.flaws(person | {"patient_dob": "2026-08-20"})) == [("patient_dob", "rule")]
    assert said(desk.flaws(person | {"refused_to_answer_ssn": "Y"})) == [
        ("refused_to_answer_ssn", "rule")
    ]


def test_every_rule_is_broken_by_some_test_here(lung: Definition) -> None:
    """A rule added later needs a line above; this counts the rules that were thought of."""
    assert len([rule for rule in lung.rules if rule.module is None]) == 17
    assert date(2026, 9, 1) == TODAY
