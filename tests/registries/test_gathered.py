"""Rules that count rows: what is gathered of an entry's rows, in SQL, in plain Python, and as measures see it."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmarks.engine import Engine
from app.benchmarks.examples import totals
from app.benchmarks.measures import tabulation
from app.benchmarks.observe import observe
from app.ingest.formats.sent import Sent
from app.registries.gathered import gathered, rows_of
from app.registries.load import read
from app.registries.rows import unpacked
from app.registries.schema import Definition
from app.simulation.drawn.checks import Checks
from tests.make.definitions import SMALL
from tests.make.entries import Desk, found_in, said
from tests.registries.test_groups import GROUPED, MEASURES, grouped

DERIVED = """\
- {id: kinds, form: visit, type: integer, over: group, group: wounds, expression: wound_kind, aggregate: count}
- {id: dominant, form: visit, type: integer, over: group, group: wounds, expression: wound_kind = 'Y', aggregate: count}
- {id: seen, form: visit, type: boolean, over: group, group: wounds, expression: seen_before, aggregate: any}
- {id: deepest, form: visit, type: decimal, scale: 1, over: group, group: wounds, expression: depth, aggregate: max}
- {id: flattest, form: visit, type: decimal, scale: 1, over: group, group: wounds, expression: depth, filter: wound_kind <> 'N', aggregate: min}
- {id: knots_tied, form: visit, type: integer, over: group, group: wounds.stitches, expression: knots, aggregate: sum}
- {id: knots_in_deep, form: visit, type: integer, over: group, group: wounds.stitches, expression: knots > pain AND depth >= 2.5, aggregate: count}
- {id: of_the_old, form: visit, type: integer, over: group, group: wounds, expression: age > 50, aggregate: count}
"""
BY_ROWS = ("kinds", "dominant", "seen", "deepest", "flattest", "knots_tied", "knots_in_deep")
RULES = """\
- {id: one-dominant, form: visit, requires: dominant = 1, place: smokes, remedy: Mark one wound and no more.}
- {id: deep-is-sewn, form: visit, requires: deepest < 5 OR knots_tied > 0, place: smokes, remedy: Sew it.}
- {id: pain-has-knots, form: visit, requires: pain < 9 OR knots_in_deep > 0, severity: warn, place: pain, remedy: Really?}
"""


def counted(name: str) -> str:
    value = "CASE WHEN seen THEN 1 ELSE 0 END" if name == "seen" else name
    return (
        f"- id: told_{name}\n  title: T\n  description: T.\n  form: visit\n"
        f"  scoring: continuous-variable\n  scale: 1\n  observation: {value}\n  examples:\n"
        "    - title: One\n      cases:\n"
        "        - {subject: a, elements: {visit_date: 2025-01-01, smokes: N, wounds: [{wound_kind: Y}]}}\n"
        "      expect: [{denominator: 1, observations: 1}]\n"
    )


def texts(**changed: str) -> dict[str, str]:
    return {
        "elements_visit": GROUPED,
        "rules": SMALL["rules"] + RULES,
        "derived": SMALL["derived"] + DERIVED,
        "measures_all": MEASURES + "".join(counted(name) for name in BY_ROWS),
    } | changed


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    found, complaints = read(grouped(tmp_path_factory.mktemp("gathered"), **texts()))
    # The example of what is worked out of no row has nothing to tell.
    assert found is not None
    assert all("observations" in one for one in complaints), complaints
    return found


VISIT: dict[str, Any] = {"visit_id": "1", "visit_date": "2025-03-04", "smokes": "N"}
DOMINANT = {"wound_kind": "Y", "depth": "5.0", "stitches": [{"thread": "silk", "knots": 2}]}
OTHER = {"wound_kind": "N"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"wounds": [DOMINANT]}, []),
        ({"wounds": [OTHER, DOMINANT, OTHER]}, []),
        ({"wounds": [OTHER]}, [("smokes", "rule")]),
        ({"wounds": [DOMINANT, DOMINANT]}, [("smokes", "rule")]),
        ({"wounds": [{**DOMINANT, "stitches": []}]}, []),  # the sum of nothing is not known
        ({"wounds": [{**DOMINANT, "stitches": [{"thread": "s", "knots": 0}]}]}, [("smokes", "rule")]),
        ({"wounds": [DOMINANT], "pain": 10}, [("pain", "rule"), ("pain", "unusual")]),
        ({"wounds": [DOMINANT], "pain": 99}, []),
    ],
)  # fmt: skip
def test_a_rule_counts_the_rows_of_an_entry(
    definition: Definition, change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert sorted(said(Desk(definition, "visit").flaws(VISIT | change))) == found
    (through_ingest,) = found_in(definition, [Sent("visit", "submit", {**VISIT, **change})])
    assert sorted(said(through_ingest)) == found


def test_a_row_that_cannot_be_used_leaves_open_what_is_counted(definition: Definition) -> None:
    broken = [{**OTHER, "depth": "deep"}]
    assert said(Desk(definition, "visit").flaws(VISIT | {"wounds": broken})) == [
        ("wounds[0].depth", "not-a-number")
    ]
    expected = Checks(definition, definition.form("visit")).findings(
        {**VISIT, "wounds": [OTHER]}, date(2026, 1, 1), {"wounds[0].depth": None}
    )
    assert expected == []


def test_what_only_a_case_has_cannot_be_asked_of_an_entry(tmp_path: Path) -> None:
    asking = "- {id: old, form: visit, requires: of_the_old > 0, place: smokes, remedy: Older.}\n"
    _, complaints = read(grouped(tmp_path, **texts(rules=SMALL["rules"] + asking)))
    assert any("`of_the_old`" in one and one.startswith("rules.yaml") for one in complaints)


stitch = st.fixed_dictionaries({"thread": st.just("silk")}, optional={"knots": st.integers(0, 20)})
wound = st.fixed_dictionaries(
    {"wound_kind": st.sampled_from("YNU")},
    optional={
        "depth": st.integers(0, 90).map(lambda tenths: f"{tenths / 10:.1f}"),
        "seen_before": st.booleans(),
        "stitches": st.lists(stitch, max_size=2),
    },
)
visit = st.fixed_dictionaries(
    {"wounds": st.lists(wound, max_size=3)}, optional={"pain": st.sampled_from([0, 5, 10, 99])}
)


def in_sql(definition: Definition, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    form = definition.form("visit")
    found = gathered(definition, form)
    assert tuple(found) == BY_ROWS
    rows = [rows_of(form, path) for path in sorted({one.group for one in found.values()})]
    asked = ", ".join(f'{one.sql} AS "{name}"' for name, one in found.items())
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE arrived (entry INTEGER, elements VARCHAR)")
        connection.executemany(
            "INSERT INTO arrived VALUES (?, ?)",
            [(place, json.dumps(one)) for place, one in enumerate(entries)],
        )
        source = unpacked(form, "arrived", keep=["entry"], arriving=True, rows=rows)
        answer = connection.execute(f"SELECT {asked} FROM ({source}) ORDER BY entry").fetchall()
    return [dict(zip(found, one, strict=True)) for one in answer]


def in_python(definition: Definition, entry: Mapping[str, Any]) -> dict[str, Any]:
    checks = Checks(definition, definition.form("visit"))
    row = checks.rows.of(entry, date(2026, 1, 1))
    return {name: row[name] for name in BY_ROWS}


def by_hand(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same from what was sent: nothing of the product is used."""
    wounds = entry["wounds"]
    depths = [(one["wound_kind"], Decimal(one["depth"])) for one in wounds if "depth" in one]
    stitches = [
        (Decimal(one["depth"]) if "depth" in one else None, each["knots"])
        for one in wounds
        for each in one.get("stitches", ())
        if "knots" in each
    ]
    pain = entry.get("pain", 99)
    return {
        "kinds": len(wounds),
        "dominant": sum(one["wound_kind"] == "Y" for one in wounds),
        "seen": any(one.get("seen_before") for one in wounds),
        "deepest": max((depth for _, depth in depths), default=None),
        "flattest": min((depth for kind, depth in depths if kind != "N"), default=None),
        "knots_tied": sum(knots for _, knots in stitches) if stitches else None,
        "knots_in_deep": sum(
            knots > pain and depth is not None and depth >= Decimal("2.5")
            for depth, knots in stitches
        )
        if pain != 99
        else 0,
    }


