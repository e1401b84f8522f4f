"""Units, content trees, and one set of elements out of several reports: pure, against plain oracles."""

from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commands.definitions import newest
from app.deid.deidentify import Deidentified, deidentify
from app.deid.uids import Keys
from app.ingest.arising import listen
from app.ingest.content import DEEPEST, Unmanageable, tree_of
from app.ingest.halves import differs
from app.ingest.images import profile_of
from app.ingest.measured import Heard, composed
from app.ingest.units import convert
from app.registries.load import load
from tests.make.definitions import write_definition
from tests.make.dose_reports import event, report
from tests.make.instances import ROOT, sent

DOSE = newest("dose-index")
EXAM = DOSE.form("exam")
ORDER = [one.id for one in DOSE.images]


@pytest.mark.parametrize(
    ("number", "given", "wanted", "found"),
    [
        ("0.0145", "Gy", "mGy", "14.5"),
        ("14500", "uGy", "mGy", "14.5"),
        ("14500", "\N{MICRO SIGN}Gy", "mGy", "14.5"),
        ("2.5", "Gy.m", "mGy.cm", "250000"),
        ("250", "mGycm", "mGy.cm", "250"),
        ("250", "mGy*cm", "mGy.cm", "250"),
        ("1", "Gy.m2", "dGy.cm2", "100000"),
        ("301", "mm", "cm", "30.1"),
        ("1.68", "m", "cm", "168"),
        ("154", "[lb_av]", "kg", "69.853224980"),
        ("3", "{events}", None, "3"),
        ("2500", "ms", "s", "2.5"),
        ("1", "mGy", "mGy.cm", None),
        ("1", "furlong", "cm", None),
        ("1", "", "mGy", None),
        ("1", "Gy2", "mGy", None),
    ],
)
def test_numbers_are_converted_where_both_units_measure_the_same(
    number: str, given: str, wanted: str | None, found: str | None
) -> None:
    answer = convert(Decimal(number), given, wanted)
    assert answer == (None if found is None else Decimal(found))


def node(name: str, *below: dict[str, Any]) -> dict[str, Any]:
    code = {"00080100": {"Value": [name]}, "00080102": {"Value": ["X"]}}
    made: dict[str, Any] = {"0040A043": {"Value": [code]}}
    return made | ({"0040A730": {"Value": list(below)}} if below else {})


trees = st.recursive(
    st.builds(node, st.sampled_from("abc")),
    lambda inner: st.builds(
        lambda name, below: node(name, *below), st.sampled_from("abc"), st.lists(inner, max_size=4)
    ),
    max_leaves=25,
)


def walked(item: dict[str, Any], path: list[str], found: list[dict[str, Any]]) -> None:
    """The items that a path leads to, by walking the tree anew for each of its names."""
    for one in item.get("0040A730", {}).get("Value", []):
        name = "X " + one["0040A043"]["Value"][0]["00080100"]["Value"][0]
        if name == path[0]:
            if len(path) == 1:
                if not any(one is other for other in found):
                    found.append(one)
            else:
                walked(one, path[1:], found)
        walked(one, path, found)


@settings(max_examples=60)
@given(trees, st.lists(st.sampled_from(["X a", "X b", "X c"]), min_size=1, max_size=3))
def test_a_path_finds_what_walking_the_tree_finds(root: dict[str, Any], path: list[str]) -> None:
    tree = tree_of(root)
    expected: list[dict[str, Any]] = []
    walked(root, path, expected)
    found = [tree.items[at] for at in tree.below(path)]
    assert sorted(map(id, found)) == sorted(map(id, expected))


def test_a_tree_has_bounds_and_no_recursion() -> None:
    deep = node("a")
    for _ in range(5_000):
        deep = node("a", deep)
    with pytest.raises(Unmanageable):
        tree_of(deep)
    fits = node("a")
    for _ in range(DEEPEST):
        fits = node("a", fits)
    assert len(tree_of(fits).items) == DEEPEST + 1


def said(uid: str, events: str, dlp: str, ctdivol: str, **more: Any) -> Heard:
    values = {"dlp": [dlp], "ctdivol": [ctdivol], "irradiation_events": [str(len(events))]}
    return Heard(ORDER[0], values, sorted(events), uid, **more)


def test_split_reports_come_to_the_same_whatever_their_order() -> None:
    parts = [said("1", "a", "10.5", "3"), said("2", "bc", "20", "7.25"), said("3", "d", "0.5", "1")]
    answers = [composed(EXAM, ORDER, list(some)) for some in permutations(parts)]
    assert all(one.elements == answers[0].elements and not one.overlapping for one in answers)
    assert answers[0].elements == {"dlp": "31.0", "ctdivol": "7.25", "irradiation_events": "4"}


