"""
Running: the totals of a nation's facilities as running sums by month, read from its cells.

Only what rates are made of is asked for: a row holds five counts and two sums of every measure, of
which a comparison needs two or three.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.layout import Layout, Series
from app.benchmarks.nation import Ints, Running, counted, month_place
from app.benchmarks.peers import measured_by
from app.benchmarks.records import INTEGER, PAIR, Array, Columns, Reader, Records, Several, in_pairs
from app.database import driver_connection, twin
from app.registries import case_mix
from app.registries.measure import Measure
from app.registries.schema import Definition

LONG, GATHERED = 1024 * 1024, 0.0005
"""An answer of more bytes is listened to every so many seconds: PostgreSQL sends 8 KB at a time, and to
be woken for each costs more than the rows in it. What it sends until then waits in the socket."""
EPOCH = np.datetime64("2000-01-01")
"""PostgreSQL counts days from it."""
COUNTS, TOTALS, SQUARES = "counts", "totals", "squares"
KINDS = {COUNTS: np.dtype(np.int32), TOTALS: np.dtype(np.int64), SQUARES: np.dtype(np.float64)}
"""Counts come in pairs, so that they fit four bytes."""


async def read_running(
    session: AsyncSession,
    generation_id: int,
    layout: Layout,
    definition: Definition,
    facilities: Sequence[int],
    months: tuple[date, date],
) -> Running:
    """What rates are made of, between two months, for facilities in this order.

    Cells and histograms are read at once, by two sessions that see the same: what is committed.
    """
    volumes = set(measured_by(definition).values())
    wanted = {
        one.id: counted(one)
        for one in definition.measures
        if one.scoring != "cohort" or one.id in volumes
    }
    shape = month_place(*months) + 2, len(facilities)

    async def tables(session: AsyncSession) -> dict[tuple[str, str], npt.NDArray[Any]]:
        place, found = Place(session, facilities, months[0]), dict[tuple[str, str], Any]()
        for one in layout.series:
            if not one.stratifier:
                found |= await _Table(one, wanted).read(place, generation_id, shape)
        return found

    async def mixes(session: AsyncSession) -> dict[str, npt.NDArray[np.int32]]:
        place = Place(session, facilities, months[0])
        return {
            one.id: await _mix(place, generation_id, one, shape)
            for one in definition.measures
            if one.case_mix and layout.case_mixes.get(one.id) == case_mix.text_of(one.case_mix)
        }

    try:
        async with twin(session) as other, asyncio.TaskGroup() as both:
            series, mixed = both.create_task(tables(session)), both.create_task(mixes(other))
    except ExceptionGroup as group:  # both have ended; whoever called knows a failure by its kind
        raise group.exceptions[0] from None
    return Running(series.result(), mixed.result())


async def _mix(
    place: "Place", generation_id: int, measure: Measure, shape: tuple[int, int]
) -> npt.NDArray[np.int32]:
    """Running sums of cases and events by combination of levels."""
    width = 2 * case_mix.size(measure.case_mix)
    return await place.histogram(generation_id, measure.id, width, shape)


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
        self._places = dict[tuple[str, str], tuple[str, int]]()
        """Measure and population -> one of `KINDS`, and its place among those that are read of it."""
        self._slots = dict[str, list[int]]()
        """Where each stands in a row of cells, of each of `KINDS` there is; measures share some."""
        for key, slot in slots.items():
            kind = {"total": TOTALS, "total_of_squares": SQUARES}.get(key[1], COUNTS)
            read = self._slots.setdefault(kind, [])
            if slot not in read:
                read.append(slot)
            self._places[key] = kind, read.index(slot)

    async def read(
        self, place: "Place", generation_id: int, shape: tuple[int, int]
    ) -> dict[tuple[str, str], npt.NDArray[Any]]:
        """Running sums of a generation's cells: measure and population -> month x facility."""
        into = {
            kind: np.zeros((len(slots), *shape), KINDS[kind]) for kind, slots in self._slots.items()
        }
        if not into:
            return {}

        def put(rows: Records, month: Ints, facility: Ints) -> None:
            for kind, its in into.items():
                values = rows[kind]["value"].reshape(len(rows), -1)
                its.transpose(1, 2, 0)[month, facility] = values[:, : len(its)]

        await place.each(self._query(), (generation_id, self._form), self._columns(), put)
        for its in into.values():
            for month in range(1, shape[0]):
                its[:, month] += its[:, month - 1]
                if its.dtype == KINDS[COUNTS] and its[:, month].min() < 0:
                    raise OverflowError("a facility has more cases than four bytes hold")
        return {key: into[kind][place] for key, (kind, place) in self._places.items()}

    def _query(self) -> str:
        # An array that nothing was appended to is unpacked, and the same: each of its numbers is then at
        # hand, where of one that is stored the whole is unpacked again for each. OFFSET keeps it so. In
        # the order of the primary key rows are found where they lie, a facility's together.
        counts, totals, squares = (self._slots.get(one, []) for one in KINDS)
        picked = [
            *in_pairs([f"counts[{slot + 1}]" for slot in counts]),
            *(f"sums[{slot + 1}]::bigint" for slot in totals),
            *(f"sums[{slot + 1}]::float8" for slot in squares),
        ]
        sums = ", sums || '{}'::numeric[] AS sums" if totals or squares else ""
        return (
            f"SELECT facility_id, month, {', '.join(picked)} FROM ("
            f"SELECT facility_id, month, counts || '{{}}'::bigint[] AS counts{sums} FROM cells"
            " WHERE generation_id = $1 AND stratifier = '' AND form = $2"
            " ORDER BY facility_id, month OFFSET 0) AS cells"
        )

    def _columns(self) -> Columns:
        """How the query's rows are read."""
        found: dict[str, str | Several] = {"facility_id": INTEGER, "month": INTEGER}
        # Squares could be too large for whole numbers.
        for kind, of in ((COUNTS, PAIR), (TOTALS, "bigint"), (SQUARES, "float8")):
            if slots := self._slots.get(kind):
                found[kind] = Several(-(-len(slots) // 2) if of == PAIR else len(slots), of)
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
        placing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        placing.set_result(None)

        async def take(piece: bytes) -> None:
            nonlocal taken, placing
            taken += len(piece)
            for rows in reader.take(piece):
                await placing
                placing = asyncio.ensure_future(asyncio.to_thread(placed, rows))
            if taken > LONG:
                await asyncio.sleep(GATHERED)

        driver = await driver_connection(self._session)
        try:
            await driver.copy_from_query(query, *arguments, output=take, format="binary")
        finally:
            await placing
        for rows in reader.end():
            placed(rows)


def _months(month: date) -> int:
    """As NumPy counts months."""
    return (month.year - 1970) * 12 + month.month - 1
