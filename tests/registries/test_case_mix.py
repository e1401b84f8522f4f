"""What a definition may say of a case mix, and what is said where it does not hold together."""

from pathlib import Path

import pytest

from app.registries.case_mix import MOST, combinations, size, text_of
from app.registries.compare import compare
from app.registries.dictionary.markdown import markdown
from app.registries.load import load, read
from app.registries.schema import Definition
from tests.make.definitions import SMALL, small

MIX = """\
  case_mix:
    - id: age
      title: Age
      expression: CASE WHEN packs >= 1 THEN 'much' WHEN packs < 1 THEN 'little' END
      levels: {little: Little, much: Much}
      reference: little
      source: project
    - id: walking
      title: Walks
      expression: CASE WHEN walks THEN 'walks' END
      levels: {walks: Walks}
      reference: walks
"""
MEASURES = SMALL["measures_all"].replace("  examples:\n", MIX + "  examples:\n")


def adjusted(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in MEASURES
    return small(folder, measures_all=MEASURES.replace(old, new) if old else MEASURES)


def test_a_case_mix_is_read_with_its_levels_and_what_is_in_none(tmp_path: Path) -> None:
    mix = load(adjusted(tmp_path)).measure("smokers").case_mix
    assert [one.every for one in mix] == [("little", "much", "unknown"), ("walks", "unknown")]
    assert size(mix) == 6
    assert list(combinations(mix))[:3] == [
        ("little", "walks"),
        ("little", "unknown"),
        ("much", "walks"),
    ]
    assert mix[0].label("much") == "Much"
    assert "not known" in mix[0].label("unknown")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("scoring: proportion", "scoring: cohort", "measures/all.yaml:7: is of proportions alone"),
        ("numerator: smokes = 'Y'", "numerator: smokes = 'Y'\n  observation: pain\n  bins: [1, 2]", "measures/all.yaml:9: does not go with `bins`"),
        ("packs >= 1", "pack >= 1", "measures/all.yaml:10: no element or column `pack` can be seen here; did you mean `packs`?"),
        ("CASE WHEN walks THEN 'walks' END", "packs", "measures/all.yaml:16: gives decimal, where text is needed"),
        ("reference: little", "reference: littel", "measures/all.yaml:12: there is no level `littel`; did you mean `little`?"),
        ("id: walking", "id: age", "measures/all.yaml:14: `age` is declared twice"),
        ("{walks: Walks}\n", "{walks: Walks, unknown: Who knows}\n", "measures/all.yaml:17: `unknown` is a level of every factor by itself"),
        ("levels: {walks: Walks}", "levels: {}", "measures/all.yaml:17: `levels`"),
        ("levels: {walks: Walks}", 'levels: {"a b": Walks}', "measures/all.yaml:17: `[key]` string should match pattern"),
        ("{walks: Walks}", "{" + ", ".join(f"l{n}: L" for n in range(21)) + ", walks: W}", "measures/all.yaml:7: has 3 × 23 = 69 combinations of levels"),
        ("numerator: 1}]", "numerator: 1}, {case_mix: {age: much}, denominator: 0}]", "measures/all.yaml:24: needs a level of each factor of the case mix"),
        ("numerator: 1}]", "numerator: 1}, {case_mix: {age: mush, walking: walks}, denominator: 0}]", "there is no level of `age` `mush`; did you mean `much`?"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_said_where_it_stands(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    found = read(adjusted(tmp_path, old, new))[1]
    assert any(complaint in one for one in found), found


def test_as_many_combinations_as_are_allowed_are_sound(tmp_path: Path) -> None:
    levels = "{walks: W, " + ", ".join(f"l{n}: L" for n in range(19)) + "}"
    found = load(adjusted(tmp_path, "{walks: Walks}", levels)).measure("smokers").case_mix
    assert size(found) == 63 <= MOST


def test_titles_and_labels_leave_the_cells_alone_and_levels_and_expressions_do_not(
    tmp_path: Path,
) -> None:
    def text(number: int, old: str = "", new: str = "") -> str:
        return text_of(load(adjusted(tmp_path / str(number), old, new)).measure("smokers").case_mix)

    first = text(0)
    assert first == text(1, "title: Age", "title: Years") == text(2, "much: Much}", "much: Lots}")
    others = [text(3, "packs >= 1", "packs > 1"), text(4, "much: Much", "many: Much, much: Much")]
    assert len({first, *others}) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("", "", "has a case mix now"),
        ("packs >= 1", "packs > 1", "`age` of the case mix says otherwise"),
        ("id: walking", "id: strolling", "the case mix allows for `walking` no more"),
        ("id: walking", "id: strolling", "the case mix allows for `strolling` now"),
    ],
)
def test_a_changed_case_mix_is_named_when_versions_are_compared(
    tmp_path: Path, visits: Definition, old: str, new: str, says: str
) -> None:
    before = load(adjusted(tmp_path / "before")) if old else visits
    found = compare(before, load(adjusted(tmp_path / "after", old, new)))
    assert ("changed", "measure smokers", says) in [(o.weight, o.place, o.says) for o in found]
    if not old:
        back = compare(load(adjusted(tmp_path / "again")), visits)
        assert [one.says for one in back] == ["has no case mix any more"]


def test_the_dictionary_names_factors_levels_and_what_is_not_confirmed(tmp_path: Path) -> None:
    page = markdown(load(adjusted(tmp_path)))
    (row,) = [line for line in page.splitlines() if line.startswith("| Case mix by Age |")]
    for said in ("little Little", "much Much", "unknown", "this project's own"):
        assert said in row
    assert "Case mix" not in markdown(load(small(tmp_path / "plain")))
