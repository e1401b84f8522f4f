"""The AI assessment registry: one change to a good entry is one finding, at the right place."""

from typing import Any

import pytest

from app.commands.definitions import newest
from tests.make.entries import Desk, said

ASSESSED = newest("ai-assessment")
ENTRY: dict[str, Any] = {
    "facility_id": "200001",
    "exam_unique_id": "A-1",
    "local_id": "MRN 1",
    "birth_date": "1970-06-15",
    "exam_date": "2026-03-01",
    "modality": "CT",
    "protocol": "RPID22",
    "scanner_manufacturer": "ge",
    "scanner_class": "ct-64-to-128",
    "use_case": "TAI-08180001",
    "finding": "hemorrhage",
    "algorithm": "bleed-finder@2.1.0",
    "ai_result": "P",
    "ai_score": "0.9100",
    "ai_threshold": "0.5000",
    "ai_seconds": 40,
    "radiologist_npi": "1234567893",
    "radiologist_label": "P",
    "label_origin": "direct",
    "result_seen_first": "N",
}
LABEL = ("radiologist_npi", "radiologist_label", "label_origin", "result_seen_first")
SCORE = ("ai_score", "ai_threshold", "ai_seconds")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        (dict.fromkeys(LABEL), []),
        ({"radiologist_npi": None}, [("radiologist_npi", "missing")]),
        ({"radiologist_label": None}, [("label_origin", "not-relevant"), ("result_seen_first", "not-relevant")]),
        ({"ai_score": "0.5000"}, []),
        ({"ai_score": "0.4999"}, [("ai_score", "rule")]),
        ({"ai_result": "N"}, [("ai_score", "rule")]),
        (dict.fromkeys(SCORE) | {"ai_result": "F"}, [("ai_failure", "missing")]),
        (dict.fromkeys(SCORE) | {"ai_result": "F", "ai_failure": "scope"}, []),
        ({"algorithm": "Bleed Finder 2"}, [("algorithm", "pattern")]),
        ({"protocol": "CT HEAD"}, [("protocol", "pattern")]),
        ({"use_case": "TAI-1"}, [("use_case", "pattern")]),
        ({"modality": "MR"}, [("scanner_class", "rule")]),
        ({"modality": "MG"}, [("scanner_class", "rule"), ("scanner_class", "rule")]),
        ({"scanner_class": "mg-2d"}, [("scanner_class", "rule")]),
        ({"scanner_class": "other"}, []),
        ({"exam_date": "2026-09-02"}, [("exam_date", "rule")]),
        ({"birth_date": "2026-03-02"}, [("birth_date", "rule")]),
    ],
)  # fmt: skip
def test_one_change_to_a_good_assessment(
    change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert said(Desk(ASSESSED, "assessment").flaws(ENTRY | change)) == found
