"""
Tabulate: add what changed to the cells and move the watermark, in one transaction.

One advisory lock a registry keeps workers apart; the watermark in the same transaction keeps a
change from being added twice or lost, whatever crashes. A row that falls to zero goes, so that the
tables are those that a full recompute would write.
"""

import asyncio

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.engine import Engine
from app.benchmarks.feed import WINDOW, both_sides, window_end
from app.benchmarks.measures import Tabulation
from app.benchmarks.observe import Rows, observe
from app.database import copy_records, staging
from app.models import Generation
from app.models.base import now

CELL_COLUMNS = ("facility_id", "form", "stratifier", "month", "stratum", "counts", "sums")
HISTOGRAM_COLUMNS = ("facility_id", "measure_id", "month", "bins")

_ADD_CELLS = text("""
INSERT INTO cells AS cell (generation_id, facility_id, form, stratifier, month, stratum, counts, sums)
SELECT :generation, facility_id, form, stratifier, month, stratum, counts::bigint[], sums::numeric[]
FROM changed_cells ORDER BY facility_id, form, stratifier, month, stratum
ON CONFLICT (generation_id, facility_id, form, stratifier, month, stratum) DO UPDATE SET
  counts = (SELECT array_agg(old + new ORDER BY place)
            FROM unnest(cell.counts, excluded.counts) WITH ORDINALITY AS pair(old, new, place)),
  sums = (SELECT coalesce(array_agg(old + new ORDER BY place), '{}')
          FROM unnest(cell.sums, excluded.sums) WITH ORDINALITY AS pair(old, new, place))
""")

_DROP_EMPTY_CELLS = text("""
DELETE FROM cells AS cell USING changed_cells AS changed
WHERE cell.generation_id = :generation AND cell.facility_id = changed.facility_id
  AND cell.form = changed.form AND cell.stratifier = changed.stratifier
  AND cell.month = changed.month AND cell.stratum = changed.stratum
  AND 0 = ALL (cell.counts) AND 0 = ALL (cell.sums)
""")

_ADD_HISTOGRAMS = text("""
INSERT INTO histograms AS histogram (generation_id, facility_id, measure_id, month, bins)
SELECT :generation, facility_id, measure_id, month, bins::bigint[]
FROM changed_histograms ORDER BY facility_id, measure_id, month
ON CONFLICT (generation_id, facility_id, measure_id, month) DO UPDATE SET
  bins = (SELECT array_agg(old + new ORDER BY place)
          FROM unnest(histogram.bins, excluded.bins) WITH ORDINALITY AS pair(old, new, place))
""")

_DROP_EMPTY_HISTOGRAMS = text("""
DELETE FROM histograms AS histogram USING changed_histograms AS changed
WHERE histogram.generation_id = :generation AND histogram.facility_id = changed.facility_id
  AND histogram.measure_id = changed.measure_id AND histogram.month = changed.month
  AND 0 = ALL (histogram.bins)
""")


async def advance(
    session: AsyncSession,
    engine: Engine,
    tabulation: Tabulation,
    generation: Generation,
    *,
    window: int = WINDOW,
    upto: int | None = None,
) -> int:
    """Bring a generation nearer to the present, or to a number at which a transaction ended.

    How many numbers of the feed it moved. The caller holds the registry's lock.
    """
    before = generation.feed_seq
    after = await window_end(session, generation.registry_id, before, window)
    if upto is not None:
        after = min(after, upto)
    if after <= before:
        return 0
    versions = await both_sides(session, generation.registry_id, before, after)
    changed = await asyncio.to_thread(observe, engine, tabulation, versions)
    await add(session, generation.id, changed)
    await mark(session, generation, after)
    return after - before


async def add(session: AsyncSession, generation_id: int, changed: Rows) -> None:
    """Add differences, or the rows of a new generation, to the cells."""
    if changed.cells:
        await staging(
            session,
            "changed_cells",
            "facility_id int, form text, stratifier text, month date, stratum text,"
            " counts text, sums text",
        )
        await session.execute(text("TRUNCATE changed_cells"))  # two generations in one transaction
        await copy_records(session, "changed_cells", CELL_COLUMNS, changed.cells)
        await session.execute(_ADD_CELLS, {"generation": generation_id})
        await session.execute(_DROP_EMPTY_CELLS, {"generation": generation_id})
    if changed.histograms:
        await staging(
            session,
            "changed_histograms",
            "facility_id int, measure_id text, month date, bins text",
        )
        await session.execute(text("TRUNCATE changed_histograms"))
        await copy_records(session, "changed_histograms", HISTOGRAM_COLUMNS, changed.histograms)
        await session.execute(_ADD_HISTOGRAMS, {"generation": generation_id})
        await session.execute(_DROP_EMPTY_HISTOGRAMS, {"generation": generation_id})


async def mark(session: AsyncSession, generation: Generation, feed_seq: int) -> None:
    """Say how far a generation has come."""
    await session.execute(
        update(Generation)
        .where(Generation.id == generation.id)
        .values(feed_seq=feed_seq, tabulated_at=now())
    )