@given(st.lists(visit, min_size=1, max_size=30))
@settings(max_examples=8, deadline=None)
def test_sql_python_and_the_hand_gather_the_same(
    definition: Definition, drawn: list[dict[str, Any]]
) -> None:
    entries = [VISIT | one for one in drawn]
    expected = [by_hand(one) for one in entries]
    assert in_sql(definition, entries) == expected
    assert [in_python(definition, one) for one in entries] == expected
    # What the simulation foresees is what the service's own checks find.
    checks = Checks(definition, definition.form("visit"))
    sent = [{**one, "wounds": one["wounds"] or [OTHER]} for one in entries]
    desk = Desk(definition, "visit")
    for one in sent[:5]:
        rules = sorted(each.place for each in desk.flaws(one) if each.code.value == "rule")
        foreseen = checks.findings(one, date(2026, 9, 1), {})
        assert rules == sorted(each.place for each in foreseen if each.code == "rule")


@given(st.lists(visit, min_size=1, max_size=20))
@settings(max_examples=2, deadline=None)
def test_measures_see_of_a_case_what_rules_saw_of_its_entry(
    definition: Definition, tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]]
) -> None:
    entries = [VISIT | one for one in drawn]
    seen = in_sql(definition, entries)
    versions = [
        (1000 + place, place, None, 200_000 + place, "visit", f"{place:08d}", date(2025, 3, 4), place, 1,
         definition.version, json.dumps(one), False, True)
        for place, one in enumerate(entries, start=1)
    ]  # fmt: skip
    engine = Engine("1GB", "1GB", tmp_path_factory.mktemp("spill"))
    rows = observe(engine, tabulation(definition), versions)
    for name in BY_ROWS:
        measure = next(one for one in definition.measures if one.id == f"told_{name}")
        for place, one in enumerate(seen, start=1):
            told = totals(rows, definition, measure, 200_000 + place, None)
            value = one[name]
            assert told.observations == (value is not None), (name, entries[place - 1])
            assert told.total == (0 if value is None else int(Decimal(value) * 10)), name
