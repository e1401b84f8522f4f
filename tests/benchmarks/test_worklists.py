"""What is open of random people is what the oracle says, each facility's people apart."""

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from app.benchmarks.engine import Engine
from app.benchmarks.worklists import open_loops, shown
from app.registries.load import load
from app.simulation.oracle import Loop, Oracle
from tests.make.definitions import LISTED, small


def visits(dice: Random) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """Versions in force, and the same as a truth."""
    versions, truth = [], []
    for number in range(1, 301):
        facility, subject = 100_001 + dice.randrange(2), dice.randrange(120)
        day = date(2024, 1, 1) + timedelta(dice.randrange(800))
        elements: dict[str, Any] = {
            "visit_date": str(dice.choice([day, day, day, date(2024, 1, 31), date(9990, 5, 1)])),
            "pain": dice.choice([None, 0, 1, 5, 6, 7, 10, 99]),
            "walks": dice.choice([None, False, True, True, True]),
            "smokes": dice.choice("YN"),
        }
        elements = {name: value for name, value in elements.items() if value is not None}
        calls = [{"call_date": "2025-01-01", **({"better": "Y"} if dice.random() < 0.5 else {})}]
        calls = calls if dice.random() < 0.3 else []
        token = f"{number:08}"
        same = (facility, "visit", token, elements["visit_date"], number, 1)
        versions.append(_version(subject, number, None, *same, elements))
        for call in calls:
            at = (facility, "call", f"c{token}", None, number, 2)
            versions.append(_version(subject, 1_000 + number, number, *at, call))
        truth.append(
            {
                "form": "visit", "facility": facility, "subject": str(subject), "key": token,
                "state": "submitted", "elements": elements,
                "follow_up_forms": ["call"] * len(calls), "follow_ups": calls,
            }
        )  # fmt: skip
    return versions, truth


def _version(*values: Any) -> tuple[Any, ...]:
    *start, day, number, row, elements = values
    moment = date.fromisoformat(day) if day else None
    return (*start, moment, number, row, "1.0.0", json.dumps(elements), False, True)


def test_open_cases_and_their_days_are_the_oracle_s(tmp_path: Path) -> None:
    definition = load(small(tmp_path / "visits", worklists=LISTED))
    engine = Engine("1GB", "1GB", tmp_path / "spill")
    versions, truth = visits(Random(11))
    found = open_loops(engine, definition, versions)
    days = {row[1]: row[6] for row in versions}
    got = Counter[Loop](
        (one.worklist_id, one.facility_id, days[one.case_id], one.due_on, one.overdue_on)
        for one in found
    )
    wanted = Oracle(definition).open_loops(truth)
    assert got == wanted
    assert sum(wanted.values()) > 40
    assert any(late is None for *_, late in wanted), "what lies over a hundred years away is no day"
    assert any(day.day == 31 and due.day == 1 for _, _, day, due, _ in wanted), "a short month"

    pains = {int(one["key"]): one["elements"].get("pain") for one in truth}
    told = shown(engine, definition, definition.worklist("to-call"), versions, [found[0].case_id])
    pain = pains[found[0].case_id]
    assert told[found[0].case_id]["pain"] == (None if pain == 99 else pain)


def test_another_facility_s_visit_closes_nothing(tmp_path: Path) -> None:
    definition = load(small(tmp_path / "visits", worklists=LISTED))
    engine = Engine("1GB", "1GB", tmp_path / "spill")
    first = {"visit_date": "2024-01-01", "walks": True, "pain": 1, "smokes": "N"}
    later = {**first, "visit_date": "2024-06-01"}

    def two(facility: int) -> list[int]:
        rows = [
            _version(1, 1, None, 100_001, "visit", "a", "2024-01-01", 1, 1, first),
            _version(1, 2, None, facility, "visit", "b", "2024-06-01", 2, 1, later),
        ]
        return sorted(one.case_id for one in open_loops(engine, definition, rows))

    assert two(100_001) == [2]
    assert two(100_002) == [1, 2]
