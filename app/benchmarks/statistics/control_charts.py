"""
Control charts: a centre, limits three sigma away, and the special causes found.

Shewhart's charts by what is counted (NIST/SEMATECH e-Handbook section 6.3; Provost and Murray 2011):
XmR for measured values, p for proportions, u for rates, Laney's p′ and u′ where counts are so large
that chance alone is less than the ordinary (Laney, Quality Engineering 2002), g and t for what is so
rare that cases or time between events are charted (Benneyan 2001; Nelson, Journal of Quality
Technology 1994).

All take points in the order of time, NaN or a denominator of 0 for one without a value, and phases
(`charts.phases`); without them there is one phase. A phase's centre and limits come from its basis.
Limits are cut to what a value can be. Where a basis is too small for a centre or limits they are
None, and no rule is applied that needs them.
"""

from collections.abc import Callable, Sequence
from math import log, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.benchmarks.statistics import rules
from app.benchmarks.statistics.charts import Chart, Kind, Phase, Signal, covering, told
from app.benchmarks.statistics.intervals import Floats, floats

D2 = 1.128
"""Mean range of two normal values, in sigma: as the tables print it (2 / √π = 1.12838 exactly)."""
D4 = 3.267
"""Upper limit of a range of two, in mean ranges."""
WEIBULL = 3.6
"""The root that makes exponential times nearly normal (Nelson 1994)."""


class Limits(NamedTuple):
    """Of one phase: its centre, each point's sigma, and where a value must end."""

    centre: float
    sigma: Floats | None
    floor: float = -np.inf
    ceiling: float = np.inf


Basis = npt.NDArray[np.bool_]
Estimate = Callable[[Basis], Limits]
"""From which places of a chart count for a phase's basis, to its centre and the sigma of all places."""


def xmr_chart(values: Sequence[float | None], wanted: Sequence[Phase] | None = None) -> Chart:
    """The chart of individual values: mean, and 3 / 1.128 = 2.66 mean moving ranges to each side.

    Every moving range counts, large ones too. Ranges are between neighbours that have a value.
    """
    x = _values(values)

    def estimate(basis: Basis) -> Limits:
        found = _sigma(x[basis])
        sigma = None if found is None else np.full(len(x), found)
        return Limits(float(x[basis].mean()), sigma)

    return _chart("xmr", x, wanted, estimate)


def moving_range_chart(
    values: Sequence[float | None], wanted: Sequence[Phase] | None = None
) -> Chart:
    """The moving ranges beside an XmR chart: their mean, and 3.267 times it above.

    The first point of a phase has no range. Only points beyond the limit are signals, since
    neighbouring ranges share a value.
    """
    x = _values(values)
    cut = covering(len(x), wanted)
    ranges = np.full(len(x), np.nan)
    for phase in cut:
        places = phase.first + np.flatnonzero(~np.isnan(x[phase.first : phase.after]))
        ranges[places[1:]] = np.abs(np.diff(x[places]))

    def estimate(basis: Basis) -> Limits:
        mean = float(ranges[basis].mean())
        return Limits(mean, np.full(len(x), (D4 - 1) * mean / 3), floor=0.0)

    return _chart("moving-range", ranges, cut, estimate, (rules.beyond_limits,), zones=False)


def p_chart(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, wanted: Sequence[Phase] | None = None
) -> Chart:
    """The chart of proportions: pooled proportion p, sigma √(p(1 - p) / n) at each point; in [0, 1]."""
    x, n = _counts(numerators, denominators, proportion=True)
    return _chart("p", _divided(x, n), wanted, _proportions(x, n))


def u_chart(
    counts: npt.ArrayLike, exposures: npt.ArrayLike, wanted: Sequence[Phase] | None = None
) -> Chart:
    """The chart of rates: pooled rate u, sigma √(u / exposure) at each point; not below 0."""
    x, n = _counts(counts, exposures, proportion=False)
    return _chart("u", _divided(x, n), wanted, _rates(x, n))


def p_prime_chart(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, wanted: Sequence[Phase] | None = None
) -> Chart:
    """Laney's p′: a p chart whose sigma is multiplied by how much its scores move from point to point."""
    x, n = _counts(numerators, denominators, proportion=True)
    values = _divided(x, n)
    return _chart("p-prime", values, wanted, _laney(values, _proportions(x, n)))


def u_prime_chart(
    counts: npt.ArrayLike, exposures: npt.ArrayLike, wanted: Sequence[Phase] | None = None
) -> Chart:
    """Laney's u′: a u chart whose sigma is multiplied by how much its scores move from point to point."""
    x, n = _counts(counts, exposures, proportion=False)
    values = _divided(x, n)
    return _chart("u-prime", values, wanted, _laney(values, _rates(x, n)))


