"""What is expected of a facility: told of a nation, worked out from its own cells, against loops."""

import math
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.benchmarks.expected import (
    FEW,
    UNEXPECTED,
    UNFITTED,
    Adjusted,
    Fits,
    MixTold,
    adjusted_of,
)
from app.benchmarks.layout import Layout
from app.benchmarks.nation import Nation, Running
from app.benchmarks.periods import period
from app.benchmarks.rates import Counts
from app.benchmarks.statistics.case_mix import case_mix
from app.registries.case_mix import Factor, combinations, text_of
from app.registries.measure import Measure
from tests.benchmarks.test_position import result

AGE = Factor(
    id="age",
    title="Age",
    expression="age",
    levels={"young": "Young", "old": "Old"},
    reference="young",
)
SMOKES = Factor(
    id="smokes", title="Smokes", expression="smokes", levels={"y": "Yes", "n": "No"}, reference="n"
)
MEASURE = Measure(
    id="positive",
    title="Positive",
    description="Positive",
    form="exam",
    scoring="proportion",
    numerator="TRUE",
    case_mix=(AGE, SMOKES),
)
RARE = MEASURE.model_copy(update={"per": 1000})
KINDS = list(combinations(MEASURE.case_mix))
SHARES = np.outer((0.5, 0.49, 0.01), (0.6, 0.39, 0.01)).ravel()
ADDED = {"old": 0.5, "y": 0.8, "unknown": 0.0}
YEAR = period("2025")


def added(kind: tuple[str, ...]) -> float:
    return sum(ADDED.get(level, 0.0) for level in kind)


