"""The maximum of a likelihood in two parameters, logarithms or logits, from its slopes and curvatures."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy

from app.benchmarks.statistics.intervals import Floats, floats

ENOUGH = 1e-6
"""What a log-likelihood may still be short of its maximum."""

FAR = 40.0
"""Beyond this a logarithm or logit is as good as infinite, and nothing is worked out."""


class Slopes(NamedTuple):
    """A log-likelihood at a place: its value, gradient (2) and Hessian (2 × 2)."""

    value: float
    gradient: Floats
    hessian: Floats


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
