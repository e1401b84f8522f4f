"""The maximum of a likelihood in two parameters, logarithms or logits, from its slopes and curvatures."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import scipy

from app.benchmarks.statistics.intervals import Floats, floats

ENOUGH = 1e-6
"""What a log-likelihood may still be short of its maximum."""

ROUNDING = 1e-12
"""A sum below this share of its terms is nothing."""

FAR = 40.0
"""Beyond this a logarithm or logit is as good as infinite, and nothing is worked out."""


ALIKE = math.log(1e8)
"""The logarithm of a precision beyond which a likelihood is that of no spread: what they differ by is lost
in rounding."""


class Slopes(NamedTuple):
    """A log-likelihood at a place: its value, gradient (2) and Hessian (2 × 2)."""

    value: float
    gradient: Floats
    hessian: Floats


class Summit(NamedTuple):
    """A maximum: where it is, and how high."""

    place: Floats
    value: float


def highest(likelihood: Callable[[Floats], Slopes], ridge: Iterable[Floats]) -> Summit | None:
    """The highest of the maxima that are reached from along a ridge; None if none is.

    Among facilities of one size a spread has one maximum (Levin and Reeds, Annals of Statistics 1977);
    of many sizes it may have more, and the limit of no spread beside them. `ridge` are places in a row,
    each of a mean and a precision; those no lower than the ones next to them are begun from.
    """
    places = list(ridge)
    values = [likelihood(one).value for one in places]
    around = [-np.inf, *values, -np.inf]
    found = [
        maximum(likelihood, one)
        for one, its, before, after in zip(places, values, around, around[2:], strict=False)
        if its >= max(before, after)
    ]
    summits = [
        Summit(one, likelihood(one).value) for one in found if one is not None and one[1] <= ALIKE
    ]
    return max(summits, key=lambda one: one.value, default=None)


def maximum(likelihood: Callable[[Floats], Slopes], start: Floats) -> Floats | None:
    """Where a log-likelihood is highest, by Newton's steps within a trusted region.

    None where the search ends elsewhere: at a place from which a step could still gain more than
    `ENOUGH`, or that is no summit.
    """
    last: list[tuple[bytes, Slopes]] = []

    def at(place: Floats) -> Slopes:
        # Value, gradient and Hessian are asked for one by one at the same place.
        if not last or last[0][0] != place.tobytes():
            last[:] = [(place.tobytes(), likelihood(np.clip(place, -FAR, FAR)))]
        return last[0][1]

    scale = max(abs(at(start).value), 1.0)
    found = scipy.optimize.minimize(
        lambda place: -at(place).value / scale,
        start,
        jac=lambda place: -at(place).gradient / scale,
        hess=lambda place: -at(place).hessian / scale,
        method="trust-exact",
        options={"gtol": 1e-10, "initial_trust_radius": 0.5, "max_trust_radius": 4.0},
    )
    best = np.clip(floats(found.x), -FAR, FAR)
    # Whether it is one is asked of the slopes: at the value's last bit no step is seen to improve it.
    _, gradient, hessian = at(best)
    if not np.all(np.linalg.eigvalsh(hessian) < 0):
        return None
    gain = -float(gradient @ np.linalg.solve(hessian, gradient)) / 2
    return best if gain < ENOUGH else None
