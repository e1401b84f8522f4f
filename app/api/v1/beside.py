"""What may stand beside a facility's rate when it is asked for: change, course, control chart, position."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, Field

from app.benchmarks import control, course, levels, periods, position, query, rates
from app.benchmarks.statistics import charts, run_charts


class Withheld(BaseModel):
    """Why a figure is not shown."""

    reason: str
    says: str

    @classmethod
    def of(cls, reason: str | None) -> "Withheld | None":
        return cls(reason=reason, says=query.REASONS[reason]) if reason else None


class Interval(BaseModel):
    """The 95 % interval of a rate."""

    low: float
    high: float


class ReferenceLevel(BaseModel):
    """A quantile of the facilities' own medians, of a measure or one of its strata."""

    level: str = Field(description="Its id in the definition, such as `drl`.")
    title: str
    stratum: str | None
    value: float | None = Field(description="Rounded, in the measure's unit.")
    facilities: int | None = Field(description="Whose medians it is made of.")
    above: bool | None = Field(
        description="Whether the facility's own median is above it; null where none is shown."
    )
    withheld: Withheld | None


def told_levels(found: Iterable[levels.Level], stratum: str | None) -> list[ReferenceLevel]:
    return [
        ReferenceLevel(
            level=one.level.id,
            title=one.level.title,
            stratum=stratum or None,
            value=number(one.value),
            facilities=one.facilities,
            above=one.above,
            withheld=Withheld.of(one.withheld),
        )
        for one in found
    ]


class Change(BaseModel):
    """A rate against the facility's own of a year before."""

    before: str = Field(description="The period it is compared with.")
    earlier: float = Field(description="The rate then.")
    kind: Literal["difference", "ratio"] = Field(
        description="`ratio` for a rate per 1,000: 1 is no change; else `difference`: 0 is none."
    )
    value: float | None
    interval: Interval | None = Field(
        description="Newcombe's of proportions, Welch's of means, exact of a ratio of rates. Of two "
        "results that rest on the same people it is a little too wide."
    )
    better: bool | None = Field(
        description="Whether the whole interval is on the better side; null where it holds no change."
    )


class CoursePoint(BaseModel):
    """One result of a course."""

    period: str
    rate: float | None
    withheld: Withheld | None


class Signal(BaseModel):
    """A sign that something other than chance is at work."""

    rule: charts.Rule
    says: str
    side: charts.Side = Field(description="Of the centre line; of a trend its direction.")
    first: str = Field(description="The period of the first point that shows it.")
    last: str


class Runs(BaseModel):
    """The runs around the median of the last phase, and what chance would allow (Anhøj)."""

    useful: int = Field(description="Points that are not on the median.")
    longest: int
    longest_allowed: int
    crossings: int
    crossings_needed: int


class Course(BaseModel):
    """Results up to the end of the period, and what a run chart says of them."""

    unit: course.Unit
    course: run_charts.Course
    says: str
    median: float | None = Field(description="Of the last phase.")
    runs: Runs | None = Field(description="Null of fewer than 10 points off the median.")
    signals: list[Signal]
    points: list[CoursePoint]


class ControlPoint(BaseModel):
    """One point of a control chart with its lines."""

    period: str
    value: float | None
    centre: float | None
    low: float | None
    high: float | None


class Control(BaseModel):
    """The control chart that fits the measure, and the special causes it shows."""

    chart: charts.Kind = Field(
        description="`p`, `u`: shares, rates; `p-prime`, `u-prime`: the same of large counts; `xmr`: "
        "means; `g`, `t`: cases or days between rare events, each point the later event of two."
    )
    trial: bool = Field(description="Limits rest on fewer than 12 points.")
    signals: list[Signal]
    points: list[ControlPoint]


class Position(BaseModel):
    """A result among those of all facilities, chance and their ordinary scatter allowed for."""

    target: float = Field(
        description="The pooled rate; of means the middle of all, geometric. Rounded."
    )
    score: float = Field(description="z: standard errors from the target, scatter in the error.")
    zone: position.Zone = Field(description="Within or beyond the funnel's limits at this size.")
    above: bool
    flagged: bool = Field(
        description="Differs from its peers more than chance explains, with all facilities and measures "
        "that were looked at allowed for (Benjamini and Hochberg, 5 %)."
    )
    reliability: float = Field(description="From 0 to 1.")
    shrunk: float = Field(description="The rate as far as it can be relied on.")
    shrunk_interval: Interval


