"""
Spreads: what is told of every peer group in one period, all measures at once.

A facility's own value stays in its peers' spread: leaving it out would give each facility another spread,
and the difference of two would give a facility away.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from app.benchmarks import position, records, suppress
from app.benchmarks.arrangement import Arrangement, Group
from app.benchmarks.expected import Fits
from app.benchmarks.nation import Nation, Ratios
from app.benchmarks.ordered import Ordered
from app.benchmarks.periods import Period
from app.benchmarks.rates import peer_digits
from app.benchmarks.statistics import half_up
from app.benchmarks.statistics.flags import called_up_to
from app.benchmarks.statistics.intervals import Floats
from app.benchmarks.suppress import FEWEST_FOR_TAILS, Totals
from app.benchmarks.withholding import Tallies, reasons_to_withhold, wholes
from app.registries.measure import Measure
from app.registries.schema import Definition

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
TAILS = (Fraction(1, 10), Fraction(9, 10))
Levels = Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]
"""Reference levels: measure and period -> stratum, empty for the whole -> what is told of it."""
EMPTY: Levels = MappingProxyType({})
NAMES = ("low", "median", "high", "p10", "p90")
YEAR = 12
PIECE = 8
"""Measures whose rates are put in order at once: what is at hand fits a processor's cache."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Said = tuple[dict[str, Any], bytes]
"""What is said of a group's rates, and the bounds of ranks among them."""


class Spread(NamedTuple):
    """What a snapshot says of one peer group."""

    measure_id: str
    period: str
    peer_group: str
    peers: str
    facilities: int | None
    spread: dict[str, Any] | None
    rank_bounds: bytes | None
    """As `spread.packed` has them."""
    withheld: str | None


