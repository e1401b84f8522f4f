"""What is told of peers points at nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmarks.suppress import complementary, is_small, withheld


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
    assert withheld(volumes, numerator) == reason


@given(st.integers(-5, 30))
def test_small_counts_are_one_to_ten(count: int) -> None:
    assert is_small(count) == (count in range(1, 11))


def test_a_single_gap_is_never_left_to_be_filled_from_the_total() -> None:
    volumes = {"a": 900, "b": 40, "c": 300, "d": 5}
    assert complementary(volumes, ["d"]) == "b"
    assert complementary(volumes, ["d", "b"]) is None
    assert complementary(volumes, []) is None
    assert complementary({"a": 900, "b": 0}, ["b"]) is None
    assert complementary({"d": 5}, ["d"]) is None
