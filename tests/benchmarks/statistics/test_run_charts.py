"""Run charts: Anhøj's table, runs counted in a second way, and the trend in words."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.benchmarks.statistics.charts import RULES, Chart, Phase, phases
from app.benchmarks.statistics.run_charts import (
    FEWEST,
    Improvement,
    crossings_needed,
    longest_run_allowed,
    run_chart,
    trend,
)

series = st.lists(st.integers(0, 12), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("useful", "longest", "crossings"),
    [(10, 6, 2), (20, 7, 6), (30, 8, 10), (50, 9, 19), (100, 10, 41)],
)
def test_what_chance_allows_is_anhojs_table(useful: int, longest: int, crossings: int) -> None:
    assert (longest_run_allowed(useful), crossings_needed(useful)) == (longest, crossings)


def test_what_chance_allows_is_the_binomials_quantile_and_the_printed_steps_of_runs() -> None:
    for useful in range(2, 400):
        assert crossings_needed(useful) == stats.binom.ppf(0.05, useful - 1, 0.5)
    # Where the limit of the longest run steps up in the printed table of 10 to 109 points.
    steps = [n for n in range(11, 110) if longest_run_allowed(n) > longest_run_allowed(n - 1)]
    assert steps == [12, 23, 46, 91]
    for wrong in (longest_run_allowed, crossings_needed):
        with pytest.raises(ValueError, match="need points"):
            wrong(0)


def naive(values: list[float]) -> tuple[int, int, int]:
    """Useful points, longest run and crossings, from a string of signs."""
    median = float(np.median(values))
    signs = "".join("+" if one > median else "-" for one in values if one != median)
    longest = max(k for k in range(len(signs) + 1) if "+" * k in signs or "-" * k in signs)
    return len(signs), longest, signs.count("+-") + signs.count("-+")


@settings(max_examples=50)
@given(series)
def test_runs_and_crossings_are_counted_as_by_hand(values: list[int]) -> None:
    chart = run_chart(values)
    useful, longest, crossings = naive([float(one) for one in values])
    assert set(chart.centre) == {float(np.median(values))}
    (runs,) = chart.runs
    if useful < FEWEST:
        assert (runs, chart.signals) == (None, ())
        return
    assert runs is not None
    assert (runs.useful, runs.longest, runs.crossings) == (useful, longest, crossings)
    rules = {signal.rule for signal in chart.signals}
    assert ("long-run" in rules) == (longest > longest_run_allowed(useful))
    assert ("few-crossings" in rules) == (crossings < crossings_needed(useful))


@settings(max_examples=50)
@given(series)
def test_a_chart_read_backwards_or_upside_down_has_the_same_runs(values: list[int]) -> None:
    runs = run_chart(values).runs
    assert run_chart(values[::-1]).runs == runs
    assert run_chart([-one for one in values]).runs == runs


@settings(max_examples=50)
@given(series, st.data())
def test_a_place_without_a_value_changes_nothing_but_the_places(
    values: list[int], data: st.DataObject
) -> None:
    gaps = data.draw(st.lists(st.integers(0, len(values)), max_size=4))
    holed: list[float | None] = list(values)
    for gap in gaps:
        holed.insert(gap, data.draw(st.sampled_from([None, nan, inf])))
    plain, chart = run_chart(values), run_chart(holed)
    assert chart.runs == plain.runs
    assert [one for one in chart.values if one is not None] == list(plain.values)
    assert [(one.rule, one.side) for one in chart.signals] == [
        (one.rule, one.side) for one in plain.signals
    ]
    for signal in chart.signals:
        assert all(chart.values[place] is not None for place in signal.places)


def test_of_charts_that_only_chance_moves_few_show_a_signal() -> None:
    chance = np.random.default_rng(51)
    for points in (10, 24, 60):
        found = sum(bool(run_chart(chance.normal(size=points)).signals) for _ in range(400))
        assert found / 400 < 0.08


def test_a_shift_is_seen() -> None:
    chance = np.random.default_rng(52)
    found = sum(
        bool(run_chart([*chance.normal(0, 1, 12), *chance.normal(3, 1, 12)]).signals)
        for _ in range(100)
    )
    assert found > 90


# Phases


def test_each_phase_has_a_median_of_its_own() -> None:
    chart = run_chart([1, 2, 3, 4, 5, 11, 12, 13, 14, 15], phases(10, starts=[5]))
    assert chart.centre == (3.0,) * 5 + (13.0,) * 5
    assert chart.phases == (Phase(0, 5, 5), Phase(5, 10, 10))
    assert chart.runs == (None, None)
    assert chart.trial == (True, True)


def test_a_frozen_baseline_keeps_its_median_while_points_go_on() -> None:
    values = [5, 7, 4, 8, 3, 9, 5, 7, 4, 8, 3, 9, *[12] * 9]
    chart = run_chart(values, phases(21, frozen=12))
    assert set(chart.centre) == {6.0}
    assert chart.trial == (False,)
    assert [signal.places for signal in chart.signals if signal.rule == "long-run"] == [
        tuple(range(11, 21))
    ]
    # Without freezing, the new level would have drawn the median to itself.
    assert run_chart(values).centre[0] > 6


def test_a_phase_without_a_value_has_no_centre() -> None:
    chart = run_chart([None, None, 3, 4], phases(4, starts=[2]))
    assert chart.centre == (None, None, 3.5, 3.5)
    assert run_chart([]) == Chart("run", (), (), (), (), (), (), ())
    assert trend(run_chart([]), "increase").course == "too-few"


@pytest.mark.parametrize(
    "wanted",
    [
        (Phase(0, 2, 2),),
        (Phase(0, 2, 2), Phase(3, 4, 4)),
        (Phase(1, 4, 4),),
        (Phase(0, 5, 5),),
    ],
)
def test_phases_that_leave_a_gap_are_refused(wanted: tuple[Phase, ...]) -> None:
    with pytest.raises(ValueError, match="follow one another"):
        run_chart([1, 2, 3, 4], wanted)


def test_a_baseline_outside_its_phase_is_refused() -> None:
    for first, after, basis in ((0, 4, 5), (0, 4, 0), (2, 2, 2)):
        with pytest.raises(ValueError, match="baseline"):
            Phase(first, after, basis)
    with pytest.raises(ValueError, match="baseline"):
        phases(10, starts=[4], frozen=5)


# The trend in words

LOW, HIGH = [1, 2, 1, 2, 1, 2, 1, 2, 1, 2], [8, 9, 8, 9, 8, 9, 8, 9, 8, 9]


@pytest.mark.parametrize(
    ("values", "improvement", "course", "begins"),
    [
        ([*LOW, *HIGH], "increase", "improving", "Getting better, higher than before: 10 results"),
        ([*LOW, *HIGH], "decrease", "worsening", "Getting worse, higher than before: 10 results"),
        ([*HIGH, *LOW], "decrease", "improving", "Getting better, lower than before: 10 results"),
        ([*HIGH, *LOW], "increase", "worsening", "Getting worse, lower than before: 10 results"),
        ([*LOW, *HIGH], "none", "rising", "Rising: 10 results in a row"),
        ([*HIGH, *LOW], "none", "falling", "Falling: 10 results in a row"),
        ([*HIGH, *LOW, *LOW, *HIGH], "increase", "unsteady", "Not steady, in no lasting direction"),
        ([1, 9] * 8, "increase", "no-signal", "No sign of a change"),
        ([1, 9] * 4, "increase", "too-few", "Too few results to tell a trend; it takes 10."),
        ([5] * 24, "increase", "too-few", "Too few results"),
    ],
)
def test_a_trend_is_said_in_words(
    values: list[int], improvement: Improvement, course: str, begins: str
) -> None:
    found = trend(run_chart(values), improvement)
    assert (found.course, found.words[: len(begins)]) == (course, begins)


def test_a_trend_says_what_chance_would_allow() -> None:
    assert trend(run_chart([*LOW, *HIGH]), "increase").words == (
        "Getting better, higher than before: 10 results in a row lie on one side of the median,"
        " where chance seldom gives more than 7; the line crosses the median once, where chance"
        " seldom gives fewer than 6 crossings."
    )


def test_the_middle_of_an_odd_number_of_points_is_in_neither_half() -> None:
    chart = run_chart([*[1] * 5, *[9] * 5, 9, *[9] * 5, *[1] * 5])
    assert trend(chart, "increase").course == "unsteady"


def test_a_trend_is_that_of_the_last_phase() -> None:
    chart = run_chart([*LOW, *HIGH, *[1, 9] * 6], phases(32, starts=[20]))
    assert chart.signals
    assert trend(chart, "increase").course == "no-signal"


def test_a_trend_is_read_from_a_run_chart_alone() -> None:
    with pytest.raises(ValueError, match="run chart"):
        trend(Chart("xmr", (), (), (), (), (), ()), "increase")


def test_every_signal_has_its_rule_in_words() -> None:
    for signal in run_chart([*LOW, *HIGH]).signals:
        assert signal.words == RULES[signal.rule]
