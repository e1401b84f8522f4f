"""The answer key says, of every simulated entry, exactly what the registry's own check says."""

from collections import Counter
from datetime import date

import duckdb
import orjson
import pyarrow as pa
import pytest

from app.registries import load
from app.registries.entries import FormCheck
from app.registries.findings import FindingCode
from app.registries.row_rules import RowRules
from app.registries.rows import unpacked
from app.simulation.plan import Plan
from app.simulation.write import entries_of

FOUND_LATER = {FindingCode.IDENTITY_CONFLICT, FindingCode.WAITING_FOR_PARENT}
RECEIVED_ON = date(2026, 11, 21)


@pytest.fixture(scope="module")
def definition():
    return load.load(load.PACKAGED / "early-lung-cancer-detection" / "1.12.0")


def rule_flaws(definition, form, rows):
    """Flaws of the rules over a batch of canonical entries, by entry."""
    rules = RowRules(definition, form)
    batch = pa.table(
        {
            "entry": pa.array(range(len(rows)), pa.int32()),
            "draft": pa.array([draft for _, draft, _ in rows], pa.bool_()),
            "flawed": pa.array([flawed for _, _, flawed in rows], pa.list_(pa.string())),
            "received_on": pa.array([RECEIVED_ON] * len(rows), pa.date32()),
            "elements": pa.array([orjson.dumps(values).decode() for values, _, _ in rows]),
        }
    )
    connection = duckdb.connect()
    connection.register("batch", batch)
    keep = ("entry", "draft", "flawed", "received_on")
    arriving = unpacked(definition.form(form), "batch", keep=keep, arriving=True, rows=rules.rows)
    nothing = "".join(f', CAST(NULL AS {kind}) AS "{name}"' for name, kind in rules.parent_columns)
    source = f"(SELECT *{nothing} FROM arriving)"
    answer = connection.execute(f"WITH arriving AS ({arriving}) {rules.statement(source)}")
    columns = [one[0] for one in answer.description]
    found = {}
    for row in answer.fetchall():
        told = dict(zip(columns, row, strict=True))
        found[told["entry"]] = [rules.flaws[number] for number in told["broken"]]
    return found


def test_every_planted_flaw_is_found_and_nothing_else(definition):
    entries = [
        entry
        for people, _ in entries_of(Plan(seed=11, cases=6_000, flawed=0.3), definition)
        for entry in people
        if entry.action != "withdraw"
    ]
    codes, against_rules = Counter(), set()
    for form in ("exam", "follow_up"):
        check = FormCheck(definition, form)
        some = [entry for entry in entries if entry.form == form]
        checked = [check.check(one.elements, draft=one.action == "save") for one in some]
        rows = [
            (one.values, entry.action == "save", one.flawed)
            for one, entry in zip(checked, some, strict=True)
        ]
        broken = rule_flaws(definition, form, rows)
        for place, (one, entry) in enumerate(zip(checked, some, strict=True)):
            found = Counter((f.place, f.code, f.severity) for f in one.flaws + broken[place])
            wanted = Counter(
                (f.place, f.code, f.severity)
                for f in entry.findings
                if f.code not in FOUND_LATER
                and not (form == "follow_up" and f.code == FindingCode.RULE)
            )
            assert found == wanted, (form, entry.action, entry.elements)
            codes.update(code for _, code, _ in found)
            against_rules |= {where for where, code, _ in found if code == FindingCode.RULE}
    assert codes.keys() >= {
        FindingCode.MISSING,
        FindingCode.NOT_IN_VALUE_SET,
        FindingCode.NOT_A_NUMBER,
        FindingCode.NOT_A_DATE,
        FindingCode.NOT_AN_NPI,
        FindingCode.OUT_OF_RANGE,
        FindingCode.UNUSUAL,
        FindingCode.TOO_LONG,
        FindingCode.PATTERN,
        FindingCode.EXCLUSIVE_CODE,
        FindingCode.REPEATED_CODE,
        FindingCode.RULE,
        FindingCode.NOT_RELEVANT,
        FindingCode.UNKNOWN_ELEMENT,
    }, "flaws of every kind were planted"
    assert against_rules >= {
        "other_id",
        "date_of_death",
        "exam_date",
        "patient_dob",
        "number_of_years_since_quit",
    }


def test_an_unflawed_nation_earns_warnings_only(definition):
    for entries, _ in entries_of(Plan(seed=3, cases=1_500, flawed=0), definition):
        for entry in entries:
            assert entry.outcome != "rejected"
            assert {one.severity for one in entry.findings} <= {"warn", "information"}
