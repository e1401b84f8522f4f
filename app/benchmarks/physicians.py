"""
What physicians' own cases count in measures, worked out on demand from the cases as they stand.

Nothing per physician is tabulated: the cases are read by the expressions that the tables are made
with, some at a time, with everything in force about their subjects.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import rates
from app.benchmarks.cases import batches, laid_out
from app.benchmarks.engine import Engine
from app.benchmarks.periods import Period
from app.benchmarks.placed import HOLDS, STRATIFIER, texts_of
from app.benchmarks.rates import Counts
from app.benchmarks.relation import narrowed
from app.database import driver_connection
from app.registries.measure import Measure
from app.registries.schema import Definition

_THEIR_CASES = """
SELECT c.id, c.subject_id, c.case_date, v.elements ->> $9 AS npi
FROM cases c JOIN versions v ON v.subject_id = c.subject_id AND v.case_id = c.id
    AND v.to_seq IS NULL AND v.state = 'submitted'
WHERE c.registry_id = $1 AND (c.case_date, c.id) > ($2, $3) AND c.facility_id = ANY ($5)
  AND c.form = $6 AND c.state = 'submitted' AND c.case_date BETWEEN $7 AND $8
  AND (c.facility_id, v.elements ->> $9) IN (SELECT * FROM unnest($10::int[], $11::text[]))
ORDER BY c.case_date, c.id LIMIT $4
"""

_READERS = """
SELECT DISTINCT v.elements ->> $6 AS npi
FROM cases c JOIN versions v ON v.subject_id = c.subject_id AND v.case_id = c.id
    AND v.to_seq IS NULL AND v.state = 'submitted'
WHERE c.registry_id = $1 AND c.facility_id = $2 AND c.form = $3 AND c.state = 'submitted'
  AND c.case_date BETWEEN $4 AND $5 AND v.elements ->> $6 IS NOT NULL
ORDER BY npi
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A measure, and what to split it by if it is to be split."""

    measure: Measure
    stratifier: str | None = None


Tallies = Mapping[tuple[str, str | None], Counts]
"""By a measure's id, and by the stratum it was to be split into; None for all of its cases."""


def with_gates(definition: Definition, asked: Sequence[Asked]) -> list[Asked]:
    """What is asked, and the measures of the same forms that must reach a level for it to be shown."""
    found = {one.measure.id: one for one in asked}
    for one in asked:
        gate = one.measure.shown_when and definition.measure(one.measure.shown_when.measure)
        if gate and gate.form == one.measure.form:
            found.setdefault(gate.id, Asked(gate))
    return list(found.values())


def gate_of(definition: Definition, measure: Measure, tallies: Tallies) -> Fraction | None:
    """The rate that a measure's showing rests on, of the same cases; None where there is none."""
    if measure.shown_when is None:
        return None
    gate = definition.measure(measure.shown_when.measure)
    return rates.rate(gate, tallies.get((gate.id, None), Counts()))


async def counted(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    asked: Sequence[Asked],
    clinician: str,
    places: Sequence[tuple[int, str]],
    over: Period,
) -> Tallies:
    """What the cases of physicians count in measures of one form, at the facilities named with each.

    `clinician` is the element with the NPI; `places` are pairs of facility and NPI. The session must
    see every facility's versions: windows see a person's cases everywhere. A measure of which there is
    no case is not in the answer.
    """
    found: dict[tuple[str, str | None], Counts] = defaultdict(Counts)
    each = await counted_each(session, engine, definition, asked, clinician, places, over)
    for theirs in each.values():
        for name, counts in theirs.items():
            found[name] += counts
    return dict(found)


async def named_in(
    session: AsyncSession,
    definition: Definition,
    form: str,
    clinician: str,
    facility: int,
    over: Period,
) -> list[str]:
    """The NPIs that a facility's cases of a period name as their physician's."""
    driver = await driver_connection(session)
    rows = await driver.fetch(
        _READERS, definition.id, facility, form, over.first, over.end, clinician
    )
    return [row["npi"] for row in rows]


