"""
Running: the totals of a nation's facilities as running sums by month, read from its cells.

Only what rates are made of is kept: a row holds five counts and two sums of every measure, of which a
comparison needs two or three.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.measures import Layout, Series
from app.benchmarks.peers import measured_by
from app.benchmarks.records import INTEGER, Array, Columns, Reader, Records
from app.database import driver_connection
from app.registries import case_mix
from app.registries.measure import Measure
from app.registries.schema import Definition

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)

EPOCH = np.datetime64("2000-01-01")
"""PostgreSQL counts days from it."""


@dataclass(frozen=True)
class Running:
    """Month x facility for each, with a month of zeros before the first."""

    counts: Mapping[tuple[str, str], Ints]
    """By measure and population; sums of observations are `total`."""
    squares: Mapping[str, Floats]
    """Of sums of squares, which may be too large for whole numbers, and are not needed to the last digit."""
    mixes: Mapping[str, npt.NDArray[np.int32]]
    """Of measures with a case mix: month x facility x (cases by combination of levels, then events)."""


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
    place = _Place(session, facilities, months[0])
    shape = month_place(*months) + 2, len(facilities)
    counts, squares = dict[tuple[str, str], Ints](), dict[str, Floats]()
    for series in layout.series:
        if series.stratifier:
            continue
        table = _Table(series, wanted, shape)
        await table.read(place, generation_id)
        counts |= table.counts()
        squares |= table.squares()
    mixes = {
        one.id: await _mix(place, generation_id, one, shape)
        for one in definition.measures
        if one.case_mix and layout.case_mixes.get(one.id) == case_mix.text_of(one.case_mix)
    }
    return Running(counts, squares, mixes)


async def _mix(
    place: "_Place", generation_id: int, measure: Measure, shape: tuple[int, int]
) -> npt.NDArray[np.int32]:
    """Running sums of cases and events by combination of levels."""
    width = 2 * case_mix.size(measure.case_mix)
    into = np.zeros((*shape, width), np.int32)

    def put(rows: Records, month: Ints, facility: Ints) -> None:
        into[month, facility] = rows["bins"]["value"]

    columns: Columns = {"facility_id": INTEGER, "month": INTEGER, "bins": Array(width)}
    await place.each(
        "SELECT facility_id, month, bins FROM histograms"
        " WHERE generation_id = $1 AND measure_id = $2",
        (generation_id, measure.id),
        columns,
        put,
    )
    return np.cumsum(into, axis=0, out=into)


def month_place(first: date, month: date) -> int:
    """How many months after the first."""
    return (month.year - first.year) * 12 + month.month - first.month


class _Table:
    """One form's numbers while they are read: month x facility x column, a row's numbers side by side."""

    def __init__(
        self, series: Series, wanted: Mapping[str, Sequence[str]], shape: tuple[int, int]
    ) -> None:
        self.of = {name: list[tuple[str, int]]() for name in ("total", "total_of_squares")}
        """Of sums: measure and slot of each column."""
        self.counted = list[tuple[tuple[str, str], int]]()
        """Of counts: measure, population and slot of each column."""
        for measure, names in wanted.items():
            slots = series.slots.get(measure, {})
            for name in names:
                if name not in slots:
                    continue
                if name in self.of:
                    self.of[name].append((measure, slots[name]))
                else:
                    self.counted.append(((measure, name), slots[name]))
        self._form = series.form
        self._width = 1 + max(
            slot
            for its in series.slots.values()
            for name, slot in its.items()
            if name not in self.of
        )
        self._counts = np.zeros((*shape, len(self.counted)), np.int64)
        self._totals = np.zeros((*shape, len(self.of["total"])), np.int64)
        self._squares = np.zeros((*shape, len(self.of["total_of_squares"])))
        self._slots = [slot for _, slot in self.counted]

    async def read(self, place: "_Place", generation_id: int) -> None:
        """Put the cells of a generation into their places."""
        # All counts are asked for: to pick some would unpack the row's array once for each.
        columns: dict[str, tuple[str, str | Array]] = {
            "facility_id": ("facility_id", INTEGER),
            "month": ("month", INTEGER),
            "counts": ("counts", Array(self._width)),
        }
        # Squares alone could be too large for an array of whole numbers.
        for name, kind in ("total", "bigint"), ("total_of_squares", "float8"):
            if self.of[name]:
                picked = ", ".join(f"sums[{slot + 1}]::{kind}" for _, slot in self.of[name])
                columns[name] = f"ARRAY[{picked}]", Array(len(self.of[name]), kind)
        await place.each(
            f"SELECT {', '.join(text for text, _ in columns.values())} FROM cells"
            " WHERE generation_id = $1 AND stratifier = '' AND form = $2",
            (generation_id, self._form),
            {name: kind for name, (_, kind) in columns.items()},
            self._put,
        )

    def _put(self, rows: Records, month: Ints, facility: Ints) -> None:
        self._counts[month, facility] = rows["counts"]["value"][:, self._slots]
        for name, array in ("total", self._totals), ("total_of_squares", self._squares):
            if self.of[name]:
                array[month, facility] = rows[name]["value"]

    def counts(self) -> dict[tuple[str, str], Ints]:
        """Running sums over the months, each measure's population by itself."""
        keys = [key for key, _ in self.counted]
        totals = [(measure, "total") for measure, _ in self.of["total"]]
        return dict(zip(keys, _running(self._counts), strict=True)) | dict(
            zip(totals, _running(self._totals), strict=True)
        )

    def squares(self) -> dict[str, Floats]:
        """The same of sums of squares, by measure."""
        measures = [measure for measure, _ in self.of["total_of_squares"]]
        return dict(zip(measures, _running(self._squares), strict=True))


def _running(table: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Column x month x facility: what was side by side for writing is apart for reading."""
    np.cumsum(table, axis=0, out=table)
    return np.ascontiguousarray(table.transpose(2, 0, 1))


class _Place:
    """Where rows of facilities' months belong."""

    def __init__(self, session: AsyncSession, facilities: Sequence[int], first: date) -> None:
        self._session, self._first = session, _months(first)
        self._ids = np.array(facilities)
        self._order = np.argsort(self._ids)

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

        async def take(piece: bytes) -> None:
            for rows in reader.take(piece):
                placed(rows)

        driver = await driver_connection(self._session)
        await driver.copy_from_query(query, *arguments, output=take, format="binary")
        for rows in reader.end():
            placed(rows)


def _months(month: date) -> int:
    """As NumPy counts months."""
    return (month.year - 1970) * 12 + month.month - 1
