"""What stands in the benchmark tables, in the form of `history.counted`."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.generations import current
from app.benchmarks.layout import COUNTS, SUMS, Layout
from app.registries.case_mix import combinations
from tests.benchmarks.toy import CASE_MIX, REGISTRY


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
    if layout.case_mixes:
        found |= await _combined(session, generation.id)
    return found


async def _combined(
    session: AsyncSession, generation_id: int
) -> dict[tuple[int, date, str, str, str], tuple[int, ...]]:
    rows = await session.execute(
        text(
            "SELECT facility_id, month, bins FROM histograms"
            " WHERE generation_id = :id AND measure_id = 'found'"
        ),
        {"id": generation_id},
    )
    return combined((row.facility_id, row.month, row.bins) for row in rows)


def combined(
    rows: Iterable[tuple[int, date, Sequence[int]]],
) -> dict[tuple[int, date, str, str, str], tuple[int, ...]]:
    """The denominator and numerator of each combination of the toy's case mix, as if of a stratum."""
    levels = ["/".join(one) for one in combinations(CASE_MIX)]
    found = {}
    for facility, month, bins in rows:
        assert len(bins) == 2 * len(levels)
        for place, name in enumerate(levels):
            cases, events = bins[place], bins[len(levels) + place]
            if cases or events:
                key = (facility, month, "found", "case_mix", name)
                found[key] = (0, cases, 0, 0, events, 0, 0, 0)
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
