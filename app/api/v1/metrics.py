"""Metrics: a facility's own rates, live, beside its peers of the latest snapshot."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app import access, errors
from app.access import Act
from app.api.dependencies import (
    LARGEST_INTEGER,
    NO_SUCH_FACILITY,
    Asker,
    RegistryInForce,
    Transactions,
    visible_facility,
)
from app.api.problems import problems
from app.api.v1.beside import (
    Adjusted,
    Change,
    Control,
    Course,
    Interval,
    Position,
    ReferenceLevel,
    Withheld,
    number,
    told_adjusted,
    told_change,
    told_control,
    told_course,
    told_levels,
    told_position,
)
from app.api.v1.measures import known_measure
from app.benchmarks import course, periods, query, standing
from app.benchmarks.ground import ground
from app.registries.measure import Improvement, Measure, Scoring
from app.registries.schema import Definition

router = APIRouter(prefix="/registries/{registry_id}/metrics", tags=["benchmarks"])

MOST_PERIODS = 36
FEW_PERIODS = 4
"""Of which a change and a course may be asked for at once."""


class AsOf(BaseModel):
    """How current a figure is: everything accepted up to this feed number is in it."""

    feed_number: int
    at: datetime | None


class Quartiles(BaseModel):
    """How the facilities' rates are spread, rounded."""

    low: float = Field(description="First quartile.")
    median: float
    high: float = Field(description="Third quartile.")
    p10: float | None = Field(description="Only of 20 facilities or more.")
    p90: float | None
    pooled: float | None = Field(
        description="The rate of all cases together: over all facilities, and where its rounding hides "
        "enough cases."
    )


class Peers(BaseModel):
    """A peer group in a dated snapshot, and where the facility stands in it."""

    group: str = Field(description="How peers were chosen, such as `division`.")
    peers: str = Field(description="Which of its groups, such as `mountain`.")
    title: str
    snapshot: date | None = Field(description="The day the snapshot was taken.")
    facilities: int | None
    quartiles: Quartiles | None
    rank_quartile: int | None = Field(
        description="1 is the best quarter, 4 the last; where neither direction is better, 1 holds "
        "the lowest rates."
    )
    percentile: int | None = Field(
        description="The share in percent of the facilities whose rates are lower, equal ones counted "
        "by half; in steps of 1 among 100 facilities or more, of 5 among 20."
    )
    withheld: Withheld | None


class Metric(BaseModel):
    """A measure's result for a facility, a period and, if asked for, a stratum."""

    measure: str
    title: str
    scoring: Scoring
    facility: int
    period: str
    stratifier: str | None
    stratum: str | None
    initial_population: int
    denominator: int = Field(
        description="What a rate divides by: exclusions and exceptions are not in it."
    )
    exclusions: int
    exceptions: int | None
    numerator: int | None
    observations: int | None
    rate: float | None = Field(
        description="A proportion between 0 and 1, or the mean in the measure's unit."
    )
    interval: Interval | None
    median: float | None = Field(description="Of the observations, where a histogram is kept.")
    per: int = Field(description="What a proportion is usually displayed per: 1, 100 or 1,000.")
    unit: str | None
    improvement: Improvement
    caution: bool = Field(description="Few cases: read the interval, not the rate.")
    peers: list[Peers]
    reference_levels: list[ReferenceLevel] = Field(
        description="What the median is held against: of measures that have them, overall or by their "
        "stratifier."
    )
    change: Change | None = Field(description="With `include=change`, where both may be shown.")
    course: Course | None = Field(description="With `include=course`.")
    control: Control | None = Field(description="With `include=control`, of ten points or more.")
    position: Position | None = Field(
        description="With `include=position`, where the snapshot tells the norm of all facilities."
    )
    adjusted: Adjusted | None = Field(
        description="With `include=adjusted`, of measures with a case mix, overall: observed to expected."
    )
    withheld: Withheld | None


class Metrics(BaseModel):
    """Results of one facility, and how current they are."""

    registry: str
    definition_version: str
    as_of: AsOf
    metrics: list[Metric]


Facility = Annotated[
    int | None,
    Query(
        ge=1,
        le=LARGEST_INTEGER,
        description="A facility's number; may be left out with a key of one facility.",
    ),
]
MeasureIds = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]] | None,
    Query(max_length=200, description="Measures; all of the registry's when left out."),
]
Periods = Annotated[
    list[Annotated[str, Field(pattern=periods.PATTERN, max_length=20)]] | None,
    Query(
        max_length=MOST_PERIODS,
        description="`2026`, `2026Q3`, `2026-09` or `2025-10..2026-09`; the last twelve complete "
        "months when left out.",
    ),
]
Stratum = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        pattern=r"^[a-z][a-z0-9_]{0,62}(:[^\x00-\x1f\x7f-\x9f]+)?$",
        description="A stratifier, `indication`, for all its strata, or one of them, "
        "`indication:baseline`.",
    ),
]


