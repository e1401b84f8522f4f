"""Quality results of clinicians and groups for CMS's Quality Payment Program (MIPS)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field

from app import audit
from app.access import Act
from app.api.dependencies import Asker, RegistryInForce, SettingsInForce, Transactions
from app.api.fields import Npi, Sent, Tin
from app.api.problems import problems
from app.benchmarks.engine import Engine
from app.registries.qpp.published import PERCENTILES, MetricType, Published
from app.registries.qpp.published import Benchmark as PublishedBenchmark
from app.registries.schema import Definition
from app.reports.qpp.check import check
from app.reports.qpp.entities import Entity
from app.reports.qpp.export import (
    LEFT_OUT,
    Reported,
    Results,
    export,
    mapped,
    none_mapped,
    official_year,
    submission,
)
from app.reports.qpp.scoring import CASE_MINIMUM, DATA_COMPLETENESS, UNSCORED

router = APIRouter(prefix="/registries/{registry_id}/qpp", tags=["qpp"])
checks = APIRouter(prefix="/qpp", tags=["qpp"])

PerformanceYear = Annotated[int, Query(ge=2017, le=2099, description="A performance year of MIPS.")]


class QppBenchmark(BaseModel):
    """How the rates of a measure are spread over all who sent it, as CMS published it."""

    year: int = Field(description="Whose results it is made of.")
    percentiles: dict[int, float] = Field(
        description="In percent, or in the unit of a `nonProportion`. Of an inverse measure the lowest "
        "is the best."
    )
    average: float | None
    topped_out: bool

    @classmethod
    def of(cls, one: PublishedBenchmark | None) -> "QppBenchmark | None":
        if one is None:
            return None
        return cls(
            year=one.benchmark_year,
            percentiles=dict(zip(PERCENTILES, one.percentiles, strict=True)),
            average=one.average_performance_rate,
            topped_out=one.is_topped_out,
        )


class QppMeasure(BaseModel):
    """A measure of the registry, and the QPP measure that it is."""

    measure: str = Field(description="The registry's measure.")
    qpp_measure: str = Field(description="CMS's id.")
    title: str = Field(description="CMS's title.")
    metric_type: MetricType
    inverse: bool = Field(description="A lower rate is better.")
    strata: list[str]

    @classmethod
    def names(cls, measure_id: str, one: Published) -> dict[str, Any]:
        return {
            "measure": measure_id,
            "qpp_measure": one.measure_id,
            "title": one.title,
            "metric_type": one.metric_type,
            "inverse": one.is_inverse,
            "strata": list(one.strata),
        }


class ListedMeasure(QppMeasure):
    """What a measure is in a year."""

    benchmark: QppBenchmark | None


class QppYear(BaseModel):
    """What a registry has to send of a performance year."""

    registry: str
    definition_version: str
    year: int
    source: str = Field(description="Which edition of CMS's data it is checked against.")
    case_minimum: int
    data_completeness: int = Field(description="In percent.")
    measures: list[ListedMeasure]
    says: str | None = Field(description="Why there is none, and what CMS takes, if there is none.")


class Wanted(Sent):
    """Whose results, and of which year. Numbers stand in the body: an address is logged on the way."""

    year: Annotated[
        int,
        Field(strict=True, ge=2017, le=2099, description="The performance year.", examples=[2026]),
    ]
    tin: Tin = Field(description="The taxpayer under whom they bill: the group.")
    npi: Npi | None = Field(
        default=None, description="One clinician of it; the group when left out."
    )
    program: str = Field(
        default="mips",
        pattern=r"^([a-z][A-Za-z0-9]{1,19}|M[0-9]{4})$",
        description="`mips`, or the id of an MVP.",
    )


class Unscored(BaseModel):
    """Why something has no decile, or is not sent."""

    reason: str
    says: str


class MeasureResult(QppMeasure):
    """A measure's result as it is sent, and where it stands."""

    value: dict[str, Any] = Field(description="The measurement's value, in CMS's words.")
    performance_rate: float = Field(
        description="In percent; of a `nonProportion` in the unit of its numerator."
    )
    reporting_rate: float = Field(description="Data completeness, in percent.")
    case_count: int
    enough_cases: bool = Field(description="At or above the case minimum.")
    complete: bool = Field(description="Data completeness is reached.")
    benchmark: QppBenchmark | None
    decile: int | None = Field(description="From 1, the last, to 10.")
    points: float | None = Field(description="Measure achievement points of that decile, 1 to 10.")
    capped: bool = Field(description="Held to seven points: topped out for two years or more.")
    unscored: Unscored | None


class MeasureLeftOut(BaseModel):
    """A measure of the year that is not sent."""

    measure: str
    qpp_measure: str
    reason: str
    says: str


class QppResults(BaseModel):
    """What a clinician or a group has to send of a performance year."""

    registry: str
    definition_version: str
    entity: Literal["individual", "group"]
    year: int
    program: str
    provisional: bool = Field(description="The year has not ended: cases are yet to come.")
    clinicians: int
    facilities: list[int] = Field(description="Where they work, within your key.")
    complete: bool = Field(description="They work nowhere else: these are all of their results.")
    case_minimum: int
    data_completeness: int
    results: list[MeasureResult]
    left_out: list[MeasureLeftOut]


