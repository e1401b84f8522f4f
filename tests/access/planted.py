"""One row for each of two facilities in every table that row-level security guards."""

import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    insert,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Base

OURS, THEIRS = 123456, 654321
BOUND = [table for table in Base.metadata.sorted_tables if "facility_bound" in table.info]

Planted = dict[tuple[str, int], dict[str, Any]]
_numbers = count(1)


def bound_to(table: Table, facility: int) -> Any:
    """What the bound column of a table holds for a facility."""
    column = table.c[table.info["facility_bound"]]
    return [facility] if isinstance(column.type, ARRAY) else facility


def values(table: Table, facility: int, planted: Planted) -> dict[str, Any]:
    """A full row of a table for a facility, pointing to that facility's rows of other tables."""
    return dict(_values(table, facility, planted))


def _values(table: Table, facility: int, planted: Planted) -> Iterator[tuple[str, Any]]:
    for column in table.columns:
        if column.name == table.info.get("facility_bound"):
            yield column.name, bound_to(table, facility)
        elif column.identity is not None or column.server_default is not None:
            continue
        elif column.foreign_keys and not column.nullable:
            (key,) = column.foreign_keys
            yield column.name, planted[key.column.table.fullname, facility][key.column.name]
        elif column.name == "submission_number":
            yield column.name, planted["submissions", facility]["number"]
        elif not column.nullable and column.default is None:
            yield column.name, _value(column)


def _value(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, Integer | Numeric | Float):
        return next(_numbers)
    if isinstance(kind, Text):
        return secrets.token_hex(8)
    samples: list[tuple[type[Any], Any]] = [
        (LargeBinary, secrets.token_bytes(32)),
        (DateTime, datetime.now(UTC)),
        (Date, date(2026, 1, 1)),
        (Uuid, uuid4()),
        (JSONB, {}),
        (ARRAY, []),
        (Boolean, True),
    ]
    return next(sample for type_, sample in samples if isinstance(kind, type_))


async def plant(session: AsyncSession) -> Planted:
    """Write the rows, in a session that may write them all."""
    planted: Planted = {}
    first = ["submissions"]  # pointed to by number, without a foreign key
    tables = sorted(Base.metadata.sorted_tables, key=lambda table: table.name not in first)
    for table in tables:
        if table in BOUND or table.name in {
            "corporate_accounts",
            "physicians",
            "partners",
            "generations",
        }:
            for facility in (OURS, THEIRS):
                added = await session.execute(
                    insert(table).values(values(table, facility, planted)).returning(*table.columns)
                )
                planted[table.fullname, facility] = dict(added.mappings().one())
    return planted
