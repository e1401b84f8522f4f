"""
Compare: a dated snapshot of how rates are spread over peer groups.

One value a facility, unweighted, and the rate of all their cases pooled; rounded and without counts.
A snapshot is never changed and everybody sees the same one, so two looks seconds apart reveal nobody.
A facility's own value stays in its peers' spread: leaving it out would give each facility another
spread, and the difference of two would give a facility away.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks import suppress
from app.benchmarks.generations import current
from app.benchmarks.measures import Layout, Series
from app.benchmarks.peers import groups, peers_of, traits
from app.benchmarks.periods import Period, later, rolling_year
from app.benchmarks.rates import peer_digits, ranked
from app.benchmarks.statistics import half_up, spread
from app.benchmarks.tabulate import lock
from app.database import copy_records, driver_connection, staging
from app.models import Snapshot
from app.registries.schema import Definition, Measure, PeerGroup

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
TAILS = (Fraction(1, 10), Fraction(9, 10))
YEARS, QUARTERS, MONTHS = 5, 12, 24

Ints = npt.NDArray[np.int64]


class Told(NamedTuple):
    """What a snapshot says of one peer group."""

    measure_id: str
    period: str
    peer_group: str
    peers: str
    facilities: int | None
    spread: str | None
    withheld: str | None


async def compare(session: AsyncSession, definition: Definition, today: date) -> Snapshot | None:
    """Take a registry's snapshot of today; none as long as it has no tables."""
    await lock(session, definition.id, wait=True)  # nothing moves while it is read
    generation = await current(session, definition.id)
    if generation is None:
        return None
    snapshot = Snapshot(
        registry_id=definition.id,
        generation_id=generation.id,
        feed_seq=generation.feed_seq,
        taken_on=today,
    )
    session.add(snapshot)
    await session.flush()
    layout = Layout.read(generation.layout)
    nation = await _nation(session, generation.id, layout, definition)
    if nation is not None:
        told = list(_told(definition, nation, periods(nation.first, nation.last, today), today))
        await _write(session, snapshot.id, told)
    await _forget(session, definition.id, today)
    return snapshot


