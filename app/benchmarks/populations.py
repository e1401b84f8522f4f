"""
Populations: which of a facility's own cases are behind a rate.

Worked out on demand from the cases as they stand, by the expressions that the tables are made with, over
some cases at a time.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import duckdb
import pyarrow as pa
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.engine import Engine
from app.benchmarks.measures import tabulation
from app.benchmarks.observe import arrow
from app.benchmarks.periods import Period
from app.benchmarks.relation import narrowed
from app.database import driver_connection
from app.errors import Unprocessable
from app.registries.measure import Measure
from app.registries.schema import Definition

Population = Literal[
    "initial-population",
    "denominator",
    "numerator",
    "unmet",
    "exclusions",
    "exceptions",
    "observations",
]
Placed = Literal[
    "outside", "initial-population", "exclusion", "exception", "denominator", "numerator"
]
"""The innermost population of a case: one in the numerator is in the denominator as well."""

HOLDS: Mapping[Population, tuple[Placed, ...]] = {
    "initial-population": tuple(one for one in get_args(Placed) if one != "outside"),
    "denominator": ("denominator", "numerator"),
    "numerator": ("numerator",),
    "unmet": ("denominator",),
    "exclusions": ("exclusion",),
    "exceptions": ("exception",),
    "observations": ("denominator", "numerator"),
}

BATCH = 1_000
"""Cases that are in memory at once, with whatever else is known of their subjects."""
MOST_SCANNED = 20_000
"""Cases that one question looks through: what it finds by then is a page, and the next one goes on."""

STRATIFIER = "stratifier"
"""Begins what a stratifier's expression is called."""

_OWN_CASES = """
SELECT id, subject_id, case_date FROM cases
WHERE registry_id = $1 AND facility_id = $2 AND form = $3 AND state = 'submitted'
  AND case_date BETWEEN $4 AND $5 AND (case_date, id) > ($6, $7)
ORDER BY case_date, id LIMIT $8
"""

_IN_FORCE = """
SELECT subject_id, case_id, parent_id, facility_id, form, key_token, case_date, submission_number, row,
       elements::text AS elements, false AS before, true AS after
FROM versions
WHERE subject_id = ANY ($2::bigint[]) AND registry_id = $1 AND state = 'submitted' AND to_seq IS NULL
"""


class Member(NamedTuple):
    """A case of a population."""

    case_id: int
    case_date: date
    placed: Placed


class Placement(NamedTuple):
    """Where a case is placed, and whether it has a value to observe."""

    member: Member
    observed: bool

    def populations(self, measure: Measure) -> list[Population]:
        """Every population of a measure that the case is in."""
        unseen = not self.observed or (
            measure.scoring == "ratio" and self.member.placed != "numerator"
        )
        return [
            one
            for one in possible(measure)
            if self.member.placed in HOLDS[one] and not (one == "observations" and unseen)
        ]


@dataclass(frozen=True, slots=True)
class Listed:
    """Some members in the order of their days, and after which case the next ones come, if any do."""

    members: tuple[Member, ...]
    after: tuple[date, int] | None


async def own_cases(
    session: AsyncSession,
    registry_id: str,
    facility_id: int,
    form: str,
    over: Period,
    after: tuple[date, int] | None,
    most: int,
) -> list[tuple[int, int, date]]:
    """Some of a facility's cases of a period in the order of their days: case, subject, day."""
    driver = await driver_connection(session)
    begin = after or (date.min, 0)
    return [
        (row["id"], row["subject_id"], row["case_date"])
        for row in await driver.fetch(
            _OWN_CASES, registry_id, facility_id, form, over.first, over.end, *begin, most
        )
    ]


async def in_force(session: AsyncSession, registry_id: str, subjects: Sequence[int]) -> list[Any]:
    """Everything in force about some subjects, of whichever facility: the scope must hold it."""
    driver = await driver_connection(session)
    return list(await driver.fetch(_IN_FORCE, registry_id, sorted(set(subjects))))


async def members(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    measure: Measure,
    facility_id: int,
    over: Period,
    population: Population,
    *,
    stratum: tuple[str, str] | None = None,
    after: tuple[date, int] | None = None,
    limit: int,
) -> Listed:
    """A facility's cases in one population of a measure, at most `limit` or some fewer.

    The session must see every facility's versions; none of others' is given. `stratum` is a
    stratifier's id and one of its strata.
    """
    if population not in possible(measure):
        raise Unprocessable("This measure has no such population.")
    found: list[Member] = []
    scanned = 0
    while scanned < MOST_SCANNED:
        cases = await own_cases(
            session, definition.id, facility_id, measure.form, over, after, BATCH
        )
        if not cases:
            return Listed(tuple(found), None)
        scanned += len(cases)
        versions = await in_force(session, definition.id, [subject for _, subject, _ in cases])
        ids = [case for case, _, _ in cases]
        placed = await asyncio.to_thread(
            placements, engine, definition, measure, versions, ids, stratum
        )
        for one in placed:
            if population in one.populations(measure):
                found.append(one.member)
                if len(found) == limit:
                    return Listed(tuple(found), (one.member.case_date, one.member.case_id))
        after = (cases[-1][2], cases[-1][0])
        if len(cases) < BATCH:
            return Listed(tuple(found), None)
    return Listed(tuple(found), after)


