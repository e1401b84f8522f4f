"""Lung-RADS v2022: nodule situations and their categories, from the published table."""

from typing import Any

import pytest

from app.reporting.evaluate import Outcome, evaluate
from app.reporting.own import packaged

MODULE = packaged()["lung-rads-2022"]


def category(*nodules: dict[str, Any], **exam: Any) -> tuple[str, Outcome]:
    outcome = evaluate(MODULE, {"nodules": list(nodules), **exam})
    assert outcome.complete, [(one.place, one.code) for one in outcome.flaws] + [
        one.element.id for one in outcome.questions if one.open
    ]
    (end,) = outcome.end_points
    found = outcome.computed["exam_category"]
    assert end.label == f"Category {found}"
    return str(found), outcome


SOLID = [
    ("baseline", 5.9, "2"), ("baseline", 6, "3"), ("baseline", 7.9, "3"), ("baseline", 8, "4A"),
    ("baseline", 14.9, "4A"), ("baseline", 15, "4B"), ("baseline", 40, "4B"),
    ("new", 3.9, "2"), ("new", 4, "3"), ("new", 5.9, "3"), ("new", 6, "4A"), ("new", 7.9, "4A"),
    ("new", 8, "4B"), ("new", 15, "4B"),
    ("growing", 5, "4A"), ("growing", 7.9, "4A"), ("growing", 8, "4B"), ("growing", 16, "4B"),
    ("slow_growing", 5, "4B"), ("slow_growing", 12, "4B"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "diameter", "expected"), SOLID)
def test_a_solid_nodule(status: str, diameter: float, expected: str) -> None:
    assert category({"kind": "solid", "status": status, "diameter": diameter})[0] == expected


PART_SOLID = [
    ("baseline", 5.9, 0, "2"), ("baseline", 5.9, 5, "2"), ("baseline", 6, 0, "3"),
    ("baseline", 6, 5.9, "3"), ("baseline", 20, 5.9, "3"), ("baseline", 8, 6, "4A"),
    ("baseline", 12, 7.9, "4A"), ("baseline", 12, 8, "4B"), ("baseline", 30, 20, "4B"),
    ("new", 5.9, 2, "3"), ("new", 6, 3.9, "4A"), ("new", 10, 0, "4A"), ("new", 8, 4, "4B"),
    ("growing", 8, 3.9, "4A"), ("growing", 8, 4, "4B"), ("slow_growing", 8, 2, "4B"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "diameter", "solid", "expected"), PART_SOLID)
def test_a_part_solid_nodule(status: str, diameter: float, solid: float, expected: str) -> None:
    nodule = {"kind": "part_solid", "status": status, "diameter": diameter, "solid_diameter": solid}
    assert category(nodule)[0] == expected


GROUND_GLASS = [
    ("baseline", 29.9, "2"), ("new", 29.9, "2"), ("growing", 29.9, "2"), ("baseline", 30, "3"),
    ("new", 30, "3"), ("stable", 30, "2"), ("slow_growing", 45, "2"), ("stable", 5, "2"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "diameter", "expected"), GROUND_GLASS)
def test_a_ground_glass_nodule(status: str, diameter: float, expected: str) -> None:
    assert category({"kind": "ground_glass", "status": status, "diameter": diameter})[0] == expected


OTHER = [
    ({"kind": "airway", "airway_place": "subsegmental", "status": "baseline"}, "2"),
    ({"kind": "airway", "airway_place": "subsegmental", "status": "new"}, "2"),
    ({"kind": "airway", "airway_place": "subsegmental", "status": "stable"}, "2"),
    ({"kind": "airway", "airway_place": "segmental", "status": "baseline"}, "4A"),
    ({"kind": "airway", "airway_place": "segmental", "status": "stable"}, "4B"),
    ({"kind": "airway", "airway_place": "segmental", "status": "growing"}, "4B"),
    ({"kind": "cyst", "cyst_finding": "growing_component", "status": "growing"}, "3"),
    ({"kind": "cyst", "cyst_finding": "thick_walled", "status": "baseline"}, "4A"),
    ({"kind": "cyst", "cyst_finding": "multilocular", "status": "baseline"}, "4A"),
    ({"kind": "cyst", "cyst_finding": "became_multilocular", "status": "growing"}, "4A"),
    ({"kind": "cyst", "cyst_finding": "growing_wall", "status": "growing"}, "4B"),
    ({"kind": "cyst", "cyst_finding": "growing_multilocular", "status": "growing"}, "4B"),
    ({"kind": "cyst", "cyst_finding": "more_loculation", "status": "growing"}, "4B"),
    ({"kind": "benign", "status": "stable"}, "1"),
    ({"kind": "solid", "status": "baseline", "diameter": 9.9, "juxtapleural": "true"}, "2"),
    ({"kind": "solid", "status": "new", "diameter": 9.9, "juxtapleural": "true"}, "2"),
    ({"kind": "solid", "status": "baseline", "diameter": 10, "juxtapleural": "true"}, "4A"),
]


