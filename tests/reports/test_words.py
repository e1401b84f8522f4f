from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.benchmarks.periods import Period, period
from app.benchmarks.query import Result, Spread
from app.benchmarks.rates import Counts
from app.registries.measure import Measure
from app.reports.composition import MeasureFeedback, Summary
from app.reports.evidence import change
from app.reports.figures import figures, standing
from app.reports.spans import matured, trend
from app.reports.summary import summary
from app.reports.words import measure_says, period_says, quality_says
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
    assert [one.label for one in trend(period(written))] == before


def test_the_periods_of_a_trend_touch_and_do_not_overlap() -> None:
    asked = trend(period("2025-11..2026-03"))
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


def a_share(numerator: int, denominator: int) -> Result:
    return a_result(
        rate=Decimal(numerator) / denominator,
        counts=Counts(denominator=denominator, numerator=numerator),
    )


def test_a_change_is_clear_when_newcombes_interval_leaves_out_zero() -> None:
    # Newcombe 1998 (17:873), example (a), method 10: 56/70 - 48/80 = 0.2, 0.0524 to 0.3339.
    told = change(a_share(56, 70), a_share(48, 80), "2025Q3")
    assert told is not None
    assert (told.value, told.low, told.high, told.clear) == ("+20.0", "+5.2", "+33.4", True)
    assert told.better is False, "lower is better"
    assert "clearly more than the 60.0% of 2025Q3" in told.says
    near = change(a_share(56, 70), a_share(55, 70), "2025Q3")
    assert near is not None
    assert not near.clear
    assert near.better is None
    assert "no clear change" in near.says


def test_a_rate_per_thousand_is_compared_by_its_exact_ratio() -> None:
    detection = a_measure(per=1000, improvement="increase")

    def of(numerator: int) -> Result:
        counts = Counts(denominator=1000, numerator=numerator)
        return a_result(detection, rate=Decimal(numerator) / 1000, counts=counts)

    told = change(of(30), of(10), "2025")
    assert told is not None
    # Given 40 events of equal exposure, Clopper and Pearson's 30/40 is 0.5880 to 0.8731: odds 1.43 to 6.88.
    assert (told.kind, told.value, told.low, told.high) == ("ratio", "3.00", "1.43", "6.88")
    assert told.better is True
    assert told.says == (
        "That is clearly more than the 10.0 per 1,000 of 2025 (3.00 times as much, 1.43 to 6.88)."
    )
    from_none = change(of(8), of(0), "2025")
    assert from_none is not None
    assert (from_none.value, from_none.high, from_none.clear) == (None, None, True)
    assert from_none.says.endswith(f"({from_none.low} times as much or more).")
    assert change(of(0), of(0), "2025") is None, "nothing twice is no change to speak of"
    less = change(of(10), of(30), "2025")
    assert less is not None
    assert "clearly less than the 30.0 per 1,000" in less.says
    assert less.better is False


def test_a_mean_is_compared_by_welchs_interval() -> None:
    mean = a_measure(scoring="continuous-variable", observation="dlp", unit="mGy", scale=1)

    def of(values: list[int]) -> Result:
        counts = Counts(
            denominator=len(values),
            observations=len(values),
            total=sum(values),
            total_of_squares=sum(one * one for one in values),
        )
        return a_result(mean, rate=Decimal(sum(values)) / len(values) / 10, counts=counts)

    told = change(of([10, 12, 14, 16]), of([20, 22, 24, 26, 28]), "2025")
    assert told is not None
    # Means 1.3 and 2.4; standard error sqrt(0.0667/4 + 0.1/5) = 0.1915; t(6.98) = 2.366.
    assert (told.value, told.low, told.high) == ("−1.1", "−1.6", "−0.6")
    assert told.clear
    assert told.better is True


@pytest.mark.parametrize("hidden", ["now", "then"])
def test_nothing_is_compared_with_what_is_withheld(hidden: str) -> None:
    shown = a_result()
    withheld = a_result(rate=None, low=None, high=None, withheld="too-few-cases")
    pair = (withheld, shown) if hidden == "now" else (shown, withheld)
    assert change(*pair, "2025Q3") is None


@pytest.mark.parametrize(
    ("over", "after", "today", "shown"),
    [
        ("2026Q3", 0, date(2026, 11, 1), "2026Q3"),
        ("2026Q3", 12, date(2027, 10, 1), "2026Q3"),
        ("2026Q3", 12, date(2027, 9, 30), "2026Q2"),
        ("2026Q3", 12, date(2026, 11, 1), "2025Q3"),
        ("2026", 15, date(2027, 1, 5), "2024"),
        ("2026-09", 3, date(2026, 11, 1), "2026-07"),
    ],
)
def test_the_latest_period_whose_outcomes_are_known_stands_in(
    over: str, after: int, today: date, shown: str
) -> None:
    assert matured(period(over), after, today).label == shown


def test_a_period_too_early_to_judge_says_which_one_stands_in() -> None:
    early = compositions.figures(rate=None)
    said = measure_says(a_measure(), early, compositions.figures("2025Q3", "15.0"), None, ())
    assert said.startswith("July to September 2026 is not shown yet")
    assert "This is July to September 2025" in said
    assert "15.0%" in said


def test_too_few_cases_say_how_many_there_are_and_how_many_it_takes() -> None:
    few = figures(
        a_result(
            rate=None,
            low=None,
            high=None,
            withheld="too-few-cases",
            counts=Counts(initial_population=4, denominator=4, numerator=1),
        )
    )
    said = measure_says(a_measure(), few, None, None, ())
    assert said == (
        "Not shown. Fewer cases than this measure needs for a rate. There are 4; it takes 10."
    )


def told_summary(*measures: MeasureFeedback) -> Summary:
    return summary("2026Q3", measures, compositions.composition().quality, ())


def test_the_summary_names_the_best_and_the_last() -> None:
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
    told = told_summary(good, bad, undirected, hidden)
    assert told.overall == ("280 cases in July to September 2026; 3 of 4 measures can be shown.",)
    assert "In the best quarter of all facilities: Good." in told.stands_out
    assert "In the last quarter of all facilities: Bad." in told.stands_out


def test_the_summary_tells_what_changed_and_which_way() -> None:
    better = change(a_share(48, 80), a_share(56, 70), "2025Q3")
    worse = change(a_share(56, 70), a_share(48, 80), "2025Q3")
    told = told_summary(
        compositions.measure("a", title="Up", change=better),
        compositions.measure("b", title="Down", change=worse),
    )
    assert "Better than a year before: Up (80.0% to 12.5%)." in told.changed
    assert "Worse than a year before: Down (60.0% to 12.5%)." in told.changed
    assert any("Down" in line and "Up" not in line for line in told.look_at)


def test_a_new_facility_is_told_that_there_is_no_trend_yet() -> None:
    told = told_summary(compositions.measure(change=None, run=None))
    assert told.changed == ("There is no year before to compare with, and no trend yet.",)


def test_a_facility_of_few_cases_is_told_that_no_rate_can_be_shown() -> None:
    hidden = compositions.measure(
        result=compositions.figures(rate=None), standings=(), funnel=None, run=None
    )
    told = told_summary(hidden)
    assert told.changed == ("No rate can be shown, so that no change can be told.",)
    assert told.stands_out == ("No rate can be shown, so that none can be compared with peers.",)


def test_what_is_often_left_out_is_looked_at_and_what_is_never_sent_is_not() -> None:
    told = told_summary(compositions.measure())
    assert "Often left out: Pack-years (75.0%)." in told.look_at


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
