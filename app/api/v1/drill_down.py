"""Drill-down: the facility's own cases behind a rate, and why each of them is counted."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from app import audit, errors
from app.access import Act
from app.access import Asker as Who
from app.api.dependencies import (
    LARGEST_BIGINT,
    Asker,
    RegistryInForce,
    SettingsInForce,
    Transactions,
    visible_facility,
)
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.api.v1.beside import Withheld
from app.api.v1.measures import known_measure
from app.api.v1.metrics import AsOf, Facility, Stratum, asked_stratum, the_facility
from app.benchmarks import explanation, periods, populations, query
from app.benchmarks.engine import Engine
from app.benchmarks.placed import Placed, Population
from app.models import Case
from app.registries.measure import Measure
from app.registries.schema import Definition

router = APIRouter(
    prefix="/registries/{registry_id}/metrics/{measure_id}/cases", tags=["benchmarks"]
)

MeasureId = Annotated[str, Path(description="A measure's id.", min_length=1, max_length=100)]


class CountedCase(BaseModel):
    """A case behind a rate."""

    id: int
    case_date: date
    placed: Placed = Field(
        description="The innermost population: a case in the numerator is in the denominator too."
    )
    href: str = Field(description="The case itself.")
    why: str = Field(description="Why it is counted.")


class CountedCases(BaseModel):
    """Some of the cases behind a rate."""

    registry: str
    definition_version: str
    measure: str
    facility: int
    period: str
    population: Population
    stratum: str | None
    as_of: AsOf
    count: int = Field(
        description="How many the tables have of them. The list is of this moment, a few seconds ahead "
        "of the tables at most."
    )
    withheld: Withheld | None = Field(description="Why their rate is not shown, if it is not.")
    cases: list[CountedCase]


class Stated(BaseModel):
    """An expression of the measure and what it gives for this case. NULL counts as FALSE."""

    part: str = Field(description="Such as `denominator`, or `stratifier indication`.")
    expression: str
    value: Any
    withheld: Withheld | None


class Known(BaseModel):
    """Something an expression rests on."""

    name: str
    title: str
    expression: str | None = Field(description="How it is worked out; null for what was sent.")
    value: Any
    withheld: Withheld | None


class Explanation(BaseModel):
    """Why a case is counted as it is."""

    registry: str
    definition_version: str
    measure: str
    facility: int
    case: CountedCase
    month: str
    populations: list[Population] = Field(description="Every population it is in.")
    expressions: list[Stated]
    columns: list[Known]


AskedPopulation = Annotated[
    Population,
    Query(
        description="Which of them: `unmet` are in the denominator and not in the numerator, "
        "`observations` those with a value that the mean or sum is made of."
    ),
]


@router.get("", response_model=CountedCases, responses={200: PAGED, **problems(401, 403, 404, 422)})
async def list_counted(
    definition: RegistryInForce,
    measure_id: MeasureId,
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
    page: PageAsked,
    facility: Facility = None,
    period: Annotated[
        str | None,
        Query(
            pattern=periods.PATTERN,
            max_length=20,
            description="The last twelve complete months when left out.",
        ),
    ] = None,
    population: AskedPopulation = "denominator",
    stratum: Stratum = None,
) -> CountedCases:
    """The facility's own cases behind a numerator, denominator, exclusion or exception.

    In the order of their days, and worked out as it is asked for: a page may hold fewer than its limit
    and still be followed by another. Nobody but the facility's own people reads them; each look is kept
    in the audit trail.
    """
    number = _own(asker, facility, definition)
    measure = known_measure(definition, measure_id)
    today = datetime.now(UTC).date()
    over = periods.period(period) if period else periods.last_complete_year(today)
    stratifier, named = asked_stratum(definition, stratum, measure)
    if stratifier and named is None:
        raise errors.Unprocessable("Name one stratum: `stratifier:stratum`.")
    begin = page.begins_after(Case.case_date, Case.id)  # type: ignore[arg-type]  # columns of a table
    async with transactions.begin() as session:
        answer = await query.results(
            session,
            definition,
            number,
            [over],
            today=today,
            measures=[measure],
            stratifier=stratifier,
            stratum=named,
            with_peers=False,
        )
        await audit.record(
            session,
            asker,
            "drill-down",
            "measure",
            measure.id,
            facility_id=number,
            registry_id=definition.id,
            details={"period": over.label, "population": population, "stratum": stratum},
        )
    async with transactions.unbound() as session:  # windows see the person's cases everywhere
        found = await populations.members(
            session,
            Engine.of(settings),
            definition,
            measure,
            number,
            over,
            population,
            stratum=(stratifier, named) if stratifier and named else None,
            after=(begin[0], begin[1]) if begin else None,
            limit=page.limit,
        )
    if found.after is not None:
        page.goes_on_after(*found.after)
    (result,) = answer.results
    return CountedCases(
        registry=definition.id,
        definition_version=definition.version,
        measure=measure.id,
        facility=number,
        period=over.label,
        population=population,
        stratum=stratum,
        as_of=AsOf(feed_number=answer.as_of.feed_number, at=answer.as_of.at),
        count=_counted(result, population),
        withheld=Withheld.of(result.withheld),
        cases=[_case(definition, measure, number, one) for one in found.members],
    )


@router.get("/{case_id}", response_model=Explanation, responses=problems(401, 403, 404, 422))
async def explain_case(
    definition: RegistryInForce,
    measure_id: MeasureId,
    case_id: Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A case.")],
    asker: Asker,
    transactions: Transactions,
    settings: SettingsInForce,
    facility: Facility = None,
) -> Explanation:
    """Why a case is counted: each expression of the measure with its value for the case.

    A value that another facility's entries about the same person decide is withheld.
    """
    number = _own(asker, facility, definition)
    measure = known_measure(definition, measure_id)
    async with transactions.begin() as session:
        await audit.record(
            session,
            asker,
            "explain",
            "case",
            case_id,
            facility_id=number,
            registry_id=definition.id,
            details={"measure": measure.id},
        )
    async with transactions.unbound() as session:  # windows see the person's cases everywhere
        found = await explanation.explain(
            session, Engine.of(settings), definition, measure, number, case_id
        )
    return Explanation(
        registry=definition.id,
        definition_version=definition.version,
        measure=measure.id,
        facility=number,
        case=_case(definition, measure, number, found.placement.member),
        month=f"{found.placement.member.case_date:%Y-%m}",
        populations=found.placement.populations(measure),
        expressions=[
            Stated(
                part=one.part, expression=one.text, value=one.value, withheld=_said(one.withheld)
            )
            for one in found.expressions
        ],
        columns=[
            Known(
                name=one.name,
                title=one.title,
                expression=one.text,
                value=one.value,
                withheld=_said(one.withheld),
            )
            for one in found.columns
        ],
    )


def _own(asker: Who, facility: int | None, definition: Definition) -> int:
    """The facility whose cases are asked for; whoever asks reads its rates and its cases."""
    asker.require(Act.READ_RESULTS)
    asker.require(Act.READ_CASES)
    return visible_facility(asker, the_facility(asker, facility, definition), definition.id)


def _case(
    definition: Definition, measure: Measure, facility: int, member: populations.Member
) -> CountedCase:
    return CountedCase(
        id=member.case_id,
        case_date=member.case_date,
        placed=member.placed,
        href=f"/v1/cases/{member.case_id}",
        why=f"/v1/registries/{definition.id}/metrics/{measure.id}/cases/{member.case_id}"
        f"?facility={facility}",
    )


def _counted(result: query.Result, population: Population) -> int:
    counts = result.counts
    return {
        "initial-population": counts.initial_population,
        "denominator": counts.denominator,
        "numerator": counts.numerator,
        "unmet": counts.denominator - counts.numerator,
        "exclusions": counts.exclusions,
        "exceptions": counts.exceptions,
        "observations": counts.observations,
    }[population]


def _said(reason: str | None) -> Withheld | None:
    return Withheld(reason=reason, says=explanation.REASONS[reason]) if reason else None
