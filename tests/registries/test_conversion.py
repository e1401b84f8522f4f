"""Conversions of earlier versions: what they lack is said, and what they cover is known."""

from pathlib import Path

import pytest

from app.registries.compare import compare, incomparable
from app.registries.lineage import as_read, mark, now_called, related, steps
from app.registries.load import load, read
from app.registries.schema import Definition
from tests.make.definitions import SMALL, small
from tests.make.versions import EARLIER, LATER, NEW, OLD, earlier, later


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Definition, Definition]:
    old = load(earlier(tmp_path / "old"))
    return old, load(later(tmp_path / "new"))


def complaints(folder: Path, **texts: str) -> list[str]:
    earlier(folder / "old", **{k[4:]: v for k, v in texts.items() if k.startswith("old_")})
    new = {name: text for name, text in texts.items() if not name.startswith("old_")}
    _, said = read(later(folder / "new", **new))
    return said


def test_a_conversion_that_says_everything_is_sound(tmp_path: Path) -> None:
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seen_on, was: visit_date}", "seen_on, was: visit_day}", "conversion.yaml:3: version 1.9.0 has no element `visit_day` there"),
        ("    - {form: visit, element: seen_on, was: visit_date}\n", "", "conversion.yaml:1: `visit.seen_on` is needed now: give it a `default` or an `expression`, or `absent`"),
        ('"3": never, ', "", "conversion.yaml:4: code 3 is none any more: say in `codes` what it is now"),
        ("never, ", "gone, ", "conversion.yaml:7: this is no value of `smoking_status` now"),
        ('"9": }', '"8": never, "9": }', "conversion.yaml:7: `smoking` of version 1.9.0 has no code `8`"),
        ("divide(pounds * 45359237", "divide(pounds * kilos", "conversion.yaml:10: no element or column `kilos` can be seen here"),
        ("expression: CASE WHEN NOT pounds_unknown THEN divide(pounds * 45359237, 100000000, 2) END", "was: pounds", "conversion.yaml:8: was in [lb_av], is in kg: say by which `expression`"),
        ("expression: CASE WHEN NOT pounds_unknown THEN divide(pounds * 45359237, 100000000, 2) END", "expression: visit_date", "conversion.yaml:10: gives date, where decimal"),
        ("default: clinic", "default: hospital", "conversion.yaml:11: this is no value of `site` now"),
        ("    - {form: visit, element: site, default: clinic}\n", "", "conversion.yaml:1: `visit.site` is needed now: give it a `default` or an `expression`, or `absent`"),
        ("element: remark", "element: remarks", "conversion.yaml:17: version 1.9.0 has nothing of that name"),
        ("  left:\n    - {form: visit, element: remark, because: Nothing was counted by it.}\n", "", "conversion.yaml:1: `visit.remark` is gone: say which element takes it (`was`), or list it under `left`"),
        ("group: wounds, element: how_deep", "group: cuts, element: how_deep", "conversion.yaml:12: this version has no group `cuts` there"),
        ("S: shallow, D: deep", "S: shallow", "conversion.yaml:12: code D is none any more: say in `codes` what it is now"),
        ("{form: call, element: improved", "{form: talk, element: improved", "conversion.yaml:13: this version has no form `talk`"),
        ("    - {form: visit, element: patient, was: person}\n", "", "conversion.yaml:1: `visit.person` is gone: say which element takes it (`was`), or list it under `left`"),
        ("patient, was: person}", "patient, default: nobody}", "conversion.yaml:14: `patient` tells who or which it is: by tokens of what was sent, so that it can be called otherwise (`was`) and no more"),
        ("patient, was: person}", "patient, was: visit_id}", "conversion.yaml:14: `visit_id` of version 1.9.0 tells something else than `patient` does, or is of another type"),
        ("called_on, was: call_date}", "called_on, expression: call_date + 1}", "conversion.yaml:15: `called_on` tells who or which it is: by tokens of what was sent"),
        ("called_on, was: call_date}", "called_on, was: better}", "conversion.yaml:15: `better` of version 1.9.0 tells something else than `called_on` does"),
        ("converts: 1.9.0", "converts: 1.8.0", "conversion.yaml:1: the definition of 1.8.0 is not beside this folder"),
        ("was: better}", "was: better, wsa: x}", "conversion.yaml:13: `wsa` is not known here; did you mean `was`?"),
    ],
)  # fmt: skip
def test_each_hole_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in LATER["conversion"]
    changed = LATER["conversion"].replace(old, new, 1)
    found = complaints(tmp_path, conversion=changed)
    assert any(one.startswith(said) for one in found), found


def test_what_is_gone_or_means_something_else_is_a_hole_where_nothing_is_said(
    tmp_path: Path,
) -> None:
    sets = EARLIER["sets_all"].replace("{code: D, label: Deep}", "{code: X, label: Deep}")
    assert any("code X is none any more" in one for one in complaints(tmp_path, old_sets_all=sets))
    widened = EARLIER["elements_call"].replace("type: boolean", "type: integer")
    (said,) = complaints(tmp_path, old_elements_call=widened)
    assert said == "conversion.yaml:13: was integer, is boolean: say by which `expression`"


def test_compare_says_what_the_conversion_covers(pair: tuple[Definition, Definition]) -> None:
    old, new = pair
    said = {one.place: str(one) for one in compare(old, new)}
    assert said["visit.smoking"] == (
        "breaks: visit.smoking: the element is gone (covered by the conversion)"
    )
    assert said["visit.wounds.depth"].endswith("(covered by the conversion)")
    assert not any("not covered" in one for one in said.values())
    assert "visit.period" not in said, "the day of the visit is only called otherwise"
    assert incomparable(old, new) == []
    lacking = new.model_copy(update={"conversions": ()})
    assert any("visit.period" in one for one in incomparable(old, lacking))
    (conversion,) = new.conversions
    holed = conversion.model_copy(update={"elements": conversion.elements[1:]})
    worse = new.model_copy(update={"conversions": (holed,)})
    said = {one.place: str(one) for one in compare(old, worse)}
    assert said["visit.visit_date"].endswith("(not covered by the conversion)")
    assert any("visit.seen_on" in one for one in incomparable(old, worse))


def test_a_key_that_is_only_called_otherwise_is_the_same_key(
    pair: tuple[Definition, Definition],
) -> None:
    old, new = pair
    assert (old.form("call").key, new.form("call").key) != (new.form("call").key,) * 2
    assert not any(one.place == "call.key" for one in compare(old, new))
    lacking = new.model_copy(update={"conversions": ()})
    assert any(one.place == "call.key" for one in compare(old, lacking))
    assert now_called(related([old, new])[-1], "visit", OLD) == {
        "visit_date": "seen_on",
        "person": "patient",
    }


def test_versions_lead_from_one_to_the_next(
    tmp_path: Path, pair: tuple[Definition, Definition]
) -> None:
    old, new = pair
    next_one = new.model_copy(update={"version": "1.11.0", "conversions": ()})
    *_, last = related([next_one, old, new])
    assert last.version == "1.11.0"
    assert [(one.old.version, one.new.version) for one in steps(last, OLD)] == [(OLD, NEW)]
    assert steps(last, NEW) == []
    assert mark(last, "visit") == mark(related([old, new])[-1], "visit") != ""
    plain = load(small(tmp_path / "plain"))
    follower = load(small(tmp_path / "next", registry=SMALL["registry"].replace("1.0.0", "1.1.0")))
    assert all(not one.ancestry for one in related([plain, follower]))
    assert as_read(follower, "visit") == "versions WHERE form = 'visit'"
