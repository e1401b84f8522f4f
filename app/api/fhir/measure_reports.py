"""
MeasureReports (FHIR R4): a measure evaluated for a facility, a clinician or a person.

Worked out as it is asked for and not kept. Nobody served here is a resource of its own: a facility, a
physician and a person under pseudonym are named by identifiers.
"""

import asyncio
import calendar
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit, errors
from app.access import Act
from app.api.dependencies import (
    NO_SUCH_FACILITY,
    Asker,
    RegistryInForce,
    SettingsInForce,
    Transactions,
    visible_facility,
)
from app.api.fhir.measures import (
    IMPROVEMENT,
    POPULATION,
    FhirMeasureId,
    base_of,
    coded,
    fhir_id,
    measure_of,
    populations,
)
from app.api.fhir.replies import RESOURCE, resource
from app.api.v1.metrics import Facility, the_facility
from app.benchmarks import physicians, query, rates
from app.benchmarks.engine import Engine
from app.benchmarks.feed import in_force_of
from app.benchmarks.ground import traits
from app.benchmarks.periods import Period, period
from app.benchmarks.physicians import Asked
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import half_up
from app.models import Case, Subject
from app.models.account import Physician, PhysicianFacility
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.settings import Settings

router = APIRouter(prefix="/Measure/{measure_id}")

NPI = "http://hl7.org/fhir/sid/us-npi"
UCUM = "http://unitsofmeasure.org"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
OUTCOME_HIDDEN = ("not-matured", "condition-not-met", "being-tabulated")
"""Reasons for which a numerator is not told either."""
DATE = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"

PeriodStart = Annotated[
    str, Query(alias="periodStart", pattern=DATE, description="The first day, of a month.")
]
PeriodEnd = Annotated[
    str, Query(alias="periodEnd", pattern=DATE, description="The last day, of a month.")
]
ReportType = Annotated[
    Literal["population", "subject", "summary", "individual"],
    Query(
        alias="reportType",
        description="`population` (a summary), or `subject` (an individual report of one person).",
    ),
]
SubjectAsked = Annotated[
    str | None,
    Query(
        pattern=r"^Patient/[A-Za-z0-9.-]{1,64}$",
        description="For a report of one person: `Patient/` and the pseudonym.",
    ),
]
PractitionerAsked = Annotated[
    str | None,
    Query(
        pattern=r"^Practitioner/[1-9][0-9]{0,17}$",
        description="A physician's cases alone: `Practitioner/` and the number in `/v1/physicians`.",
    ),
]


@router.get("/$evaluate-measure", response_class=Response, responses=RESOURCE)
async def evaluate_measure(
    definition: RegistryInForce,
    measure_id: FhirMeasureId,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
    period_start: PeriodStart,
    period_end: PeriodEnd,
    report_type: ReportType = "population",
    subject: SubjectAsked = None,
    practitioner: PractitionerAsked = None,
    facility: Facility = None,
) -> Response:
    """A MeasureReport: `summary` of a facility's or a physician's cases, `individual` of a person's."""
    asker.require(Act.READ_RESULTS)
    number = visible_facility(asker, the_facility(asker, facility, definition), definition.id)
    measure, over = measure_of(definition, measure_id), _period(period_start, period_end)
    individual = report_type in ("subject", "individual")
    if individual != (subject is not None):
        raise errors.Unprocessable("A report of one person names a `subject`, and no other does.")
    if individual and practitioner is not None:
        raise errors.Unprocessable("Ask for a person or for a practitioner.")
    report = _report(settings, definition, measure, number, over, individual=individual)
    engine = Engine.of(settings)
    if subject is None and practitioner is None:
        async with transactions.begin() as session:
            if number not in await traits(session, [number]):
                raise errors.NotFound(NO_SUCH_FACILITY)
            await _of_facility(session, report, definition, measure, number, over)
        return resource(report)
    what = "individual" if individual else "practitioner"
    asker.require(Act.READ_CASES if individual else Act.READ_PHYSICIANS_RESULTS)
    async with transactions.begin() as session:
        await audit.record(
            session,
            asker,
            "evaluate",
            "measure",
            measure.id,
            facility_id=number,
            registry_id=definition.id,
            details={"period": over.label, "report": what},
        )
    async with transactions.unbound() as session:  # windows see a person's cases everywhere
        if subject is not None:
            pseudonym = subject.partition("/")[2]
            counts = await _of_person(session, engine, definition, measure, number, over, pseudonym)
            report["subject"] = _named(
                "Patient", f"{base_of(settings, definition.id)}/subject", pseudonym
            )
            report["group"] = [{"population": _counted(measure, counts)}]
        else:
            assert practitioner is not None
            row = int(practitioner.partition("/")[2])
            npi, tallies = await _of_physician(
                session, engine, definition, measure, number, over, row
            )
            counts = tallies.get((measure.id, None), Counts())
            gate = physicians.gate_of(definition, measure, tallies)
            reason = rates.unshown(measure, counts, over, datetime.now(UTC).date(), gate)
            report["subject"] = _named("Practitioner", NPI, npi)
            report["group"] = [_group(measure, counts, reason)]
            if reason in OUTCOME_HIDDEN:
                report["status"] = "pending"
    return resource(report)