def g_chart(between: Sequence[float | None], wanted: Sequence[Phase] | None = None) -> Chart:
    """The chart of cases between rare events, which are geometric. Higher is rarer.

    The upper limit is mean + 3 √(mean (mean + 1)); below there is none. The centre line is the
    theoretical median, 0.693 of the mean (Provost and Murray), so that half of the points lie on
    each side and runs can be counted. The rules of zones do not hold and are not applied.
    """
    x = _values(between)
    if np.any(x < 0):
        raise ValueError("cases between events are not negative")

    def estimate(basis: Basis) -> Limits:
        mean = float(x[basis].mean())
        centre = log(2) * mean
        high = mean + 3 * sqrt(mean * (mean + 1))
        return Limits(centre, np.full(len(x), (high - centre) / 3))

    searches = (rules.beyond_limits, rules.long_runs, rules.trends)
    return _chart("g", x, wanted, estimate, searches, zones=False, one_sided=True)


def t_chart(between: Sequence[float | None], wanted: Sequence[Phase] | None = None) -> Chart:
    """The chart of time between rare events: an XmR chart of its 3.6th root, turned back."""
    x = _values(between)
    if np.any(x < 0):
        raise ValueError("time between events is not negative")
    rooted = xmr_chart([float(one) for one in x ** (1 / WEIBULL)], wanted)

    def back(line: tuple[float | None, ...]) -> tuple[float | None, ...]:
        return tuple(None if one is None else max(one, 0.0) ** WEIBULL for one in line)

    # A time cannot be below 0: a limit that would be is none.
    low = tuple(None if one is None or one <= 0 else one for one in rooted.low)
    return Chart(
        "t",
        told(x),
        back(rooted.centre),
        back(low),
        back(rooted.high),
        rooted.phases,
        rooted.signals,
    )


def _proportions(x: Floats, n: Floats) -> Estimate:
    def estimate(basis: Basis) -> Limits:
        p = float(x[basis].sum() / n[basis].sum())
        return Limits(p, _root(p * (1 - p), n), 0.0, 1.0)

    return estimate


def _rates(x: Floats, n: Floats) -> Estimate:
    def estimate(basis: Basis) -> Limits:
        u = float(x[basis].sum() / n[basis].sum())
        return Limits(u, _root(u, n), 0.0)

    return estimate


def _laney(values: Floats, plain: Estimate) -> Estimate:
    def estimate(basis: Basis) -> Limits:
        found = plain(basis)
        assert found.sigma is not None  # charts of counts have one at each point
        scores = np.zeros(len(values))
        np.divide(values - found.centre, found.sigma, out=scores, where=found.sigma > 0)
        moved = _sigma(scores[basis])
        return found._replace(sigma=None if moved is None else found.sigma * moved)

    return estimate


def _chart(
    kind: Kind,
    values: Floats,
    wanted: Sequence[Phase] | None,
    estimate: Estimate,
    searches: Sequence[rules.Search] = rules.ALL,
    zones: bool = True,
    one_sided: bool = False,
) -> Chart:
    cut = covering(len(values), wanted)
    centre: list[float | None] = []
    low: list[float | None] = []
    high: list[float | None] = []
    signals: list[Signal] = []
    places = np.arange(len(values))
    shown = ~np.isnan(values)
    for phase in cut:
        basis = shown & (places >= phase.first) & (places < phase.basis_after)
        if not basis.any():
            for line in (centre, low, high):
                line += [None] * (phase.after - phase.first)
            continue
        limits = estimate(basis)
        points = []
        for place in range(phase.first, phase.after):
            sigma = None if limits.sigma is None else float(limits.sigma[place])
            known = sigma is not None and np.isfinite(sigma)
            lowest = highest = None
            if sigma is not None and known:
                highest = min(limits.centre + 3 * sigma, limits.ceiling)
                lowest = None if one_sided else max(limits.centre - 3 * sigma, limits.floor)
            centre.append(limits.centre)
            low.append(lowest)
            high.append(highest)
            if shown[place]:
                points.append(
                    rules.point(
                        place,
                        float(values[place]),
                        limits.centre,
                        lowest,
                        highest,
                        sigma if zones else None,
                    )
                )
        signals += rules.special_causes(points, searches)
    return Chart(kind, told(values), tuple(centre), tuple(low), tuple(high), cut, tuple(signals))


def _values(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], np.float64)


def _counts(
    numerators: npt.ArrayLike, denominators: npt.ArrayLike, proportion: bool
) -> tuple[Floats, Floats]:
    x, n = floats(numerators), floats(denominators)
    if x.shape != n.shape or not np.all((x >= 0) & (n >= 0)):
        raise ValueError("counts and what they are divided by, not negative, one each a point")
    if proportion and not np.all(x <= n):
        raise ValueError("a proportion needs 0 <= numerator <= denominator")
    return x, n


def _divided(x: Floats, n: Floats) -> Floats:
    return floats(np.divide(x, n, out=np.full(x.shape, np.nan), where=n > 0))


def _root(variance: float, n: Floats) -> Floats:
    return floats(np.sqrt(np.divide(variance, n, out=np.full(n.shape, np.nan), where=n > 0)))


def _sigma(values: Floats) -> float | None:
    """Sigma from the mean moving range; none of fewer than two values."""
    return float(np.abs(np.diff(values)).mean() / D2) if len(values) > 1 else None