class Flaw(BaseModel):
    """One thing that CMS would refuse."""

    pointer: str = Field(description="A JSON Pointer into the submission.")
    measure: str | None = Field(description="CMS's id, where it is a measure of the year.")
    code: str
    says: str
    allowed: str | None


class Checked(BaseModel):
    """What CMS would say of a submission."""

    sound: bool
    flaws: list[Flaw]


@router.get("", response_model=QppYear, responses=problems(401, 403, 404, 422))
async def list_qpp_measures(
    definition: RegistryInForce, asker: Asker, year: PerformanceYear
) -> QppYear:
    """Which measures of the registry are measures of the Quality Payment Program in a year."""
    asker.require(Act.READ_DEFINITIONS)
    found, official = mapped(definition, year), official_year(year)
    return QppYear(
        registry=definition.id,
        definition_version=definition.version,
        year=year,
        source=official.source,
        case_minimum=CASE_MINIMUM,
        data_completeness=DATA_COMPLETENESS,
        measures=[
            ListedMeasure(
                **QppMeasure.names(measure.id, one),
                benchmark=QppBenchmark.of(official.benchmark(one.measure_id)),
            )
            for measure, _, one in found
        ],
        says=None if found else none_mapped(definition, year),
    )


@router.post("/results", response_model=QppResults, responses=problems(400, 401, 403, 404, 422))
async def read_qpp_results(
    definition: RegistryInForce,
    wanted: Wanted,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
) -> QppResults:
    """What a clinician or a group has to send, and where it stands among CMS's percentiles.

    Worked out from their own cases at the facilities within your key, at this moment.
    """
    found = await _worked_out(definition, wanted, asker, transactions, settings)
    return QppResults(
        registry=definition.id,
        definition_version=definition.version,
        entity=found.entity.kind,
        year=found.year,
        program=found.program,
        provisional=found.provisional,
        clinicians=found.places.clinicians,
        facilities=list(found.places.facilities),
        complete=found.places.complete,
        case_minimum=CASE_MINIMUM,
        data_completeness=DATA_COMPLETENESS,
        results=[_shown(one) for one in found.reported],
        left_out=[
            MeasureLeftOut(
                measure=one.measure.id,
                qpp_measure=one.official.measure_id,
                reason=one.reason,
                says=LEFT_OUT[one.reason],
            )
            for one in found.left_out
        ],
    )


@router.post(
    "/submission",
    response_model=dict[str, Any],
    responses=problems(400, 401, 403, 404, 409, 422),
)
async def make_qpp_submission(
    definition: RegistryInForce,
    wanted: Wanted,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
) -> dict[str, Any]:
    """The document for CMS's Submissions API, checked as CMS would check it.

    Refused when CMS would refuse it, and when they read outside your key too.
    """
    found = await _worked_out(definition, wanted, asker, transactions, settings)
    return submission(found, vendor=settings.qpp_vendor)


@checks.post("/checks", response_model=Checked, responses=problems(400, 401, 403, 422))
async def check_qpp_submission(
    asker: Asker, settings: SettingsInForce, sent: Annotated[dict[str, Any], Body()]
) -> Checked:
    """Check a submission document against CMS's published measures; nothing of it is kept."""
    asker.require(Act.READ_DEFINITIONS)
    flaws = check(sent, vendor=settings.qpp_vendor)
    return Checked(
        sound=not flaws,
        flaws=[
            Flaw(
                pointer=one.pointer,
                measure=one.measure,
                code=one.code,
                says=one.says,
                allowed=one.allowed,
            )
            for one in flaws
        ],
    )


async def _worked_out(
    definition: Definition,
    wanted: Wanted,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
) -> Results:
    asker.require(Act.READ_PHYSICIANS_RESULTS)
    reach = asker.facilities_in(definition.id)
    async with transactions.unbound() as session:  # windows see a person's cases everywhere
        found = await export(
            session,
            Engine.of(settings),
            definition,
            Entity(wanted.tin, wanted.npi),
            wanted.year,
            reach=reach,
            today=datetime.now(UTC).date(),
            program=wanted.program,
            vendor=settings.qpp_vendor,
        )
    async with transactions.begin() as session:
        for facility in found.places.facilities:
            await audit.record(
                session,
                asker,
                "export",
                "qpp-results",
                definition.id,
                facility_id=facility,
                registry_id=definition.id,
                details={"year": found.year, "entity": found.entity.kind},
            )
    return found


def _shown(one: Reported) -> MeasureResult:
    score = one.score
    return MeasureResult(
        **QppMeasure.names(one.measure.id, one.official),
        value=one.value,
        performance_rate=float(score.performance_rate),
        reporting_rate=float(score.reporting_rate),
        case_count=score.case_count,
        enough_cases=score.enough_cases,
        complete=score.complete,
        benchmark=QppBenchmark.of(score.benchmark),
        decile=score.decile,
        points=None if score.points is None else float(score.points),
        capped=score.capped,
        unscored=(
            Unscored(reason=score.unscored, says=UNSCORED[score.unscored])
            if score.unscored
            else None
        ),
    )
