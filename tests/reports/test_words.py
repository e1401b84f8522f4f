from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.benchmarks.periods import Period, period
from app.benchmarks.query import Result, Spread
from app.benchmarks.rates import Counts
from app.registries.schema import Measure
from app.reports.compose import feedback, figures, standing, trend_periods
from app.reports.words import period_says, quality_says, summary
from tests.reports import compositions


def a_measure(**other: Any) -> Measure:
    given: dict[str, Any] = {
        "id": "abnormal",
        "title": "Abnormal interpretation rate",
        "description": "Share of screens read as 3 or 4.",
        "form": "exam",
        "scoring": "proportion",
        "improvement": "decrease",
    }
    return Measure(**given | other)


def a_result(measure: Measure | None = None, over: str = "2026Q3", **other: Any) -> Result:
    given: dict[str, Any] = {
        "measure": measure or a_measure(),
        "facility_id": 200001,
        "period": period(over),
        "stratifier": None,
        "stratum": None,
        "counts": Counts(
            initial_population=290, denominator=280, exclusions=8, exceptions=2, numerator=35
        ),
        "rate": Decimal("0.125000"),
        "low": Decimal("0.091312"),
        "high": Decimal("0.168880"),
        "median": None,
        "caution": False,
        "withheld": None,
    }
    return Result(**given | other)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2026", "2026"),
        ("2026Q1", "January to March 2026"),
        ("2026Q4", "October to December 2026"),
        ("2026-09", "September 2026"),
        ("2025-10..2026-09", "October 2025 to September 2026"),
    ],
)
def test_a_period_is_said_as_people_say_it(written: str, said: str) -> None:
    assert period_says(written) == said


@pytest.mark.parametrize(
    ("written", "before"),
    [
        ("2026", ["2021", "2022", "2023", "2024", "2025", "2026"]),
        ("2026Q1", ["2024Q4", "2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1"]),
        ("2026-01", ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12", "2026-01"]),
    ],
)
def test_a_trend_goes_back_by_periods_of_the_same_length(written: str, before: list[str]) -> None:
    assert [one.label for one in trend_periods(period(written))] == before


def test_the_periods_of_a_trend_touch_and_do_not_overlap() -> None:
    asked = trend_periods(period("2025-11..2026-03"))
    months = [month for one in asked for month in one.months()]
    assert months == list(Period(months[0], months[-1]).months())
    assert len(months) == 6 * 5


@pytest.mark.parametrize(
    ("other", "counts", "read"),
    [
        ({}, Counts(denominator=280, numerator=35), "12.5"),
        ({}, Counts(denominator=2000, numerator=249), "12.5"),  # 12.45: half goes up
        ({"per": 1000}, Counts(denominator=2000, numerator=11), "5.5"),
        ({"per": 1}, Counts(denominator=3, numerator=2), "0.667"),
        (
            {"scoring": "continuous-variable", "observation": "dlp", "scale": 2},
            Counts(denominator=4, observations=4, total=1290),
            "3.23",
        ),
    ],
)
def test_a_rate_is_rounded_once_and_half_up(
    other: dict[str, Any], counts: Counts, read: str
) -> None:
    result = a_result(a_measure(**other), counts=counts, low=None, high=None)
    assert figures(result).rate == read


@pytest.mark.parametrize("reason", ["not-matured", "condition-not-met", "being-tabulated"])
def test_what_may_not_be_known_yet_is_not_told_in_the_counts_either(reason: str) -> None:
    told = figures(a_result(rate=None, low=None, high=None, withheld=reason))
    assert (told.rate, told.numerator, told.exceptions) == (None, None, None)
    assert told.withheld is not None
    assert told.withheld.reason == reason


def test_a_withheld_group_of_peers_tells_neither_its_size_nor_its_spread() -> None:
    hidden = Spread(
        "division", "pacific", "Pacific", date(2026, 10, 1), 3, withheld="few-facilities"
    )
    told = standing(a_measure(), hidden)
    assert (told.facilities, told.low, told.median, told.high, told.quartile) == (None,) * 5
    assert "Fewer than 5 facilities" in told.says


@pytest.mark.parametrize(
    ("improvement", "quartile", "said"),
    [
        ("decrease", 1, "Best quarter of 11 facilities."),
        ("increase", 4, "Last quarter of 11 facilities."),
        ("none", 1, "Lowest quarter of 11 facilities."),
        ("none", 4, "Highest quarter of 11 facilities."),
    ],
)
def test_a_standing_judges_only_where_a_direction_is_better(
    improvement: str, quartile: int, said: str
) -> None:
    spread = Spread(
        "all",
        "all",
        "All facilities",
        date(2026, 10, 1),
        11,
        *map(Decimal, ("0.08", "0.11", "0.155")),
        quartile=quartile,
    )
    assert standing(a_measure(improvement=improvement), spread).says == said


def test_a_change_is_called_clear_only_when_the_intervals_do_not_meet() -> None:
    before = a_result(
        over="2026Q2",
        rate=Decimal("0.2"),
        low=Decimal("0.169"),
        high=Decimal("0.23"),
        counts=Counts(denominator=280, numerator=56),
    )
    near = a_result(
        over="2026Q2",
        rate=Decimal("0.2"),
        low=Decimal("0.168"),
        high=Decimal("0.23"),
        counts=Counts(denominator=280, numerator=56),
    )
    assert "clearly" not in feedback(a_measure(), [near, a_result()]).says
    lower = a_result(high=Decimal("0.168"))
    assert "clearly less than the 20.0% of 2026Q2" in feedback(a_measure(), [before, lower]).says


def test_the_summary_names_the_best_the_last_and_the_commonest_reason() -> None:
    good = compositions.measure(
        "good", title="Good", standings=(compositions.standing(quartile=1),)
    )
    bad = compositions.measure("bad", title="Bad", standings=(compositions.standing(quartile=4),))
    undirected = compositions.measure(
        "mere", title="Mere", better="neither", standings=(compositions.standing(quartile=4),)
    )
    hidden = compositions.measure(
        "hidden", title="Hidden", result=compositions.figures(rate=None), standings=()
    )
    lines = summary("2026Q3", [good, bad, undirected, hidden], compositions.composition().quality)
    assert lines[0] == "280 cases in July to September 2026; 3 of 4 measures can be shown."
    assert "In the best quarter of all facilities: Good." in lines
    assert "In the last quarter of all facilities: Bad." in lines
    assert "Most often withheld (1 measure): not shown: fewer than 10 cases." in lines


def test_quality_says_nothing_of_what_is_not_there() -> None:
    assert quality_says(5, 0, 0, 5, 0, 0) == ("No entry sent was rejected.",)
    assert quality_says(0, 0, 0, 0, 0, 0) == ("No case of this period was submitted.",)
    assert len(quality_says(1, 1, 1, 10, 1, 1)) == 4


def test_a_cohort_is_a_count_and_has_no_decimals() -> None:
    told = figures(
        a_result(
            a_measure(scoring="cohort", improvement="none"),
            counts=Counts(initial_population=1234),
            rate=None,
            low=None,
            high=None,
        )
    )
    assert (told.rate, told.denominator, told.withheld) == ("1234", 1234, None)
