"""
An attacker on suppressed counts: whoever put together everything that can be fetched.

He knows which facilities there are and how they are grouped, which of them have a rate to show, and the
denominators of all of them, though nobody is told those. Numerators of other facilities, month by month,
are his unknowns. What he is told bounds sums of them; linear programming then gives the least and the
most that any count can be.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass
class Attacker:
    """Bounds on sums of unknown numerators, one unknown a facility and month."""

    known: Ints
    """Denominators, facility x month: each numerator lies between 0 and its own."""
    rows: list[npt.NDArray[np.float64]] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)

    def learns(self, cells: Bools, low: float, high: float) -> None:
        """The sum of these cells lies between two numbers."""
        self.rows.append(cells.ravel().astype(np.float64))
        self.lows.append(low)
        self.highs.append(high)

    def range_of(self, cells: Bools) -> tuple[float, float]:
        """The least and the most that the sum of these cells can be."""
        wanted = cells.ravel().astype(np.float64)
        ends = []
        matrix = csr_matrix(np.stack([*self.rows, *(-row for row in self.rows)]))
        limits = np.array([*self.highs, *(-low for low in self.lows)])
        bounds = np.stack([np.zeros(self.known.size), self.known.ravel()], axis=1)
        for sign in (1, -1):
            found = linprog(sign * wanted, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs")
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return ends[0], ends[1]


def pinned(attacker: Attacker, cells: Bools, most: int) -> bool:
    """Whether a count of 1 to 10 is known to be in less than that range, of at most `most`."""
    low, high = attacker.range_of(cells)
    return low > 1 + 1e-6 or high < min(10, most) - 1e-6


def differences(groups: Sequence[Bools]) -> Iterable[Bools]:
    """Sets of facilities that are left when one or two groups are taken out of another."""
    for outer in groups:
        within = [one for one in groups if not (one & ~outer).any() and one.sum() < outer.sum()]
        for place, one in enumerate(within):
            yield outer & ~one
            for other in within[:place]:
                if not (one & other).any():
                    yield outer & ~one & ~other


def alone(groups: Sequence[Bools]) -> list[int]:
    """Facilities that sums and differences of groups, however many, single out."""
    if not groups:
        return []
    rows = np.stack(groups).astype(np.float64)
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    spanned = directions[sizes > 1e-9 * sizes[0]]
    return [int(one) for one in np.flatnonzero((spanned**2).sum(axis=0) > 1 - 1e-9)]
