"""Tails of the Poisson, binomial and Student distributions by their own sums and fractions, not scipy's."""

import math
from collections.abc import Callable


def poisson_at_most(count: int, mean: float) -> float:
    """P(X <= count) of a Poisson variable whose mean is not below the count: the tail's own sum."""
    term = math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1))
    total, k = term, count
    while k > 0 and term > total * 1e-17:
        term *= k / mean
        total += term
        k -= 1
    return min(total, 1.0)


def poisson_at_least(count: int, mean: float) -> float:
    """P(X >= count) of a Poisson variable whose mean is not above the count: the tail's own sum."""
    if mean == 0:
        return 0.0
    term = math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1))
    total, k = term, count + 1
    while term > total * 1e-17:
        term *= mean / k
        total += term
        k += 1
    return min(total, 1.0)


def binomial_terms(size: int, share: float) -> list[float]:
    """P(X = k) for k from 0 to the size, each by itself."""
    if share in (0.0, 1.0):
        return [float(k == size * share) for k in range(size + 1)]
    return [
        math.exp(
            math.lgamma(size + 1)
            - math.lgamma(k + 1)
            - math.lgamma(size - k + 1)
            + k * math.log(share)
            + (size - k) * math.log1p(-share)
        )
        for k in range(size + 1)
    ]


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + factor * d)
            c = 1 + factor / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction / a


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, by bisection to the last bit."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t above the middle: P(|T| > t) = I_x(f/2, 1/2) at x = f / (f + t²)."""
    tail = 2 * (1 - probability)
    x = root(lambda x: incomplete_beta(freedom / 2, 0.5, x) - tail, 0.0, 1.0)
    return math.sqrt(freedom * (1 - x) / x)
