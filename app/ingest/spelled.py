"""Entries of several versions of a registry, spelled as one of the versions spells them."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from app.registries.lineage import as_read, mark
from app.registries.schema import Definition


def spelled(definition: Definition, form_id: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    """
    The elements of some entries of a form as this version spells them, in their order.

    Each entry is its own version and its canonical elements as JSON text; so is what is given back.
    """
    given = [elements for _, elements in entries]
    versions = [version for version, _ in entries]
    if not mark(definition, form_id) or set(versions) <= {definition.version}:
        return given
    table = pa.table(
        {
            "entry": pa.array(range(len(entries)), pa.int32()),
            "form": pa.array([form_id] * len(entries), pa.string()),
            "definition_version": pa.array(versions, pa.string()),
            "elements": pa.array(given, pa.string()),
        }
    )
    with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "1GB"}) as connection:
        connection.execute("SET enable_external_access = false")
        connection.from_arrow(table).create("sent")
        found = connection.execute(
            f"SELECT elements FROM {as_read(definition, form_id, 'sent')} ORDER BY entry"
        ).fetchall()
    return [elements for (elements,) in found]
