"""Fleischner 2017: every cell of the published table, at both of its edges."""

from typing import Any

import pytest

from app.reporting.evaluate import evaluate
from app.reporting.own import packaged

MODULE = packaged()["fleischner-2017"]

# Kind, count, risk -> advice by size: below 6 mm, 6 to 8 mm, above 8 mm.
CELLS = {
    ("solid", "single", "low"): ("none", "ct-6-12-consider", "consider-3"),
    ("solid", "single", "high"): ("optional-12", "ct-6-12-then", "consider-3"),
    ("solid", "multiple", "low"): ("none", "ct-3-6-consider", "ct-3-6-consider"),
    ("solid", "multiple", "high"): ("optional-12", "ct-3-6-then", "ct-3-6-then"),
    ("ground_glass", "single", None): ("none", "ct-6-12-persistent", "ct-6-12-persistent"),
    ("ground_glass", "multiple", None): (
        "ct-3-6-stable", "ct-3-6-most-suspicious", "ct-3-6-most-suspicious",
    ),
    ("part_solid", "single", None): ("none", "ct-3-6-annual", "ct-3-6-annual"),
    ("part_solid", "multiple", None): (
        "ct-3-6-stable", "ct-3-6-most-suspicious", "ct-3-6-most-suspicious",
    ),
}  # fmt: skip
# Judged to the nearest millimetre: 5.4 is 5, 5.5 is 6, 8.4 is 8, 8.5 is 9.
SIZES = ((1, 0), (5.4, 0), (5.5, 1), (6, 1), (8, 1), (8.4, 1), (8.5, 2), (9, 2), (30, 2))


@pytest.mark.parametrize(("diameter", "column"), SIZES)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: "-".join(filter(None, cell)))
def test_a_cell_of_the_table(
    cell: tuple[str, str, str | None], diameter: float, column: int
) -> None:
    kind, count, risk = cell
    answers: dict[str, Any] = {"kind": kind, "count": count, "diameter": diameter}
    if risk:
        answers["risk"] = risk
    if kind == "part_solid":
        answers["solid_diameter"] = 5.4
    outcome = evaluate(MODULE, answers)
    assert outcome.complete
    assert [one.id for one in outcome.end_points] == [CELLS[cell][column]]
    assert outcome.sections["recommendation"]


def test_a_large_solid_part_is_suspicious() -> None:
    answers = {"kind": "part_solid", "count": "single", "diameter": 12, "solid_diameter": 5.5}
    (end,) = evaluate(MODULE, answers).end_points
    assert end.id == "ct-3-6-suspicious"


def test_the_guidelines_do_not_apply_to_everybody() -> None:
    outcome = evaluate(MODULE, {"applies": "false"})
    assert outcome.complete
    assert [one.id for one in outcome.end_points] == ["not-applicable"]


def test_the_report_names_the_nodule_and_what_to_do() -> None:
    answers = {"kind": "solid", "count": "single", "diameter": 7.2, "risk": "high"}
    outcome = evaluate(MODULE, answers)
    assert outcome.sections == {
        "impression": "single solid nodule, 7.2 mm, high risk.",
        "recommendation": "CT at 6 to 12 months, then at 18 to 24 months.",
    }
    follow_up = outcome.end_points[0].follow_up
    assert follow_up is not None
    assert (follow_up.earliest, follow_up.latest) == ("P6M", "P12M")
