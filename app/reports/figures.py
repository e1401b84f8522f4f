"""Results as they are read: rounded once, in the measure's own unit, or withheld with the reason."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from app.benchmarks import rates
from app.benchmarks.query import REASONS, Result, Spread
from app.benchmarks.statistics import half_up
from app.registries.measure import Measure
from app.reports import words
from app.reports.composition import (
    Figures,
    Levelled,
    ReportedLevel,
    Standing,
    Strata,
    Stratum,
    Withheld,
)

MOST_DECIMALS = 2
"""Of a mean or a ratio: people read no more."""


class Split(NamedTuple):
    """One measure's results in the strata of one stratifier."""

    measure_id: str
    stratifier: str
    title: str
    results: Sequence[Result]


def figures(result: Result) -> Figures:
    """A result as it is read. A numerator that may not be known yet stays unsaid."""
    measure, counts = result.measure, result.counts
    exact: Fraction | None = None
    if measure.scoring == "cohort" and result.withheld is None:
        exact = Fraction(counts.initial_population)
    elif result.rate is not None:
        exact = rates.rate(measure, counts)
    hidden = result.hides_outcome or measure.scoring != "proportion"
    return Figures(
        period=result.period.label,
        rate=None if exact is None else read(measure, exact),
        low=None if result.low is None else read(measure, result.low),
        high=None if result.high is None else read(measure, result.high),
        numerator=None if hidden else counts.numerator,
        denominator=counts.initial_population
        if measure.scoring == "cohort"
        else rates.size(measure, counts),
        exclusions=counts.exclusions,
        exceptions=None if result.hides_outcome else counts.exceptions,
        caution=result.caution,
        withheld=withheld(result.withheld),
    )


def standing(measure: Measure, spread: Spread) -> Standing:
    """Where the facility stands among one group of peers."""
    reason = withheld(spread.withheld)

    def told(value: Decimal | None) -> str | None:
        return None if value is None else read(measure, value)

    return Standing(
        peer_group=spread.peer_group,
        title=spread.title,
        snapshot_on=spread.snapshot_on,
        facilities=spread.facilities if reason is None else None,
        low=told(spread.low),
        median=told(spread.median),
        high=told(spread.high),
        p10=told(spread.p10),
        p90=told(spread.p90),
        pooled=told(spread.pooled),
        quartile=spread.quartile,
        says=reason.says
        if reason
        else words.standing_says(spread.quartile, words.better(measure), spread.facilities),
        withheld=reason,
    )


def strata(measure: Measure, splits: Iterable[Split]) -> tuple[Strata, ...]:
    """A measure's results, split each way its definition names."""
    labels = {one.id: one.strata for one in measure.stratifiers}
    return tuple(
        Strata(
            title=split.title,
            strata=tuple(
                Stratum(
                    title=labels[split.stratifier].get(one.stratum or "", one.stratum or ""),
                    figures=figures(one),
                )
                for one in split.results
            ),
        )
        for split in splits
        if split.measure_id == measure.id
        and not (measure.reference_levels and measure.reference_levels.by == split.stratifier)
    )


def levelled(measure: Measure, shown: Result, splits: Iterable[Split]) -> tuple[Levelled, ...]:
    """A measure's medians beside its reference levels, where there are cases."""
    if measure.reference_levels is None:
        return ()
    by = measure.reference_levels.by
    labels = next((one.strata for one in measure.stratifiers if one.id == by), {"": measure.title})
    results = [one for split in splits if split.stratifier == by for one in split.results]

    def told(value: Decimal | None) -> str | None:
        return None if value is None else read(measure, value)

    return tuple(
        Levelled(
            title=labels.get(one.stratum or "", one.stratum or ""),
            cases=one.counts.observations,
            median=told(one.median),
            levels=tuple(
                ReportedLevel(
                    title=level.level.title,
                    value=told(level.value),
                    above=level.above,
                    withheld=withheld(level.withheld),
                )
                for level in one.levels
            ),
        )
        for one in (results if by is not None else [shown])
        if one.counts.observations
    )


def read(measure: Measure, value: Fraction | Decimal) -> str:
    """A rate as it is read: per 100 or 1,000 where the measure says so; a count without decimals."""
    if measure.scoring == "cohort":
        return str(half_up(value, 0))
    if measure.scoring == "proportion":
        return str(half_up(Fraction(value) * measure.per, 3 if measure.per == 1 else 1))
    return str(half_up(value, min(rates.peer_digits(measure), MOST_DECIMALS)))


def withheld(reason: str | None) -> Withheld | None:
    """A reason with its words."""
    return None if reason is None else Withheld(reason=reason, says=REASONS[reason])
