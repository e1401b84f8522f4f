"""
Export what a clinician or a group sends to CMS of a performance year: results, and the submission.

Which of a registry's measures are QPP measures is said by its definition (`qpp`); the counts are worked
out from the entity's own cases, at this moment; what they come to is scored by CMS's benchmarks.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import physicians, rates
from app.benchmarks.engine import Engine
from app.benchmarks.periods import Period, period
from app.benchmarks.physicians import Asked, Tallies
from app.benchmarks.rates import Counts
from app.errors import Conflict, Unprocessable
from app.registries.measure import Measure, Qpp
from app.registries.qpp.published import Published, Year, published, years
from app.registries.schema import Definition
from app.reports.qpp import formulas
from app.reports.qpp.check import METHOD, check
from app.reports.qpp.complaints import RefusedByQpp
from app.reports.qpp.entities import Entity, Places, places
from app.reports.qpp.scoring import Score, score
from app.reports.qpp.values import value

LEFT_OUT = {
    "no-cases": "There is no eligible case.",
    "no-rate": "No eligible case met the performance or failed to: there is no rate to send.",
    "not-licensed": "CMS lets other registries send it, and not this one.",
    "other-program": "CMS does not take it in this program.",
    "not-matured": rates.REASONS["not-matured"],
    "condition-not-met": rates.REASONS["condition-not-met"],
}
"""Why a measure of the registry is not sent, in words."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A measure's result as it is sent, and what CMS will make of it."""

    measure: Measure
    official: Published
    value: dict[str, Any]
    score: Score


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A measure that is a QPP measure in the year, and is not sent."""

    measure: Measure
    official: Published
    reason: str
    """A key of `LEFT_OUT`."""


@dataclass(frozen=True, slots=True)
class Results:
    """What an entity has to send of a performance year."""

    entity: Entity
    year: int
    program: str
    provisional: bool
    """The performance year has not ended: cases are yet to come."""
    places: Places
    reported: tuple[Reported, ...]
    left_out: tuple[LeftOut, ...]


def mapped(definition: Definition, year: int) -> list[tuple[Measure, Qpp, Published]]:
    """The measures of a registry that are QPP measures in a year, in the order of the definition.

    `Unprocessable` names the years that are known when this one is not.
    """
    official = official_year(year)
    return [
        (measure, one, known)
        for measure in definition.measures
        for one in measure.qpp
        if year in one.years and (known := official.measure(one.id)) is not None
    ]


def official_year(year: int) -> Year:
    """What CMS published of a performance year; `Unprocessable` names the years that are known."""
    if year not in years():
        raise Unprocessable(
            f"CMS's measures are known here for {', '.join(map(str, years()))}: name one of these."
        )
    return published(year)


def none_mapped(definition: Definition, year: int) -> str:
    """Why a registry has nothing to send of a year, and what it had of others."""
    says = f"No measure of this registry is a measure of the Quality Payment Program in {year}."
    for measure in definition.measures:
        for one in measure.qpp:
            listed = ", ".join(map(str, sorted(one.years)))
            says += f" `{measure.id}` is {one.id} in {listed}."
    takes = ", ".join(published(year).sendable)
    return f"{says} A definition says so with `qpp`; in {year} CMS takes {takes}."


async def export(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    entity: Entity,
    year: int,
    *,
    reach: Collection[int] | None,
    today: date,
    program: str = "mips",
    vendor: str | None = None,
) -> Results:
    """What an entity has to send of a performance year, from its cases within reach.

    The session must see every facility's rows: windows see a person's cases everywhere. Raises
    `RefusedByQpp` for counts that CMS would refuse, such as cases in none of a measure's strata.
    """
    wanted = mapped(definition, year)
    if not wanted:
        raise Unprocessable(none_mapped(definition, year))
    whose = await places(session, entity, definition.id, reach)
    over = period(str(year))
    tallies = await _tallies(session, engine, definition, wanted, whose, over)
    reported, left_out = [], []
    for measure, one, official in wanted:
        sent, reason = _sent(definition, measure, one, official, tallies, over, today)
        if program not in official.allowed_programs:
            reason = "other-program"
        if vendor is not None and vendor not in (official.allowed_vendors or (vendor,)):
            reason = "not-licensed"
        if reason is not None:
            left_out.append(LeftOut(measure, official, reason))
            continue
        benchmark = published(year).benchmark(official.measure_id, METHOD)
        reported.append(Reported(measure, official, sent, score(official, benchmark, sent)))
    return Results(
        entity=entity,
        year=year,
        program=program,
        provisional=today <= over.end,
        places=whose,
        reported=tuple(reported),
        left_out=tuple(left_out),
    )


def submission(results: Results, *, vendor: str | None = None) -> dict[str, Any]:
    """The document for CMS's Submissions API, checked as CMS would.

    `Conflict` when a part of the entity's cases is out of reach, or nothing is to be sent: results
    of a part are not the entity's.
    """
    if not results.places.complete:
        raise Conflict(
            "They read at facilities outside your key too, and a submission holds all of their cases:"
            " ask with a key that reaches all of them."
        )
    if not results.reported:
        reasons = "; ".join(
            f"{one.official.measure_id}: {LEFT_OUT[one.reason]}" for one in results.left_out
        )
        raise Conflict(f"There is nothing to send of {results.year}. {reasons}")
    document: dict[str, Any] = {
        "entityType": results.entity.kind,
        "taxpayerIdentificationNumber": results.entity.tin,
        "performanceYear": results.year,
        "measurementSets": [
            {
                "category": "quality",
                "submissionMethod": METHOD,
                "programName": results.program,
                "performanceStart": f"{results.year}-01-01",
                "performanceEnd": f"{results.year}-12-31",
                "measurements": [
                    {"measureId": one.official.measure_id, "value": one.value}
                    for one in results.reported
                ],
            }
        ],
    }
    if results.entity.npi is not None:
        document["nationalProviderIdentifier"] = results.entity.npi
    complaints = check(document, vendor=vendor)
    if complaints:
        raise RefusedByQpp(complaints)
    return document


async def _tallies(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    wanted: Collection[tuple[Measure, Qpp, Published]],
    whose: Places,
    over: Period,
) -> Mapping[tuple[str, str], Tallies]:
    """Counts by form and the element that names the clinician: each group's cases are read once."""
    groups: dict[tuple[str, str], dict[str, Asked]] = defaultdict(dict)
    for measure, one, _ in wanted:
        groups[measure.form, one.clinician][measure.id] = Asked(measure, one.stratifier)
    return {
        (form, clinician): await physicians.counted(
            session,
            engine,
            definition,
            physicians.with_gates(definition, list(asked.values())),
            clinician,
            whose.pairs,
            over,
        )
        for (form, clinician), asked in groups.items()
    }


def _sent(
    definition: Definition,
    measure: Measure,
    one: Qpp,
    official: Published,
    tallies: Mapping[tuple[str, str], Tallies],
    over: Period,
    today: date,
) -> tuple[dict[str, Any], str | None]:
    """A measure's value as it is sent, or why it is not."""
    found = tallies[measure.form, one.clinician]
    counts = found.get((measure.id, None), Counts())
    strata = {name: found.get((measure.id, ours), Counts()) for name, ours in one.strata.items()}
    made = value(measure, one, official, counts, strata)
    gate = physicians.gate_of(definition, measure, found)
    reason = rates.unshown(measure, counts, over, today, gate)
    if reason in ("not-matured", "condition-not-met"):
        return made, reason
    if not formulas.case_count(official, made):
        return made, "no-cases"
    return made, "no-rate" if formulas.performance_rate(official, made) is None else None
