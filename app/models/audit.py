"""Who did what to which record: rows are only ever added; a sealer chains blocks of them by hash."""

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now


class AuditEvent(Base):
    """One act: `action` on `record` by a key. `details` holds our own words only."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_facility_id", "facility_id", "id"),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    key_id: Mapped[str | None]
    role: Mapped[str | None]
    action: Mapped[str]
    record_type: Mapped[str]
    record_id: Mapped[str | None]
    registry_id: Mapped[str | None]
    facility_id: Mapped[int | None] = mapped_column(FacilityId)
    details: Mapped[dict[str, Any] | None]


class AuditBlock(Base):
    """A sealed run of audit events: `digest` covers their content and the block before."""

    __tablename__ = "audit_blocks"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    first_event: Mapped[int]
    last_event: Mapped[int]
    events: Mapped[int]
    previous: Mapped[bytes]
    digest: Mapped[bytes]
    sealed_at: Mapped[datetime] = mapped_column(default=now)
