"""Checks that a demonstration makes of itself: each is a line, and all of them must hold."""

from collections.abc import Collection

import asyncpg
from rich.console import Console

from app.simulation.canaries import Canaries

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
    WHERE f.feed_seq > coalesce(g.feed_seq, 0)
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
    """Whether the benchmark tables hold everything that was accepted."""
    connection = await asyncpg.connect(owner)
    try:
        return not await connection.fetchval(_BEHIND)
    finally:
        await connection.close()


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