async def counted_each(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    asked: Sequence[Asked],
    clinician: str,
    places: Sequence[tuple[int, str]],
    over: Period,
) -> Mapping[str, Tallies]:
    """As `counted`, for each of the physicians by NPI; of whom there is no case is not in the answer."""
    (form,) = {one.measure.form for one in asked}
    facilities, npis = [one[0] for one in places], [one[1] for one in places]
    theirs = (sorted(set(facilities)), form, over.first, over.end, clinician, facilities, npis)
    found = _nothing()
    async for cases, versions in batches(session, definition.id, _THEIR_CASES, *theirs):
        whose = {one["id"]: one["npi"] for one in cases}
        some = await asyncio.to_thread(tallied_each, engine, definition, asked, versions, whose)
        for npi, tallies in some.items():
            for name, counts in tallies.items():
                found[npi][name] += counts
    return {npi: dict(tallies) for npi, tallies in found.items()}


def tallied(
    engine: Engine,
    definition: Definition,
    asked: Sequence[Asked],
    versions: Sequence[Any],
    ids: Sequence[int],
) -> Tallies:
    """What some cases of one form count, from everything in force about their subjects."""
    everybody = dict.fromkeys(ids, "")
    return tallied_each(engine, definition, asked, versions, everybody).get("", {})


def tallied_each(
    engine: Engine,
    definition: Definition,
    asked: Sequence[Asked],
    versions: Sequence[Any],
    whose: Mapping[int, str],
) -> Mapping[str, Tallies]:
    """As `tallied`, apart for each name that the cases' ids are given."""
    texts = [texts_of(definition, one.measure) for one in asked]
    read = frozenset[str]().union(*(one.read for one in texts))
    found = _nothing()
    with laid_out(
        engine,
        narrowed(definition, asked[0].measure.form, read),
        versions,
        wanted_id=pa.array(list(whose), pa.int64()),
        whose=pa.array(list(whose.values()), pa.string()),
    ) as connection:
        for one, text in zip(asked, texts, strict=True):
            value = "NULL"
            if "observation" in text.compiled:
                unit = 10**one.measure.scale
                exact = f"ROUND({text.compiled['observation']}, {one.measure.scale}) * {unit}"
                value = f"CAST({exact} AS HUGEINT)"
            stratum = "NULL"
            if one.stratifier is not None:
                stratum = f"CAST({text.compiled[f'{STRATIFIER} {one.stratifier}']} AS VARCHAR)"
            rows = connection.execute(
                "SELECT whose, placed, stratum, COUNT(*), COUNT(value), SUM(value), SUM(value * value)"
                f" FROM (SELECT whose, {text.placed} AS placed, {stratum} AS stratum, {value} AS value"
                " FROM behind JOIN wanted ON case_id = wanted_id WHERE month IS NOT NULL) AS cases"
                " GROUP BY whose, placed, stratum"
            ).fetchall()
            for npi, placed, named, *numbers in rows:
                counts = _counts(one.measure, placed, *numbers)
                found[npi][one.measure.id, None] += counts
                if named is not None:
                    found[npi][one.measure.id, named] += counts
    return {npi: dict(theirs) for npi, theirs in found.items()}


def _nothing() -> defaultdict[str, defaultdict[tuple[str, str | None], Counts]]:
    return defaultdict(lambda: defaultdict(Counts))


def _counts(
    measure: Measure, placed: str, cases: int, observed: int, total: int, squares: int
) -> Counts:
    """Cases of one placement, as they add to a measure's counts."""
    into = {population for population, held in HOLDS.items() if placed in held}
    seen = placed == "numerator" if measure.scoring == "ratio" else "observations" in into
    return Counts(
        initial_population=cases if "initial-population" in into else 0,
        denominator=cases if "denominator" in into else 0,
        exclusions=cases if "exclusions" in into else 0,
        exceptions=cases if "exceptions" in into else 0,
        numerator=cases if "numerator" in into else 0,
        observations=observed if seen else 0,
        total=int(total or 0) if seen else 0,
        total_of_squares=int(squares or 0) if seen else 0,
    )