@pytest.mark.parametrize(("nodule", "expected"), OTHER)
def test_lesions_of_other_kinds(nodule: dict[str, Any], expected: str) -> None:
    assert category(nodule)[0] == expected


STEPPED = [
    ("3", "stable", 6, 7, "2"), ("3", "decreased", 6, 7, "2"), ("3", "stable", 5, 7, "3"),
    ("4A", "stable", 3, 9, "3"), ("4A", "decreased", 3, 9, "3"), ("4A", "stable", 2, 9, "4A"),
    ("2", "stable", None, 5, "2"), ("4B", "stable", None, 16, "4B"),
]  # fmt: skip


@pytest.mark.parametrize(("prior", "status", "months", "diameter", "expected"), STEPPED)
def test_what_has_not_grown_goes_down_a_step(
    prior: str, status: str, months: int | None, diameter: float, expected: str
) -> None:
    nodule = {"kind": "solid", "status": status, "diameter": diameter, "prior_category": prior}
    if months is not None:
        nodule["months"] = months
    assert category(nodule)[0] == expected


def test_an_airway_nodule_does_not_step_down() -> None:
    nodule = {
        "kind": "airway", "airway_place": "segmental", "status": "stable", "prior_category": "4A", "months": 3,
    }  # fmt: skip
    assert category(nodule)[0] == "4B"


def test_what_was_proven_benign_is_benign() -> None:
    nodule = {"kind": "solid", "status": "stable", "diameter": 20, "prior_category": "4B"}
    assert category(nodule | {"proven_benign": "true"})[0] == "2"


@pytest.mark.parametrize("status", ["stable", "decreased", "growing", "slow_growing"])
@pytest.mark.parametrize("prior", ["4B", "4X"])
def test_only_what_was_4b_or_4x_can_be_proven_benign(prior: str, status: str) -> None:
    nodule = {"kind": "solid", "status": status, "diameter": 20, "proven_benign": "true"}
    assert category(nodule | {"prior_category": prior})[0] == "2"
    assert category(nodule)[0] == "4B"
    assert category(nodule | {"prior_category": "2", "status": "growing"})[0] == "4B"
    assert category(nodule | {"prior_category": "4B", "status": "baseline"})[0] == "4B"
    benign = {"kind": "benign", "status": status, "prior_category": prior, "proven_benign": "true"}
    assert category(benign)[0] == "1"


def test_a_nodule_that_was_category_1_is_judged_by_its_size() -> None:
    nodule = {"kind": "solid", "status": "stable", "diameter": 20, "prior_category": "1"}
    assert category(nodule)[0] == "4B"


@pytest.mark.parametrize(
    ("diameter", "expected"), [(5.94, "2"), (5.95, "3"), (7.949, "3"), (7.95, "4A"), (14.95, "4B")]
)
def test_a_diameter_is_judged_to_one_decimal(diameter: float, expected: str) -> None:
    found, outcome = category({"kind": "solid", "status": "baseline", "diameter": diameter})
    assert found == expected
    assert f"{round(diameter + 1e-9, 1):g} mm" in outcome.sections["findings"]


def test_a_solid_component_is_judged_to_one_decimal_and_is_no_larger_than_the_nodule() -> None:
    nodule = {"kind": "part_solid", "status": "baseline", "diameter": 9}
    assert category(nodule | {"solid_diameter": 5.94})[0] == "3"
    assert category(nodule | {"solid_diameter": 5.95})[0] == "4A"
    (flaw,) = evaluate(MODULE, {"nodules": [nodule | {"solid_diameter": 9.1}]}).flaws
    assert (flaw.place, flaw.code) == (("nodules", 0, "solid_diameter"), "larger-than-whole")


def test_a_nodule_that_is_not_understood_leaves_the_examination_open() -> None:
    small = {"kind": "solid", "status": "baseline", "diameter": 4}
    for nodules in (
        [small, {"kind": "solid", "status": "baseline"}],
        [small, {}],
        [small, {"kind": "solid", "status": "baseline", "diameter": "large"}],
        [small] * 21,
        "none",
    ):
        outcome = evaluate(MODULE, {"nodules": nodules})
        assert not outcome.complete
        assert outcome.end_points == ()
        assert outcome.sections == {}


def test_a_nodule_s_answers_belong_into_its_group() -> None:
    outcome = evaluate(MODULE, {"kind": "solid", "status": "baseline", "diameter": 20})
    assert [(one.place, one.code) for one in outcome.flaws] == [((), "unknown-element")]
    assert not outcome.complete


def test_a_refused_answer_is_not_taken_for_the_default() -> None:
    nodule = {"kind": "solid", "status": "baseline", "diameter": 9, "suspicious": "perhaps"}
    outcome = evaluate(MODULE, {"nodules": [nodule]})
    assert "category" not in outcome.items["nodules"][0]
    assert outcome.end_points == ()
    outcome = evaluate(MODULE, {"nodules": [], "evaluable": "perhaps"})
    assert outcome.end_points == ()


