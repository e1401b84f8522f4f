"""Benchmarks: how rates are spread over peer groups, by a dated snapshot."""

from datetime import UTC, date, datetime
from math import exp, isfinite
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app import errors
from app.access import Act
from app.api.dependencies import Asker, RegistryInForce, Transactions
from app.api.problems import problems
from app.api.v1.beside import ReferenceLevel, Withheld, told_levels
from app.api.v1.metrics import (
    MeasureIds,
    Peers,
    Periods,
    asked_measures,
    asked_periods,
    told_peers,
)
from app.benchmarks import levels, standing
from app.benchmarks.peers import grouping

router = APIRouter(prefix="/registries/{registry_id}/benchmarks", tags=["benchmarks"])


class Norm(BaseModel):
    """What all facilities together say of a measure: enough to place any result, and nobody's own."""

    target: float = Field(description="The pooled rate; of means the middle of all, geometric.")
    tau_squared: float = Field(
        description="Scatter beyond chance: of shares on the arcsine scale, of means on the log scale."
    )
    precision: float | None = Field(
        default=None,
        description="Cases at which a facility's own rate and that of all weigh the same; null where "
        "facilities differ by chance alone, and of means.",
    )
    between: float | None = Field(
        default=None, description="Variance of the logarithm of true means between facilities."
    )
    variation: float | None = Field(
        default=None,
        description="Squared coefficient of variation of observations within facilities.",
    )
    called_up_to: float = Field(
        description="The probability up to which a result of this period is called, among those of all "
        "facilities and measures (Benjamini and Hochberg, 5 %)."
    )


class Level(BaseModel):
    """What a level adds to the log-odds, beside the level that its factor's others are compared with."""

    factor: str
    level: str
    log_odds: float
    odds_ratio: float


class CaseMix(BaseModel):
    """What patients bring to an outcome, estimated within facilities; rounded, and nobody's own."""

    intercept: float | None = Field(
        default=None, description="Log-odds of a case at the base of every factor."
    )
    base: dict[str, str] = Field(
        default_factory=dict, description="Factor -> the level that others are compared with."
    )
    levels: list[Level] = Field(
        default_factory=list,
        description="Levels that are not listed are too rare to be told, and count as the base.",
    )
    shape: float | None = Field(
        default=None,
        description="Of the gamma distribution of true ratios around 1: expected events at which a "
        "facility's own ratio and 1 weigh the same; null where facilities differ by chance alone.",
    )
    withheld: Withheld | None = None


class Benchmark(Peers):
    """A measure's spread over one peer group and period."""

    measure: str
    period: str
    reference_levels: list[ReferenceLevel] = Field(
        description="Of all facilities, for measures that have them: quantiles of the facilities' medians, "
        "by stratum."
    )
    norm: Norm | None = Field(
        description="With `include=norm`: of all facilities, twenty or more, where the pooled rate is told."
    )
    case_mix: CaseMix | None = Field(
        description="With `include=norm`, of all facilities, for measures with a case mix."
    )


class Benchmarks(BaseModel):
    """Spreads of one snapshot. They hold no count of cases, and nobody's own rate."""

    registry: str
    benchmarks: list[Benchmark]


@router.get("", response_model=Benchmarks, responses=problems(401, 403, 404, 422))
async def read_benchmarks(
    definition: RegistryInForce,
    asker: Asker,
    transactions: Transactions,
    measure: MeasureIds = None,
    period: Periods = None,
    peer_group: Annotated[
        str | None,
        Query(min_length=1, max_length=63, description="How peers are chosen, such as `division`."),
    ] = None,
    snapshot: Annotated[
        date | None, Query(description="The day of a past snapshot; the latest when left out.")
    ] = None,
    include: Annotated[
        list[Literal["norm"]] | None,
        Query(
            max_length=1,
            description="`norm`: what funnels, shrunk rates and expected numbers are made with.",
        ),
    ] = None,
) -> Benchmarks:
    """How rates are spread over peer groups: the same for everybody until the next snapshot."""
    asker.require(Act.READ_BENCHMARKS)
    if peer_group is not None and grouping(definition, peer_group) is None:
        raise errors.NotFound("This registry has no such peer group.")
    async with transactions.begin() as session:
        found = await standing.spreads(
            session,
            definition,
            measures=asked_measures(definition, measure) or definition.measures,
            periods=asked_periods(period, datetime.now(UTC).date()),
            peer_group=peer_group,
            on=snapshot,
        )
    return Benchmarks(
        registry=definition.id,
        benchmarks=[
            Benchmark(
                measure=measure_id,
                period=over,
                reference_levels=[
                    one
                    for stratum in definition.measure(measure_id).reference_strata
                    for one in told_levels(
                        levels.beside(definition.measure(measure_id), stratum, None, spread.levels),
                        stratum,
                    )
                ],
                norm=_norm(spread) if include else None,
                case_mix=_case_mix(spread) if include else None,
                **told_peers(spread),
            )
            for measure_id, over, spread in found
        ],
    )


def _norm(spread: standing.Spread) -> Norm | None:
    if spread.norm is None:
        return None
    told = {name: float(value) for name, value in spread.norm.items()}
    return Norm(**{name: value for name, value in told.items() if isfinite(value)})


def _case_mix(spread: standing.Spread) -> CaseMix | None:
    told = spread.case_mix
    if told is None:
        return None
    if "withheld" in told:
        return CaseMix(withheld=Withheld.of(told["withheld"]))
    shape = float(told["shape"])
    return CaseMix(
        intercept=float(told["intercept"]),
        base=told["base"],
        levels=[
            Level(
                factor=factor,
                level=level,
                log_odds=float(value),
                odds_ratio=round(exp(float(value)), 2),
            )
            for factor, its in told["effects"].items()
            for level, value in its.items()
        ],
        shape=shape if isfinite(shape) else None,
    )


class TakenSnapshot(BaseModel):
    """A snapshot that is kept: every night of this month and the last, then the last of each month."""

    date: date
    at: datetime


@router.get("/snapshots", response_model=list[TakenSnapshot], responses=problems(401, 403, 404))
async def list_snapshots(
    definition: RegistryInForce, asker: Asker, transactions: Transactions
) -> list[TakenSnapshot]:
    """The snapshots that are kept, the newest first. `?snapshot=` of the benchmarks takes their dates."""
    asker.require(Act.READ_BENCHMARKS)
    async with transactions.begin() as session:
        found = await standing.dates(session, definition.id)
    return [TakenSnapshot(date=day, at=at) for day, at in found]