def drawn(
    seed: int, facilities: int = 40, size: float = 1_000, spread: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cases and events of facilities by month and kind, and what each facility adds of its own."""
    chance = np.random.default_rng(seed)
    tilts = np.exp(chance.normal(0, 0.5, (facilities, len(KINDS))))
    sizes = size * np.exp(chance.normal(0, 0.8, facilities)) / 12
    mixes = SHARES * tilts
    cases = chance.poisson(
        (sizes / mixes.sum(axis=1))[:, None, None] * mixes[:, None, :],
        (facilities, 12, len(KINDS)),
    )
    own = chance.normal(0, spread, facilities)
    odds = -2 + own[:, None, None] + np.array([added(one) for one in KINDS])
    return cases, chance.binomial(cases, 1 / (1 + np.exp(-odds))), own


def nation(cases: np.ndarray, events: np.ndarray) -> Nation:
    """A nation of one year with these cells, each facility of an account of its own."""
    both = np.concatenate([cases, events], axis=2).transpose(1, 0, 2)
    running = np.concatenate([np.zeros((1, *both.shape[1:]), int), both]).cumsum(axis=0)
    count = len(cases)
    return Nation(
        facilities=list(range(1, count + 1)),
        first=date(2025, 1, 1),
        last=date(2025, 12, 1),
        running=Running({}, {"positive": running.astype(np.int32)}),
        layout=Layout((), {}),
        accounts=np.arange(count),
        members={},
    )


def told_of(cases: np.ndarray, events: np.ndarray, label: str = "2025") -> MixTold:
    found = Fits(nation(cases, events), MEASURE, 12).told(
        period(label), np.ones(len(cases), np.bool_)
    )
    assert found is not None
    return found


def adjusted(
    told: MixTold, cases: np.ndarray, events: int, pooled: float = 0.2, measure: Measure = MEASURE
) -> Adjusted | str:
    counted = result(measure, Counts(denominator=int(cases.sum()), numerator=events))
    return adjusted_of(counted, cases.tolist(), told, Decimal(str(pooled)))


def test_what_is_told_is_the_regression_within_facilities_rounded() -> None:
    cases, events, _ = drawn(1)
    told = told_of(cases, events)
    assert told["text"] == text_of(MEASURE.case_mix)
    assert told["base"] == {"age": "young", "smokes": "n"}
    # What is unknown is too rare, and stands with the base; the rest, case by case.
    assert {name: set(its) for name, its in told["effects"].items()} == {
        "age": {"old"},
        "smokes": {"y"},
    }
    rows = [
        (place, float(kind[0] == "old"), float(kind[1] == "y"), x, n)
        for place in range(len(cases))
        for kind, x, n in zip(
            KINDS, events[place].sum(axis=0), cases[place].sum(axis=0), strict=True
        )
    ]
    of, old, smokes, x, n = (np.array(column) for column in zip(*rows, strict=True))
    model = case_mix(np.column_stack([old, smokes]), x, n, of)
    assert model is not None
    assert told["effects"]["age"]["old"] == f"{model.coefficients[0]:.2f}"
    assert told["effects"]["smokes"]["y"] == f"{model.coefficients[1]:.2f}"
    assert float(told["intercept"]) == pytest.approx(model.intercept, abs=0.02)
    # All facilities together expect what they observed.
    expected = sum(by_hand(told, cases[place].sum(axis=0)) for place in range(len(cases)))
    assert expected == pytest.approx(events.sum(), rel=0.001)


def by_hand(told: MixTold, cases: np.ndarray) -> float:
    """What is expected of these cases, by loops."""
    expected = 0.0
    for kind, n in zip(KINDS, cases, strict=True):
        odds = float(told["intercept"])
        for factor, level in zip(("age", "smokes"), kind, strict=True):
            odds += float(told["effects"][factor].get(level, 0))
        expected += n / (1 + math.exp(-odds))
    return expected


def test_a_facility_s_ratio_is_what_loops_over_its_cases_give() -> None:
    cases, events, _ = drawn(2)
    told = told_of(cases, events)
    shape = float(told["shape"])
    # The log-odds of facilities were drawn with 0.3; of events so common, ratios differ by less.
    assert shape == pytest.approx(1 / (0.3 * 0.85) ** 2, rel=0.6)
    for place in range(len(cases)):
        of, x = cases[place].sum(axis=0), int(events[place].sum())
        found = adjusted(told, of, x)
        assert isinstance(found, Adjusted)
        expected = by_hand(told, of)
        assert found.observed == x
        assert float(found.expected) == pytest.approx(expected, abs=0.051)
        assert float(found.ratio) == pytest.approx(x / expected, abs=0.00051)
        assert float(found.shrunk) == pytest.approx((x + shape) / (expected + shape), abs=0.00051)
        assert found.reliability == pytest.approx(expected / (expected + shape))
        assert float(found.rate) == pytest.approx(0.2 * x / expected, abs=1e-6)
        assert found.low < found.ratio < found.high
        assert found.shrunk_low < found.shrunk < found.shrunk_high
        assert found.rate_low < found.rate < found.rate_high


@pytest.fixture(scope="module")
def told() -> MixTold:
    """Of a nation whose facilities differ."""
    cases, events, _ = drawn(3)
    return told_of(cases, events)


@settings(max_examples=25)
@given(st.integers(1, 40), st.data())
def test_a_facility_with_the_nation_s_own_mix_has_its_rate_over_the_nation_s(
    told: MixTold, copies: int, data: st.DataObject
) -> None:
    cases, events, _ = drawn(3)
    of_kinds = cases.sum(axis=(0, 1))
    overall = events.sum() / of_kinds.sum()
    total = int(of_kinds.sum()) * copies
    x = data.draw(st.integers(0, total))
    found = adjusted(told, of_kinds * copies, x, pooled=overall)
    assert isinstance(found, Adjusted)
    assert float(found.ratio) == pytest.approx(x / total / overall, rel=0.002, abs=0.001)
    assert float(found.rate) == pytest.approx(min(x / total, 1), rel=0.002, abs=1e-5)


def test_effects_are_of_the_twelve_months_to_a_period_s_end_and_the_intercept_of_its_own() -> None:
    cases, events, _ = drawn(4)
    worse = events.copy()
    worse[:, 11] = np.minimum(cases[:, 11], events[:, 11] * 2)
    whole, month = told_of(cases, worse), told_of(cases, worse, "2025-12")
    assert month["effects"] == whole["effects"]
    assert float(month["intercept"]) > float(whole["intercept"]) + 0.3
    expected = sum(by_hand(month, cases[place, 11]) for place in range(len(cases)))
    assert expected == pytest.approx(worse[:, 11].sum(), rel=0.001)


def test_what_cannot_be_told_says_why(told: MixTold) -> None:
    cases, events, _ = drawn(5, facilities=20, size=20)
    assert told_of(cases, events)["withheld"] == FEW
    # One organisation has nearly all who are old: beside its own there are too few.
    cases, events, _ = drawn(6, size=300)
    old = [kind[0] == "old" for kind in KINDS]
    cases[1:, :, old], events[1:, :, old] = 0, 0
    assert told_of(cases, events)["effects"]["age"] == {}
    # No facility has both: nothing sets patients apart from facilities.
    cases, events, _ = drawn(7)
    events[:20], events[20:] = cases[:20], 0
    assert told_of(cases, events)["withheld"] == UNFITTED
    few = np.zeros(len(KINDS), int)
    few[0] = 4
    assert adjusted(told, few, 1) == UNEXPECTED
    assert adjusted({"text": "x", "withheld": UNFITTED}, few, 1) == UNFITTED


def test_a_reference_that_is_too_rare_gives_way_to_the_commonest() -> None:
    cases, events, _ = drawn(8)
    young = [kind[0] == "young" for kind in KINDS]
    cases[:, :, young], events[:, :, young] = 0, 0
    found = told_of(cases, events)
    assert found["base"]["age"] == "old"
    assert found["effects"]["age"] == {}


def test_intervals_of_rates_per_1000_are_poissons_and_others_of_a_share(told: MixTold) -> None:
    cases = np.zeros(len(KINDS), int)
    cases[0] = 100
    share, rare = adjusted(told, cases, 30), adjusted(told, cases, 30, measure=RARE)
    assert isinstance(share, Adjusted)
    assert isinstance(rare, Adjusted)
    assert rare.high - rare.low > share.high - share.low
    # Garwood: 30 -> 20.2409 to 42.8269.
    expected = by_hand(told, cases)
    assert float(rare.low) == pytest.approx(20.2409 / expected, abs=0.001)
    assert float(rare.high) == pytest.approx(42.8269 / expected, abs=0.001)
    everything = adjusted(told, cases, 100, pooled=0.5)
    assert isinstance(everything, Adjusted)
    assert everything.rate == 1


@pytest.mark.soak
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Over many nations with known effects of facilities, whatever their patients are."""
    inside = shrunk = seen = 0
    for seed in range(100, 140):
        cases, events, own = drawn(seed, facilities=60, size=1_500)
        found = told_of(cases, events)
        base = np.array([added(one) for one in KINDS])
        for place in range(len(cases)):
            of = cases[place].sum(axis=0)
            true = float(of @ (1 / (1 + np.exp(2 - own[place] - base))))
            its = adjusted(found, of, int(events[place].sum()))
            assert isinstance(its, Adjusted)
            ratio = true / by_hand(found, of)
            inside += float(its.low) <= ratio <= float(its.high)
            shrunk += float(its.shrunk_low) <= ratio <= float(its.shrunk_high)
            seen += 1
    assert 0.94 <= inside / seen <= 0.99, inside / seen
    assert 0.92 <= shrunk / seen <= 0.98, shrunk / seen
