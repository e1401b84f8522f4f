"""The 3D printing registry: codes that need each other, rows of models and parts, and what is told later."""

from typing import Any

import pytest

from app.ingest.formats.sent import Sent
from app.registries.load import PACKAGED, load
from tests.make.entries import Desk, found_in, said

PRINTING = load(PACKAGED / "medical-3d-printing" / "1.0.0")
MODEL: dict[str, Any] = {
    "model_kind": "M",
    "printer": "J750",
    "material": "RESIN",
    "optical": "T",
    "scale_percent": "100.0",
    "parts": [{"part": "BONE"}, {"part": "TUMOR", "part_radlex": "RID3957"}],
}
GUIDE: dict[str, Any] = MODEL | {"model_kind": "G", "sterilized": "Y", "biocompatible": "Y"}
CASE: dict[str, Any] = {
    "facility_id": "200001",
    "case_id": "P-1",
    "requested_on": "2026-02-20",
    "ready_on": "2026-03-01",
    "age_band": "to-64",
    "ordering_specialty": "URO",
    "organ_system": "RENAL",
    "diagnosis": "C64.1",
    "intended_uses": ["GUIDE", "PLAN"],
    "source_modalities": ["CT", "MR"],
    "slice_thickness": "1.00",
    "segmentation_methods": ["SEMI"],
    "cpt_codes": ["0559T"],
    "models": [MODEL],
    "efforts": [{"role": "RAD", "task": "SEG", "minutes": 45}],
}
DESK = Desk(PRINTING, "impact")
IMPACT: dict[str, Any] = {
    "case_id": "P-1",
    "reported_on": "2026-04-01",
    "reported_by": "OPERATOR",
    "procedure_done": "Y",
    "plan_changed": "Y",
    "minutes_saved": 25,
}


CASES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({}, []),
    ({"cpt_codes": ["0559T", "0560T"], "additional_models": 2}, []),
    ({"cpt_codes": ["0559T", "0560T"]}, [("additional_models", "missing")]),
    ({"cpt_codes": ["0560T"], "additional_models": 2}, [("cpt_codes", "rule")]),
    ({"cpt_codes": ["0560T", "0561T"], "additional_models": 2}, [("cpt_codes", "rule")]),
    ({"cpt_codes": ["0562T"], "additional_guides": 1}, [("cpt_codes", "rule")]),
    ({"cpt_codes": ["0559T", "0562T"], "additional_guides": 1}, [("cpt_codes", "rule")]),
    ({"cpt_codes": ["0561T", "0562T"], "additional_guides": 1}, []),
    ({"cpt_codes": None}, []),
    ({"additional_models": 2}, [("additional_models", "not-relevant")]),
    ({"cpt_codes": ["0563T"]}, [("cpt_codes", "not-in-value-set")]),
    ({"requested_on": "2026-03-02"}, [("requested_on", "rule")]),
    ({"ready_on": "2026-09-02"}, [("ready_on", "rule")]),
    ({"requested_on": None, "ready_on": "2019-06-30"}, [("cpt_codes", "rule")]),
    ({"source_modalities": ["SURF"]}, [("slice_thickness", "not-relevant")]),
    ({"diagnosis": "tumor"}, [("diagnosis", "pattern")]),
    ({"models": []}, [("models", "missing")]),
    ({"models": [MODEL] * 5}, []),
    ({"models": [MODEL] * 6}, [("models", "too-many-rows")]),
    ({"models": [MODEL | {"parts": []}]}, [("models[0].parts", "missing")]),
    ({"models": [MODEL | {"printer": None}]}, [("models[0].printer", "missing")]),
    ({"models": [MODEL, GUIDE]}, []),
    ({"models": [MODEL, GUIDE | {"scale_percent": "99.9"}]}, [("models[1].scale_percent", "rule")]),
    ({"models": [MODEL | {"scale_percent": "99.9"}]}, []),
    ({"models": [GUIDE | {"biocompatible": "N"}]}, [("models[0].biocompatible", "rule")]),
    ({"models": [GUIDE], "intended_uses": ["PLAN"]}, [("models[0].model_kind", "rule")]),
    ({"efforts": [{"role": "RAD", "task": "SEG", "minutes": 0}]}, [("efforts[0].minutes", "out-of-range")]),
]  # fmt: skip


def test_one_change_to_a_good_case_is_one_finding_at_its_place() -> None:
    sent = [Sent("printing_case", "submit", CASE | change) for change, _ in CASES]
    for (change, wanted), found in zip(CASES, found_in(PRINTING, sent), strict=True):
        assert said(found) == wanted, change


@pytest.mark.parametrize(
    ("change", "parent", "found"),
    [
        ({}, "2026-03-01", []),
        ({"minutes_saved": -30}, "2026-03-01", []),
        ({"minutes_saved": 999}, "2026-03-01", []),
        ({"minutes_saved": None}, "2026-03-01", [("minutes_saved", "missing")]),
        ({"procedure_done": "N"}, "2026-03-01", [("minutes_saved", "not-relevant")]),
        ({"usefulness": 6}, "2026-03-01", [("usefulness", "out-of-range")]),
        ({}, "2026-04-02", [("reported_on", "rule")]),
    ],
)
def test_one_change_to_a_good_report_of_impact(
    change: dict[str, Any], parent: str, found: list[tuple[str, str]]
) -> None:
    assert said(DESK.flaws(IMPACT | change, parent={"ready_on": parent})) == found


def test_nothing_that_is_asked_says_who_the_patient_is() -> None:
    form = PRINTING.form("printing_case")
    assert {one.identity for one in form.all_elements} == {None, "facility"}
    assert [one.id for one in form.all_elements if one.identifying] == ["case_id"]