def periods(first: date, last: date, today: date) -> list[Period]:
    """What a snapshot covers: years, quarters, months and rolling years, as far back as is kept."""
    month = min(last, today.replace(day=1))
    found = {
        *(Period(later(month, -back), later(month, -back)) for back in range(MONTHS)),
        *(rolling_year(later(month, -back)) for back in range(MONTHS)),
        *(
            Period(date(month.year - back, 1, 1), date(month.year - back, 12, 1))
            for back in range(YEARS)
        ),
    }
    quarter = date(month.year, (month.month - 1) // 3 * 3 + 1, 1)
    found |= {
        Period(later(quarter, -3 * back), later(quarter, 2 - 3 * back)) for back in range(QUARTERS)
    }
    return sorted(one for one in found if one.last >= first and one.first <= last)


@dataclass(frozen=True)
class Nation:
    """Every facility's totals by month, as running sums so that any period is one subtraction."""

    facilities: list[int]
    first: date
    last: date
    counts: Mapping[str, Ints]
    """Form -> facility x month x slot, with a month of zeros before the first."""
    sums: Mapping[str, Ints]
    layout: Layout
    labels: Mapping[str, npt.NDArray[Any]]
    """Grouping -> the group of each facility, empty for none."""

    def over(self, asked: Period, running: Ints, slot: int) -> Ints:
        months = running.shape[1] - 1
        start = min(max(_place(self.first, asked.first), 0), months)
        end = min(max(_place(self.first, asked.last) + 1, 0), months)
        over: Ints = running[:, end, slot] - running[:, start, slot]
        return over

    def populations(self, measure: Measure, asked: Period, *names: str) -> list[Ints]:
        """Some populations of a measure, one number a facility."""
        series = self.layout.of(measure.id)
        nobody = np.zeros(len(self.facilities), np.int64)
        if series is None:  # its text is new: the generation that has it is still being built
            return [nobody for _ in names]
        slots = series.slots[measure.id]
        found = []
        for name in names:
            running = self.sums[series.form] if name == "total" else self.counts[series.form]
            found.append(self.over(asked, running, slots[name]) if name in slots else nobody)
        return found

    def ratios(self, measure: Measure, asked: Period) -> tuple[Ints, Ints, Ints]:
        """Numerators and denominators of rates, and how many each rests on."""
        if measure.scoring == "proportion":
            numerators, sizes = self.populations(measure, asked, "numerator", "denominator")
            return numerators, sizes, sizes
        rests_on = "observations" if measure.scoring == "continuous-variable" else "denominator"
        totals, sizes = self.populations(measure, asked, "total", rests_on)
        return totals, sizes * 10**measure.scale, sizes


async def _nation(
    session: AsyncSession, generation_id: int, layout: Layout, definition: Definition
) -> Nation | None:
    ends = (
        await session.execute(
            text(
                "SELECT min(month), max(month) FROM cells"
                " WHERE generation_id = :generation AND stratifier = ''"
            ),
            {"generation": generation_id},
        )
    ).one()
    if ends[0] is None:
        return None
    found = await session.scalars(
        text(
            "SELECT DISTINCT facility_id FROM cells WHERE generation_id = :generation"
            " AND stratifier = '' ORDER BY 1"
        ),
        {"generation": generation_id},
    )
    facilities = list(found)
    place = {facility: number for number, facility in enumerate(facilities)}
    months = _place(ends[0], ends[1]) + 2
    totals = [one for one in layout.series if not one.stratifier]
    counts = {
        one.form: np.zeros((len(facilities), months, _width(one, False)), np.int64)
        for one in totals
    }
    sums = {
        one.form: np.zeros((len(facilities), months, _width(one, True)), np.int64) for one in totals
    }
    driver = await driver_connection(session)
    # Squares are not needed here, and alone could be too large for an array of whole numbers.
    wanted = {
        one.form: sorted({p["total"] for p in one.slots.values() if "total" in p}) for one in totals
    }
    async for facility, form, month, row, row_sums in driver.cursor(
        "SELECT facility_id, form, month, counts, sums FROM cells"
        " WHERE generation_id = $1 AND stratifier = ''",
        generation_id,
        prefetch=2_000,
    ):
        at = place[facility], _place(ends[0], month) + 1
        counts[form][at] = row
        for slot in wanted[form]:
            sums[form][(*at, slot)] = int(row_sums[slot])
    for arrays in (counts, sums):
        for array in arrays.values():
            np.cumsum(array, axis=1, out=array)
    known = await traits(session, facilities)
    labels = {
        grouping.id: np.array(
            [
                (peers_of(grouping, known[facility]) if facility in known else None) or ""
                for facility in facilities
            ]
        )
        for grouping in definition.peers
    }
    return Nation(facilities, ends[0], ends[1], counts, sums, layout, labels)


def _told(
    definition: Definition, nation: Nation, covered: Sequence[Period], today: date
) -> Iterator[Told]:
    for measure in definition.measures:
        if measure.scoring == "cohort" or nation.layout.of(measure.id) is None:
            continue
        for asked in covered:
            if measure.matures_after and today < asked.matured_on(measure.matures_after):
                continue
            shown, ratios = _shown(definition, nation, measure, asked)
            if ratios[2].any():
                for grouping in definition.peers:
                    yield from _of_grouping(nation, measure, asked, grouping, shown, ratios)


def _shown(
    definition: Definition, nation: Nation, measure: Measure, asked: Period
) -> tuple[npt.NDArray[np.bool_], tuple[Ints, Ints, Ints]]:
    """Which facilities have a rate to show, by the rules of `rates.unshown`."""
    ratios = nation.ratios(measure, asked)
    shown = ratios[2] >= max(measure.minimum_cases, 1)
    if measure.shown_when is not None:
        gate = definition.measure(measure.shown_when.measure)
        met, of, _ = nation.ratios(gate, asked)
        least = Fraction(measure.shown_when.at_least)
        shown &= (of > 0) & (met * least.denominator >= least.numerator * of)
    return shown, ratios


def _of_grouping(
    nation: Nation,
    measure: Measure,
    asked: Period,
    grouping: PeerGroup,
    shown: npt.NDArray[np.bool_],
    ratios: tuple[Ints, Ints, Ints],
) -> list[Told]:
    numerators, denominators, sizes = ratios
    labels = nation.labels[grouping.id]
    found: dict[str, Told] = {}
    volumes: dict[str, int] = {}
    for peers in groups(grouping):
        chosen = shown & (labels == peers)
        pooled = int(numerators[chosen].sum())
        volumes[peers] = int(sizes[chosen].sum())
        reason = suppress.withheld(
            sizes[chosen].tolist(), pooled if measure.scoring == "proportion" else None
        )
        said = None if reason else _spread(measure, numerators[chosen], denominators[chosen])
        found[peers] = Told(
            measure.id,
            asked.label,
            grouping.id,
            peers,
            None if reason else int(chosen.sum()),
            said,
            reason,
        )
    hidden = [peers for peers, told in found.items() if told.withheld]
    if (also := suppress.complementary(volumes, hidden)) is not None:
        found[also] = found[also]._replace(facilities=None, spread=None, withheld="complementary")
    return list(found.values())


def _spread(measure: Measure, numerators: Ints, denominators: Ints) -> str:
    digits = peer_digits(measure)
    tails = TAILS if len(numerators) >= suppress.FEWEST_FOR_TAILS else ()
    found = spread(numerators, denominators, (*QUARTILES, *tails))
    low, median, high, *ends = (str(half_up(one, digits)) for one in found.quantiles)
    pooled = Fraction(int(numerators.sum()), int(denominators.sum()))
    said: dict[str, Any] = {
        "low": low,
        "median": median,
        "high": high,
        "pooled": str(half_up(pooled, digits)),
        "rank_bounds": [str(ranked(one)) for one in found.rank_bounds],
    }
    if ends:
        said |= {"p10": ends[0], "p90": ends[1]}
    return json.dumps(said)


async def _write(session: AsyncSession, snapshot_id: int, told: Sequence[Told]) -> None:
    await staging(
        session,
        "told",
        "measure_id text, period text, peer_group text, peers text, facilities int, spread text,"
        " withheld text",
    )
    await copy_records(session, "told", Told._fields, told)
    await session.execute(
        text(
            "INSERT INTO snapshot_spreads (snapshot_id, measure_id, period, peer_group, peers,"
            " facilities, spread, withheld)"
            " SELECT :snapshot, measure_id, period, peer_group, peers, facilities, spread::jsonb,"
            " withheld FROM told"
        ),
        {"snapshot": snapshot_id},
    )


async def _forget(session: AsyncSession, registry_id: str, today: date) -> None:
    """Drop snapshots of earlier months than the last, but for the last of each month."""
    before = later(today.replace(day=1), -1)
    values = {"registry_id": registry_id, "before": before}
    chosen = (
        "SELECT id FROM snapshots WHERE registry_id = :registry_id AND taken_on < :before"
        " AND id NOT IN (SELECT max(id) FROM snapshots WHERE registry_id = :registry_id"
        " GROUP BY date_trunc('month', taken_on))"
    )
    await session.execute(
        text(f"DELETE FROM snapshot_spreads WHERE snapshot_id IN ({chosen})"), values
    )
    await session.execute(text(f"DELETE FROM snapshots WHERE id IN ({chosen})"), values)


async def latest(session: AsyncSession, registry_id: str) -> Snapshot | None:
    """A registry's newest snapshot."""
    return await session.scalar(
        select(Snapshot)
        .where(Snapshot.registry_id == registry_id)
        .order_by(Snapshot.id.desc())
        .limit(1)
    )


def _width(series: Series, of_sums: bool) -> int:
    sums = ("total", "total_of_squares")
    places = [
        slot
        for slots in series.slots.values()
        for name, slot in slots.items()
        if (name in sums) is of_sums
    ]
    return max(places, default=-1) + 1


def _place(first: date, month: date) -> int:
    return (month.year - first.year) * 12 + month.month - first.month
