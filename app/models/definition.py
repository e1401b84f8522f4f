"""Published definitions: frozen documents with a digest."""

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class PublishedDefinition(Base):
    """One version of a registry's definition, as published. Never changed."""

    __tablename__ = "definitions"

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Kept as text: JSONB would put strata, levels and groups into an order of its own."""
    accept_from: Mapped[date]
    accept_until: Mapped[date | None]
    """The last day, in UTC, on which entries are taken."""
    accept_until_second: Mapped[time | None]
    """The last second of that day at which they are; none: its last."""
    published_at: Mapped[datetime] = mapped_column(default=now)
    published_by: Mapped[str | None]
