"""Which control chart a course has, and its lines against the textbooks' formulas."""

import math
from datetime import date
from itertools import pairwise
from statistics import fmean

import pytest

from app.benchmarks import rates
from app.benchmarks.control import control_of
from app.benchmarks.course import points_of
from app.benchmarks.periods import Period, period
from app.benchmarks.query import Result
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import half_up
from app.registries.measure import Measure
from tests.benchmarks.toy import MEASURES

FOUND, DOSE = (next(one for one in MEASURES if one.id == name) for name in ("found", "dose"))
MONTHS = points_of(period("2026-03"))[1]


def result(measure: Measure, over: Period, counts: Counts, withheld: str | None = None) -> Result:
    exact = rates.rate(measure, counts)
    shown = None if withheld or exact is None else half_up(exact, 6)
    return Result(measure, 1, over, None, None, counts, shown, None, None, None, False, withheld)


def shares(measure: Measure, *pairs: tuple[int, int]) -> list[Result]:
    return [
        result(measure, over, Counts(denominator=n, numerator=x))
        for over, (x, n) in zip(MONTHS[-len(pairs) :], pairs, strict=True)
    ]


def charted(measure: Measure, results: list[Result], begins: tuple[date, ...] = ()):  # type: ignore[no-untyped-def]
    found = control_of(measure, [one.period for one in results], results, begins)
    assert found is not None
    return found


def test_shares_have_a_p_chart_three_sigma_around_the_pooled_share() -> None:
    pairs = [(20 + place % 5, 100 + 10 * place) for place in range(12)]
    found = charted(FOUND, shares(FOUND, *pairs))
    assert (found.chart.kind, found.trial) == ("p", False)
    pooled = sum(x for x, _ in pairs) / sum(n for _, n in pairs)
    for place, (_, n) in enumerate(pairs):
        half = 3 * math.sqrt(pooled * (1 - pooled) / n)
        assert found.chart.centre[place] == pytest.approx(pooled)
        assert found.chart.low[place] == pytest.approx(max(pooled - half, 0))
        assert found.chart.high[place] == pytest.approx(pooled + half)


@pytest.mark.parametrize(
    ("per", "cases", "kind"),
    [(100, 999, "p"), (100, 1_000, "p-prime"), (1000, 999, "u"), (1000, 1_000, "u-prime")],
)
def test_many_cases_have_laneys_charts_and_rates_per_thousand_u_charts(
    per: int, cases: int, kind: str
) -> None:
    measure = FOUND.model_copy(update={"per": per})
    results = shares(measure, *[(50 + place % 3, cases) for place in range(10)])
    found = charted(measure, results)
    assert (found.chart.kind, found.trial) == (kind, True)


def test_means_have_an_xmr_chart() -> None:
    doses = [110, 130, 120, 140, 115, 125, 135, 120, 118, 122]
    results = [
        result(
            DOSE,
            over,
            Counts(denominator=10, observations=10, total=10 * one, total_of_squares=10 * one**2),
        )
        for over, one in zip(MONTHS, doses, strict=False)
    ]
    found = charted(DOSE, results)
    unit = 10**DOSE.scale
    moved = fmean(abs(a - b) for a, b in pairwise(doses)) / unit
    assert found.chart.kind == "xmr"
    assert found.chart.high[0] == pytest.approx(fmean(doses) / unit + 3 * moved / 1.128)


def test_rare_events_have_a_g_chart_of_the_cases_between_them() -> None:
    # Two events in each second month of 100 cases: after 25 and 75 of them, then 150 to the next.
    pairs = [(2 if place % 2 else 0, 100) for place in range(16)]
    found = charted(FOUND, shares(FOUND, *pairs))
    assert found.chart.kind == "g"
    assert found.chart.values == (49.0, 149.0) * 7 + (49.0,)
    assert [one.label for one in found.periods[:3]] == [
        MONTHS[-15].label,
        MONTHS[-13].label,
        MONTHS[-13].label,
    ]
    mean = fmean(one for one in found.chart.values if one is not None)
    assert found.chart.centre[0] == pytest.approx(math.log(2) * mean)
    assert found.chart.high[0] == pytest.approx(mean + 3 * math.sqrt(mean * (mean + 1)))
    assert found.chart.low[0] is None


def test_cases_too_few_for_a_rate_are_counted_between_events_and_unknown_outcomes_are_not() -> None:
    results = shares(FOUND, *[(1 if place % 2 else 0, 20) for place in range(24)])
    few = [
        result(FOUND, one.period, one.counts, "too-few-cases") if place in (4, 5) else one
        for place, one in enumerate(results)
    ]
    assert charted(FOUND, few).chart.values == charted(FOUND, results).chart.values
    early = [
        result(FOUND, one.period, one.counts, "not-matured") if place > 21 else one
        for place, one in enumerate(results)
    ]
    assert len(charted(FOUND, early).periods) == len(charted(FOUND, results).periods) - 1


def test_days_between_events_where_the_definition_says_so() -> None:
    measure = FOUND.model_copy(update={"control_chart": "t"})
    results = shares(measure, *[(1, 500) for _ in range(24)])
    found = charted(measure, results)
    assert found.chart.kind == "t"
    # From the middle of April 2024 (30 days) to that of May (31).
    assert found.chart.values[0] == 15 + 15.5


def test_a_phase_begins_where_it_is_said_to_and_has_lines_of_its_own() -> None:
    pairs = [(20, 100)] * 12 + [(40, 100)] * 12
    results = shares(FOUND, *pairs)
    whole = charted(FOUND, results)
    assert "run-of-8" in {one.rule for one in whole.chart.signals}
    cut = charted(FOUND, results, (MONTHS[12].first,))
    assert (cut.chart.centre[11], cut.chart.centre[12]) == (0.2, 0.4)
    assert not [one for one in cut.chart.signals if one.rule != "fifteen-near-centre"]
    outside = charted(FOUND, results, (date(2020, 1, 1), date(2030, 1, 1)))
    assert outside.chart.phases == whole.chart.phases, "no phase begins where there is no point"


def test_fewer_than_ten_points_make_no_chart() -> None:
    results = shares(FOUND, *[(20, 100)] * 9)
    assert control_of(FOUND, [one.period for one in results], results) is None
    rare = shares(FOUND, *[(1 if place == 3 else 0, 100) for place in range(24)])
    assert control_of(FOUND, [one.period for one in rare], rare) is None
