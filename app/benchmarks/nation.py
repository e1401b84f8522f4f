"""
The nation: every facility's totals by month, and whom each is compared with.

Read once for a snapshot. Totals are running sums, so that any period is one subtraction; facilities
stand in the order of their corporate accounts, so that an account's share of a group is one more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.measures import Layout, Series
from app.benchmarks.peers import groups, measured_by, peers_of, traits
from app.benchmarks.periods import Period, last_complete_year
from app.benchmarks.records import INTEGER, Array, Reader, Records
from app.database import driver_connection
from app.registries import case_mix
from app.registries.measure import Measure
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]
Mixes = Mapping[str, npt.NDArray[np.int32]]
Floats = npt.NDArray[np.float64]

EPOCH = np.datetime64("2000-01-01")
"""PostgreSQL counts days from it."""


@dataclass(frozen=True)
class Nation:
    """Every facility's totals by month."""

    facilities: list[int]
    first: date
    last: date
    counts: Mapping[str, Ints]
    """Form -> slot x month x facility, with a month of zeros before the first."""
    sums: Mapping[str, Ints]
    squares: Mapping[str, Floats]
    """Of sums of squares, which may be too large for whole numbers, and are not needed to the last digit."""
    layout: Layout
    accounts: Ints
    """Where each corporate account's facilities begin."""
    members: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]]
    """Grouping -> group -> whether each facility is in it."""
    mixes: Mixes
    """Measure with a case mix -> month x facility x (cases by combination of levels, then events)."""

    def over(self, asked: Period, running: Ints, slot: int) -> Ints:
        """A slot over a period, one number a facility."""
        return _over(self.first, asked, running, slot)

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

    def squared(self, measure: Measure, asked: Period) -> Floats:
        """Sums of squared observations in units of their last decimal, one number a facility."""
        series = self.layout.of(measure.id)
        if series is None or "total_of_squares" not in series.slots[measure.id]:
            return np.zeros(len(self.facilities))
        slot = series.slots[measure.id]["total_of_squares"]
        start, end = _ends(self.first, asked, self.squares[series.form].shape[1] - 1)
        running = self.squares[series.form]
        over: Floats = running[slot, end] - running[slot, start]
        return over

    def mixed(self, measure: Measure, asked: Period) -> tuple[Floats, Floats] | None:
        """Cases and events, facility x combination of levels; None where the cells do not hold them."""
        running = self.mixes.get(measure.id)
        if running is None:
            return None
        start, end = _ends(self.first, asked, len(running) - 1)
        over, kinds = running[end] - running[start], running.shape[2] // 2
        return over[:, :kinds].astype(np.float64), over[:, kinds:].astype(np.float64)

    @cached_property
    def owners(self) -> Ints:
        """A number for each facility's account, rising."""
        ends = np.append(self.accounts[1:], len(self.facilities))
        return np.repeat(np.arange(len(self.accounts)), ends - self.accounts)

    def by_account(self, values: Ints) -> Ints:
        """Numbers of facilities (along the last axis) added up to those of their accounts."""
        added: Ints = np.add.reduceat(values, self.accounts, axis=-1)
        return added


_FACILITIES = text("""
WITH RECURSIVE found(facility_id) AS (
  SELECT min(facility_id) FROM cells WHERE generation_id = :generation
  UNION ALL
  SELECT (SELECT min(cells.facility_id) FROM cells
          WHERE cells.generation_id = :generation AND cells.facility_id > found.facility_id)
  FROM found WHERE found.facility_id IS NOT NULL
)
SELECT facility_id FROM found WHERE facility_id IS NOT NULL
""")
"""Whoever has cells, one look into the index each: DISTINCT would read all that it holds."""


async def nation_of(
    session: AsyncSession,
    generation_id: int,
    layout: Layout,
    definition: Definition,
    today: date,
) -> Nation | None:
    """The nation as a generation's cells have it; None as long as they hold nothing."""
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
    unsorted = list(await session.scalars(_FACILITIES, {"generation": generation_id}))
    known = await traits(session, unsorted)
    account_of = {one: known[one].account if one in known else -one for one in unsorted}
    facilities = sorted(unsorted, key=lambda one: (account_of[one], one))
    running = await _running(session, generation_id, layout, facilities, ends[0], ends[1])
    owners = np.array([account_of[one] for one in facilities], np.int64)
    starts = np.flatnonzero(np.diff(owners, prepend=owners[0] - 1))
    bare = Nation(facilities, ends[0], ends[1], *running, layout, starts, {}, {})
    volumes = _volumes(definition, bare, today)
    members: dict[str, dict[str, npt.NDArray[np.bool_]]] = {}
    for grouping in definition.peers:
        labels = np.array(
            [
                (
                    peers_of(
                        definition,
                        grouping,
                        known[facility],
                        {one: int(its[place]) for one, its in volumes.items()},
                    )
                    if facility in known
                    else None
                )
                or ""
                for place, facility in enumerate(facilities)
            ]
        )
        members[grouping.id] = {one: labels == one for one in groups(definition, grouping)}
    mixes = await _mixes(session, generation_id, layout, definition, facilities, ends[0], ends[1])
    return Nation(facilities, ends[0], ends[1], *running, layout, starts, members, mixes)


async def _running(
    session: AsyncSession,
    generation_id: int,
    layout: Layout,
    facilities: Sequence[int],
    first: date,
    last: date,
) -> tuple[dict[str, Ints], dict[str, Ints], dict[str, Floats]]:
    """Running sums of counts, of sums and of sums of squares, by form."""
    counts, sums, squares = dict[str, Ints](), dict[str, Ints](), dict[str, Floats]()
    for series in layout.series:
        if series.stratifier:
            continue
        shape = _place(first, last) + 2, len(facilities)
        form, width = series.form, _width(series, of_sums=True)
        counts[form] = np.zeros((_width(series, of_sums=False), *shape), np.int64)
        sums[form], squares[form] = np.zeros((width, *shape), np.int64), np.zeros((width, *shape))
        into = Totals(counts[form], sums[form], squares[form])
        await _read(session, generation_id, series, facilities, first, into)
        for array in into:
            np.cumsum(array, axis=1, out=array)
    return counts, sums, squares


