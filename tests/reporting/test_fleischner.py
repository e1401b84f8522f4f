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
    answers: dict[str, Any] = {
        "applies": "true", "kind": kind, "count": count, "diameter": diameter,
    }  # fmt: skip
    if risk:
        answers["risk"] = risk
    if kind == "part_solid":
        answers["solid_diameter"] = min(diameter, 5.4)
    outcome = evaluate(MODULE, answers)
    assert outcome.complete
    assert [one.id for one in outcome.end_points] == [CELLS[cell][column]]
    assert outcome.sections["recommendation"]


PART_SOLID = {"applies": "true", "kind": "part_solid", "count": "single", "diameter": 12}


def test_a_large_solid_part_is_suspicious() -> None:
    (end,) = evaluate(MODULE, PART_SOLID | {"solid_diameter": 5.5}).end_points
    assert end.id == "ct-3-6-suspicious"


def test_the_guidelines_do_not_apply_to_everybody() -> None:
    outcome = evaluate(MODULE, {"applies": "false"})
    assert outcome.complete
    assert [one.id for one in outcome.end_points] == ["not-applicable"]


def test_the_report_names_the_nodule_and_what_to_do() -> None:
    answers = {
        "applies": "true", "kind": "solid", "count": "single", "diameter": 7.2, "risk": "high",
    }  # fmt: skip
    outcome = evaluate(MODULE, answers)
    assert outcome.sections == {
        "impression": "single solid nodule, 7.2 mm, high risk.",
        "recommendation": "CT at 6 to 12 months, then at 18 to 24 months.",
    }
    follow_up = outcome.end_points[0].follow_up
    assert follow_up is not None
    assert (follow_up.earliest, follow_up.latest) == ("P6M", "P12M")
    several = evaluate(MODULE, answers | {"count": "multiple"})
    assert (
        several.sections["impression"]
        == "multiple nodules, the most suspicious solid, 7.2 mm, high risk."
    )


def test_whether_the_guidelines_apply_is_asked_and_not_assumed() -> None:
    outcome = evaluate(MODULE, {"kind": "solid", "count": "single", "diameter": 7, "risk": "low"})
    assert [one.element.id for one in outcome.questions if one.open] == ["applies"]
    assert outcome.end_points == ()


def test_a_solid_part_is_no_larger_than_its_nodule() -> None:
    whole = evaluate(MODULE, PART_SOLID | {"solid_diameter": 12})
    assert whole.flaws == ()
    larger = evaluate(MODULE, PART_SOLID | {"solid_diameter": 12.1})
    assert [(one.place, one.code, one.allowed) for one in larger.flaws] == [
        (("solid_diameter",), "larger-than-whole", "no more than `diameter`")
    ]
    assert larger.end_points == ()


def test_no_category_of_action_is_told_that_the_guidelines_do_not_name() -> None:
    assert {one.actionable for one in MODULE.end_points} == {""}
