"""Worklists: how far they have come, what is open, and what was told of it."""

from datetime import date, datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now


class WorklistMark(Base):
    """The feed number that a registry's worklists stand at, and the texts they are made by."""

    __tablename__ = "worklist_marks"

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    feed_seq: Mapped[int]


class OpenLoop(Base):
    """A case of a worklist that is open.

    `told` is the last event of it: nothing yet, due or overdue. `next_on` is the day of the next one.
    """

    __tablename__ = "open_loops"
    __table_args__ = (
        Index(
            "ix_open_loops_facility_id", "facility_id", "registry_id", "worklist_id", "due_on", "case_id"
        ),
        Index("ix_open_loops_case_id", "case_id"),
        Index(
            "ix_open_loops_next_on",
            "registry_id",
            "next_on",
            postgresql_where=text("next_on IS NOT NULL"),
        ),
        {"info": facility_bound()},
    )  # fmt: skip

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    worklist_id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId)
    due_on: Mapped[date]
    overdue_on: Mapped[date | None]
    told: Mapped[str | None]
    next_on: Mapped[date | None]


class WorklistEvent(Base):
    """An open loop fell due, became overdue, or was closed after either. Never changed.

    `feed_seq` is of the registry's feed: events and versions of cases are in one order.
    """

    __tablename__ = "worklist_events"
    __table_args__ = (
        Index(
            "ix_worklist_events_facility_id",
            "facility_id",
            "registry_id",
            "worklist_id",
            "feed_seq",
        ),
        {"info": facility_bound()},
    )

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    feed_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worklist_id: Mapped[str]
    case_id: Mapped[int]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    event: Mapped[str]
    on_day: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(default=now)
