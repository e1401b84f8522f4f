"""
`simulation.yaml`: how simulated data of a registry are spread, where it matters.

Data can be simulated from a definition alone. The profile says more: how often which code comes, how
numbers lie, how long until the next case. It is no part of what is published, and no part of the
digest: nothing that is collected, checked or measured depends on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.registries.parts import Expression, Identifier, Limits, Part

Share = Annotated[float, Field(ge=0, le=1)]
Course = Literal["drawn", "lung-screening"]


class Bell(Part):
    """Where numbers gather, and how widely they lie about it."""

    mean: float
    """For `lognormal` the median."""
    spread: Annotated[float, Field(ge=0)]
    """The standard deviation; for `lognormal` that of the natural logarithm."""


class Chance(Part):
    """How a value falls. The first that is given counts: `equals`, `weights`, then a number."""

    equals: Expression | None = None
    """Worked out of the entry's other elements, and of `parent_…`."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Value -> how often, in any unit. Of `codes`: how often each stands first."""
    normal: Bell | None = None
    lognormal: Bell | None = None
    between: Limits | None = None
    after: Identifier | None = None
    """For a date: the number is days after this one."""


class Conditional(Chance):
    """How a value falls when something holds."""

    when: Expression


class Draw(Chance):
    """How an element's value falls, and how often it is given where it may be left out."""

    cases: tuple[Conditional, ...] = ()
    """The first that holds counts, instead of the rest."""
    filled: Share = 0.6
    unknown: Share = 0.02
    """How often a sentinel stands for the value, where there is one."""


class FormProfile(Part):
    """How entries of a form come to be."""

    share: Annotated[float, Field(ge=0)] = 1.0
    """Of a form of cases: how often a subject's course is made of these."""
    again: Annotated[float, Field(ge=0, le=0.95)] = 0.35
    """How likely another case of the same subject follows."""
    every: Bell = Bell(mean=200, spread=90)
    """Days from one case to the next."""
    many: Annotated[float, Field(ge=0, le=20)] = 0.8
    """Of a form of follow-ups: how many a case has on average."""
    after: Bell = Bell(mean=70, spread=60)
    """Days from a case to its follow-up."""
    elements: dict[Identifier, Draw] = {}


class Profile(Part):
    """How a registry's data are simulated."""

    course: Course = "drawn"
    """`drawn`: from the definition and this profile. Any other name is a course written by hand."""
    shown_first: bool = False
    """Among the packaged registries: the one that is simulated when none is named."""
    years: Annotated[int, Field(ge=1, le=10)] = 4
    """How many years the simulated histories span."""
    forms: dict[Identifier, FormProfile] = {}
