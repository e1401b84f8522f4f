"""
Rates: from counts to what is shown of them, and when.

One set of rules for a facility's own result and for who counts in a peer group, so that the two
cannot come apart. A rate is exact until it is rounded, half up.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from app.benchmarks.periods import Period
from app.benchmarks.statistics import Interval, Sums, exact_poisson, half_up, mean_interval, wilson
from app.registries.measure import Measure

PROPORTION_DIGITS = 6

REASONS = {
    "no-cases": "There is no case to work a rate out from.",
    "too-few-cases": "Fewer cases than this measure needs for a rate.",
    "not-matured": "The time in which an outcome may still come has not passed.",
    "condition-not-met": "Another measure that this one rests on is too low.",
    "being-tabulated": "This measure is new and is still being worked out.",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """A measure's populations over a period; sums are in units of the observation's last decimal."""

    initial_population: int = 0
    denominator: int = 0
    exclusions: int = 0
    exceptions: int = 0
    numerator: int = 0
    observations: int = 0
    total: int = 0
    total_of_squares: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )

    @classmethod
    def read(cls, populations: dict[str, Any]) -> "Counts":
        return cls(**{name: int(value) for name, value in populations.items()})


def size(measure: Measure, counts: Counts) -> int:
    """How many a rate rests on: what it divides by, a count of cases."""
    return counts.observations if measure.scoring == "continuous-variable" else counts.denominator


def ratio(measure: Measure, counts: Counts) -> tuple[int, int] | None:
    """The rate as numerator and denominator, both whole; none where there is nothing to divide by."""
    divisor = size(measure, counts)
    if measure.scoring == "cohort" or not divisor:
        return None
    if measure.scoring == "proportion":
        return counts.numerator, divisor
    return counts.total, divisor * 10**measure.scale


def rate(measure: Measure, counts: Counts) -> Fraction | None:
    """The rate, exact."""
    found = ratio(measure, counts)
    return Fraction(*found) if found else None


def digits(measure: Measure) -> int:
    """Decimals of a facility's own rate."""
    return PROPORTION_DIGITS if measure.scoring == "proportion" else measure.scale + 2


def peer_digits(measure: Measure) -> int:
    """Decimals of what is told about peers: coarse, so that it reveals no count."""
    if measure.scoring == "proportion":
        return 4 if measure.per == 1000 else 3
    return max(measure.scale, 1)


def sums(measure: Measure, counts: Counts) -> Sums:
    """What is kept of a measure's observations, in its own unit."""
    unit = 10**measure.scale
    return Sums(
        counts.observations,
        Fraction(counts.total, unit),
        Fraction(counts.total_of_squares, unit * unit),
    )


def interval(measure: Measure, counts: Counts) -> Interval | None:
    """The 95 % interval of a rate: Wilson's of a proportion, Garwood's of one per 1,000, Student's of a mean.

    A ratio of a sum to a count has none: its parts are not independent.
    """
    divisor = size(measure, counts)
    if not divisor:
        return None
    match measure.scoring:
        case "proportion" if measure.per == 1000:
            low, high = exact_poisson(counts.numerator)
            return Interval(low / divisor, min(high / divisor, 1.0))
        case "proportion":
            return wilson(counts.numerator, divisor)
        case "continuous-variable":
            return mean_interval(*sums(measure, counts))
        case _:
            return None


def unshown(
    measure: Measure, counts: Counts, over: Period, today: date, condition: Fraction | None
) -> str | None:
    """Why a rate is not shown, or None. `condition` is the rate of the measure it rests on, if any."""
    if today < over.matured_on(measure.matures_after) and measure.matures_after:
        return "not-matured"
    if measure.shown_when is not None and (
        condition is None or condition < Fraction(measure.shown_when.at_least)
    ):
        return "condition-not-met"
    if measure.scoring == "cohort":
        return None
    if not size(measure, counts):
        return "no-cases"
    if size(measure, counts) < measure.minimum_cases:
        return "too-few-cases"
    return None


def ranked(measure: Measure, value: Fraction) -> int:
    """A rate as ranks compare it: in units of the last decimal that is told about peers."""
    digits = peer_digits(measure)
    return int(half_up(value, digits).scaleb(digits))
