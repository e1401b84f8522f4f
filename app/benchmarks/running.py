"""
Running: the totals of a nation's facilities as running sums by month, read from its cells.

Only what rates are made of is asked for: a row holds five counts and two sums of every measure, of
which a comparison needs two or three.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.layout import Layout, Series
from app.benchmarks.peers import measured_by
from app.benchmarks.records import INTEGER, PAIR, Array, Columns, Reader, Records, Several, in_pairs
from app.database import driver_connection
from app.registries import case_mix
from app.registries.measure import Measure
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TOGETHER = 512
"""Facilities whose rows are turned into columns at once: they fit a processor's cache."""
LONG, GATHERED = 1024 * 1024, 0.002
"""An answer of more bytes is listened to every so many seconds: PostgreSQL sends 8 KB at a time, and to
be woken for each costs more than the rows in it. What it sends until then waits in the socket."""
EPOCH = np.datetime64("2000-01-01")
"""PostgreSQL counts days from it."""


@dataclass(frozen=True)
class Running:
    """Sums from the first month on, with a month of zeros before it."""

    counts: Ints
    """Month x column x facility; the last column is of zeros, for what a generation does not have."""
    columns: Mapping[tuple[str, str], int]
    """Measure and population -> column; sums of observations are `total`."""
    squares: Mapping[str, Floats]
    """Month x facility, of sums of squares: they may be too large for whole numbers, and are not needed
    to the last digit."""
    mixes: Mapping[str, npt.NDArray[np.int32]]
    """Of measures with a case mix: month x facility x (cases by combination of levels, then events)."""

    def between(self, start: int, end: int, wanted: Sequence[tuple[str, str]]) -> Ints:
        """Totals from one month to before another, a row for each measure and population."""
        columns = [self.columns.get(one, -1) for one in wanted]
        over: Ints = self.counts[end, columns]
        over -= self.counts[start, columns]
        return over


def counted(measure: Measure) -> tuple[str, ...]:
    """The populations that a measure's rate is made of; of a cohort, its size."""
    match measure.scoring:
        case "proportion":
            return "numerator", "denominator"
        case "ratio":
            return "total", "denominator"
        case "continuous-variable":
            return "total", "observations", "total_of_squares"
        case "cohort":
            return ("initial_population",)


async def read_running(
    session: AsyncSession,
    generation_id: int,
    layout: Layout,
    definition: Definition,
    facilities: Sequence[int],
    months: tuple[date, date],
) -> Running:
    """What rates are made of, between two months, for facilities in this order."""
    volumes = set(measured_by(definition).values())
    wanted = {
        one.id: counted(one)
        for one in definition.measures
        if one.scoring != "cohort" or one.id in volumes
    }
    place = Place(session, facilities, months[0])
    shape = month_place(*months) + 2, len(facilities)
    tables = [_Table(one, wanted) for one in layout.series if not one.stratifier]
    keys = [key for table in tables for key in table.keys]
    counts = np.zeros((shape[0], len(keys) + 1, shape[1]), np.int64)
    squares, begin = dict[str, Floats](), 0
    for table in tables:
        end = begin + len(table.keys)
        squares |= await table.read(place, generation_id, counts[:, begin:end])
        begin = end
    columns = {key: column for column, key in enumerate(keys)}
    mixes = {
        one.id: await _mix(place, generation_id, one, shape)
        for one in definition.measures
        if one.case_mix and layout.case_mixes.get(one.id) == case_mix.text_of(one.case_mix)
    }
    return Running(counts, columns, squares, mixes)


async def _mix(
    place: "Place", generation_id: int, measure: Measure, shape: tuple[int, int]
) -> npt.NDArray[np.int32]:
    """Running sums of cases and events by combination of levels."""
    width = 2 * case_mix.size(measure.case_mix)
    return await place.histogram(generation_id, measure.id, width, shape)


def month_place(first: date, month: date) -> int:
    """How many months after the first."""
    return (month.year - first.year) * 12 + month.month - first.month


