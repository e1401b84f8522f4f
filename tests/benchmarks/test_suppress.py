"""What is told of peers points at nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmarks.suppress import (
    HIDDEN_BY_ROUNDING,
    Ints,
    Tally,
    complementary,
    is_small,
    pooled_digits,
    tally,
    withheld,
)


def apart(volumes: list[int], numerator: int | None) -> Tally:
    """Facilities each of an account of its own."""
    return tally(range(len(volumes)), volumes, numerator)


@pytest.mark.parametrize(
    ("volumes", "numerator", "reason"),
    [
        ([100] * 4, 50, "few-facilities"),
        ([], 0, "few-facilities"),
        ([100] * 5, 50, None),
        ([401, 100, 100, 100, 100], 200, "dominance"),
        ([400, 100, 100, 100, 100], 200, None),
        ([2] * 5, 0, "small-count"),
        ([100] * 5, 10, "small-count"),
        ([100] * 5, 11, None),
        ([100] * 5, 490, "small-count"),
        ([100] * 5, 489, None),
        ([100] * 5, 0, None),
        ([100] * 5, 500, None),
        ([100] * 5, None, None),
    ],
)
def test_each_rule_of_suppression(
    volumes: list[int], numerator: int | None, reason: str | None
) -> None:
    assert withheld(apart(volumes, numerator)) == reason


@pytest.mark.parametrize(
    ("accounts", "volumes", "reason"),
    [
        ([1, 1, 2, 3, 4], [100] * 5, "few-facilities"),
        ([1, 1, 2, 3, 4, 5], [100] * 6, None),
        ([1] * 8, [100] * 8, "few-facilities"),
        ([1, 1, 1, 2, 3, 4, 5], [100] * 7, None),
        ([1, 1, 1, 2, 3, 4, 5], [140] * 3 + [100] * 4, "dominance"),
    ],
)
def test_facilities_of_one_account_count_as_one_who_looks(
    accounts: list[int], volumes: list[int], reason: str | None
) -> None:
    assert withheld(tally(accounts, volumes, sum(volumes) // 2)) == reason


@given(st.integers(-5, 30))
def test_small_counts_are_one_to_ten(count: int) -> None:
    assert is_small(count) == (count in range(1, 11))


Sets = list[tuple[list[tuple[int, int, int]], bool]]
"""Groups of facilities (account, cases, met), and whether each is in the grouping at all."""

facility = st.tuples(st.integers(0, 11), st.integers(1, 60), st.integers(0, 60)).map(
    lambda one: (one[0], one[1], min(one[1:]))
)


@given(st.lists(st.tuples(st.lists(facility, max_size=9), st.booleans()), max_size=6))
def test_what_is_left_of_a_whole_is_nobody_or_what_might_be_told(sets: Sets) -> None:
    everybody = [one for its, _ in sets for one in its]
    accounts = range(12)

    def tallied(facilities: list[tuple[int, int, int]]) -> Tally:
        counted = tally(
            [*accounts, *(one[0] for one in facilities)],
            [*([0] * 12), *(one[1] for one in facilities)],
            sum(one[2] for one in facilities),
        )
        return Tally(counted.facilities - 1, counted.volumes, counted.numerator)

    groups = {
        str(place): tallied(its)
        for place, (its, grouped) in enumerate(sets)
        if grouped and withheld(tallied(its)) is None
    }
    hidden = complementary(tallied(everybody), groups)
    left = [
        one
        for place, (its, _) in enumerate(sets)
        for one in its
        if str(place) not in groups or str(place) in hidden
    ]
    assert not left or withheld(tallied(left)) is None or set(hidden) == set(groups)
    assert set(hidden) <= set(groups)


def test_a_single_gap_is_filled_from_the_smallest_of_the_others() -> None:
    many = {"a": apart([90] * 10, 300), "b": apart([12] * 10, 40), "c": apart([30] * 10, 100)}
    four = apart([5] * 4 + [0] * 6, 5)
    four = Tally(four.facilities * (four.volumes > 0), four.volumes, 5)
    whole = many["a"] + many["b"] + many["c"] + four
    assert complementary(whole, many) == ["b"]
    assert complementary(whole - four, many) == []
    assert complementary(whole - many["b"], {"a": many["a"], "c": many["c"]}) == ["c"]
    assert complementary(four, {}) == []


def test_a_sum_of_two_small_counts_is_not_told_either() -> None:
    one, other = apart([50] * 6, 2), apart([50] * 6, 3)
    large = apart([60] * 6, 90)
    assert withheld(one) == withheld(other) == "small-count"
    assert complementary(one + other + large, {"large": large}) == ["large"]


def cases(*of_accounts: int) -> Ints:
    return np.array(of_accounts, np.int64)


def test_a_pooled_rate_is_rounded_so_that_cases_hide_in_it() -> None:
    met, of = cases(4_000, 4_000, 4_000), cases(8_000, 8_000, 8_000)
    assert pooled_digits(3, of, met, 12) == 3, "24,000 cases: a unit of 0.001 is 24"
    assert pooled_digits(4, of, met, 12) == 3
    assert pooled_digits(3, of // 2, met // 2, 12) == 2
    assert pooled_digits(1, of, met, 12) == 1
    assert pooled_digits(3, cases(80, 80, 80), None, 12) is None
    total = int(of.sum())
    assert total >= HIDDEN_BY_ROUNDING * 10**3


def test_a_pooled_rate_is_not_told_of_few_cases_beside_one_accounts() -> None:
    of = cases(20_000, 9_000, 9_000)
    assert pooled_digits(3, of, cases(5_000, 132, 132), 12) == 3
    assert pooled_digits(3, of, cases(5_000, 132, 131), 12) is None
    assert pooled_digits(3, of, of - cases(5_000, 132, 131), 12) is None
    assert pooled_digits(3, of, cases(5_000, 132, 132), 13) is None