def test_a_diameter_out_of_range_gives_no_category() -> None:
    nodule = {"kind": "solid", "status": "baseline", "diameter": 301}
    outcome = evaluate(MODULE, {"nodules": [nodule]})
    assert [one.code for one in outcome.flaws] == ["out-of-range"]
    assert outcome.end_points == ()


def test_a_follow_up_tells_no_time_that_the_table_does_not() -> None:
    by_id = {one.id: one for one in MODULE.end_points}
    for name in ("category-4b", "category-4x"):
        follow_up = by_id[name].follow_up
        assert follow_up is not None
        assert (follow_up.earliest, follow_up.latest) == ("", "")
    assert {one.actionable for one in MODULE.end_points} == {""}
    assert by_id["category-0"].follow_up is None
    _, outcome = category(evaluable="inflammatory")
    follow_up = outcome.end_points[0].follow_up
    assert follow_up is not None
    assert (follow_up.earliest, follow_up.latest) == ("P1M", "P3M")


def test_rows_of_what_has_not_grown_say_that_they_are_not_confirmed() -> None:
    for table in MODULE.tables:
        for row in table.rows:
            status = row.when.get("status")
            named = set(status) if isinstance(status, tuple) else {status}
            if table.id in ("solid", "part_solid") and named & {"stable", "decreased"}:
                assert row.source == "unconfirmed"
                assert named <= {"stable", "decreased"}


@pytest.mark.parametrize(("diameter", "expected"), [(5, "2"), (6, "4X"), (9, "4X"), (16, "4X")])
def test_suspicious_features_make_4x_of_three_and_four_alone(
    diameter: float, expected: str
) -> None:
    nodule = {"kind": "solid", "status": "baseline", "diameter": diameter, "suspicious": "true"}
    assert category(nodule)[0] == expected


def test_the_examination_takes_the_most_suspicious_nodule_and_without_any_is_negative() -> None:
    small = {"kind": "solid", "status": "baseline", "diameter": 4}
    large = {"kind": "solid", "status": "baseline", "diameter": 9, "location": "rul"}
    found, outcome = category(small, large, small, modifier_s="yes")
    assert found == "4A"
    assert [one["category"] for one in outcome.items["nodules"]] == ["2", "4A", "2"]
    assert outcome.sections == {
        "findings": "solid nodule, at baseline, 4 mm: category 2\n"
        "solid nodule, at baseline, 9 mm, right upper lobe: category 4A\n"
        "solid nodule, at baseline, 4 mm: category 2",
        "impression": "Lung-RADS 4A: suspicious. Modifier S: another significant finding.",
        "recommendation": "Low-dose chest CT in 3 months; PET/CT may be considered where a solid nodule"
        " or component is 8 mm or larger.",
    }
    assert outcome.end_points[0].follow_up is not None
    assert outcome.end_points[0].follow_up.earliest == "P3M"
    assert category()[0] == "1"


@pytest.mark.parametrize("reason", ["prior-awaited", "incomplete", "inflammatory"])
def test_what_cannot_be_judged_is_category_0_whatever_was_seen(reason: str) -> None:
    found, outcome = category(
        {"kind": "solid", "status": "baseline", "diameter": 20}, evaluable=reason
    )
    assert found == "0"
    assert outcome.sections["recommendation"]


def test_codes_name_the_nodule_s_elements() -> None:
    _, outcome = category(
        {"kind": "part_solid", "status": "baseline", "diameter": 8.5, "solid_diameter": 3, "location": "lll"}
    )  # fmt: skip
    assert [
        (one.concept.code, one.value.code if one.value else one.text) for one in outcome.codes
    ] == [
        ("RDE1301", "RDE1301.2"),
        ("RDE1302", "8.5"),
        ("RDE1303", "3"),
        ("RDE1304", "RDE1304.4"),
    ]


def test_a_question_that_is_not_relevant_is_neither_asked_nor_heard() -> None:
    outcome = evaluate(
        MODULE,
        {
            "nodules": [
                {"kind": "ground_glass", "status": "baseline", "diameter": 8, "solid_diameter": 9}
            ]
        },
    )
    assert outcome.complete
    assert outcome.items["nodules"][0]["category"] == "2"
    assert "solid_diameter" not in [one.element for one in outcome.codes]


def test_what_is_missing_and_what_is_wrong_is_told_by_its_place() -> None:
    outcome = evaluate(
        MODULE,
        {"nodules": [{"kind": "solid", "status": "old", "diameter": "large"}, {"kind": "solid", "status": "new", "diameter": 301, "size": 3}], "colour": 1},
    )  # fmt: skip
    assert not outcome.complete
    assert {(one.place, one.code) for one in outcome.flaws} == {
        ((), "unknown-element"),
        (("nodules", 0, "status"), "not-a-choice"),
        (("nodules", 0, "diameter"), "not-a-number"),
        (("nodules", 1), "unknown-element"),
        (("nodules", 1, "diameter"), "out-of-range"),
    }
    assert all("old" not in one.allowed and "large" not in one.allowed for one in outcome.flaws)
