"""Rules that hold on some days alone: an exam is judged by the guideline of its day."""

from pathlib import Path
from typing import Any

import pytest

from app.registries.compare import compare
from app.registries.dictionary.markdown import markdown
from app.registries.load import assemble, canonical, load, read
from app.registries.schema import Definition
from tests.make.definitions import SMALL, write_definition
from tests.make.entries import Desk, said

FORM = """\
id: screen
title: Screen
level: case
key: [screen_id]
period: screened_on
elements:
  - {id: screen_id, source_name: Screen, title: Screen, type: text, identifying: true}
  - {id: screened_on, source_name: On, title: Screened on, type: date, required: true}
  - {id: ordered_on, source_name: Ordered, title: Ordered on, type: date}
  - {id: age, source_name: Age, title: Age, type: integer, range: {hard: {low: 0, high: 120}}}
  - {id: pack_years, source_name: Packs, title: Pack-years, type: integer, range: {hard: {low: 0, high: 300}}}
"""
# USPSTF: 55 to 80 with 30 pack-years from 2013, 50 to 80 with 20 since 9 March 2021.
RULES = """\
- {id: uspstf-2013, form: screen, requires: age BETWEEN 55 AND 80 AND pack_years >= 30, since: 2013-12-31, until: 2021-03-08, severity: warn, place: age, remedy: Outside the recommendation of 2013.}
- {id: uspstf-2021, form: screen, requires: age BETWEEN 50 AND 80 AND pack_years >= 20, since: 2021-03-09, severity: warn, place: pack_years, remedy: Outside the recommendation of 2021.}
- {id: ordered-by-letter, form: screen, requires: age >= 18, until: 2015-12-31, by: ordered_on, place: ordered_on, remedy: Only adults were ordered by letter.}
"""


def screening(folder: Path, rules: str = RULES) -> Path:
    return write_definition(folder, registry=SMALL["registry"], elements_screen=FORM, rules=rules)


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    return load(screening(tmp_path_factory.mktemp("dated")))


OLD, NEW = ("age", "rule"), ("pack_years", "rule")


@pytest.mark.parametrize(
    ("screen", "found"),
    [
        ({"screened_on": "2013-12-30", "age": 20, "pack_years": 0}, []),
        ({"screened_on": "2013-12-31", "age": 54, "pack_years": 40}, [OLD]),
        ({"screened_on": "2021-03-08", "age": 52, "pack_years": 25}, [OLD]),
        ({"screened_on": "2021-03-09", "age": 52, "pack_years": 25}, []),
        ({"screened_on": "2021-03-09", "age": 52, "pack_years": 19}, [NEW]),
        ({"screened_on": "2026-01-01", "age": 81, "pack_years": 40}, [NEW]),
        ({"screened_on": "2021-03-09", "age": 52}, []),  # what is not known passes
        ({"screened_on": "2021-03-09", "age": 17, "pack_years": 20, "ordered_on": "2015-12-31"}, [NEW, ("ordered_on", "rule")]),
        ({"screened_on": "2021-03-09", "age": 17, "pack_years": 20, "ordered_on": "2016-01-01"}, [NEW]),
        ({"screened_on": "2021-03-09", "age": 17, "pack_years": 20}, [NEW]),
    ],
)  # fmt: skip
def test_an_exam_is_judged_by_the_rule_of_its_day(
    definition: Definition, screen: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert said(Desk(definition, "screen").flaws({"screen_id": "S-1"} | screen)) == found


def test_the_days_of_a_rule_are_published_and_shown(definition: Definition) -> None:
    again = assemble(canonical(definition))
    assert again.rules == definition.rules
    assert [rule.by for rule in again.rules] == ["screened_on", "screened_on", "ordered_on"]
    assert "screened_on < DATE '2021-03-09' OR (age BETWEEN" in markdown(definition)


def test_another_day_is_another_rule(definition: Definition, tmp_path: Path) -> None:
    later = load(screening(tmp_path, RULES.replace("2021-03-09", "2021-04-01")))
    assert [str(one) for one in compare(definition, later)] == [
        "changed: rule uspstf-2021: says otherwise"
    ]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("until: 2021-03-08", "until: 2013-12-30", "rules.yaml:1: is before `since`"),
        ("since: 2021-03-09", "by: age", "rules.yaml:2: belongs to a rule with `since` or `until`"),
        ("by: ordered_on", "by: age", "rules.yaml:3: gives a whole number, where date is needed"),
        ("by: ordered_on", "by: ordred_on", "rules.yaml:3: no element or column `ordred_on` can be seen here; did you mean `ordered_on`?"),
        ("2021-03-08", "2021-02-30", "rules.yaml:1: `until`"),
    ],
)  # fmt: skip
def test_what_days_of_a_rule_cannot_be(tmp_path: Path, before: str, after: str, says: str) -> None:
    _, complaints = read(screening(tmp_path, RULES.replace(before, after)))
    assert any(one.startswith(says) for one in complaints), complaints
