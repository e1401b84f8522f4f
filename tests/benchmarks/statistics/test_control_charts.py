"""Control charts: published limits, rules counted in a second way, phases and what is missing."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from json import dumps
from math import log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmarks.statistics.charts import Chart, phases
from app.benchmarks.statistics.control_charts import (
    g_chart,
    moving_range_chart,
    p_chart,
    p_prime_chart,
    t_chart,
    u_chart,
    u_prime_chart,
    xmr_chart,
)
from app.benchmarks.statistics.rules import point, special_causes
from tests.benchmarks.statistics.published import DEFECTIVE_CANS, FLOW_RATES, NONCONFORMITIES


def lines(chart: Chart, place: int = 0) -> tuple[float, float, float]:
    low, centre, high = chart.low[place], chart.centre[place], chart.high[place]
    assert low is not None
    assert centre is not None
    assert high is not None
    return low, centre, high


# Published limits


def test_xmr_of_the_flow_rates_is_nists() -> None:
    chart = xmr_chart(FLOW_RATES)
    low, centre, high = lines(chart)
    assert (round(low, 4), round(centre, 2), round(high, 4)) == (45.8159, 50.81, 55.8041)
    assert chart.signals == ()
    ranges = moving_range_chart(FLOW_RATES)
    assert ranges.values[:4] == pytest.approx((None, 2.0, 2.3, 1.4))
    assert lines(ranges) == pytest.approx((0, 1.8778, 3.267 * 1.8778), abs=1e-3)
    assert ranges.signals == ()


def test_p_chart_of_the_orange_juice_cans_is_montgomerys() -> None:
    chart = p_chart(DEFECTIVE_CANS, np.full(30, 50))
    assert tuple(round(line, 4) for line in lines(chart)) == (0.0524, 0.2313, 0.4102)
    outside = [one.places for one in chart.signals if one.rule == "beyond-limits"]
    assert outside == [(14,), (22,)]  # his samples 15 and 23


def test_u_chart_of_the_computers_is_montgomerys() -> None:
    chart = u_chart(NONCONFORMITIES, np.full(20, 5))
    assert tuple(round(line, 2) for line in lines(chart)) == (0.07, 1.93, 3.79)
    assert chart.signals == ()


# Each chart against its formula


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(3, 30))
def test_laneys_charts_multiply_sigma_by_how_scores_move(seed: int, points: int) -> None:
    chance = np.random.default_rng(seed)
    n = chance.integers(200, 4_000, points)
    x = chance.binomial(n, np.clip(chance.normal(0.2, 0.03, points), 0.01, 0.99))
    for plain, primed in (
        (p_chart(x, n), p_prime_chart(x, n)),
        (u_chart(x, n), u_prime_chart(x, n)),
    ):
        pooled = sum(x) / sum(n)
        variance = pooled * (1 - pooled) if plain.kind == "p" else pooled
        sigmas = [sqrt(variance / size) for size in n]
        scores = [
            (count / size - pooled) / sigma for count, size, sigma in zip(x, n, sigmas, strict=True)
        ]
        moved = sum(abs(b - a) for a, b in pairwise(scores)) / (points - 1)
        for place, sigma in enumerate(sigmas):
            half = 3 * sigma * moved / 1.128
            top = 1.0 if plain.kind == "p" else np.inf
            assert lines(primed, place) == pytest.approx(
                (max(pooled - half, 0), pooled, min(pooled + half, top))
            )
            assert lines(plain, place) == pytest.approx(
                (max(pooled - 3 * sigma, 0), pooled, min(pooled + 3 * sigma, top))
            )


def test_laneys_chart_does_not_raise_the_alarms_that_large_numbers_raise_for_ordinary_scatter() -> (
    None
):
    chance = np.random.default_rng(61)
    n = np.full(200, 20_000)
    x = chance.binomial(n, np.clip(chance.normal(0.2, 0.02, 200), 0, 1))
    outside = [
        sum(one.rule == "beyond-limits" for one in chart.signals)
        for chart in (p_chart(x, n), p_prime_chart(x, n))
    ]
    assert outside[0] > 80
    assert outside[1] <= 3


@settings(max_examples=40)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_g_chart_has_the_limit_of_the_geometric_distribution(between: list[int]) -> None:
    chart = g_chart(between)
    mean = sum(between) / len(between)
    assert chart.low == (None,) * len(between)
    assert chart.centre[0] == pytest.approx(log(2) * mean)
    assert chart.high[0] == pytest.approx(mean + 3 * sqrt(mean * (mean + 1)))


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1000), min_size=2, max_size=40))
def test_t_chart_is_the_xmr_chart_of_the_rooted_times(between: list[float]) -> None:
    chart, rooted = t_chart(between), xmr_chart([one ** (1 / 3.6) for one in between])
    assert chart.values == pytest.approx(between)
    assert chart.signals == rooted.signals
    low, centre, high = lines(rooted)
    assert chart.centre[0] == pytest.approx(centre**3.6)
    assert chart.high[0] == pytest.approx(high**3.6)
    assert chart.low[0] == (None if low <= 0 else pytest.approx(low**3.6))


def test_the_rare_events_charts_see_a_long_quiet_time() -> None:
    chance = np.random.default_rng(62)
    cases = [int(one) for one in chance.geometric(0.05, 30)]
    days = [float(one) for one in chance.exponential(20, 30)]
    for chart in (g_chart([*cases, 900]), t_chart([*days, 900.0])):
        assert ("beyond-limits", (30,)) in {(one.rule, one.places) for one in chart.signals}


@pytest.mark.parametrize(("chart", "most"), [(g_chart, 0.6), (t_chart, 0.6)])
def test_the_rare_events_charts_have_as_many_points_above_as_below(
    chart: Callable[[Sequence[float]], Chart], most: float
) -> None:
    between = [float(one) for one in np.random.default_rng(63).exponential(200, 3_000)]
    found = chart(between)
    above = sum(value > found.centre[0] for value in found.values) / 3_000
    assert 1 - most < above < most


# Rules


def named(
    values: Sequence[float | None], sigma: float | None = 1.0
) -> list[tuple[str, str, tuple[int, ...]]]:
    """Signals of values around 0 with limits at 3."""
    points = [
        point(place, value, 0.0, -3.0, 3.0, sigma)
        for place, value in enumerate(values)
        if value is not None
    ]
    return [(one.rule, one.side, one.places) for one in special_causes(points)]


@pytest.mark.parametrize(
    ("values", "signals"),
    [
        ([0.5, 3.1, 0.5], [("beyond-limits", "above", (1,))]),
        ([0.5, -3.1, 0.5], [("beyond-limits", "below", (1,))]),
        ([0.5, 3.0, -3.0], []),
        # Seven on one side are not eight; a point on the line does not count and does not end a run.
        ([1.5, 0.5, 1.5, 0.5, 1.5, 0.5, 1.5], []),
        (
            [1.5, 0.5, 1.5, 0.5, 0.0, 1.5, 0.5, 1.5, 0.5],
            [("run-of-8", "above", (0, 1, 2, 3, 5, 6, 7, 8))],
        ),
        # Six going up; an equal point neither adds nor ends.
        ([-1.5, -1.2, -0.5, 0.5, 1.2], []),
        ([-1.5, -1.2, -0.5, -0.5, 0.5, 1.2, 1.5], [("trend-of-6", "above", (0, 1, 2, 4, 5, 6))]),
        ([1.5, 1.2, 0.5, -0.5, -1.2, -1.5, 1], [("trend-of-6", "below", (0, 1, 2, 3, 4, 5))]),
        # Two of three in the outer third, on the same side.
        ([2.1, 0.5, 2.1], [("two-of-three", "above", (0, 2))]),
        ([2.1, 0.5, -2.1], []),
        ([2.1, 0.5, -0.5, 2.1], []),
        ([0.5, 2.0, 2.0], []),
        (
            [-2.1, -2.2, 0.5, 0.5, -0.5, -2.1, 1.5, -2.4],
            [("two-of-three", "below", (0, 1)), ("two-of-three", "below", (5, 7))],
        ),
        ([0.5, -0.5] * 7, []),
        ([0.5, -0.5] * 7 + [0.9], [("fifteen-near-centre", "neither", tuple(range(15)))]),
        ([0.5, -0.5] * 7 + [1.1], []),
        # A place without a value is passed over.
        ([2.1, None, 0.5, None, 2.1], [("two-of-three", "above", (0, 4))]),
    ],
)
def test_each_rule_sees_what_it_names(
    values: list[float | None], signals: list[tuple[str, str, tuple[int, ...]]]
) -> None:
    assert named(values) == signals


def naive(values: list[float]) -> set[str]:
    """The rules that hold somewhere, by looking at every window."""
    found = set()
    if any(abs(one) > 3 for one in values):
        found.add("beyond-limits")
    signs = "".join("+" if one > 0 else "-" for one in values if one != 0)
    if "+" * 8 in signs or "-" * 8 in signs:
        found.add("run-of-8")
    distinct = [one for k, one in enumerate(values) if k == 0 or one != values[k - 1]]
    for k in range(len(distinct) - 5):
        window = distinct[k : k + 6]
        if window in (sorted(window), sorted(window, reverse=True)):
            found.add("trend-of-6")
    for k in range(len(values) - 2):
        window = values[k : k + 3]
        if sum(one > 2 for one in window) >= 2 or sum(one < -2 for one in window) >= 2:
            found.add("two-of-three")
    for k in range(len(values) - 14):
        if all(abs(one) <= 1 for one in values[k : k + 15]):
            found.add("fifteen-near-centre")
    return found


@given(st.lists(st.integers(-7, 7), max_size=40), st.sampled_from([0.2, 0.5]))
def test_rules_are_those_of_looking_at_every_window(steps: list[int], unit: float) -> None:
    values = [step * unit for step in steps]
    assert {rule for rule, _, _ in named(values)} == naive(values)


@settings(max_examples=40)
@given(st.lists(st.integers(-7, 7), max_size=40))
def test_upside_down_each_rule_sees_the_other_side(steps: list[int]) -> None:
    other = {"above": "below", "below": "above", "neither": "neither"}
    plain = named([step / 2 for step in steps])
    mirrored = named([-step / 2 for step in steps])
    assert sorted((rule, other[side], places) for rule, side, places in plain) == sorted(mirrored)


def test_without_sigma_the_zones_are_not_judged() -> None:
    assert named([2.1, 0.5, 2.1], sigma=None) == []
    assert named([0.5, -0.5] * 8, sigma=None) == []


def test_of_charts_that_only_chance_moves_few_points_lie_outside() -> None:
    chance = np.random.default_rng(64)
    charts = [xmr_chart(list(chance.normal(size=24))) for _ in range(200)]
    outside = sum(one.rule == "beyond-limits" for chart in charts for one in chart.signals)
    assert outside / (200 * 24) < 0.008


# Phases, gaps and ends


def test_a_frozen_baseline_keeps_its_limits_and_a_new_phase_has_its_own() -> None:
    n = np.full(24, 100)
    x = [20, 22, 18, 21, 19, 20, 22, 18, 21, 19, 20, 20, *[42, 38] * 6]
    frozen = p_chart(x, n, phases(24, frozen=12))
    assert set(frozen.centre) == {0.2}
    assert "beyond-limits" in {one.rule for one in frozen.signals}
    phased = p_chart(x, n, phases(24, starts=[12]))
    assert (phased.centre[0], phased.centre[23]) == (0.2, 0.4)
    # No run, trend or range reaches across from one phase into the next.
    assert {one.rule for one in phased.signals} <= {"fifteen-near-centre"}
    assert moving_range_chart([1, 2, 9, 8], phases(4, starts=[2])).values == (None, 1, None, 1)


def test_a_place_without_a_value_is_passed_over_and_still_has_its_lines() -> None:
    chart = p_chart([3, 0, 4], [10, 0, 10])
    assert chart.values == (0.3, None, 0.4)
    assert chart.centre == (0.35,) * 3
    assert (chart.low[1], chart.high[1]) == (None, None)  # of nobody there is no sigma
    gap = xmr_chart([1.0, nan, 3.0, None, 2.0])
    assert gap.values == (1.0, None, 3.0, None, 2.0)
    assert lines(gap, 1) == lines(xmr_chart([1.0, 3.0, 2.0]))
    assert moving_range_chart([1.0, nan, 3.0]).values == (None, None, 2.0)


@pytest.mark.parametrize("values", [[], [None], [1.0], [None, None]])
def test_too_few_values_have_no_limits_and_no_signal(values: list[float | None]) -> None:
    for chart in (xmr_chart(values), moving_range_chart(values), t_chart(values)):
        assert chart.signals == ()
        assert set(chart.high) <= {None}
        assert len(chart.high) == len(values)
    for counts in (p_prime_chart([1], [4]), u_prime_chart([1], [4]), p_chart([0], [0])):
        assert (counts.high, counts.signals) == ((None,), ())


@settings(max_examples=40)
@given(st.floats(0, 1e6), st.integers(1, 30))
def test_what_never_changes_signals_nothing(value: float, points: int) -> None:
    n = np.full(points, 40)
    for chart in (
        xmr_chart([value] * points),
        moving_range_chart([value] * points),
        t_chart([value] * points),
        p_prime_chart(np.zeros(points), n),
        p_prime_chart(np.full(points, 7), n),
        p_chart(n, n),
    ):
        assert chart.signals == ()


def test_limits_are_cut_to_what_a_value_can_be() -> None:
    assert lines(p_chart([1, 0], [4, 4]))[0] == 0
    assert lines(p_chart([3, 4], [4, 4]))[2] == 1
    assert lines(u_chart([1, 0], [4, 4]))[0] == 0


def test_a_chart_is_plain_values() -> None:
    chart = p_chart(DEFECTIVE_CANS, np.full(30, 50), phases(30, starts=[20]))
    written = dumps(asdict(chart), allow_nan=False)
    assert '"rule": "beyond-limits"' in written
    assert chart.trial == (False, True)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="numerator"):
        p_chart([5], [4])
    with pytest.raises(ValueError, match="counts"):
        u_chart([-1], [4])
    with pytest.raises(ValueError, match="counts"):
        p_chart([1, 2], [4])
    for chart in (g_chart, t_chart):
        with pytest.raises(ValueError, match="not negative"):
            chart([-1.0])
