"""
Reference levels: quantiles of the facilities' own medians, registry-wide, of a measure or each of its strata.

As diagnostic reference levels are set (ICRP publication 135): each facility gives one value, the median of
its cases, and the 75th percentile of these is the level; half of them are above the achievable dose, the
50th. Medians are read from histograms and rounded as facilities are told their own. A level is told by the
rules of every spread (`suppress`), each stratum by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import suppress
from app.benchmarks.bins import series_of
from app.benchmarks.nation import Nation, month_place
from app.benchmarks.periods import Period
from app.benchmarks.rates import digits, peer_digits
from app.benchmarks.running import Place
from app.benchmarks.spreads import Levels
from app.benchmarks.suppress import Tally
from app.registries.measure import Measure, ReferenceLevel
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Level:
    """A reference level beside a facility's own median."""

    level: ReferenceLevel
    value: Decimal | None
    facilities: int | None
    above: bool | None
    """Whether the own median is above it; None where either is not known."""
    withheld: str | None


async def levels_of(
    session: AsyncSession,
    generation_id: int,
    definition: Definition,
    nation: Nation,
    covered: Sequence[Period],
) -> Levels:
    """The reference levels of every period that is covered."""
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    place = Place(session, nation.facilities, nation.first)
    shape = month_place(nation.first, nation.last) + 2, len(nation.facilities)
    for measure in definition.measures:
        if measure.reference_levels is None:
            continue
        for stratum in measure.reference_strata:
            running = await place.histogram(
                generation_id, series_of(measure.id, stratum), len(measure.bins) + 1, shape
            )
            for asked in covered if running[-1].any() else ():
                start, end = nation.ends(asked)
                bins = (running[end] - running[start]).astype(np.int64)
                if bins.any():
                    its = found.setdefault((measure.id, asked.label), {})
                    its[stratum] = _told(measure, nation, bins)
    return found


def _told(measure: Measure, nation: Nation, bins: Ints) -> Mapping[str, Any]:
    """What is told of some facilities' histograms: the levels, or why none."""
    sizes = bins.sum(axis=1)
    shown = sizes >= max(measure.minimum_cases, 1)
    kept = np.where(shown, sizes, 0)
    tally = Tally(*nation.by_account(np.stack([shown.astype(np.int64), kept, kept])))
    reason = suppress.withheld(tally)
    if reason is not None:
        return {"withheld": reason}
    ordered = np.sort(medians(measure, bins[shown]))
    assert measure.reference_levels is not None
    return {
        "facilities": len(ordered),
        "values": {
            one.id: str(_quantile(measure, ordered, Fraction(one.share)))
            for one in measure.reference_levels.levels
        },
    }


def medians(measure: Measure, bins: Ints) -> Ints:
    """The median of each histogram (a row) in units of the last decimal of a facility's own, half up.

    As `statistics.histogram_quantile`, to the same digit; no row is empty.
    """
    unit = 10 ** digits(measure)
    edges = np.array([int(edge * unit) for edge in measure.bins], np.int64)
    low = np.concatenate([edges[:1], edges])
    high = np.concatenate([edges, edges[-1:]])
    reached = np.cumsum(bins, axis=1)
    sizes = reached[:, -1]
    # The first bin that holds something and with which half of all is reached; doubled, to stay whole.
    place = np.argmax((2 * reached >= sizes[:, None]) & (bins > 0), axis=1)
    rows = np.arange(len(bins))
    count = bins[rows, place]
    before = reached[rows, place] - count
    doubled = 2 * low[place] * count + (high[place] - low[place]) * (sizes - 2 * before)
    halves: Ints = (doubled + count) // (2 * count)
    return halves


def _quantile(measure: Measure, ordered: Ints, share: Fraction) -> Decimal:
    """Hyndman and Fan's type 7, as `statistics.quantile`, rounded half up to what is told about peers."""
    position = (len(ordered) - 1) * share
    below = floor(position)
    value = Fraction(int(ordered[below]))
    if below != position:
        value += (position - below) * int(ordered[below + 1] - ordered[below])
    coarse = peer_digits(measure)
    units = value / 10 ** (digits(measure) - coarse)
    return Decimal(floor(units + Fraction(1, 2))).scaleb(-coarse)


def beside(
    measure: Measure, stratum: str, own: Decimal | None, told: Mapping[str, Any] | None
) -> tuple[Level, ...]:
    """The levels of a measure or stratum, with a facility's own median held against them."""
    if measure.reference_levels is None or told is None:
        return ()
    its = told.get(stratum)
    if its is None:
        return ()
    values = its.get("values", {})
    return tuple(
        Level(
            one,
            value,
            its.get("facilities"),
            own > value if own is not None and value is not None else None,
            its.get("withheld"),
        )
        for one in measure.reference_levels.levels
        for value in [Decimal(values[one.id]) if one.id in values else None]
    )
