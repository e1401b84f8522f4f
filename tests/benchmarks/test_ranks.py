"""Spreads of rates as whole numbers, against the exact rules they stand for."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.benchmarks.spread import rank, rounded
from app.benchmarks.statistics import half_up, quantile
from tests.benchmarks.one_group import in_order, quantiles, rank_bounds

SHARES = tuple(Fraction(one, 20) for one in (2, 5, 10, 15, 18))
rates = st.lists(
    st.tuples(st.integers(-500, 500), st.integers(1, 400)), min_size=1, max_size=130
).map(lambda found: (np.array([one[0] for one in found]), np.array([one[1] for one in found])))


@given(rates, st.integers(0, 4))
def test_quantiles_are_type_seven_rounded_half_up(
    found: tuple[np.ndarray, np.ndarray], digits: int
) -> None:
    order = in_order(*found)
    numerators, denominators = found[0][order], found[1][order]
    exact = [Fraction(int(one), int(of)) for one, of in zip(numerators, denominators, strict=True)]
    assert exact == sorted(exact)
    got = quantiles(numerators, denominators, SHARES, digits)
    assert [Decimal(one).scaleb(-digits) for one in got] == [
        half_up(quantile(exact, share), digits) for share in SHARES
    ]
    units = rounded(numerators, denominators, digits)
    assert [Decimal(int(one)).scaleb(-digits) for one in units] == [
        half_up(one, digits) for one in exact
    ]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=130))
def test_a_rank_is_the_mid_rank_down_to_its_step(values: list[int]) -> None:
    ordered = np.sort(np.array(values))
    bounds = rank_bounds(ordered).tolist()
    step = 1 if len(values) >= 100 else 5 if len(values) >= 20 else 25
    for value in set(values):
        below = sum(one < value for one in values)
        mid = Fraction(100 * (2 * below + values.count(value)), 2 * len(values))
        found = rank(value, bounds)
        assert found.quartile == min(int(mid // 25) + 1, 4)
        if len(values) < 20:
            assert found.percentile is None
        else:
            assert found.percentile == min(int(mid // step) * step, 100 - step)
