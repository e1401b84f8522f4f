"""What all tables share: naming of constraints, types of columns, which are facility-bound."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Integer, LargeBinary, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The root of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        date: Date,
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[int]: ARRAY(BigInteger),
        list[str]: ARRAY(Text),
    }


FacilityId = Integer
"""The type of a facility's number: six digits."""


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def facility_bound(column: str = "facility_id", *, through: str | None = None) -> dict[str, Any]:
    """Table information that puts a table under row-level security by a facility's number.

    The web role sees and writes only rows whose `column` is in its scope, the worker all rows.
    Where `column` is an array, all its facilities must be in scope. Rows whose `column` is null are
    the operator's alone; with `through="submissions"` also whoever sees the row's submission sees them.
    """
    return {"facility_bound": column, "through": through}
