import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from app.reports.axes import axis, ticks

figures = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@given(low=figures, high=figures)
def test_ticks_are_round_cover_the_values_and_stay_few(low: float, high: float) -> None:
    low, high = sorted((low, high))
    marks = ticks(low, high)
    steps = {round(b - a, 9) for a, b in itertools.pairwise(marks)}
    assert 2 <= len(marks) <= 9
    assert marks[0] <= low + 1e-6
    assert high <= marks[-1] + 1e-6
    assert len({round(step, 6) for step in steps}) == 1
    if high - low > 1e-3:
        assert re.fullmatch(
            r"(1|2|2\.5|5)0*(\.0*)?(e[+-]\d+)?", f"{min(steps):.6e}".replace("e", "0e")
        )


@given(values=st.lists(st.floats(0, 100).map(lambda value: round(value, 2)), min_size=1))
def test_no_axis_of_a_percentage_goes_past_a_hundred_and_each_has_two_ticks(
    values: list[float],
) -> None:
    marks = axis(values, most=100)
    assert marks[-1] <= 100
    assert len(marks) >= 2
    assert marks[0] <= min(values) + 1e-9
    assert max(values) <= marks[-1] + 1e-9


def test_an_axis_of_nothing_is_an_axis_all_the_same() -> None:
    assert axis([None]) == [0, 1]
