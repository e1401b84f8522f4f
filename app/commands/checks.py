"""Checks that a demonstration makes of itself: each is a line, and all of them must hold."""

from collections.abc import Collection, Mapping
from decimal import Decimal

import asyncpg
import orjson
from rich.console import Console

from app.registries.schema import Definition
from app.simulation.canaries import Canaries
from app.simulation.oracle import Cell, Count

_SHOWN = 5
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('vault', 'pg_catalog', 'information_schema')
        AND c.relpersistence <> 't'
    ORDER BY 1
"""

_BEHIND = """
    SELECT count(*) FROM feeds f
    LEFT JOIN generations g ON g.registry_id = f.registry_id AND g.state = 'current'
    LEFT JOIN worklist_marks w ON w.registry_id = f.registry_id
    WHERE f.feed_seq > coalesce(g.feed_seq, 0) OR f.feed_seq > w.feed_seq
"""


class Checks:
    """Checks in the order in which they were made."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.held = True

    def add(self, claim: str, differences: Collection[str]) -> None:
        """Print whether a claim held, and the first few differences if it did not."""
        if not differences:
            self._console.print(f"[green]held[/]    {claim}")
            return
        self.held = False
        self._console.print(f"[red]failed[/]  {claim}: {len(differences)} differences")
        for difference in list(differences)[:_SHOWN]:
            self._console.print(f"          {difference}", markup=False)


async def tabulated(owner: str) -> bool:
    """Whether the benchmark tables and the worklists hold everything that was accepted."""
    connection = await asyncpg.connect(owner)
    try:
        return not await connection.fetchval(_BEHIND)
    finally:
        await connection.close()


_CELLS = """
    SELECT c.facility_id, c.form, c.month, c.stratifier, c.stratum, c.counts, c.sums
    FROM cells c JOIN generations g ON g.id = c.generation_id
    WHERE g.registry_id = $1 AND g.state = 'current'
"""


async def cells_differ(
    owner: str, definition: Definition, wanted: Mapping[Cell, Count]
) -> tuple[int, list[str]]:
    """How many cells were compared, and those of the benchmark tables that are not the oracle's."""
    connection = await asyncpg.connect(owner)
    try:
        layout = await connection.fetchval(
            "SELECT layout FROM generations WHERE registry_id = $1 AND state = 'current'",
            definition.id,
        )
        rows = await connection.fetch(_CELLS, definition.id)
    finally:
        await connection.close()
    if layout is None:
        return 0, ["nothing is tabulated"]
    slots = {(form, name): its for form, name, its in orjson.loads(layout)["series"]}
    units = {one.id: Decimal(10) ** one.scale for one in definition.measures}
    got: dict[Cell, Count] = {}
    for row in rows:
        for measure, places in slots[row["form"], row["stratifier"]].items():
            counts = {
                name: row["counts"][place]
                for name, place in places.items()
                if name not in ("total", "total_of_squares")
            }
            if "total" in places:
                unit = units[measure]
                counts["total"] = row["sums"][places["total"]] / unit
                counts["total_of_squares"] = row["sums"][places["total_of_squares"]] / unit**2
            stratifier = row["stratifier"].partition("#")[0]
            at = (row["facility_id"], f"{row['month']:%Y-%m}", measure, stratifier, row["stratum"])
            if (count := Count(**counts)) != Count():
                got[at] = count
    differ = [
        f"{' '.join(str(part) for part in at)}: {got.get(at)} instead of {wanted.get(at)}"
        for at in sorted(got.keys() | wanted.keys())
        if got.get(at) != wanted.get(at)
    ]
    return len(wanted), differ


async def tables_tell(owner: str, canaries: Canaries) -> dict[str, str]:
    """The planted identities in any table outside the vault, and of what kind they are."""
    found: dict[str, str] = {}
    connection = await asyncpg.connect(owner)
    try:
        for (table,) in await connection.fetch(_TABLES):
            rows: list[bytes] = []

            async def gather(piece: bytes, rows: list[bytes] = rows) -> None:
                rows.append(piece)

            await connection.copy_from_query(f"SELECT * FROM {table}", output=gather)
            for value, kind in canaries.found_in(b"".join(rows)).items():
                found[f"{table}: {value}"] = kind
    finally:
        await connection.close()
    return found
