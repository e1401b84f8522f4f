"""
Which cases are open in a registry's worklists, from everything in force about their subjects.

Another facility's entries about the same person decide nothing here and are not shown: what one facility
looks after must tell it of nobody else's exams.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from app.benchmarks.cases import laid_out
from app.benchmarks.engine import Engine
from app.benchmarks.relation import Relation, narrowed, relation
from app.registries.expressions import DATETIME
from app.registries.schema import Definition
from app.registries.worklist import LAST_YEAR, LONGEST_DAYS, LONGEST_MONTHS, Day, Worklist


class Loop(NamedTuple):
    """A case that is open."""

    worklist_id: str
    case_id: int
    facility_id: int
    due_on: date
    overdue_on: date | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A worklist's questions to the relation of its form, as SQL."""

    select: str
    read: frozenset[str]


@dataclass(frozen=True)
class _Of:
    """A definition, remembered by its digest without hashing the document."""

    digest: str
    definition: Definition = field(compare=False)


@lru_cache(maxsize=32)
def _asked(of: _Of) -> Mapping[str, tuple[str, Mapping[str, _Asked]]]:
    """Form -> the SQL that makes its relation, and its worklists."""
    by_form: dict[str, list[Worklist]] = defaultdict(list)
    for one in of.definition.worklists:
        by_form[one.form].append(one)
    found = {}
    for form, worklists in by_form.items():
        cases = relation(of.definition, form)
        asked = {one.id: _written(cases, one) for one in worklists}
        read = frozenset[str]().union(*(one.read for one in asked.values()))
        found[form] = narrowed(of.definition, form, read), asked
    return found


def _written(cases: Relation, worklist: Worklist) -> _Asked:
    compiled = {name: cases.compiled(text) for name, text in worklist.texts.items()}

    def day(name: str, it: Day | None) -> str:
        if it is None:
            return "NULL"
        begin, months, days = (
            compiled[f"{name}.{part}"].duckdb for part in ("day", "months", "days")
        )
        return (
            f"CASE WHEN ({begin}) <= DATE '{LAST_YEAR}-12-31'"
            f" AND ({months}) BETWEEN -{LONGEST_MONTHS} AND {LONGEST_MONTHS}"
            f" AND ({days}) BETWEEN -{LONGEST_DAYS} AND {LONGEST_DAYS}"
            f" THEN CAST(({begin}) + to_months(CAST(({months}) AS INTEGER))"
            f" + to_days(CAST(({days}) AS INTEGER)) AS DATE) END"
        )

    open_, closed = compiled["cases"].duckdb, compiled["closed_when"].duckdb
    return _Asked(
        select=(
            f"SELECT case_id, facility_id, COALESCE({day('due', worklist.due)}, case_date),"
            f" {day('overdue', worklist.overdue)} FROM behind"
            f" WHERE case_date IS NOT NULL AND COALESCE({open_}, FALSE)"
            f" AND NOT COALESCE({closed}, FALSE)"
        ),
        read=frozenset[str]().union(*(one.columns for one in compiled.values())),
    )


def open_loops(engine: Engine, definition: Definition, versions: Sequence[Any]) -> list[Loop]:
    """What is open of some subjects, from all that is in force about them; rows of `feed.COLUMNS`."""
    found = []
    own = apart(versions)
    for build, asked in _asked(_Of(definition.digest, definition)).values():
        with laid_out(engine, build, own) as connection:
            for name, one in asked.items():
                rows = connection.execute(one.select).fetchall()
                found += [Loop(name, *row) for row in rows]
    return found


def shown(
    engine: Engine,
    definition: Definition,
    worklist: Worklist,
    versions: Sequence[Any],
    ids: Sequence[int],
) -> dict[int, dict[str, Any]]:
    """The columns of a worklist for some of its cases, by case; what is not known is None."""
    cases = relation(definition, worklist.form)
    texts = {name: cases.compiled(name) for name in worklist.columns}
    read = frozenset[str]().union(*(one.columns for one in texts.values()))
    values = ", ".join(f'{one.duckdb} AS "{name}"' for name, one in texts.items())
    build = narrowed(definition, worklist.form, read)
    wanted = pa.array(ids, pa.int64())
    with laid_out(engine, build, apart(versions), wanted_id=wanted) as connection:
        rows = connection.execute(
            f"SELECT case_id, {values} FROM behind JOIN wanted ON case_id = wanted_id"
        ).fetchall()
    moments = {name for name, one in texts.items() if one.type == DATETIME}
    return {
        case: {
            name: datetime.fromtimestamp(value, UTC) if name in moments and value else value
            for name, value in zip(worklist.columns, its, strict=True)
        }
        for case, *its in rows
    }


def apart(versions: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The versions, each facility's of a person as if of a person of its own."""
    return list(_apart(versions))


def _apart(versions: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    numbers: dict[tuple[int, int], int] = {}
    for one in versions:
        subject, case, parent, facility, *rest = one
        number = numbers.setdefault((subject, facility), len(numbers) + 1)
        yield number, case, parent, facility, *rest
