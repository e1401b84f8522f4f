"""What stands in the benchmark tables, in the form of `history.counted`."""

from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.generations import current
from app.benchmarks.measures import COUNTS, SUMS, Layout
from tests.benchmarks.toy import REGISTRY


async def tabulated(
    session: AsyncSession, registry: str = REGISTRY
) -> dict[tuple[int, date, str, str, str], tuple[int, ...]]:
    """Every measure's counts of the current generation that are not zero."""
    generation = await current(session, registry)
    if generation is None:
        return {}
    layout = Layout.read(generation.layout)
    found: dict[tuple[int, date, str, str, str], tuple[int, ...]] = {}
    for row in await session.execute(
        text("SELECT * FROM cells WHERE generation_id = :id"), {"id": generation.id}
    ):
        for series in layout.series:
            if (series.form, series.stratifier) != (row.form, row.stratifier):
                continue
            for measure in series.slots:
                read = series.read(measure, row.counts, row.sums)
                counts = tuple(int(read[name]) for name in (*COUNTS, *SUMS))
                if any(counts):
                    key = (row.facility_id, row.month, measure, row.stratifier, row.stratum)
                    found[key] = counts
    return found


async def raw(session: AsyncSession) -> list[tuple[Any, ...]]:
    """Every row of cells and histograms of current generations, generations' numbers aside."""
    cells = await session.execute(
        text(
            "SELECT facility_id, form, stratifier, month, stratum, counts, sums FROM cells"
            " JOIN generations ON id = generation_id WHERE state = 'current' ORDER BY 1, 2, 3, 4, 5"
        )
    )
    histograms = await session.execute(
        text(
            "SELECT facility_id, measure_id, month, bins FROM histograms"
            " JOIN generations ON id = generation_id WHERE state = 'current' ORDER BY 1, 2, 3"
        )
    )
    return [tuple(row) for row in cells] + [tuple(row) for row in histograms]
