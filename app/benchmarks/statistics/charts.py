"""
What a run chart or control chart says: points, centre, limits, and signals with their rules in words.

Plain values, so that a report, a page and the API draw and tell the same chart. Points keep the
places they were given in; a place without a value (nothing counted, or withheld) is None, is passed
over by every rule, and neither breaks a run nor adds to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

Kind = Literal["run", "xmr", "moving-range", "p", "u", "p-prime", "u-prime", "g", "t"]
Side = Literal["above", "below", "neither"]
Rule = Literal[
    "long-run",
    "few-crossings",
    "beyond-limits",
    "run-of-8",
    "trend-of-6",
    "two-of-three",
    "fifteen-near-centre",
]

RULES: dict[Rule, str] = {
    "long-run": "An unusually long run of points on one side of the median",
    "few-crossings": "The line crosses the median unusually seldom",
    "beyond-limits": "A point outside the control limits",
    "run-of-8": "Eight or more points in a row on one side of the centre line",
    "trend-of-6": "Six or more points in a row, each higher, or each lower, than the one before",
    "two-of-three": "Two of three points in a row near the same control limit, in its outer third",
    "fifteen-near-centre": "Fifteen or more points in a row close to the centre line, in its inner third",
}
"""Each rule in plain words: Anhøj's two for run charts, Provost and Murray's five for control charts."""

TRIAL = 12
"""A phase whose centre and limits rest on fewer points than this has trial limits."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of points with a centre and limits of its own.

    It covers places `first` to before `after`; centre and limits come from the points before
    `basis_after`: all of the phase's, or those of a frozen baseline.
    """

    first: int
    after: int
    basis_after: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.basis_after <= self.after:
            raise ValueError(
                "a phase has points, and its baseline lies within it from its first on"
            )


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a phase around its median, and what chance would allow (Anhøj and Olesen 2014)."""

    useful: int
    """Points that are not on the median."""
    longest: int
    longest_allowed: int
    crossings: int
    crossings_needed: int


@dataclass(frozen=True, slots=True)
class Signal:
    """A sign that something other than chance is at work, and at which places it shows."""

    rule: Rule
    side: Side
    places: tuple[int, ...]

    @property
    def words(self) -> str:
        return RULES[self.rule]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, whole. Its lines have one entry a place, None where there is nothing to draw."""

    kind: Kind
    values: tuple[float | None, ...]
    centre: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    phases: tuple[Phase, ...]
    signals: tuple[Signal, ...]
    runs: tuple[Runs | None, ...] = ()
    """Of a run chart, one a phase; None where there are too few points to tell."""

    @property
    def trial(self) -> tuple[bool, ...]:
        """For each phase, whether its centre and limits rest on too few points to be relied on."""
        return tuple(
            sum(value is not None for value in self.values[phase.first : phase.basis_after]) < TRIAL
            for phase in self.phases
        )


def phases(points: int, starts: Iterable[int] = (), frozen: int | None = None) -> tuple[Phase, ...]:
    """Cut a chart into phases.

    A new phase begins at each of `starts`, such as the first point after an intervention. With
    `frozen` the first phase's centre and limits come from its first so many points and stay.
    """
    begins = sorted({0, *starts})
    found = [
        Phase(first, after, after)
        for first, after in zip(begins, [*begins[1:], points], strict=True)
    ]
    if frozen is not None:
        found[0] = Phase(0, found[0].after, frozen)
    return tuple(found)


def told(values: Iterable[float]) -> tuple[float | None, ...]:
    """Numbers as a chart holds them: what is not finite is nothing."""
    return tuple(float(value) if isfinite(value) else None for value in values)


def covering(points: int, wanted: Sequence[Phase] | None) -> tuple[Phase, ...]:
    """The phases asked for, or one over all; ValueError unless they follow one another to the end."""
    if wanted is None:
        return phases(points) if points else ()
    ends = [0, *(phase.after for phase in wanted)]
    if [phase.first for phase in wanted] != ends[:-1] or ends[-1] != points:
        raise ValueError("phases follow one another from the first point to the last")
    return tuple(wanted)
