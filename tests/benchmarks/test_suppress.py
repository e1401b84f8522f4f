"""What is told of peers points at nobody."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmarks.suppress import (
    HIDDEN_BY_ROUNDING,
    Ints,
    Tally,
    Totals,
    are_small,
    complementary,
    pooled_digits,
    withheld,
)


def tally(accounts: Sequence[int], volumes: Sequence[int], met: Sequence[int] | None) -> Tally:
    """Facilities, each of an account from 0 to 11."""
    facilities, held, counted = (np.zeros(12, np.int64) for _ in range(3))
    for account, volume, count in zip(accounts, volumes, met or [0] * len(volumes), strict=True):
        facilities[account] += 1
        held[account] += volume
        counted[account] += count
    return Tally(facilities, held, held if met is None else counted)


def apart(volumes: Sequence[int], met: Sequence[int] | None) -> Tally:
    """Facilities each of an account of its own."""
    return tally(range(len(volumes)), volumes, met)


@pytest.mark.parametrize(
    ("volumes", "met", "reason"),
    [
        ([100] * 4, [10] * 4, "few-facilities"),
        ([], [], "few-facilities"),
        ([100] * 5, [10] * 5, None),
        ([401, 100, 100, 100, 100], [40] * 5, "dominance"),
        ([400, 100, 100, 100, 100], [40] * 5, None),
        ([2] * 5, [0] * 5, "small-count"),
        ([100] * 5, [2] * 5, "small-count"),
        ([100] * 5, [0, 0, 0, 5, 6], "small-count"),
        ([100] * 5, [3, 3, 3, 2, 3], None),
        ([100] * 5, [80, 0, 5, 5, 0], "small-count"),
        ([100] * 5, [80, 1, 5, 5, 0], None),
        ([100] * 5, [98] * 5, "small-count"),
        ([100] * 5, [97, 97, 97, 98, 97], None),
        ([100] * 5, [0] * 5, None),
        ([100] * 5, [100] * 5, None),
        ([100] * 5, None, None),
    ],
)
def test_each_rule_of_suppression(
    volumes: list[int], met: list[int] | None, reason: str | None
) -> None:
    assert withheld(apart(volumes, met)) == reason


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
    assert withheld(tally(accounts, volumes, [one // 2 for one in volumes])) == reason


@given(st.lists(st.integers(0, 14), min_size=1, max_size=6))
def test_small_counts_are_one_to_ten_whoever_takes_his_own_away(counts: list[int]) -> None:
    total = sum(counts)
    known = [total, *(total - one for one in counts)]
    assert are_small(np.array([total]), np.array([max(counts)]))[0] == (
        total > 0 and min(known) <= 10
    )


Sets = list[tuple[list[tuple[int, int, int]], bool]]
"""Groups of facilities (account, cases, met), and whether each is in the grouping at all."""

facility = st.tuples(st.integers(0, 11), st.integers(1, 60), st.integers(0, 60)).map(
    lambda one: (one[0], one[1], min(one[1:]))
)


@given(st.lists(st.tuples(st.lists(facility, max_size=9), st.booleans()), max_size=6))
def test_what_is_left_of_a_whole_is_nobody_or_what_might_be_told(sets: Sets) -> None:
    everybody = [one for its, _ in sets for one in its]

    def tallied(facilities: list[tuple[int, int, int]]) -> Tally:
        accounts, volumes, met = ([one[place] for one in facilities] for place in range(3))
        return tally(accounts, volumes, met)

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
    many = {"a": apart([90] * 10, [30] * 10), "b": apart([12] * 10, [4] * 10)}
    many["c"] = apart([30] * 10, [10] * 10)
    four = apart([5] * 4, [1] * 4)
    whole = many["a"] + many["b"] + many["c"] + four
    assert complementary(whole, many) == ["b"]
    assert complementary(whole - four, many) == []
    assert complementary(whole - many["b"], {"a": many["a"], "c": many["c"]}) == ["c"]
    assert complementary(four, {}) == []


def test_a_sum_of_two_small_counts_is_not_told_either() -> None:
    one, other = apart([50] * 6, [2, 0, 0, 0, 0, 0]), apart([50] * 6, [0, 3, 0, 0, 0, 0])
    large = apart([60] * 6, [15] * 6)
    assert withheld(one) == withheld(other) == "small-count"
    assert complementary(one + other + large, {"large": large}) == ["large"]


def cases(*of_accounts: int) -> Ints:
    return np.array(of_accounts, np.int64)


def digits(most: int, denominators: Ints, numerators: Ints | None, parts: int) -> int | None:
    """Of accounts, each with a facility; of a mean without numerators."""
    met = denominators if numerators is None else numerators
    counts = np.ones_like(met), denominators, met
    unmet = denominators - met
    group = Totals(*(of(one) for one in counts for of in (np.sum, np.max)), unmet.max())
    return pooled_digits(most, group, parts, mean=numerators is None)


def test_a_pooled_rate_is_rounded_so_that_cases_hide_in_it() -> None:
    met, of = cases(4_000, 4_000, 4_000), cases(8_000, 8_000, 8_000)
    assert digits(3, of, met, 12) == 3, "24,000 cases: a unit of 0.001 is 24"
    assert digits(4, of, met, 12) == 3
    assert digits(3, of // 2, met // 2, 12) == 2
    assert digits(1, of, met, 12) == 1
    assert digits(3, cases(80, 80, 80), None, 12) is None
    total = int(of.sum())
    assert total >= HIDDEN_BY_ROUNDING * 10**3


def test_a_pooled_rate_is_not_told_of_few_cases_beside_one_accounts() -> None:
    of = cases(20_000, 9_000, 9_000)
    assert digits(3, of, cases(5_000, 132, 132), 12) == 3
    assert digits(3, of, cases(5_000, 132, 131), 12) is None
    assert digits(3, of, of - cases(5_000, 132, 131), 12) is None
    assert digits(3, of, cases(5_000, 132, 132), 13) is None