class Adjusted(BaseModel):
    """A facility's events beside those that its cases would have had anywhere (`measures`: `case_mix`)."""

    observed: int | None = None
    expected: float | None = Field(
        default=None, description="Events, were outcomes as those of all facilities' like cases."
    )
    ratio: float | None = Field(default=None, description="Observed to expected.")
    interval: Interval | None = Field(
        default=None,
        description="Of the ratio, what is expected held for known: of a share of the cases (Clopper and "
        "Pearson), of a rate per 1,000 Poisson's (Garwood).",
    )
    reliability: float | None = Field(default=None, description="From 0 to 1.")
    shrunk_ratio: float | None = Field(
        default=None, description="The ratio as far as it can be relied on (gamma-Poisson)."
    )
    shrunk_interval: Interval | None = None
    rate: float | None = Field(
        default=None,
        description="The rate of all facilities times the ratio: as if all had the same patients.",
    )
    rate_interval: Interval | None = None
    withheld: Withheld | None = None


def told_adjusted(result: query.Result) -> Adjusted | None:
    found = result.adjusted
    if found is None:
        return None
    if isinstance(found, str):
        return Adjusted(withheld=Withheld.of(found))
    return Adjusted(
        observed=found.observed,
        expected=float(found.expected),
        ratio=float(found.ratio),
        interval=Interval(low=float(found.low), high=float(found.high)),
        reliability=round(found.reliability, 3),
        shrunk_ratio=float(found.shrunk),
        shrunk_interval=Interval(low=float(found.shrunk_low), high=float(found.shrunk_high)),
        rate=float(found.rate),
        rate_interval=Interval(low=float(found.rate_low), high=float(found.rate_high)),
    )


def told_change(change: course.Change | None) -> Change | None:
    if change is None:
        return None
    limits = change.low is not None and change.high is not None
    return Change(
        before=change.before.label,
        earlier=float(change.earlier),
        kind=change.kind,
        value=number(change.value),
        interval=Interval(low=float(change.low or 0), high=float(change.high or 0))
        if limits
        else None,
        better=change.better,
    )


def told_course(found: course.Course | None) -> Course | None:
    if found is None:
        return None
    return Course(
        unit=found.unit,
        course=found.trend.course,
        says=found.trend.words,
        median=found.chart.centre[-1] if found.chart.centre else None,
        runs=_runs(found.chart),
        signals=_signals(found.chart, [one.period for one in found.points]),
        points=[
            CoursePoint(
                period=one.period.label,
                rate=number(one.rate),
                withheld=Withheld.of(one.withheld),
            )
            for one in found.points
        ],
    )


def _runs(chart: charts.Chart) -> Runs | None:
    last = chart.runs[-1] if chart.runs else None
    return None if last is None else Runs(**asdict(last))


def _signals(chart: charts.Chart, over: Sequence[periods.Period]) -> list[Signal]:
    return [
        Signal(
            rule=one.rule,
            says=one.words,
            side=one.side,
            first=over[one.places[0]].label,
            last=over[one.places[-1]].label,
        )
        for one in chart.signals
    ]


def told_control(found: control.Control | None) -> Control | None:
    if found is None:
        return None
    chart = found.chart
    return Control(
        chart=chart.kind,
        trial=found.trial,
        signals=_signals(chart, found.periods),
        points=[
            ControlPoint(period=over.label, value=value, centre=centre, low=low, high=high)
            for over, value, centre, low, high in zip(
                found.periods, chart.values, chart.centre, chart.low, chart.high, strict=True
            )
        ],
    )


def told_position(result: query.Result) -> Position | None:
    norm = next((one.norm for one in result.peers if one.norm is not None), None)
    found = position.position_of(result, norm)
    if found is None:
        return None
    digits = rates.digits(result.measure)
    low, high = found.shrunk_interval
    return Position(
        target=found.target,
        score=round(found.score, 2),
        zone=found.zone,
        above=found.above,
        flagged=found.flagged,
        reliability=round(found.reliability, 3),
        shrunk=round(found.shrunk, digits),
        shrunk_interval=Interval(low=round(low, digits), high=round(high, digits)),
    )


def number(value: object) -> float | None:
    return float(value) if value is not None else None  # type: ignore[arg-type]  # a Decimal
