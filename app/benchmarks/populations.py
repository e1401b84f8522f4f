"""
Populations: which of a facility's own cases are behind a rate.

Worked out on demand from the cases as they stand, by the expressions that the tables are made with, over
some cases at a time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.cases import batches, laid_out
from app.benchmarks.engine import Engine
from app.benchmarks.periods import Period
from app.benchmarks.placed import HOLDS, STRATIFIER, Placed, Population, possible, texts_of
from app.errors import Unprocessable
from app.registries.measure import Measure
from app.registries.schema import Definition

MOST_SCANNED = 20_000
"""Cases that one question looks through: what it finds by then is a page, and the next one goes on."""

_OWN_CASES = """
SELECT id, subject_id, case_date FROM cases
WHERE registry_id = $1 AND (case_date, id) > ($2, $3) AND facility_id = $5 AND form = $6
  AND state = 'submitted' AND case_date BETWEEN $7 AND $8
ORDER BY case_date, id LIMIT $4
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
    own = (facility_id, measure.form, over.first, over.end)
    async for cases, versions in batches(session, definition.id, _OWN_CASES, *own, after=after):
        ids = [one["id"] for one in cases]
        placed = await asyncio.to_thread(
            placements, engine, definition, measure, versions, ids, stratum
        )
        for one in placed:
            if population in one.populations(measure):
                found.append(one.member)
                if len(found) == limit:
                    return Listed(tuple(found), (one.member.case_date, one.member.case_id))
        scanned += len(cases)
        if scanned >= MOST_SCANNED:
            return Listed(tuple(found), (cases[-1]["case_date"], cases[-1]["id"]))
    return Listed(tuple(found), None)


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
    with laid_out(
        engine, texts.narrow, versions, wanted_id=pa.array(ids, pa.int64())
    ) as connection:
        found = connection.execute(
            f"SELECT case_id, case_date, {texts.placed}, {texts.observed}"
            f" FROM behind JOIN wanted ON case_id = wanted_id WHERE {where}"
            " ORDER BY case_date, case_id",
            values,
        ).fetchall()
    return [Placement(Member(*row[:3]), row[3]) for row in found]
