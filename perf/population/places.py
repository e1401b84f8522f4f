"""How many facilities a nation has, and how many cases each of them sent."""

from dataclasses import dataclass
from math import exp
from statistics import NormalDist

CASES_OF_A_FACILITY = 150_000_000 / 6_500
"""On average, in three years."""
SPREAD = 1.1
"""Standard deviation of the logarithm of facilities' volumes: the largest has some fifty times the median."""
FIRST_ID = 100_000
CASES_OF_A_PART = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A facility; its cases are numbered from `first`."""

    facility_id: int
    first: int
    cases: int


def places(cases: int) -> list[Place]:
    """The facilities of a nation of so many cases, in the order of their numbers."""
    count = max(round(cases / CASES_OF_A_FACILITY), 1)
    normal = NormalDist()
    weights = [exp(SPREAD * normal.inv_cdf((rank + 0.5) / count)) for rank in range(count)]
    # Large and small by turns: a step that has nothing in common with the count goes all around.
    step = next(s for s in range(int(count * 0.618) + 1, 2 * count + 2) if _coprime(s, count))
    weights = [weights[rank * step % count] for rank in range(count)]
    total, passed, found, first = sum(weights), 0.0, list[Place](), 0
    for place, weight in enumerate(weights):
        passed += weight
        end = cases if place == count - 1 else round(cases * passed / total)
        found.append(Place(FIRST_ID + place, first, end - first))
        first = end
    return found


def parts(found: list[Place]) -> list[list[Place]]:
    """The facilities in groups of about a million cases: what is made, and kept, at once."""
    groups, size = [list[Place]()], 0
    for one in found:
        if size and size + one.cases > CASES_OF_A_PART:
            groups.append([])
            size = 0
        groups[-1].append(one)
        size += one.cases
    return groups


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1
