"""
What speaks for or against chance: a measure over time, within its funnel, and beside a year before.

The numbers are `app.benchmarks.statistics`'; here they are brought into the unit a report is read in
and said in a sentence.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from math import inf

import numpy as np

from app.benchmarks import rates
from app.benchmarks.course import compared
from app.benchmarks.position import Position, Zone
from app.benchmarks.query import Result, Spread
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.dispersion import Dispersion
from app.benchmarks.statistics.funnels import REVIEW, WATCH, proportion_limits
from app.registries.measure import Measure
from app.reports import words
from app.reports.composition import Funnel, FunnelLimit, Placing, ReportedAdjusted, ReportedChange
from app.reports.figures import MOST_DECIMALS, figures, read, withheld

WIDTHS = tuple(step * 10**power for power in range(1, 8) for step in (1, 2, 5))
"""Cases at the right edge of a funnel: few different ones, so that its limits are worked out once."""
STEPS = 32


def change(now: Result, then: Result, before: str) -> ReportedChange | None:
    """The shown result beside that of a year before; none where either is withheld, or without interval."""
    measure, found = now.measure, compared(now, then)
    if found is None or found.limits is None:
        return None
    written = _times if found.kind == "ratio" else partial(_signed, measure)
    value, low, high = (written(one) for one in (found.value, *found.limits))
    assert low is not None  # only what a ratio to nothing is has no end, and that above
    earlier = figures(then).rate or ""
    return ReportedChange(
        since=then.period.label,
        before=earlier,
        kind=found.kind,
        value=value,
        low=low,
        high=high,
        clear=found.clear,
        better=found.better,
        says=words.change_says(
            before,
            f"{earlier}{words.unit_of(measure)}",
            found.kind,
            (value, low, high),
            found.clear,
            found.rising,
        ),
    )


def _times(ratio: Fraction | float | None) -> str | None:
    """How many times as much, as it is read; none where there is nothing to be a multiple of."""
    if ratio is None or ratio == inf:
        return None
    return str(half_up(Fraction(ratio), 2))


def _signed(measure: Measure, value: Fraction | float | None) -> str | None:
    """A difference with its sign, in the unit and with the decimals of the rate."""
    if value is None:
        return None
    if measure.scoring == "proportion":
        text = str(half_up(Fraction(value) * measure.per, 3 if measure.per == 1 else 1))
    else:
        text = str(half_up(Fraction(value), min(rates.peer_digits(measure), MOST_DECIMALS)))
    return text.replace("-", "−") if text.startswith("-") else f"+{text}"


def funnel(
    shown: Result, found: Position | None, group: Spread | None, earlier: Sequence[Result]
) -> Funnel | None:
    """A proportion among the limits of chance around all facilities.

    The middle is the rate of all their cases together, or their median where that is not told. Where
    facilities scatter beyond chance (and how far is told), the limits hold that scatter too.
    """
    measure = shown.measure
    if measure.scoring != "proportion" or shown.rate is None or group is None:
        return None
    middle = group.median if group.pooled is None else group.pooled
    assert middle is not None
    target, scatter = float(middle), float((group.norm or {}).get("tau_squared", 0))
    if not 0 < target < 1:
        return None
    cases, value = shown.counts.denominator, float(shown.rate)
    most = next((one for one in WIDTHS if one >= cases), WIDTHS[-1])
    zone = _zone(target, scatter, cases, value) if found is None else found.zone
    middle_says = f"{read(measure, middle)}{words.unit_of(measure)}"
    return Funnel(
        title=group.title,
        target=round(target * measure.per, 4),
        target_says=f"{'median' if group.pooled is None else 'pooled rate'} {middle_says}",
        scatter=scatter > 0,
        limits=limits(target, measure.per, most, scatter),
        cases=cases,
        value=round(value * measure.per, 4),
        zone=zone,
        earlier=tuple(
            (one.counts.denominator, round(float(one.rate) * measure.per, 4))
            for one in earlier
            if one.rate is not None and one.period != shown.period
        ),
        says=words.funnel_says(zone, group.title, value > target, scatter > 0),
    )


def _zone(target: float, scatter: float, cases: int, value: float) -> Zone:
    """Where a rate lies among limits around a middle of which no norm is told."""
    inner, outer = (
        proportion_limits(target, [cases], level, _over(scatter)) for level in (WATCH, REVIEW)
    )
    if inner.low[0] <= value <= inner.high[0]:
        return "inside"
    return "beyond-95" if outer.low[0] <= value <= outer.high[0] else "beyond-998"


def peer_position(shown: Result, found: Position | None, group: Spread | None) -> Placing | None:
    """What the result says of the facility when chance is allowed for; none without a norm of peers."""
    if found is None or group is None:
        return None
    measure = shown.measure

    def told(value: float) -> str:
        return read(measure, Fraction(value))

    low, high = (told(one) for one in found.shrunk_interval)
    score = f"{found.score:+.1f}".replace("-", "−")
    return Placing(
        title=group.title,
        target=told(found.target),
        score=score,
        zone=found.zone,
        flagged=found.flagged,
        above=found.above,
        reliability=f"{found.reliability:.2f}",
        shrunk=told(found.shrunk),
        low=low,
        high=high,
        says=words.placing_says(found, told(found.shrunk), low, high, measure),
    )


def adjusted(shown: Result) -> ReportedAdjusted | None:
    """The result as if all facilities had the same patients; none of a result that is withheld itself."""
    found, measure = shown.adjusted, shown.measure
    if found is None or shown.rate is None:
        return None
    factors = tuple(one.title for one in measure.case_mix)
    if isinstance(found, str):
        reason = withheld(found)
        assert reason is not None
        return ReportedAdjusted(
            factors=factors, says=words.unadjusted_says(reason.says), withheld=reason
        )

    def ratio(value: Decimal) -> str:
        return f"{half_up(value, MOST_DECIMALS)}"

    told = ReportedAdjusted(
        factors=factors,
        observed=found.observed,
        expected=f"{found.expected}",
        ratio=ratio(found.ratio),
        ratio_low=ratio(found.low),
        ratio_high=ratio(found.high),
        shrunk=ratio(found.shrunk),
        shrunk_low=ratio(found.shrunk_low),
        shrunk_high=ratio(found.shrunk_high),
        reliability=f"{found.reliability:.2f}",
        rate=read(measure, found.rate),
        low=read(measure, found.rate_low),
        high=read(measure, found.rate_high),
        says="",
    )
    return told.model_copy(update={"says": words.adjusted_says(measure, told)})


@lru_cache(maxsize=4096)
def limits(target: float, per: int, most: int, scatter: float = 0.0) -> tuple[FunnelLimit, ...]:
    """The funnel's lines up to so many cases: the same for every facility of a measure and width."""
    # Limits bend where cases are few: half of the places lie in the first eighth.
    places = most * (np.arange(1, STEPS + 1) / STEPS) ** 2
    cases = sorted({max(round(float(one)), 1) for one in places})
    inner, outer = (
        proportion_limits(target, cases, level, _over(scatter)) for level in (WATCH, REVIEW)
    )
    return tuple(
        FunnelLimit(
            cases=number,
            low_95=round(per * float(inner.low[place]), 3),
            high_95=round(per * float(inner.high[place]), 3),
            low_998=round(per * float(outer.low[place]), 3),
            high_998=round(per * float(outer.high[place]), 3),
        )
        for place, number in enumerate(cases)
    )


def _over(tau_squared: float) -> Dispersion | None:
    """The scatter that a snapshot told, as the limits take it."""
    return Dispersion(0, 1.0, tau_squared) if tau_squared else None