def possible(measure: Measure) -> tuple[Population, ...]:
    """The populations that a measure has."""
    if measure.scoring == "cohort":
        return ("initial-population",)
    has = {
        "initial-population": True,
        "denominator": True,
        "numerator": measure.numerator is not None,
        "unmet": measure.numerator is not None,
        "exclusions": measure.denominator_exclusion is not None,
        "exceptions": measure.denominator_exception is not None,
        "observations": measure.observation is not None,
    }
    return tuple(one for one in get_args(Population) if has[one])


@dataclass(frozen=True, slots=True)
class Texts:
    """What is asked of a measure's cases, as SQL."""

    parts: Mapping[str, str]
    """The measure's expressions as they are written, by what they are to it."""
    compiled: Mapping[str, str]
    placed: str
    observed: str
    read: frozenset[str]
    narrow: str
    """Makes the relation with the columns that are read."""


@dataclass(frozen=True)
class _Of:
    """A measure of a definition, remembered by the digest without hashing the document."""

    digest: str
    measure: str
    definition: Definition = field(compare=False)


def texts_of(definition: Definition, measure: Measure) -> Texts:
    """What is asked of a measure's cases; worked out once a definition."""
    return _written(_Of(definition.digest, measure.id, definition))


@lru_cache(maxsize=256)
def _written(of: _Of) -> Texts:
    measure, definition = of.definition.measure(of.measure), of.definition
    cases = next(one for one in tabulation(definition).relations if one.form == measure.form)
    parts = {
        "initial-population": measure.initial_population,
        "denominator": measure.denominator,
        "exclusion": measure.denominator_exclusion,
        "exception": measure.denominator_exception,
        "numerator": measure.numerator,
        "observation": measure.observation,
    }
    if measure.scoring == "cohort":
        parts = {"initial-population": measure.initial_population}
    parts |= {f"{STRATIFIER} {one.id}": one.expression for one in measure.stratifiers}
    texts = {part: text for part, text in parts.items() if text is not None}
    expressions = {part: cases.compiled(text) for part, text in texts.items()}
    compiled = {part: one.duckdb for part, one in expressions.items()}
    read = frozenset[str]().union(*(one.columns for one in expressions.values()))
    return Texts(
        parts=texts,
        compiled=compiled,
        placed=_place_of(compiled),
        observed=f"({compiled['observation']}) IS NOT NULL" if "observation" in texts else "FALSE",
        read=read,
        narrow=narrowed(definition, measure.form, read),
    )


def _place_of(compiled: Mapping[str, str]) -> str:
    """FHIR Measure, 'Measure Population Semantics', as SQL; NULL counts as FALSE."""

    def holds(part: str) -> str:
        return f"COALESCE({compiled[part]}, FALSE)" if part in compiled else "FALSE"

    inside = "'denominator'" if "denominator" in compiled else "'initial-population'"
    outside = holds("denominator") if "denominator" in compiled else "TRUE"
    return (
        f"CASE WHEN NOT {holds('initial-population')} THEN 'outside'"
        f" WHEN NOT {outside} THEN 'initial-population'"
        f" WHEN {holds('exclusion')} THEN 'exclusion'"
        f" WHEN {holds('numerator')} THEN 'numerator'"
        f" WHEN {holds('exception')} THEN 'exception'"
        f" ELSE {inside} END"
    )


def lay_out(connection: duckdb.DuckDBPyConnection, build: str, versions: Sequence[Any]) -> None:
    """Make the table `behind` of a relation's cases from versions."""
    connection.from_arrow(arrow(versions)).create("versions")
    connection.execute(f"CREATE TABLE behind AS {build}")


def placements(
    engine: Engine,
    definition: Definition,
    measure: Measure,
    versions: Sequence[Any],
    ids: Sequence[int],
    stratum: tuple[str, str] | None = None,
) -> list[Placement]:
    """Where some cases are placed, from everything in force about their subjects; by day and number."""
    texts = texts_of(definition, measure)
    where, values = "month IS NOT NULL", []
    if stratum is not None:
        where += f" AND CAST({texts.compiled[f'{STRATIFIER} {stratum[0]}']} AS VARCHAR) = $1"
        values.append(stratum[1])
    with engine.open(threads=1) as connection:
        lay_out(connection, texts.narrow, versions)
        connection.from_arrow(pa.table({"wanted_id": pa.array(ids, pa.int64())})).create("wanted")
        found = connection.execute(
            f"SELECT case_id, case_date, {texts.placed}, {texts.observed}"
            f" FROM behind JOIN wanted ON case_id = wanted_id WHERE {where}"
            " ORDER BY case_date, case_id",
            values,
        ).fetchall()
    return [Placement(Member(*row[:3]), row[3]) for row in found]
