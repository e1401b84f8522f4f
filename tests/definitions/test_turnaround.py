"""The turnaround registry: times in their order, in UTC, and as the facility's clock shows them."""

from typing import Any

import pytest

from app.commands.definitions import newest
from tests.make.entries import Desk, said

TURNAROUND = newest("general-radiology-improvement")
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
