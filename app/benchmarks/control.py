"""
Control: the control chart that fits a measure, over the results of a course.

Which one follows from what is measured (Provost and Murray 2011; the NIST/SEMATECH e-Handbook, section
6.3): shares p, rates per 1,000 u, Laney's p′ and u′ where counts are large, means and ratios XmR, and
where events are so rare that many periods have none, the cases between them, g; or the days, t,
where the definition says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from app.benchmarks import rates
from app.benchmarks.periods import Period
from app.benchmarks.query import Result
from app.benchmarks.statistics.charts import Chart, Phase, phases
from app.benchmarks.statistics.control_charts import (
    g_chart,
    p_chart,
    p_prime_chart,
    t_chart,
    u_chart,
    u_prime_chart,
    xmr_chart,
)
from app.registries.measure import ControlChart, Measure

FEWEST = 10
"""Points below which no control chart is made: as for a run chart."""
LARGE = 1_000
"""Cases a period, on average, from which on chance alone is less than the ordinary (our judgement;
Provost and Murray warn of large counts without a number)."""
RARE = 0.25
"""The share of periods without an event from which on a p or u chart says little (Provost and Murray)."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control chart, and the period each of its points belongs to.

    Points of g and t charts are events, that of each later one of two; all others are periods.
    """

    chart: Chart
    periods: tuple[Period, ...]

    @property
    def trial(self) -> bool:
        """Whether the limits of the last phase rest on too few points to be relied on."""
        return self.chart.trial[-1]


def control_of(
    measure: Measure,
    over: Sequence[Period],
    results: Sequence[Result | None],
    begins: Sequence[date] = (),
) -> Control | None:
    """The control chart of results in the order of time; None of fewer than ten points.

    `begins` are months with which new phases begin. What may not be shown is no point; but counts too
    small for a rate are one's own to know, and are counted between rare events.
    """
    counted = [None if one is None or one.hides_outcome else one for one in results]
    shown = [None if one is None or one.rate is None else one for one in counted]
    known = [one for one in shown if one is not None]
    chosen = choice(measure, known)
    if chosen in ("g", "t"):
        found = _events(counted, over, by_days=chosen == "t")
        if len(found) <= FEWEST:
            return None
        between = [later.at - earlier.at for earlier, later in pairwise(found)]
        places = [over[one.place] for one in found[1:]]
        cut = phases_of(places, begins)
        if chosen == "t":
            return Control(t_chart(between, cut), tuple(places))
        return Control(g_chart([max(one - 1, 0.0) for one in between], cut), tuple(places))
    if len(known) < FEWEST:
        return None
    cut = phases_of(over, begins)
    if chosen == "xmr":
        values = [None if one is None else _value(one) for one in shown]
        return Control(xmr_chart(values, cut), tuple(over))
    met, of = (
        [0 if one is None else getattr(one.counts, name) for one in shown]
        for name in ("numerator", "denominator")
    )
    large = sum(of) >= LARGE * len(known)
    if chosen == "u":
        return Control((u_prime_chart if large else u_chart)(met, of, cut), tuple(over))
    return Control((p_prime_chart if large else p_chart)(met, of, cut), tuple(over))


def choice(measure: Measure, known: Sequence[Result]) -> ControlChart:
    """Which chart: that of the definition, or what the measure's kind and its counts call for."""
    if measure.control_chart != "auto":
        return measure.control_chart
    if measure.scoring != "proportion":
        return "xmr"
    if sum(not one.counts.numerator for one in known) > RARE * len(known):
        return "g"
    return "u" if measure.per == 1000 else "p"


class _Event(NamedTuple):
    place: int
    at: float
    """Cases, or days, since the beginning."""


def _events(
    counted: Sequence[Result | None], over: Sequence[Period], *, by_days: bool
) -> list[_Event]:
    """Events in the order of time. Tables hold no days: events of a period are spread evenly over it."""
    found: list[_Event] = []
    begun = 0.0
    for place, (one, period) in enumerate(zip(counted, over, strict=True)):
        days = (period.end + timedelta(days=1) - period.first).days
        length = days if by_days else 0 if one is None else one.counts.denominator
        events = 0 if one is None else one.counts.numerator
        found += [_Event(place, begun + length * (n + 0.5) / events) for n in range(events)]
        begun += length
    return found


def _value(result: Result) -> float:
    exact = rates.rate(result.measure, result.counts)
    assert exact is not None
    return float(exact)


def phases_of(over: Sequence[Period], begins: Sequence[date]) -> tuple[Phase, ...]:
    """Phases that begin with the first point of a period that reaches into a month or beyond it."""
    lasts = np.array([one.last.toordinal() for one in over])
    starts = {int(np.searchsorted(lasts, one.toordinal())) for one in begins}
    return phases(len(over), [one for one in sorted(starts) if 0 < one < len(over)])