def _period(first: str, last: str) -> Period:
    """Whole months, from FHIR dates of any precision; the end is the last day that it implies."""
    begins = f"{first}-01-01"[:10] if len(first) == 4 else f"{first}-01"[:10]
    ends = f"{last}-12" if len(last) == 4 else last[:7]
    year, month = int(ends[:4]), int(ends[5:7])
    final = f"{ends}-{calendar.monthrange(max(year, 1), month)[1]}"
    if not re.fullmatch(r"\d{4}-\d{2}-01", begins) or (len(last) == 10 and last != final):
        raise errors.Unprocessable(
            "Cases are counted by whole months: begin on the first day of one, end on the last of one."
        )
    return period(f"{begins[:7]}..{ends}")


def _report(
    settings: Settings,
    definition: Definition,
    measure: Measure,
    facility: int,
    over: Period,
    *,
    individual: bool,
) -> dict[str, Any]:
    canonical = f"{base_of(settings, definition.id)}/Measure/{fhir_id(measure)}"
    of_facility = f"{settings.address}/v1/facilities"
    report: dict[str, Any] = {
        "resourceType": "MeasureReport",
        "status": "complete",
        "type": "individual" if individual else "summary",
        "measure": f"{canonical}|{definition.version}",
        "subject": _named("Location", of_facility, str(facility)),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "reporter": _named("Organization", of_facility, str(facility)),
        "period": {"start": over.first.isoformat(), "end": over.end.isoformat()},
    }
    if measure.improvement != "none":
        report["improvementNotation"] = coded(IMPROVEMENT, measure.improvement)
    return report


def _named(kind: str, system: str, value: str) -> dict[str, Any]:
    """A logical reference: there is no such resource here to be read."""
    return {"type": kind, "identifier": {"system": system, "value": value}}


async def _of_facility(
    session: AsyncSession,
    report: dict[str, Any],
    definition: Definition,
    measure: Measure,
    facility: int,
    over: Period,
) -> None:
    """Fill in a facility's counts, from the tables, with every stratifier."""
    asked: dict[str, Any] = {
        "today": datetime.now(UTC).date(),
        "measures": [measure],
        "with_peers": False,
    }
    answer = await query.results(session, definition, facility, [over], **asked)
    (whole,) = answer.results
    group = _group(measure, whole.counts, whole.withheld)
    stratifiers = []
    for one in measure.stratifiers:
        split = await query.results(
            session, definition, facility, [over], stratifier=one.id, **asked
        )
        strata = [
            {"value": {"text": each.stratum}, **_group(measure, each.counts, each.withheld)}
            for each in split.results
        ]
        stratifiers.append({"code": [{"text": one.id}], "stratum": strata})
    if stratifiers:
        group["stratifier"] = stratifiers
    if whole.withheld in OUTCOME_HIDDEN:
        report["status"] = "pending"
    report["group"] = [group]


