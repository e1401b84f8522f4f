"""The maximum of a likelihood in two parameters, from its slopes and curvatures."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize

from app.benchmarks.statistics.intervals import Floats


class Slopes(NamedTuple):
    """A log-likelihood at a place: its value, gradient (2) and Hessian (2 × 2)."""

    value: float
    gradient: Floats
    hessian: Floats


def maximum(likelihood: Callable[[Floats], Slopes], start: Floats) -> Floats:
    """Where a log-likelihood is highest, by Newton's steps within a trusted region.

    Raises ArithmeticError where none is found.
    """
    last: list[tuple[bytes, Slopes]] = []

    def at(place: Floats) -> Slopes:
        # Value, gradient and Hessian are asked for one by one at the same place.
        if not last or last[0][0] != place.tobytes():
            last[:] = [(place.tobytes(), likelihood(place))]
        return last[0][1]

    scale = max(abs(at(start).value), 1.0)
    found = optimize.minimize(
        lambda place: -at(place).value / scale,
        start,
        jac=lambda place: -at(place).gradient / scale,
        hess=lambda place: -at(place).hessian / scale,
        method="trust-exact",
        options={"gtol": 1e-10, "initial_trust_radius": 0.5, "max_trust_radius": 4.0},
    )
    best: Floats = found.x
    # At the last bit of the value no step can be seen to improve it: a flat slope is an arrival too.
    if not found.success and np.abs(at(best).gradient).max() > 1e-6 * scale:
        raise ArithmeticError("the likelihood has no maximum that could be found")
    return best
