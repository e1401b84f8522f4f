"""The COVID-19 imaging registry: one change to a good entry is one finding, at the right place."""

from typing import Any

import pytest

from app.registries.load import PACKAGED, load
from app.reporting.own import packaged
from tests.make.entries import Desk, said

COVID = load(PACKAGED / "covid-19-imaging" / "1.1.0")
EXAM: dict[str, Any] = {
    "facility_id": "200001",
    "exam_unique_id": "C-1",
    "local_id": "MRN 1",
    "birth_date": "1970-06-15",
    "sex": "M",
    "test_date": "2021-02-27",
    "test_method": "RT-PCR",
    "test_result": "P",
    "symptoms": ["cough", "fever"],
    "symptom_onset": "2021-02-25",
    "exam_date": "2021-03-01",
    "modality": "CT",
    "slice_thickness": "3.00",
    "pneumonia": True,
    "opacities": "none",
    "organizing": False,
    "atypical": ["lobar"],
    "rsna_category": "atypical",
    "co_rads": "2",
}
COURSE: dict[str, Any] = {
    "exam_unique_id": "C-1",
    "known_on": "2021-03-20",
    "treatments": ["oxygen", "steroids"],
    "breathing_support": "IMV",
    "admitted_on": "2021-03-01",
    "intensive_care_on": "2021-03-02",
    "intubated_on": "2021-03-02",
    "outcome": "discharged",
    "outcome_on": "2021-03-20",
}
SAMPLE: dict[str, Any] = {
    "exam_unique_id": "C-1",
    "sample_date": "2021-03-02",
    "leukocytes": "7.10",
    "lymphocytes": "0.80",
    "crp": "120.5",
    "oxygen_saturation": 93,
}
SEEN = ("pneumonia", "opacities", "organizing", "atypical")
RADIOGRAPH = dict.fromkeys((*SEEN, "rsna_category", "co_rads", "slice_thickness"))


def test_good_entries_have_no_finding() -> None:
    (values, flaws), *_ = Desk(COVID, "exam").judge([EXAM])
    assert (flaws, values["age_at_exam"]) == ([], 50)
    for form, entry in (("course", COURSE), ("laboratory", SAMPLE)):
        assert Desk(COVID, form).flaws(entry, parent={"exam_date": "2021-03-01"}) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"test_date": "2019-12-31", "symptom_onset": None}, [("test_date", "rule"), ("exam_date", "rule")]),
        ({"co_rads": "6"}, []),
        ({"co_rads": "6", "test_method": "antigen"}, [("co_rads", "rule")]),
        ({"symptoms": ["none"]}, [("symptom_onset", "not-relevant")]),
        ({"symptoms": ["cough", "none"]}, [("symptoms", "exclusive-code")]),
        ({"symptom_onset": "2021-03-02"}, [("symptom_onset", "rule")]),
        ({"atypical": None}, [("atypical", "missing")]),
        ({"organizing": None}, [("organizing", "missing")]),
        (dict.fromkeys(SEEN), []),
        (dict.fromkeys((*SEEN, "rsna_category")), [("pneumonia", "missing")]),
        ({"rsna_category": "negative"}, [("rsna_category", "rule")]),
        ({"ct_severity_score": 26}, [("ct_severity_score", "out-of-range")]),
        ({"mrale_score": 3}, [("mrale_score", "not-relevant")]),
        (RADIOGRAPH | {"modality": "XR", "mrale_score": 24}, []),
    ],
)  # fmt: skip
def test_one_change_to_a_good_exam(change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert said(Desk(COVID, "exam").flaws(EXAM | change)) == found


@pytest.mark.parametrize(
    ("form", "change", "found"),
    [
        ("course", {"intensive_care_on": "2021-02-28"}, [("intensive_care_on", "rule")]),
        ("course", {"outcome_on": "2021-03-21"}, [("known_on", "rule")]),
        ("course", {"outcome_on": None}, [("outcome_on", "missing")]),
        ("course", {"breathing_support": "O2"}, [("intubated_on", "not-relevant")]),
        ("laboratory", {"lymphocytes": "7.11"}, [("lymphocytes", "rule")]),
        ("laboratory", {"crp": "501"}, [("crp", "unusual")]),
    ],
)
def test_one_change_to_what_followed(
    form: str, change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    entry = (COURSE if form == "course" else SAMPLE) | change
    assert said(Desk(COVID, form).flaws(entry, parent={"exam_date": "2021-03-01"})) == found


def test_the_registry_and_the_reporting_module_decide_by_one_table() -> None:
    (table,) = packaged()["covid-19-chest-ct"].tables
    assert COVID.decisions == (table,)