async def _of_person(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    measure: Measure,
    facility: int,
    over: Period,
    pseudonym: str,
) -> Counts:
    """What a person's cases at the facility count; `NotFound` where there is none in the period."""
    rows = (
        await session.execute(
            select(Case.id, Case.subject_id)
            .join(Subject, Subject.id == Case.subject_id)
            .where(
                Subject.pseudonym == pseudonym,
                Case.registry_id == definition.id,
                Case.facility_id == facility,
                Case.form == measure.form,
                Case.state == "submitted",
                Case.case_date.between(over.first, over.end),
            )
        )
    ).all()
    if not rows:
        raise errors.NotFound("No case of such a person in the period is within your key.")
    versions = await in_force_of(session, definition.id, [one.subject_id for one in rows])
    ids = [one.id for one in rows]
    found = await asyncio.to_thread(
        physicians.tallied, engine, definition, [Asked(measure)], versions, ids
    )
    return found.get((measure.id, None), Counts())


async def _of_physician(
    session: AsyncSession,
    engine: Engine,
    definition: Definition,
    measure: Measure,
    facility: int,
    over: Period,
    row: int,
) -> tuple[str, physicians.Tallies]:
    """A physician's NPI, and what the cases they answer for at the facility count."""
    if not measure.qpp:
        raise errors.Unprocessable(
            "The definition does not say for which clinician a case of this measure counts (`qpp`)."
        )
    npi = await session.scalar(
        select(Physician.npi)
        .join(PhysicianFacility, PhysicianFacility.physician_id == Physician.id)
        .where(Physician.id == row, PhysicianFacility.facility_id == facility)
    )
    if npi is None:
        raise errors.NotFound("There is no such physician at the facility.")
    found = await physicians.counted(
        session,
        engine,
        definition,
        physicians.with_gates(definition, [Asked(measure)]),
        measure.qpp[0].clinician,
        [(facility, npi)],
        over,
    )
    return npi, found


def _group(measure: Measure, counts: Counts, withheld: str | None) -> dict[str, Any]:
    """Populations with their counts, and the score or why there is none."""
    hidden = withheld in OUTCOME_HIDDEN
    group: dict[str, Any] = {"population": _counted(measure, counts, hidden=hidden)}
    if measure.scoring == "cohort":
        return group
    rate = rates.rate(measure, counts) if withheld is None else None
    if rate is None:
        reason = "not-applicable" if withheld == "no-cases" else "masked"
        group["measureScore"] = {"extension": [{"url": ABSENT, "valueCode": reason}]}
        return group
    score: dict[str, Any] = {"value": float(half_up(rate, rates.digits(measure)))}
    if measure.unit and measure.scoring != "proportion":
        score |= {"unit": measure.unit, "system": UCUM, "code": measure.unit}
    group["measureScore"] = score
    return group


def _counted(measure: Measure, counts: Counts, *, hidden: bool = False) -> list[dict[str, Any]]:
    """FHIR counts a denominator before exclusions and exceptions leave it.

    Where the outcome may not be shown, only how many there are is.
    """
    whole = counts.denominator + counts.exclusions + counts.exceptions
    many: Mapping[str, int] = {
        "initial-population": counts.initial_population,
        "denominator": whole,
        "measure-population": whole,
        "denominator-exclusion": counts.exclusions,
        "measure-population-exclusion": counts.exclusions,
        "denominator-exception": counts.exceptions,
        "numerator": counts.numerator,
        "measure-observation": counts.observations,
    }
    return [
        {"code": coded(POPULATION, code), "count": many[code]}
        for code, _ in populations(measure)
        if not hidden or code == "initial-population"
    ]
