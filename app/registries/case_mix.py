"""
Case mix: what patients bring to an outcome, for which facilities are not answerable.

A measure names factors, and each puts a case into one of its levels; whatever is in none is `unknown`,
a level too, so that no case is left out. The combinations of all factors' levels are in one order,
in which the cells keep them.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Annotated

from pydantic import Field, StringConstraints

from app.registries.parts import Expression, Identifier, Part, Source

UNKNOWN = "unknown"
"""The level of a case that its factor puts in none of those declared."""
MOST = 64
"""So many combinations of levels a measure may have: each costs two counts a facility and month."""

Level = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,39}$")]


class Factor(Part):
    """Something that patients bring, in levels."""

    id: Identifier
    title: str
    expression: Expression
    """Gives the level as text; NULL, and what is no level, is unknown."""
    levels: Annotated[dict[Level, str], Field(min_length=1)]
    """Label of each level, in the order of display."""
    reference: str
    """The level that others are compared with."""
    source: Source = "confirmed"

    @property
    def every(self) -> tuple[str, ...]:
        """Its levels, the unknown one last."""
        return (*self.levels, UNKNOWN)

    def label(self, level: str) -> str:
        """A level as people read it."""
        return self.levels.get(level, "None of these, or not known")


def size(factors: Sequence[Factor]) -> int:
    """How many combinations of levels there are."""
    return prod(len(one.every) for one in factors)


def combinations(factors: Sequence[Factor]) -> Iterator[tuple[str, ...]]:
    """A level of each factor, the last factor's changing first: the order in which cells keep them."""
    return product(*(one.every for one in factors))


def text_of(factors: Sequence[Factor]) -> str:
    """What cells and coefficients of a case mix are known by: other levels or expressions give another."""
    document = [[one.id, one.expression, list(one.levels)] for one in factors]
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]


def unfit(factors: Sequence[Factor], scoring: str, *, binned: bool) -> Iterator[str]:
    """What of a measure's case mix, as a whole, does not hold."""
    if scoring != "proportion":
        yield "is of proportions alone"
    if binned:
        yield "does not go with `bins`"
    if size(factors) > MOST:
        counted = " × ".join(str(len(one.every)) for one in factors)
        yield (
            f"has {counted} = {size(factors)} combinations of levels, `unknown` of each counted;"
            f" {MOST} are the most"
        )