class Spreads:
    """A nation's facilities, arranged to tell of any period."""

    def __init__(
        self, definition: Definition, nation: Nation, today: date, levels: Levels = EMPTY
    ) -> None:
        """`levels` are the reference levels of the periods that are asked for."""
        self._definition, self._nation, self._today = definition, nation, today
        self._levels = levels
        members = {
            (grouping.id, peers): its
            for grouping in definition.peers
            for peers, its in nation.members[grouping.id].items()
        }
        self._arrangement = Arrangement(members, nation.owners)
        self._wholes = list(wholes(definition, self._arrangement.groups))
        self._everybody = [
            (one.id, peers)
            for one in definition.peers
            if one.by == "all"
            for peers in nation.members[one.id]
        ]
        self._measures = [
            one
            for one in definition.measures
            if one.scoring != "cohort" and nation.layout.of(one.id) is not None
        ]
        self._most_groups = max(len(its) for its in nation.members.values())
        parts = max(YEAR, self._most_groups)
        self._fits = {one.id: Fits(nation, one, parts) for one in self._measures if one.case_mix}

    def of(self, asked: Period) -> list[Spread]:
        """What is told of a period, by measure and group."""
        measures = [
            one
            for one in self._measures
            if (not one.matures_after or self._today >= asked.matured_on(one.matures_after))
            and self._nation.has_cases(one, asked)
        ]
        if not measures:
            return []
        ratios = self._nation.ratios(measures, asked)
        shown = self._shown(measures, asked, ratios.sizes)
        proportions = np.array([[one.scoring == "proportion"] for one in measures])
        met = np.where(proportions, ratios.numerators, ratios.sizes)  # of a mean all cases are
        totals = self._arrangement.totals(shown, ratios.sizes, met)
        of_measures = [Totals(*its) for its in zip(*totals, strict=True)]
        reasons = [
            reasons_to_withhold(self._wholes, Tallies(self._nation, self._arrangement, *its))
            for its in zip(of_measures, shown, ratios.sizes, met, strict=True)
        ]
        told = self._told(measures, ratios, shown, totals.facilities, reasons)
        improbable = []
        for row, measure in enumerate(measures):
            for group in self._everybody:
                if (row, group) in told:
                    said, _ = told[row, group]
                    if (levels := self._levels.get((measure.id, asked.label))) is not None:
                        said["levels"] = levels
                    its = Ratios(*(one[row] for one in ratios))
                    place = self._arrangement.places[group]
                    of_group = Totals(*(one[place] for one in of_measures[row]))
                    inside = self._arrangement.members[group] & shown[row]
                    improbable.append(
                        self._of_everybody(said, measure, asked, its, of_group, inside)
                    )
        # What is flagged allows for all facilities and measures that are looked at in one go.
        up_to = f"{called_up_to(np.concatenate(improbable)):.2g}" if improbable else ""
        for said, _ in told.values():
            if "norm" in said:
                said["norm"]["called_up_to"] = up_to
        return list(self._rows(asked.label, measures, totals.facilities, told, reasons))

    def _shown(self, measures: Sequence[Measure], asked: Period, sizes: Ints) -> Bools:
        """Which facilities have a rate to show, by the rules of `rates.unshown`."""
        least = np.array([max(one.minimum_cases, 1) for one in measures])
        shown: Bools = sizes >= least[:, None]
        gated = [(row, one.shown_when) for row, one in enumerate(measures) if one.shown_when]
        gates = [self._definition.measure(gate.measure) for _, gate in gated]
        met, of, _ = self._nation.ratios(gates, asked)
        for place, (row, gate) in enumerate(gated):
            share = Fraction(gate.at_least)
            enough = met[place] * share.denominator >= share.numerator * of[place]
            shown[row] &= (of[place] > 0) & enough
        return shown

    def _told(
        self,
        measures: Sequence[Measure],
        ratios: Ratios,
        shown: Bools,
        sizes: Ints,
        reasons: Sequence[dict[Group, str]],
    ) -> dict[tuple[int, Group], Said]:
        """Quantiles and bounds of ranks of each measure (its row) and group that is told."""
        groups = self._arrangement.groups
        wanted = np.array([[group not in its for group in groups] for its in reasons])
        digits = np.array([peer_digits(one) for one in measures])
        found: dict[tuple[int, Group], Said] = {}
        for begin in range(0, len(measures), PIECE):
            some = slice(begin, begin + PIECE)
            rows, places = np.nonzero(wanted[some])
            if not len(rows):
                continue
            ordered = Ordered(
                self._arrangement,
                shown[some],
                ratios.numerators[some],
                ratios.denominators[some],
                digits[some],
                sizes[some],
            )
            told = zip(
                (rows + begin).tolist(),
                places.tolist(),
                sizes[rows + begin, places].tolist(),
                digits[rows + begin].tolist(),
                ordered.quantiles(rows, places, (*QUARTILES, *TAILS)).tolist(),
                ordered.rank_bounds(rows, places),
                strict=True,
            )
            for row, place, size, its_digits, quantiles, bounds in told:
                names = NAMES if size >= FEWEST_FOR_TAILS else NAMES[:3]
                its = {
                    name: _decimal(one, its_digits)
                    for name, one in zip(names, quantiles, strict=False)
                }
                found[row, groups[place]] = its, bounds
        return found

    def _of_everybody(
        self,
        said: dict[str, Any],
        measure: Measure,
        asked: Period,
        ratios: Ratios,
        totals: Totals,
        inside: Bools,
    ) -> Floats:
        """Adds to what is said of all facilities what they come to together; how improbable each is."""
        months = sum(1 for _ in asked.months())
        enough = totals.facilities >= FEWEST_FOR_TAILS
        mean = measure.scoring != "proportion"
        digits = suppress.pooled_digits(
            peer_digits(measure), totals, max(months, self._most_groups), mean=mean
        )
        improbable = np.zeros(0)
        if digits is not None:
            own = np.flatnonzero(inside)
            numerators, denominators = ratios.numerators[own], ratios.denominators[own]
            pooled = Fraction(int(numerators.sum()), int(denominators.sum()))
            said["pooled"] = str(half_up(pooled, digits))
            if enough:
                squares = self._nation.squared(measure, asked)[own]
                norm = position.fitted(
                    measure, numerators, denominators, squares, float(said["pooled"])
                )
                if norm is not None:
                    said["norm"], improbable = norm
        if measure.id in self._fits:
            its = self._fits[measure.id]
            mixed = its.told(asked, inside) if enough and digits is not None else its.few
            if mixed is not None:
                said["case_mix"] = mixed
        return improbable

    def _rows(
        self,
        label: str,
        measures: Sequence[Measure],
        sizes: Ints,
        told: dict[tuple[int, Group], Said],
        reasons: Sequence[dict[Group, str]],
    ) -> Iterator[Spread]:
        for row, (measure, its, of_groups) in enumerate(
            zip(measures, reasons, sizes.tolist(), strict=True)
        ):
            for group, size in zip(self._arrangement.groups, of_groups, strict=True):
                if group in its:
                    yield Spread(measure.id, label, *group, None, None, None, its[group])
                else:
                    yield Spread(measure.id, label, *group, size, *told[row, group], None)


def encoded(snapshot_id: int, spreads: Sequence[Spread]) -> bytes:
    """As COPY takes them in: the driver would look at each value."""
    beginning = (1 + len(Spread._fields)).to_bytes(2, "big") + records.long_field(snapshot_id)
    return b"".join(
        field
        for one in spreads
        for field in (
            beginning,
            *map(records.text_field, one[:4]),
            records.integer_field(one.facilities),
            records.jsonb_field(None if one.spread is None else orjson.dumps(one.spread)),
            records.bytes_field(one.rank_bounds),
            records.text_field(one.withheld),
        )
    )


@lru_cache(50_000)
def _decimal(units: int, digits: int) -> str:
    """A number of units of the last of some decimals; the same few thousand come again and again."""
    whole, rest = divmod(abs(units), 10**digits)
    number = f"{whole}.{rest:0{digits}d}" if digits else f"{whole}"
    return f"-{number}" if units < 0 else number
