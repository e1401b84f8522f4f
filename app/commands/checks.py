"""Checks that a demonstration makes of itself: each is a line, and all of them must hold."""

from collections.abc import Collection

import asyncpg
from rich.console import Console

from app import postgres
from app.settings import Settings
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


async def tabulated(settings: Settings) -> bool:
    """Whether the benchmark tables hold everything that was accepted."""
    with postgres.addresses(settings) as addresses:
        connection = await asyncpg.connect(addresses.owner)
        try:
            behind = await connection.fetchval(_BEHIND)
        finally:
            await connection.close()
    return not behind


async def tables_tell(settings: Settings, canaries: Canaries) -> dict[str, str]:
    """The planted identities in any table outside the vault, and of what kind they are."""
    found: dict[str, str] = {}
    with postgres.addresses(settings) as addresses:
        connection = await asyncpg.connect(addresses.owner)
        try:
            for (table,) in await connection.fetch(_TABLES):
                rows: list[bytes] = []

                async def gather(piece: bytes, rows: list[bytes] = rows) -> None:
                    rows.append(piece)

                await connection.copy_from_query(f"SELECT * FROM {table}", output=gather)
                for kind in canaries.found_in(b"".join(rows)).items():
                    found[f"{table}: {kind[0]}"] = kind[1]
        finally:
            await connection.close()
    return found