@router.get("", response_model=Metrics, responses=problems(401, 403, 404, 422))
async def read_metrics(
    definition: RegistryInForce,
    asker: Asker,
    transactions: Transactions,
    facility: Facility = None,
    measure: MeasureIds = None,
    period: Periods = None,
    stratum: Stratum = None,
    include: Annotated[
        list[Literal["change", "course", "control", "position", "adjusted"]] | None,
        Query(
            max_length=5,
            description="`change`: against the facility's own last year; `course`: the last 12 quarters, "
            "or 24 months of a single month, with the run chart's word; `control`: the control chart of "
            "these; `position`: among all facilities, chance allowed for; `adjusted`: beside what the "
            "case mix leads to expect. For at most "
            f"{FEW_PERIODS} periods.",
        ),
    ] = None,
    phase: Annotated[
        list[Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]] | None,
        Query(
            max_length=6,
            description="Months with which new phases of course and control chart begin, such as that "
            "after a change was made.",
        ),
    ] = None,
) -> Metrics:
    """A facility's rates, current to the last accepted case, beside its peers.

    Peers come from a dated snapshot. What display rules hold back is `withheld`, with the reason.
    """
    asker.require(Act.READ_RESULTS)
    facility = visible_facility(asker, the_facility(asker, facility, definition), definition.id)
    today = datetime.now(UTC).date()
    stratifier, named = asked_stratum(definition, stratum)
    asked = asked_periods(period, today)
    if include and len(asked) > FEW_PERIODS:
        raise errors.Unprocessable(f"`include` goes with at most {FEW_PERIODS} periods.")
    async with transactions.begin() as session:
        on = await ground(session, definition, facility)
        if on.traits is None:
            raise errors.NotFound(NO_SUCH_FACILITY)
        answer = await query.results(
            session,
            definition,
            facility,
            asked,
            today=today,
            measures=asked_measures(definition, measure),
            stratifier=stratifier,
            stratum=named,
            with_case_mix="adjusted" in (include or ()),
            on=on,
        )
        beside = await course.beside(
            session,
            definition,
            facility,
            answer.results,
            today=today,
            changes="change" in (include or ()),
            courses="course" in (include or ()),
            controls="control" in (include or ()),
            begins=[periods.period(one).first for one in phase or ()],
            on=on,
        )
    return Metrics(
        registry=definition.id,
        definition_version=definition.version,
        as_of=AsOf(feed_number=answer.as_of.feed_number, at=answer.as_of.at),
        metrics=[
            shown(one, beside, positioned="position" in (include or ())) for one in answer.results
        ],
    )


def the_facility(asker: access.Asker, facility: int | None, definition: Definition) -> int:
    """The facility that was named, or the only one within the key."""
    if facility is not None:
        return facility
    reach = asker.facilities_in(definition.id)
    if reach is None or len(reach) != 1:
        raise errors.Unprocessable("Your key reaches several facilities: name one, ?facility=…")
    (only,) = reach
    return only


def asked_stratum(
    definition: Definition, text: str | None, measure: Measure | None = None
) -> tuple[str | None, str | None]:
    """A stratifier, and one of its strata if one was named; of any measure, or of this one."""
    stratifier, _, named = (text or "").partition(":")
    measures = definition.measures if measure is None else (measure,)
    if stratifier and stratifier not in {s.id for m in measures for s in m.stratifiers}:
        whose = "No measure of this registry has" if measure is None else "This measure has not"
        raise errors.Unprocessable(f"{whose} that stratifier.")
    return stratifier or None, named or None


def asked_measures(definition: Definition, ids: list[str] | None) -> list[Measure] | None:
    """The measures that were asked for, each once; none named means all."""
    return [known_measure(definition, one) for one in dict.fromkeys(ids)] if ids else None


def asked_periods(texts: list[str] | None, today: date) -> list[periods.Period]:
    """The periods that were asked for, each once."""
    if not texts:
        return [periods.last_complete_year(today)]
    return list(dict.fromkeys(periods.period(one) for one in texts))


def shown(result: query.Result, beside: course.Beside, *, positioned: bool) -> Metric:
    """A result as it is told."""
    key = result.measure.id, result.period, result.stratum
    counts, measure = result.counts, result.measure
    hidden = result.hides_outcome
    proportion, observed = measure.scoring == "proportion", measure.observation is not None
    return Metric(
        measure=measure.id,
        title=measure.title,
        scoring=measure.scoring,
        facility=result.facility_id,
        period=result.period.label,
        stratifier=result.stratifier,
        stratum=result.stratum,
        initial_population=counts.initial_population,
        denominator=counts.denominator,
        exclusions=counts.exclusions,
        exceptions=None if hidden else counts.exceptions,
        numerator=counts.numerator if (proportion or measure.numerator) and not hidden else None,
        observations=counts.observations if observed and not hidden else None,
        rate=number(result.rate),
        interval=(
            Interval(low=float(result.low), high=float(result.high))
            if result.low is not None and result.high is not None
            else None
        ),
        median=number(result.median),
        per=measure.per if proportion else 1,
        unit=measure.unit,
        improvement=measure.improvement,
        caution=result.caution,
        peers=[peers(one) for one in result.peers],
        reference_levels=told_levels(result.levels, result.stratum),
        change=told_change(beside.changes.get(key)),
        course=told_course(beside.courses.get(key)),
        control=told_control(beside.controls.get(key)),
        position=told_position(result) if positioned else None,
        adjusted=told_adjusted(result),
        withheld=Withheld.of(result.withheld),
    )


def peers(spread: standing.Spread) -> Peers:
    """A peer group's spread as it is told."""
    return Peers(**told_peers(spread))


def told_peers(spread: standing.Spread) -> dict[str, Any]:
    """The fields of `Peers`."""
    return {
        "group": spread.peer_group,
        "peers": spread.peers,
        "title": spread.title,
        "snapshot": spread.snapshot_on,
        "facilities": spread.facilities,
        "quartiles": (
            Quartiles(
                low=float(spread.low),
                median=float(spread.median),
                high=float(spread.high),
                p10=number(spread.p10),
                p90=number(spread.p90),
                pooled=number(spread.pooled),
            )
            if spread.low is not None and spread.median is not None and spread.high is not None
            else None
        ),
        "rank_quartile": spread.quartile,
        "percentile": spread.percentile,
        "withheld": Withheld.of(spread.withheld),
    }