class _Table:
    """What is wanted of one form, while it is read."""

    def __init__(self, series: Series, wanted: Mapping[str, Sequence[str]]) -> None:
        self._form = series.form
        slots = {
            (measure, name): its[name]
            for measure, names in wanted.items()
            if (its := series.slots.get(measure))
            for name in names
            if name in its
        }
        self._squares = {key: slot for key, slot in slots.items() if key[1] == "total_of_squares"}
        self._totals = {key: slot for key, slot in slots.items() if key[1] == "total"}
        self._counts = {
            key: slot for key, slot in slots.items() if key[1] not in ("total", "total_of_squares")
        }
        self.keys = [*self._counts, *self._totals]
        """Measure and population of each column of whole numbers."""

    async def read(self, place: "Place", generation_id: int, into: Ints) -> dict[str, Floats]:
        """Running sums of a generation's cells `into` month x column x facility, and those of squares."""
        if not self.keys:
            return {}
        months, _, facilities = into.shape
        # A row's numbers side by side, as they come; counts in pairs.
        pairs = -(-len(self._counts) // 2)
        counts = np.zeros((months, facilities, pairs, 2), np.int32)
        totals = np.zeros((months, facilities, len(self._totals)), np.int64)
        squares = np.zeros((months, facilities, len(self._squares)))
        parts: dict[str, npt.NDArray[Any]] = {
            "counts": counts,
            "totals": totals,
            "squares": squares,
        }
        columns = self._columns()
        wanted = [(name, part) for name, part in parts.items() if name in columns]

        def put(rows: Records, month: Ints, facility: Ints) -> None:
            for name, part in wanted:
                part[month, facility] = rows[name]["value"]

        await place.each(self._query(), (generation_id, self._form), columns, put)
        sides = counts.reshape(months, facilities, -1)[:, :, : len(self._counts)]
        for month in range(1, months):
            for begin in range(0, facilities, TOGETHER):
                some = slice(begin, begin + TOGETHER)
                into[month, : len(self._counts), some] = sides[month, some].T
                into[month, len(self._counts) :, some] = totals[month, some].T
            into[month] += into[month - 1]
        np.cumsum(squares, axis=0, out=squares)
        return {
            measure: np.ascontiguousarray(squares[:, :, column])
            for column, (measure, _) in enumerate(self._squares)
        }

    def _query(self) -> str:
        # An array that nothing was appended to is unpacked, and the same: each of its numbers is then at
        # hand, where of one that is stored the whole is unpacked again for each. OFFSET keeps it so.
        picked = [
            *in_pairs([f"counts[{slot + 1}]" for slot in self._counts.values()]),
            *(f"sums[{slot + 1}]::bigint" for slot in self._totals.values()),
            *(f"sums[{slot + 1}]::float8" for slot in self._squares.values()),
        ]
        sums = ", sums || '{}'::numeric[] AS sums" if self._totals or self._squares else ""
        return (
            f"SELECT facility_id, month, {', '.join(picked)} FROM ("
            f"SELECT facility_id, month, counts || '{{}}'::bigint[] AS counts{sums} FROM cells"
            " WHERE generation_id = $1 AND stratifier = '' AND form = $2 OFFSET 0) AS cells"
        )

    def _columns(self) -> Columns:
        """How the query's rows are read."""
        found: dict[str, str | Several] = {"facility_id": INTEGER, "month": INTEGER}
        # Squares could be too large for whole numbers.
        for name, count, kind in (
            ("counts", -(-len(self._counts) // 2), PAIR),
            ("totals", len(self._totals), "bigint"),
            ("squares", len(self._squares), "float8"),
        ):
            if count:
                found[name] = Several(count, kind)
        return found


class Place:
    """Where rows of facilities' months belong."""

    def __init__(self, session: AsyncSession, facilities: Sequence[int], first: date) -> None:
        self._session, self._first = session, _months(first)
        self._ids = np.array(facilities)
        self._order = np.argsort(self._ids)

    async def histogram(
        self, generation_id: int, series: str, width: int, shape: tuple[int, int]
    ) -> npt.NDArray[np.int32]:
        """Running sums of bins: month x facility x bin, with a month of zeros before the first."""
        into = np.zeros((*shape, width), np.int32)

        def put(rows: Records, month: Ints, facility: Ints) -> None:
            into[month, facility] = rows["bins"]["value"]

        columns: Columns = {"facility_id": INTEGER, "month": INTEGER, "bins": Array(width)}
        await self.each(
            "SELECT facility_id, month, bins FROM histograms"
            " WHERE generation_id = $1 AND measure_id = $2",
            (generation_id, series),
            columns,
            put,
        )
        return np.cumsum(into, axis=0, out=into)

    async def each(
        self,
        query: str,
        arguments: tuple[object, ...],
        columns: Columns,
        put: Callable[[Records, Ints, Ints], None],
    ) -> None:
        """Give the rows of a query to `put`, with the place of each one's month and facility."""
        reader = Reader(columns)

        def placed(rows: Records) -> None:
            found = np.searchsorted(self._ids, rows["facility_id"], sorter=self._order)
            days = EPOCH + rows["month"].astype("timedelta64[D]")
            month = days.astype("datetime64[M]").astype(np.int64) - self._first + 1
            put(rows, month, self._order[found])

        taken = 0

        async def take(piece: bytes) -> None:
            nonlocal taken
            taken += len(piece)
            for rows in reader.take(piece):
                placed(rows)
            if taken > LONG:
                await asyncio.sleep(GATHERED)

        driver = await driver_connection(self._session)
        await driver.copy_from_query(query, *arguments, output=take, format="binary")
        for rows in reader.end():
            placed(rows)


def _months(month: date) -> int:
    """As NumPy counts months."""
    return (month.year - 1970) * 12 + month.month - 1