def test_a_later_report_with_the_same_scans_takes_the_place_of_the_earlier() -> None:
    first, second = said("1", "ab", "10", "3"), said("2", "ab", "12", "4")
    assert composed(EXAM, ORDER, [first, second]).elements["dlp"] == "12"
    assert composed(EXAM, ORDER, [second, first]).elements["dlp"] == "10"
    cumulative = [
        said("1", "a", "10", "3"),
        said("2", "ab", "15", "3"),
        said("3", "abc", "18", "3"),
    ]
    for some in permutations(cumulative):
        assert composed(EXAM, ORDER, list(some)).elements["dlp"] == "18"
    named = said("9", "x", "5", "1", replaces=["1", "2"])
    assert composed(EXAM, ORDER, [first, second, named]).elements["dlp"] == "5"
    itself = said("9", "x", "5", "1", replaces=["9"])
    assert composed(EXAM, ORDER, [itself]).elements["dlp"] == "5"
    assert composed(EXAM, ORDER, [said("1", "ab", "1", "1"), said("2", "bc", "1", "1")]).overlapping


def test_several_answers_to_one_question_are_the_code_for_several_or_nothing() -> None:
    head, body = Heard(ORDER[0], {"phantom": ["HEAD"]}), Heard(ORDER[0], {"phantom": ["BODY"]})
    assert composed(EXAM, ORDER, [head, head]).elements == {"phantom": "HEAD"}
    assert composed(EXAM, ORDER, [head, body]).elements == {"phantom": "BOTH"}


@pytest.mark.parametrize(
    ("element", "typed", "measured", "found"),
    [
        ("ctdivol", "12.00", "14.20", True),
        ("ctdivol", "14.00", "14.20", False),  # within 2 %
        ("ctdivol", "0.60", "0.50", False),  # within 0.1 mGy
        ("ctdivol", "0.61", "0.50", True),
        ("phantom", "HEAD", "BODY", True),
        ("phantom", "HEAD", "HEAD", False),
    ],
)
def test_the_wider_tolerance_counts(element: str, typed: str, measured: str, found: bool) -> None:
    assert differs(EXAM.by_id[element], typed, measured) is found


MINIMAL = {
    "registry": """\
id: scans
version: 1.0.0
title: Scans
steward: nobody
accept_from: 2025-01-01
channels: [dicomweb]
""",
    "elements_scan": """\
id: scan
title: Scan
level: case
key: [study, event]
otherwise_key: [study]
period: day
elements:
  - {id: study, source_name: Study, title: Study, type: text, identifying: true, from_dicom: [{attribute: StudyInstanceUID}]}
  - {id: event, source_name: Event, title: Event, type: text, from_dicom: [{content: [DCM 113819, DCM 113769]}]}
  - {id: day, source_name: Day, title: Day, type: date, from_dicom: [{attribute: StudyDate}]}
  - {id: age, source_name: Age, title: Age, type: integer, unit: a, from_dicom: [{attribute: PatientAge}, {age_on: StudyDate}]}
  - {id: months, source_name: Months, title: Months, type: integer, unit: mo, from_dicom: [{attribute: PatientAge}]}
  - {id: dose, source_name: Dose, title: Dose, type: decimal, scale: 1, unit: mGy, from_dicom: [{content: [DCM 113819, DCM 113830]}]}
  - {id: thick, source_name: Thick, title: Thick, type: decimal, scale: 2, unit: cm, from_dicom: [{attribute: SliceThickness, unit: mm}]}
""",
    "images": """\
- {id: slices, form: scan, modalities: [CT]}
- {id: events, form: scan, modalities: [SR], each: DCM 113819}
""",
}


def heard_in(folder: Path, source: bytes) -> list[dict[str, list[str]]]:
    definition = load(write_definition(folder, **MINIMAL))
    made = deidentify(source, profile_of(definition), Keys.of(bytes(32)))
    assert isinstance(made, Deidentified)
    said = listen(definition, source, made)
    assert said is not None
    return [heard.elements for one in said for heard in one.heard]


def test_a_study_makes_a_case_by_its_header_alone(tmp_path: Path) -> None:
    (one,) = heard_in(tmp_path, sent(1, 1, SliceThickness="1.25", PatientAge="014M"))
    assert one == {
        "study": [f"{ROOT}.1"],
        "day": ["2024-03-11"],
        "age": ["1"],
        "months": ["14"],
        "thick": ["0.13"],
    }
    (other,) = heard_in(tmp_path, sent(1, 2, PatientAge=None, PatientBirthDate="20200312"))
    assert other["age"] == ["3"]  # the day before the fourth birthday


def test_each_irradiation_event_is_a_case_of_its_own_under_a_new_uid(tmp_path: Path) -> None:
    two = heard_in(tmp_path, report(event(1, ctdivol="8.14"), event(2, ctdivol="3")))
    assert [one["dose"] for one in two] == [["8.1"], ["3.0"]]
    (first,), (second,) = two[0]["event"], two[1]["event"]
    assert first != second
    assert not first.startswith(ROOT)
    assert [one["study"] for one in two] == [[f"{ROOT}.1"]] * 2