class Totals(NamedTuple):
    """Of one form: slot x month x facility."""

    counts: Ints
    sums: Ints
    squares: Floats


async def _read(
    session: AsyncSession,
    generation_id: int,
    series: Series,
    facilities: Sequence[int],
    first: date,
    into: Totals,
) -> None:
    """Put the cells of a form's totals into their places."""
    # Squares alone could be too large for an array of whole numbers.
    columns: dict[str, tuple[str, str | Array]] = {
        "facility_id": ("facility_id", INTEGER),
        "month": ("month", INTEGER),
        "counts": ("counts", Array(len(into.counts))),
    }
    slots = {
        name: sorted({its[name] for its in series.slots.values() if name in its})
        for name in ("total", "total_of_squares")
    }
    for name, kind in ("total", "bigint"), ("total_of_squares", "float8"):
        if slots[name]:
            picked = ", ".join(f"sums[{slot + 1}]::{kind}" for slot in slots[name])
            columns[name] = f"ARRAY[{picked}]", Array(len(slots[name]), kind)

    # A row's counts side by side, as they come; slot by slot afterwards, a month at a time.
    counts = np.zeros((*into.counts.shape[1:], len(into.counts)), np.int64)

    def put(rows: Records, month: Ints, place: Ints) -> None:
        counts[month, place] = rows["counts"]["value"]
        for name, array in ("total", into.sums), ("total_of_squares", into.squares):
            for at, slot in enumerate(slots[name]):
                array[slot, month, place] = rows[name]["value"][:, at]

    rows = (
        f"SELECT {', '.join(text for text, _ in columns.values())} FROM cells"
        " WHERE generation_id = $1 AND stratifier = '' AND form = $2"
    )
    kinds = {name: kind for name, (_, kind) in columns.items()}
    await _placed(session, rows, (generation_id, series.form), kinds, facilities, first, put)
    for month, of_month in enumerate(counts):
        into.counts[:, month] = of_month.T


async def _mixes(
    session: AsyncSession,
    generation_id: int,
    layout: Layout,
    definition: Definition,
    facilities: Sequence[int],
    first: date,
    last: date,
) -> Mixes:
    """Running sums of cases and events by combination of levels, of measures with a case mix."""
    found: dict[str, npt.NDArray[np.int32]] = {}
    for measure in definition.measures:
        factors = measure.case_mix
        if not factors or layout.case_mixes.get(measure.id) != case_mix.text_of(factors):
            continue
        width = 2 * case_mix.size(factors)
        into = np.zeros((_place(first, last) + 2, len(facilities), width), np.int32)

        def put(
            rows: Records, month: Ints, place: Ints, into: npt.NDArray[np.int32] = into
        ) -> None:
            into[month, place] = rows["bins"]["value"]

        rows = (
            "SELECT facility_id, month, bins FROM histograms"
            " WHERE generation_id = $1 AND measure_id = $2"
        )
        kinds: dict[str, str | Array] = {
            "facility_id": INTEGER,
            "month": INTEGER,
            "bins": Array(width),
        }
        await _placed(session, rows, (generation_id, measure.id), kinds, facilities, first, put)
        found[measure.id] = np.cumsum(into, axis=0, out=into)
    return found


async def _placed(
    session: AsyncSession,
    query: str,
    arguments: tuple[object, ...],
    kinds: Mapping[str, str | Array],
    facilities: Sequence[int],
    first: date,
    put: Callable[[Records, Ints, Ints], None],
) -> None:
    """Give the rows of a query to `put`, with the place of each one's month and facility."""
    ids = np.array(facilities)
    order = np.argsort(ids)
    reader = Reader(kinds)

    def placed(rows: Records) -> None:
        place = order[np.searchsorted(ids, rows["facility_id"], sorter=order)]
        days = EPOCH + rows["month"].astype("timedelta64[D]")
        put(rows, days.astype("datetime64[M]").astype(np.int64) - _months(first) + 1, place)

    async def take(piece: bytes) -> None:
        for rows in reader.take(piece):
            placed(rows)

    driver = await driver_connection(session)
    await driver.copy_from_query(query, *arguments, output=take, format="binary")
    for rows in reader.end():
        placed(rows)


def _volumes(definition: Definition, nation: Nation, today: date) -> dict[str, Ints]:
    """Measure -> how many cases of it each facility had in the last twelve complete months."""
    over = last_complete_year(today)
    found = {}
    for name in measured_by(definition).values():
        measure = definition.measure(name)
        if measure.scoring == "cohort":
            (found[name],) = nation.populations(measure, over, "initial_population")
        else:
            found[name] = nation.ratios(measure, over)[2]
    return found


def _ends(first: date, asked: Period, months: int) -> tuple[int, int]:
    """Where a period begins and ends in running sums of so many months."""
    return (
        min(max(_place(first, asked.first), 0), months),
        min(max(_place(first, asked.last) + 1, 0), months),
    )


def _over(first: date, asked: Period, running: Ints, slot: int) -> Ints:
    start, end = _ends(first, asked, running.shape[1] - 1)
    over: Ints = running[slot, end] - running[slot, start]
    return over


def _width(series: Series, *, of_sums: bool) -> int:
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


def _months(month: date) -> int:
    """As NumPy counts months."""
    return (month.year - 1970) * 12 + month.month - 1
