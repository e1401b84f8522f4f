"""
How migrations run: on a connection handed in by `app.database.migrate`.

Each migration is one transaction; an advisory lock keeps two runs apart. New code must suit the
tables before and after: expand, backfill, contract.
"""

from typing import Any

from alembic import context
from sqlalchemy import Connection, text

from app.locks import Lock, key
from app.models import Base


def include(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out the partitions: their parent stands for them."""
    return not (kind == "table" and reflected and (name or "").startswith("versions_"))


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Look at our two schemas only."""
    return kind != "schema" or name in (None, "vault")


def run(connection: Connection) -> None:
    """Upgrade, or compare, on this connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_object=include,
        include_name=include_name,
        compare_server_default=False,
    )
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '4s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": key(Lock.MIGRATE)})
        context.run_migrations()


run(context.config.attributes["connection"])
