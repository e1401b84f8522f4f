"""
What a facility must be answered, and what must be told of its peers: from the oracle's own counts.

Written from `docs/explanation/benchmarks.md` in plain Python, `Fraction` and scipy; no code is shared
with the product. A definition lends only its settings: scoring, scale, bins, and when a rate is shown.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import product
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
    met: dict[int, int] | None
    """Numerators, where shares are told."""
    withheld: str | None
    told: dict[str, float | None] | None
    digits: int

    def standing(self, facility: int, improvement: str) -> int | None:
        """The quarter of a facility's mid-rank; 1 is the best, or the lowest where none is."""
        if self.withheld is not None or facility not in self.rates:
            return None
        quarter = min(int(self._mid(facility) * 4), 3) + 1
        return 5 - quarter if improvement == "increase" else quarter

    def percentile(self, facility: int) -> int | None:
        """The mid-rank of a hundred, down to a whole step of five, of one among a hundred or more."""
        if self.withheld is not None or facility not in self.rates or len(self.rates) < 20:
            return None
        step = 1 if len(self.rates) >= 100 else 5
        return min(int(self._mid(facility) * 100) // step * step, 100 - step)

    def _mid(self, facility: int) -> Fraction:
        """The mid-rank among the rates as they are told, from 0 to 1."""
        told = {one: rounded(rate, self.digits) for one, rate in self.rates.items()}
        own = told[facility]
        below = sum(one < own for one in told.values())
        return (below + Fraction(list(told.values()).count(own), 2)) / len(told)


@dataclass(frozen=True)
class Peers:
    """How facilities are grouped, and which organisation each belongs to."""

    groupings: Mapping[str, Mapping[str, Sequence[int]]]
    combined: Mapping[str, tuple[str, ...]]
    """Groupings that cross others, and which ones."""
    accounts: Mapping[int, int]

    def reason(self, volumes: Mapping[int, int], met: Mapping[int, int] | None) -> str | None:
        """Why these facilities' rates may not be told."""
        chosen = list(volumes)
        by_account: dict[int, list[int]] = defaultdict(list)
        for facility in chosen:
            by_account[self.accounts[facility]].append(facility)
        most = max((len(its) for its in by_account.values()), default=0)
        if len(chosen) < 5 or len(chosen) - most < 4:
            return "few-facilities"
        whole = sum(volumes.values())
        if any(2 * sum(volumes[one] for one in its) > whole for its in by_account.values()):
            return "dominance"
        counts = [volumes]
        if met is not None:
            counts += [met, {one: volumes[one] - met[one] for one in volumes}]
        for count in counts:
            total = sum(count.values())
            beside = [total - sum(count[one] for one in its) for its in by_account.values()]
            if total and min(total, *beside) <= 10:
                return "small-count"
        return None


def groups_of(
    truth: Truth, measure: str, over: Period, peers: Peers
) -> dict[tuple[str, str], Group]:
    """What is told of each peer group."""
    counted = {}
    for facility in peers.accounts:
        total = truth.total(facility, measure, over)
        if truth.withheld(measure, facility, over, total) is None:
            counted[facility] = total
    groups = {
        (grouping, name): _group(truth, measure, peers, counted, members)
        for grouping, its in peers.groupings.items()
        for name, members in its.items()
    }
    reasons = {name: one.withheld for name, one in groups.items() if one.withheld}
    everybody = _group(truth, measure, peers, counted, list(counted))

    def fill_gaps(whole: Group, parts: Sequence[tuple[str, str]]) -> None:
        """Withhold the smallest until what is left of a whole might be told."""
        told = sorted(
            (sum(groups[one].volumes.values()), one[1], one)
            for one in parts
            if one not in reasons and groups[one].volumes
        )
        for _ in range(len(told) + 1):
            gone = {
                facility for one in parts if one not in reasons for facility in groups[one].volumes
            }
            left = {one: many for one, many in whole.volumes.items() if one not in gone}
            met = None if whole.met is None else {one: whole.met[one] for one in left}
            if not left or not told or peers.reason(left, met) is None:
                return
            reasons[told.pop(0)[2]] = "complementary"

    for grouping, its in peers.groupings.items():
        parts = [(grouping, name) for name in its]
        for place, crossed in enumerate(peers.combined.get(grouping, ())):
            for name in peers.groupings[crossed]:
                within = [one for one in parts if one[1].split("+")[place] == name]
                if (crossed, name) in reasons:
                    for one in within:
                        reasons.setdefault(one, "complementary")
                else:
                    fill_gaps(groups[crossed, name], within)
        if grouping != "all":
            fill_gaps(everybody, parts)
    for inner in sorted(groups, key=lambda one: len(groups[one].volumes)):
        for outer in groups:
            if inner in reasons or outer in reasons:
                continue
            inside, around = groups[inner].volumes, groups[outer].volumes
            if len(inside) < len(around) and inside.keys() <= around.keys():
                rest = {one: many for one, many in around.items() if one not in inside}
                its = groups[outer].met
                if peers.reason(rest, None if its is None else {one: its[one] for one in rest}):
                    reasons[inner] = "complementary"
    return {
        name: replace(
            one,
            withheld=reasons.get(name),
            told=None
            if name in reasons
            else _told(truth.measures[measure], over, peers, name, one),
        )
        for name, one in groups.items()
    }


def _group(
    truth: Truth,
    measure: str,
    peers: Peers,
    counted: Mapping[int, Count],
    members: Sequence[int],
) -> Group:
    its = truth.measures[measure]
    chosen = {one: counted[one] for one in members if one in counted}
    rates = {}
    for facility, total in chosen.items():
        rate = truth.rate(measure, total)
        assert rate is not None
        rates[facility] = rate
    volumes = {facility: size_of(its, total) for facility, total in chosen.items()}
    share = its.scoring == "proportion"
    met = {facility: total.numerator for facility, total in chosen.items()} if share else None
    digits = max(its.scale, 1)
    if share:
        digits = 4 if its.per == 1000 else 3
    return Group(rates, volumes, met, peers.reason(volumes, met), None, digits)


def _told(
    measure: Any, over: Period, peers: Peers, name: tuple[str, str], one: Group
) -> dict[str, float | None]:
    digits, ordered = one.digits, sorted(one.rates.values())
    tails = len(ordered) >= 20
    pooled = None
    whole = sum(one.volumes.values())
    fine = max(
        (places for places in range(1, digits + 1) if whole >= 22 * 10**places), default=None
    )
    if name[0] == "all" and fine is not None:
        parts = max(12, len(over.months), *(len(its) for its in peers.groupings.values()))
        counts = [one.volumes]
        if one.met is not None:
            missed = {each: one.volumes[each] - met for each, met in one.met.items()}
            counts = [one.met, missed]
        if all(_beside_any_account(peers, each) >= 22 * parts for each in counts):
            exact = sum((one.rates[each] * one.volumes[each] for each in one.rates), Fraction(0))
            pooled = rounded(exact / whole, fine)
    return {
        "low": rounded(type_7(ordered, Fraction(1, 4)), digits),
        "median": rounded(type_7(ordered, Fraction(1, 2)), digits),
        "high": rounded(type_7(ordered, Fraction(3, 4)), digits),
        "p10": rounded(type_7(ordered, Fraction(1, 10)), digits) if tails else None,
        "p90": rounded(type_7(ordered, Fraction(9, 10)), digits) if tails else None,
        "pooled": pooled,
    }


def _beside_any_account(peers: Peers, counts: Mapping[int, int]) -> int:
    """What is left of counts at least, whichever organisation's own are taken away."""
    own: dict[int, int] = defaultdict(int)
    for facility, count in counts.items():
        own[peers.accounts[facility]] += count
    return sum(counts.values()) - max(own.values())


def type_7(ordered: Sequence[Fraction], share: Fraction) -> Fraction:
    """Hyndman and Fan's type 7."""
    place, rest = divmod((len(ordered) - 1) * share, 1)
    above = ordered[min(int(place) + 1, len(ordered) - 1)]
    return ordered[int(place)] * (1 - rest) + above * rest


def members_of(definition: Any, facilities: Sequence[Mapping[str, Any]]) -> Peers:
    """How a definition groups facilities, by what the truth says of them."""
    found: dict[str, dict[str, list[int]]] = {}
    for one in definition.peers:
        if one.by == "combination":
            names = [
                "+".join(each) for each in product(*(list(found[crossed]) for crossed in one.of))
            ]
            found[one.id] = {
                name: [
                    facility["number"]
                    for facility in facilities
                    if all(
                        facility["number"] in found[crossed][part]
                        for crossed, part in zip(one.of, name.split("+"), strict=True)
                    )
                ]
                for name in names
            }
        else:
            found[one.id] = _members_of(one, facilities)
    return Peers(
        found,
        {one.id: one.of for one in definition.peers if one.by == "combination"},
        {one["number"]: one["corporate_account"] for one in facilities},
    )


def _members_of(grouping: Any, facilities: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
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
