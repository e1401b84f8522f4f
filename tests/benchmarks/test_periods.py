"""Periods are whole months, written in four ways and told in the shortest."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.benchmarks.periods import Period, later, period
from app.errors import Unprocessable


@pytest.mark.parametrize(
    ("text", "first", "last", "label"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 1), "2026"),
        ("2026Q3", date(2026, 7, 1), date(2026, 9, 1), "2026Q3"),
        ("2026-09", date(2026, 9, 1), date(2026, 9, 1), "2026-09"),
        ("2025-10..2026-09", date(2025, 10, 1), date(2026, 9, 1), "2025-10..2026-09"),
        ("2026-01..2026-12", date(2026, 1, 1), date(2026, 12, 1), "2026"),
        ("2026-04..2026-06", date(2026, 4, 1), date(2026, 6, 1), "2026Q2"),
        ("2026-05..2026-05", date(2026, 5, 1), date(2026, 5, 1), "2026-05"),
    ],
)
def test_a_period_is_read_and_told(text: str, first: date, last: date, label: str) -> None:
    found = period(text)
    assert (found.first, found.last, found.label) == (first, last, label)


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026Q5", "2026-13", "2026-9", "2026-09..2026-08", "0000", "9999", "2026Q0", "2026-00",
     "1990-01..2026-01", "2026-01..", "2026 ", "٢٠٢٦", "2026\n"],
)  # fmt: skip
def test_what_is_no_period_is_refused_in_our_own_words(text: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        period(text)
    assert str(refused.value).startswith(("Write a period as", "A period "))


@given(st.dates(date(1900, 1, 1), date(2190, 12, 31)), st.integers(0, 119))
def test_a_label_reads_back_as_the_same_period(start: date, months: int) -> None:
    first = start.replace(day=1)
    made = Period(first, later(first, months))
    assert period(made.label) == made
    assert len(list(made.months())) == months + 1


def test_a_window_closes_with_the_month_after_its_last() -> None:
    assert period("2025").matured_on(14) == date(2027, 3, 1)
    assert period("2025-02").matured_on(0) == date(2025, 3, 1)
    assert period("2024-02").end == date(2024, 2, 29)
