"""Where a result lies among all facilities: each told figure against its formula, worked out apart."""

import math

import numpy as np
import pytest
from scipy import stats

from app.benchmarks import rates
from app.benchmarks.periods import period
from app.benchmarks.position import NormTold, fitted, position_of
from app.benchmarks.query import Result
from app.benchmarks.rates import Counts
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.flags import called_up_to
from app.registries.measure import Measure
from tests.benchmarks.toy import MEASURES

FOUND, DOSE = (next(one for one in MEASURES if one.id == name) for name in ("found", "dose"))
RATIO = next(one for one in MEASURES if one.scoring == "ratio")
NONE = np.zeros(0)


def result(measure: Measure, counts: Counts, withheld: str | None = None) -> Result:
    exact = rates.rate(measure, counts)
    shown = None if withheld or exact is None else half_up(exact, 6)
    return Result(
        measure, 1, period("2025"), None, None, counts, shown, None, None, None, False, withheld
    )


def a_share(met: int, of: int) -> Result:
    return result(FOUND, Counts(denominator=of, numerator=met))


def told(norm: dict[str, str], improbable: np.ndarray) -> NormTold:
    return norm | {"called_up_to": f"{called_up_to(improbable):.2g}"}


@pytest.mark.parametrize("spread", [60.0, math.inf])
def test_a_share_is_placed_by_the_norm_that_is_told_of_it(spread: float) -> None:
    chance = np.random.default_rng(17)
    n = chance.integers(30, 900, 500)
    true = np.full(500, 0.2) if math.isinf(spread) else chance.beta(0.2 * spread, 0.8 * spread, 500)
    x = chance.binomial(n, true)
    target = round(float(x.sum() / n.sum()), 3)
    found = fitted(FOUND, x, n, NONE, target)
    assert found is not None
    norm, improbable = found
    assert float(norm["target"]) == target
    tau_squared, precision = float(norm["tau_squared"]), float(norm["precision"])
    assert (tau_squared > 0) is not math.isinf(spread)
    assert precision > 500 if math.isinf(spread) else 45 < precision < 80
    for met, of in ((40, 100), (3, 100), (20, 100), (400, 800), (0, 40)):
        place = position_of(a_share(met, of), told(norm, improbable))
        assert place is not None
        error = math.sqrt(1 / (4 * of) + tau_squared)
        score = (math.asin(math.sqrt(met / of)) - math.asin(math.sqrt(target))) / error
        assert place.score == pytest.approx(score)
        weight = of / (of + precision)
        assert place.reliability == pytest.approx(weight)
        assert place.shrunk == pytest.approx(weight * met / of + (1 - weight) * target)
        if not math.isinf(precision):
            a, b = target * precision + met, (1 - target) * precision + of - met
            assert place.shrunk_interval == pytest.approx(stats.beta(a, b).interval(0.95))
        assert place.above is (met / of > target)
        if tau_squared > 0:
            # With scatter limits are normal on the arcsine scale, and no narrower than chance's.
            assert place.zone == "beyond-998" or abs(score) < stats.norm.ppf(0.999) + 0.5
    # Whoever is flagged is so by Benjamini and Hochberg among all, and lies beyond the outer limits.
    adjusted = stats.false_discovery_control(improbable)
    places = [
        position_of(a_share(*pair), told(norm, improbable))
        for pair in zip(x.tolist(), n.tolist(), strict=True)
    ]
    for place, q, p in zip(places, adjusted, improbable, strict=True):
        assert place is not None
        if abs(q - 0.05) > 0.005:  # what is told is rounded
            assert place.flagged == (q <= 0.05 and place.zone == "beyond-998"), (q, p, place)


def test_a_mean_is_placed_on_the_scale_of_logarithms() -> None:
    chance = np.random.default_rng(18)
    sizes = chance.integers(30, 400, 120)
    centres = np.exp(chance.normal(math.log(2.0), 0.2, 120))
    unit = 10**DOSE.scale
    doses = [
        np.round(chance.lognormal(math.log(centre), 0.3, size) * unit).astype(np.int64)
        for centre, size in zip(centres, sizes, strict=True)
    ]
    totals = np.array([one.sum() for one in doses])
    squares = np.array([float((one.astype(float) ** 2).sum()) for one in doses])
    found = fitted(DOSE, totals, sizes * unit, squares, 0.0)
    assert found is not None
    norm, improbable = found
    variation, between, tau_squared, target = (
        float(norm[name]) for name in ("variation", "between", "tau_squared", "target")
    )
    assert variation == pytest.approx(math.exp(0.09) - 1, rel=0.1)
    assert between == pytest.approx(0.04, rel=0.4)
    for one in (doses[0], doses[1]):
        counts = Counts(
            denominator=len(one),
            observations=len(one),
            total=int(one.sum()),
            total_of_squares=int((one**2).sum()),
        )
        place = position_of(result(DOSE, counts), told(norm, improbable))
        assert place is not None
        mean, own = one.mean() / unit, variation / len(one)
        distance = math.log(mean) - math.log(target)
        assert place.score == pytest.approx(distance / math.sqrt(own + tau_squared))
        weight = between / (between + own)
        assert place.reliability == pytest.approx(weight)
        assert place.shrunk == pytest.approx(math.exp(math.log(target) + weight * distance))
        half = 1.959964 * math.sqrt(weight * own)
        assert place.shrunk_interval.high == pytest.approx(place.shrunk * math.exp(half), rel=1e-5)


def test_what_is_withheld_or_has_no_norm_has_no_place() -> None:
    x, n = np.array([5, 9, 20]), np.array([50, 60, 70])
    found = fitted(FOUND, x, n, NONE, 0.19)
    assert found is not None
    norm = told(*found)
    assert position_of(a_share(5, 50), None) is None
    hidden = result(FOUND, Counts(denominator=50, numerator=5), "not-matured")
    assert position_of(hidden, norm) is None
    assert fitted(RATIO, x, n, NONE, 0.2) is None, "its parts are not independent"
    assert fitted(FOUND, np.zeros(3, np.int64), n, NONE, 0.0) is None
    assert fitted(DOSE, np.array([0, 9, 20]), n, np.ones(3), 0.2) is None, "0 has no logarithm"


def test_a_norm_tells_two_digits_of_what_only_all_facilities_together_decide() -> None:
    chance = np.random.default_rng(19)
    n = chance.integers(30, 900, 200)
    x = chance.binomial(n, chance.beta(10, 40, 200))
    found = fitted(FOUND, x, n, NONE, round(x.sum() / n.sum(), 3))
    assert found is not None
    for name in ("tau_squared", "precision"):
        digits = found[0][name].replace(".", "").split("e")[0].lstrip("0")
        assert len(digits.rstrip("0")) <= 2
