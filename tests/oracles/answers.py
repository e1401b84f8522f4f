"""
What a facility must be answered, and what must be told of its peers: from the oracle's own counts.

Written from `docs/explanation/benchmarks.md` in plain Python, `Fraction` and scipy; no code is shared
with the product. A definition lends only its settings: scoring, scale, bins, and when a rate is shown.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from statistics import NormalDist
from typing import Any

from scipy import stats

from tests.oracles.cells import binned
from tests.oracles.counting import Cell, Count
from tests.oracles.elcdr import months_later

OUTCOME_HIDDEN = {"not-matured", "condition-not-met"}
COUNTS = ("initial_population", "denominator", "exclusions", "exceptions", "numerator")
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Period:
    """A period as it is asked for, and its months."""

    label: str
    months: tuple[str, ...]

    @classmethod
    def of(cls, label: str, first: str, months: int) -> "Period":
        """So many months from the first one."""
        begin = date.fromisoformat(f"{first}-01")
        return cls(label, tuple(f"{months_later(begin, one):%Y-%m}" for one in range(months)))

    def matured(self, months: int, today: date) -> bool:
        """Whether so many months have passed since its end."""
        after = months_later(date.fromisoformat(f"{self.months[-1]}-01"), 1 + months)
        return not months or today >= after


@dataclass
class Truth:
    """The oracle's cells, by what a question names."""

    measures: Mapping[str, Any]
    today: date
    cells: dict[tuple[int, str, str, str], dict[str, Count]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    totals: dict[tuple[int, str, Period, str, str], Count] = field(default_factory=dict)
    """What was added up before."""

    @classmethod
    def of(cls, measures: Sequence[Any], counted: Mapping[Cell, Count], today: date) -> "Truth":
        """The cells of a registry whose measures have these settings."""
        truth = cls({one.id: one for one in measures}, today)
        assert {one.scoring for one in measures} <= {"proportion", "continuous-variable", "cohort"}
        for (facility, month, measure, stratifier, stratum), one in counted.items():
            truth.cells[facility, measure, stratifier, stratum][month] = one
        return truth

    def total(
        self, facility: int, measure: str, over: Period, stratifier: str = "", stratum: str = ""
    ) -> Count:
        """What a facility counts in a period."""
        asked = (facility, measure, over, stratifier, stratum)
        if asked not in self.totals:
            self.totals[asked] = self._added_up(*asked)
        return self.totals[asked]

    def _added_up(
        self, facility: int, measure: str, over: Period, stratifier: str, stratum: str
    ) -> Count:
        months = self.cells.get((facility, measure, stratifier, stratum), {})
        total = Count()
        for one in (months[month] for month in over.months if month in months):
            for name in (*COUNTS, "observations"):
                setattr(total, name, getattr(total, name) + getattr(one, name))
            total.sum += one.sum
            total.values += one.values
        return total

    def rate(self, measure: str, counted: Count) -> Fraction | None:
        """A share or a mean, exact; none of nothing."""
        if self.measures[measure].scoring == "proportion":
            return Fraction(counted.numerator, counted.denominator) if counted.denominator else None
        return Fraction(counted.sum) / counted.observations if counted.observations else None

    def withheld(self, measure: str, facility: int, over: Period, counted: Count) -> str | None:
        """Why there is no rate, by the measure's own settings."""
        its = self.measures[measure]
        if not over.matured(its.matures_after, self.today):
            return "not-matured"
        if its.shown_when is not None:
            gate = its.shown_when.measure
            reached = self.rate(gate, self.total(facility, gate, over))
            if reached is None or reached < Fraction(str(its.shown_when.at_least)):
                return "condition-not-met"
        if its.scoring == "cohort":
            return None
        size = size_of(its, counted)
        if size == 0:
            return "no-cases"
        return "too-few-cases" if size < its.minimum_cases else None

    def answer(
        self, facility: int, measure: str, over: Period, stratifier: str = "", stratum: str = ""
    ) -> dict[str, Any]:
        """What a facility must be answered, by the names of the answer; limits still unrounded."""
        its = self.measures[measure]
        counted = self.total(facility, measure, over, stratifier, stratum)
        reason = self.withheld(measure, facility, over, counted)
        shown = reason is None and its.scoring != "cohort"
        rate = self.rate(measure, counted) if shown else None
        observed = its.scoring == "continuous-variable"
        digits = its.scale + 2 if observed else 6
        median = median_of(counted.values, its.bins) if shown and its.bins else None
        answer: dict[str, Any] = {name: getattr(counted, name) for name in COUNTS}
        answer["observations"] = counted.observations if observed else None
        if its.scoring != "proportion":
            answer["numerator"] = None
        if reason in OUTCOME_HIDDEN:
            answer |= {"numerator": None, "exceptions": None, "observations": None}
        return answer | {
            "rate": None if rate is None else rounded(rate, digits),
            "interval": limits(its, counted) if shown else None,
            "digits": digits,
            "median": None if median is None or stratifier else rounded(median, digits),
            "withheld": reason,
            "caution": shown and size_of(its, counted) < its.caution_below,
            "per": its.per if its.scoring == "proportion" else 1,
        }


def size_of(measure: Any, counted: Count) -> int:
    """How many a rate rests on."""
    return counted.denominator if measure.scoring == "proportion" else counted.observations


def rounded(value: Fraction, digits: int) -> float:
    """So many decimals, halves up; nothing here is below zero."""
    whole, rest = divmod(value * 10**digits, 1)
    return float(Decimal(int(whole) + (rest >= Fraction(1, 2))).scaleb(-digits))


def limits(measure: Any, counted: Count) -> tuple[float, float] | None:
    """The 95 % interval: Wilson's, Garwood's per 1,000, Student's of a mean."""
    size = size_of(measure, counted)
    if measure.scoring == "continuous-variable":
        values = [float(one) for one in counted.values]
        if size < 2:
            return None
        mean = sum(values) / size
        variance = sum((one - mean) ** 2 for one in values) / (size - 1)
        half = float(stats.t.ppf(0.975, size - 1)) * sqrt(variance / size)
        return mean - half, mean + half
    met = counted.numerator
    if measure.per == 1000:
        low = float(stats.chi2.ppf(0.025, 2 * met)) / 2 if met else 0.0
        return low / size, min(float(stats.chi2.ppf(0.975, 2 * met + 2)) / 2 / size, 1.0)
    share, square = met / size, Z * Z
    centre = (share + square / (2 * size)) / (1 + square / size)
    half = Z / (1 + square / size) * sqrt(share * (1 - share) / size + square / (4 * size * size))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def median_of(values: list[Decimal], edges: Sequence[Decimal]) -> Fraction | None:
    """Half of the observations lie below it, supposing that each bin holds its own evenly."""
    if not values:
        return None
    half, below = Fraction(len(values), 2), 0
    for place, held in enumerate(binned(values, tuple(edges))):
        if held and below + held >= half:
            if place in {0, len(edges)}:
                return Fraction(edges[0] if place == 0 else edges[-1])
            low, high = Fraction(edges[place - 1]), Fraction(edges[place])
            return low + (high - low) * (half - below) / held
        below += held
    raise AssertionError("every observation is in a bin")


@dataclass(frozen=True)
class Group:
    """A peer group's facilities with a rate to show, and what is told of them."""

    rates: dict[int, Fraction]
    volumes: dict[int, int]
    withheld: str | None
    told: dict[str, float | None] | None

    def standing(self, facility: int, improvement: str) -> int | None:
        """The quarter of a facility's mid-rank; 1 is the best, or the lowest where none is."""
        if self.withheld is not None or facility not in self.rates:
            return None
        own, all_of_them = self.rates[facility], list(self.rates.values())
        below = sum(one < own for one in all_of_them)
        mid = (below + Fraction(all_of_them.count(own), 2)) / len(all_of_them)
        quarter = min(int(mid * 4), 3) + 1
        return 5 - quarter if improvement == "increase" else quarter


def groups_of(
    truth: Truth,
    measure: str,
    over: Period,
    members: Mapping[str, Sequence[int]],
) -> dict[str, Group]:
    """What is told of each group of one grouping: its members are numbers of facilities."""
    found = {name: _group(truth, measure, over, its) for name, its in members.items()}
    hidden = [name for name, one in found.items() if one.withheld and one.volumes]
    shown = [name for name, one in found.items() if not one.withheld]
    if len(hidden) == 1 and shown:
        smallest = min(shown, key=lambda name: (sum(found[name].volumes.values()), name))
        one = found[smallest]
        found[smallest] = Group(one.rates, one.volumes, "complementary", None)
    return found


def _group(truth: Truth, measure: str, over: Period, members: Sequence[int]) -> Group:
    its = truth.measures[measure]
    counted = {}
    for facility in members:
        total = truth.total(facility, measure, over)
        if truth.withheld(measure, facility, over, total) is None:
            counted[facility] = total
    rates = {}
    for facility, total in counted.items():
        rate = truth.rate(measure, total)
        assert rate is not None
        rates[facility] = rate
    volumes = {facility: size_of(its, total) for facility, total in counted.items()}
    whole = sum(volumes.values())
    reason = None
    if len(volumes) < 5:
        reason = "few-facilities"
    elif 2 * max(volumes.values()) > whole:
        reason = "dominance"
    elif whole < 11:
        reason = "small-count"
    elif its.scoring == "proportion":
        met = sum(total.numerator for total in counted.values())
        if 1 <= met <= 10 or 1 <= whole - met <= 10:
            reason = "small-count"
    if reason:
        return Group(rates, volumes, reason, None)
    digits = max(its.scale, 1)
    if its.scoring == "proportion":
        digits = 4 if its.per == 1000 else 3
    tails = len(rates) >= 20
    ordered = sorted(rates.values())
    pooled = sum((rates[one] * volumes[one] for one in rates), Fraction(0)) / whole
    return Group(
        rates,
        volumes,
        None,
        {
            "low": rounded(type_7(ordered, Fraction(1, 4)), digits),
            "median": rounded(type_7(ordered, Fraction(1, 2)), digits),
            "high": rounded(type_7(ordered, Fraction(3, 4)), digits),
            "p10": rounded(type_7(ordered, Fraction(1, 10)), digits) if tails else None,
            "p90": rounded(type_7(ordered, Fraction(9, 10)), digits) if tails else None,
            "pooled": rounded(pooled, digits),
        },
    )


def type_7(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    """Hyndman and Fan's type 7."""
    place, rest = divmod((len(ordered) - 1) * share, 1)
    above = ordered[min(int(place) + 1, len(ordered) - 1)]
    return ordered[int(place)] * (1 - rest) + above * rest


def members_of(grouping: Any, facilities: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Which facilities are in which group of a grouping, by what the truth says of them."""
    if grouping.by == "all":
        return {"all": [one["number"] for one in facilities]}
    if grouping.by == "volume":
        return {
            band.id: [
                one["number"]
                for one in facilities
                if one["annual_exams"] >= band.at_least
                and (band.below is None or one["annual_exams"] < band.below)
            ]
            for band in grouping.bands
        }
    return {
        name: [one["number"] for one in facilities if one[grouping.by] == name]
        for name in grouping.groups
    }
