"""Submissions, their entries and findings. A submission's row is the job of the journey."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Identity, Index, Integer, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now


class Job:
    """The columns that say whose turn a row is (claimed by `app.claim`)."""

    state: Mapped[str]
    not_before: Mapped[datetime] = mapped_column(server_default=text("now()"))
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    token: Mapped[UUID | None]


class Submission(Job, Base):
    """One delivery. `number` orders the history of cases: its order is the order of commits."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index(
            "uq_submissions_idempotency",
            "sender",
            "registry_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index(
            "ix_submissions_open",
            "kind",
            "state",
            "number",
            postgresql_where=text("state IN ('received', 'read', 'checked')"),
        ),
        Index("ix_submissions_held", "received_at", postgresql_where=text("state = 'held'")),
        Index("ix_submissions_facility_number", "facility_id", "number"),
        Index("ix_submissions_facility_ids", "facility_ids", postgresql_using="gin"),
        {"info": facility_bound("facility_ids")},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    registry_id: Mapped[str]
    definition_version: Mapped[str]
    facility_id: Mapped[int | None] = mapped_column(FacilityId)
    facility_ids: Mapped[list[int]]
    kind: Mapped[str]
    channel: Mapped[str]
    media_type: Mapped[str]
    sender: Mapped[str]
    idempotency_key: Mapped[str | None]
    body_digest: Mapped[bytes]
    body_size: Mapped[int]
    quarantine_id: Mapped[UUID | None]
    policy: Mapped[str]
    rows_read: Mapped[int] = mapped_column(Integer, server_default="0")
    rows_checked: Mapped[int] = mapped_column(Integer, server_default="0")
    rows_accepted: Mapped[int] = mapped_column(Integer, server_default="0")
    entries: Mapped[int | None] = mapped_column(Integer)
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    traceparent: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(default=now)
    completed_at: Mapped[datetime | None]


class Entry(Base):
    """One row of a submission as sent. What was sent stays sealed and is dropped once it was accepted."""

    __tablename__ = "entries"
    __table_args__ = (
        Index(
            "ix_entries_waiting",
            "registry_id",
            "facility_id",
            "parent_token",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_entries_facility", "facility_id", "submission_number"),
        {"info": facility_bound(through="submissions")},
    )

    submission_number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    row: Mapped[int] = mapped_column(Integer, primary_key=True)
    registry_id: Mapped[str]
    facility_id: Mapped[int | None] = mapped_column(FacilityId)
    form: Mapped[str | None]
    action: Mapped[str | None]
    state: Mapped[str]
    outcome: Mapped[str | None]
    sealed: Mapped[bytes | None]
    elements: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    identity: Mapped[bytes | None]
    digest: Mapped[bytes | None]
    key_token: Mapped[str | None]
    parent_token: Mapped[str | None]
    person_token: Mapped[str | None]
    national_token: Mapped[str | None]
    local_token: Mapped[str | None]
    case_id: Mapped[int | None]
    version_id: Mapped[int | None]


class Finding(Base):
    """One thing wrong at one place of one entry, or of a submission as a whole (row 0)."""

    __tablename__ = "findings"
    __table_args__ = (
        Index("ix_findings_submission_number_row", "submission_number", "row", "id"),
        {"info": facility_bound(through="submissions")},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    submission_number: Mapped[int]
    row: Mapped[int] = mapped_column(Integer)
    facility_id: Mapped[int | None] = mapped_column(FacilityId)
    form: Mapped[str | None]
    place: Mapped[str]
    code: Mapped[str]
    severity: Mapped[str]
    remedy: Mapped[str]
    allowed: Mapped[str | None]


class Feed(Base):
    """The counter of a registry's changes: its order is the order of commits."""

    __tablename__ = "feeds"

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    feed_seq: Mapped[int] = mapped_column(server_default="0")


class Schedule(Job, Base):
    """Something done at set times: the row is the job."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default="waiting")
    last_run_at: Mapped[datetime | None]
