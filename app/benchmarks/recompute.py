"""
Recompute: the same statement over the lake.

Rebuilds a generation from the columnar copy, and says whether the incremental tables differ from
what a recompute gives. There must be no difference.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.engine import Engine
from app.benchmarks.lake import Files, Lake, attach
from app.benchmarks.measures import Tabulation
from app.benchmarks.observe import Rows, measured
from app.benchmarks.tabulate import CELL_COLUMNS, HISTOGRAM_COLUMNS
from app.database import copy_records, staging

Recomputed = Callable[[Tabulation, Sequence[Files]], Iterator[Rows]]
"""All rows of a generation, worked out from the lake by some engine, some at a time."""


class Difference(NamedTuple):
    """A row of the tables that is not as a recompute gives it."""

    table: str
    facility_id: int
    month: str
    series: str


def over_lake(
    engine: Engine, lake: Lake, tabulation: Tabulation, files: Sequence[Files]
) -> Iterator[Rows]:
    """All rows of a generation, worked out from the lake, some at a time."""
    with engine.open(files=[lake.folder]) as connection:
        attach(connection, lake, tabulation.relations, files)
        yield from measured(connection, tabulation.sql)


async def fill(
    session: AsyncSession,
    recomputed: Recomputed,
    tabulation: Tabulation,
    files: Sequence[Files],
    generation_id: int,
) -> int:
    """Write the cells of a new generation; how many rows."""
    await _stage(session, recomputed, tabulation, files)
    await session.execute(
        text(
            "INSERT INTO cells (generation_id, facility_id, form, stratifier, month, stratum, counts, sums)"
            " SELECT :generation, facility_id, form, stratifier, month, stratum, counts::bigint[],"
            " sums::numeric[]"
            " FROM recomputed_cells"
        ),
        {"generation": generation_id},
    )
    await session.execute(
        text(
            "INSERT INTO histograms (generation_id, facility_id, measure_id, month, bins)"
            " SELECT :generation, facility_id, measure_id, month, bins::bigint[]"
            " FROM recomputed_histograms"
        ),
        {"generation": generation_id},
    )
    found = await session.scalar(text("SELECT count(*) FROM recomputed_cells"))
    return int(found or 0)


async def differences(
    session: AsyncSession,
    recomputed: Recomputed,
    tabulation: Tabulation,
    files: Sequence[Files],
    generation_id: int,
) -> list[Difference]:
    """Every row in which a generation and a recompute of it are not the same."""
    await _stage(session, recomputed, tabulation, files)
    found = await session.execute(_DIFFERENCES, {"generation": generation_id})
    return [Difference(*row) for row in found]


_DIFFERENCES = text("""
SELECT 'cells', facility_id, month::text,
       concat_ws(':', form, nullif(stratifier, ''), nullif(stratum, ''))
FROM (SELECT * FROM cells WHERE generation_id = :generation) AS cell
FULL JOIN recomputed_cells AS again USING (facility_id, form, stratifier, month, stratum)
WHERE cell.counts IS DISTINCT FROM again.counts::bigint[]
   OR cell.sums IS DISTINCT FROM again.sums::numeric[]
UNION ALL
SELECT 'histograms', facility_id, month::text, measure_id
FROM (SELECT * FROM histograms WHERE generation_id = :generation) AS histogram
FULL JOIN recomputed_histograms AS again USING (facility_id, measure_id, month)
WHERE histogram.bins IS DISTINCT FROM again.bins::bigint[]
ORDER BY 1, 2, 3, 4
""")


async def _stage(
    session: AsyncSession,
    recomputed: Recomputed,
    tabulation: Tabulation,
    files: Sequence[Files],
) -> None:
    await staging(
        session,
        "recomputed_cells",
        "facility_id int, form text, stratifier text, month date, stratum text,"
        " counts text, sums text",
    )
    await staging(
        session,
        "recomputed_histograms",
        "facility_id int, measure_id text, month date, bins text",
    )
    async for rows in _in_a_thread(recomputed(tabulation, files)):
        await copy_records(session, "recomputed_cells", CELL_COLUMNS, rows.cells)
        await copy_records(session, "recomputed_histograms", HISTOGRAM_COLUMNS, rows.histograms)


async def _in_a_thread(rows: Iterator[Rows]) -> AsyncIterator[Rows]:
    """Some rows at a time, each lot worked out while the event loop goes on."""
    while (some := await asyncio.to_thread(next, rows, None)) is not None:
        yield some
