"""The turnaround registry: times in their order, in UTC, and as the facility's clock shows them."""

from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commands.definitions import newest
from tests.make.entries import Desk, said

TURNAROUND = newest("general-radiology-improvement")
MONTHS = Desk(TURNAROUND, "monthly_turnaround")
OWN_MONTHS = Desk(TURNAROUND, "monthly_physician_turnaround")
NOT_OF_A_PHYSICIAN = ("place_of_service", "median_hours", "percentile_90_hours")
EDGES = (0, 12, 24, 48, 10_000)
SPANS = ("under_12_hours", "from_12_hours", "from_24_hours", "from_48_hours")
EXAM: dict[str, Any] = {
    "facility_id": "200001",
    "exam_unique_id": "T-1",
    "local_id": "MRN 1",
    "patient_age": 61,
    "radiologist_npi": "1234567893",
    "modality": "CT",
    "place_of_service": "ED",
    "multiple_readers": "N",
    "exam_date": "2026-03-01",
    "ordered_at": "2026-03-01T22:10:00-05:00",
    "arrived_at": "2026-03-01T22:20:00-05:00",
    "started_at": "2026-03-01T22:40:00-05:00",
    "exam_completed_at": "2026-03-01T22:55:00-05:00",
    "preliminary_at": "2026-03-01T23:30:00-05:00",
    "report_signed_at": "2026-03-02T12:15:00+00:00",
}
TIMES = [name for name in EXAM if name.endswith("_at")]
EARLY = "2026-03-01T22:00:00-05:00"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"report_signed_at": "2026-03-02T03:59:59Z"}, [("preliminary_at", "rule")]),
        ({"preliminary_at": None, "report_signed_at": "2026-03-02T03:54:59Z"}, [("report_signed_at", "rule")]),
        ({"preliminary_at": None, "report_signed_at": "2026-03-02T03:55:00Z"}, []),
        ({"preliminary_at": EARLY}, [("preliminary_at", "rule")]),
        ({"ordered_at": "2026-03-01T22:56:00-05:00"}, [("ordered_at", "rule")]),
        ({"started_at": "2026-03-01T22:19:00-05:00"}, [("arrived_at", "rule")]),
        ({"exam_date": "2026-03-02"}, [("exam_date", "rule")]),
        ({"report_signed_at": "2026-03-31T22:55:59-05:00"}, []),
        ({"report_signed_at": "2026-03-31T22:56:00-05:00"}, [("turnaround_minutes", "unusual")]),
        ({"report_signed_at": "2026-09-02T08:00:00+14:00"}, [("turnaround_minutes", "unusual")]),
        ({"report_signed_at": "2026-09-03T08:00:00+14:00"}, [("report_signed_at", "rule"), ("turnaround_minutes", "unusual")]),
        ({"exam_completed_at": "2026-03-01T22:55:00"}, [("exam_completed_at", "not-a-datetime")]),
        ({"exam_completed_at": "2026-03-01T22:55:00", "time_zone": "America/Chicago"}, []),
        ({"time_zone": "Europe/London"}, [("time_zone", "not-in-value-set")]),
        ({"exam_completed_at": None}, [("exam_completed_at", "missing")]),
        ({"cpt": "71260"}, []),
        ({"cpt": "CTHED"}, [("cpt", "pattern")]),
    ],
)  # fmt: skip
def test_one_change_to_a_good_exam(change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert sorted(said(Desk(TURNAROUND, "exam").flaws(EXAM | change))) == found


def test_minutes_are_counted_across_offsets_and_zones() -> None:
    local = {name: EXAM[name][:19] for name in TIMES} | {"report_signed_at": "2026-03-02T07:15:00"}
    entries = [EXAM, EXAM | local | {"time_zone": "America/New_York"}]
    for values, flaws in Desk(TURNAROUND, "exam").judge(entries):
        assert (flaws, values["turnaround_minutes"]) == ([], 500)
        assert values["exam_completed_at"] == "2026-03-01T22:55:00-05:00"


MONTH: dict[str, Any] = {
    "reported_month": "2026-02",
    "modality": "CT",
    "place_of_service": "ED",
    "exams": 100,
    "under_12_hours": 50,
    "from_12_hours": 30,
    "from_24_hours": 15,
    "from_48_hours": 5,
    "mean_hours": "15.00",
}
"""Its mean lies between 9.60 hours, every exam at the start of its span, and 56.40."""
NONE = dict.fromkeys(("exams", *SPANS), 0) | {"mean_hours": None}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"under_12_hours": 49}, [("exams", "rule")]),
        ({"mean_hours": "9.59"}, []),  # rounding
        ({"mean_hours": "9.58"}, [("mean_hours", "rule")]),
        ({"mean_hours": "56.41"}, []),
        ({"mean_hours": "56.42"}, [("mean_hours", "rule")]),
        ({"median_hours": "11.99"}, []),
        ({"median_hours": "14.00"}, []),  # half way between two exams
        ({"median_hours": "23.99"}, []),
        ({"median_hours": "24.00"}, []),  # a little under 24, rounded
        ({"median_hours": "24.01"}, [("median_hours", "rule")]),
        ({"under_12_hours": 49, "from_12_hours": 31, "median_hours": "11.99"}, [("median_hours", "rule")]),
        ({"under_12_hours": 51, "from_12_hours": 29, "median_hours": "12.01"}, [("median_hours", "rule")]),
        ({"median_hours": "3.00", "percentile_90_hours": "2.99"}, [("percentile_90_hours", "rule"), ("percentile_90_hours", "rule")]),
        ({"percentile_90_hours": "23.99"}, [("percentile_90_hours", "rule")]),
        ({"percentile_90_hours": "30.00"}, []),
        ({"percentile_90_hours": "48.01"}, [("percentile_90_hours", "rule")]),
        (NONE, []),
        (NONE | {"mean_hours": "1.00"}, [("mean_hours", "not-relevant")]),
        ({"mean_hours": None}, [("mean_hours", "missing")]),
        ({"reported_month": "2026-10"}, [("reported_month", "rule")]),
    ],
)  # fmt: skip
def test_a_months_mean_and_median_must_be_possible_beside_its_spans(
    change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert said(MONTHS.flaws(MONTH | change)) == found


def test_a_physicians_month_is_held_to_its_spans_as_a_facilitys_is() -> None:
    own = {name: value for name, value in MONTH.items() if name not in NOT_OF_A_PHYSICIAN}
    own |= {"physician_npi": "1234567893"}
    assert said(OWN_MONTHS.flaws(own)) == []
    assert said(OWN_MONTHS.flaws(own | {"mean_hours": "9.58"})) == [("mean_hours", "rule")]
    assert said(OWN_MONTHS.flaws(own | {"exams": 101})) == [("exams", "rule")]
    assert said(OWN_MONTHS.flaws(own | {"physician_npi": "1234567890"})) == [
        ("physician_npi", "not-an-npi")
    ]


HOURS = st.floats(0, 720) | st.sampled_from([0, 11.999, 12, 23.999, 24, 47.999, 48, 720])


@given(st.lists(HOURS, min_size=1, max_size=60))
@settings(max_examples=25, deadline=None)
def test_what_is_counted_of_any_exams_is_never_called_impossible(hours: list[float]) -> None:
    """Whatever the exams, and by whichever convention their percentiles are told."""
    spans = [sum(low <= one < high for one in hours) for low, high in pairwise(EDGES)]
    months = [
        MONTH
        | dict(zip(SPANS, spans, strict=True))
        | {
            "exams": len(hours),
            "mean_hours": f"{np.mean(hours):.2f}",
            "median_hours": f"{median(hours):.2f}",
            "percentile_90_hours": f"{np.quantile(hours, 0.9, method=method):.2f}",
        }
        for method in ("linear", "median_unbiased", "weibull")
    ]
    for _, flaws in MONTHS.judge(months):
        assert [one for one in said(flaws) if one[1] == "rule"] == []


def test_a_year_asks_for_incidents_of_those_who_report_outcomes() -> None:
    exams = {f"exams_{one}": 1000 for one in ("xr", "us", "mr", "ct", "pt", "mg")}
    year = {"reported_year": "2025", "participation_level": "N", "childrens_hospital": "N"} | exams
    desk = Desk(TURNAROUND, "year")
    (values, flaws), *_ = desk.judge([year])
    assert (flaws, values["exams_of_year"]) == ([], 6000)
    assert said(desk.flaws(year | {"participation_level": "G"})) == [
        (name, "missing") for name in ("mri_incidents", "wrong_exams", "falls")
    ]
    assert said(desk.flaws(year | {"falls": 1})) == [("falls", "not-relevant")]
