"""Studies, series and instances of the archive. Everything here is de-identified."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Date, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now
from app.models.submission import Job


class Study(Base):
    """A study under its new UID. `accession_token` is the key token of the case it belongs to."""

    __tablename__ = "studies"
    __table_args__ = (
        UniqueConstraint("registry_id", "facility_id", "study_instance_uid"),
        Index("ix_studies_accession_token", "registry_id", "facility_id", "accession_token"),
        Index("ix_studies_case_id", "case_id", postgresql_where=text("case_id IS NOT NULL")),
        Index("ix_studies_received_at", "facility_id", "received_at", "id"),
        Index(
            "ix_studies_unlinked",
            "registry_id",
            "accession_token",
            postgresql_where=text("state IN ('waiting', 'held') AND accession_token IS NOT NULL"),
        ),
        Index("ix_studies_withdrawn", "case_id", postgresql_where=text("state = 'withdrawn'")),
        {"info": facility_bound()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    study_instance_uid: Mapped[str]
    patient_pseudonym: Mapped[str]
    patient_token: Mapped[str | None]
    accession_token: Mapped[str | None]
    study_date: Mapped[date | None] = mapped_column(Date)
    modalities: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    case_id: Mapped[int | None]
    state: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(default=now)
    linked_at: Mapped[datetime | None]


class Series(Base):
    """A series of a study under its new UID."""

    __tablename__ = "series"
    __table_args__ = (
        UniqueConstraint("study_id", "series_instance_uid"),
        {"info": facility_bound()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    study_id: Mapped[UUID]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    series_instance_uid: Mapped[str]
    modality: Mapped[str | None]


class Instance(Job, Base):
    """One received instance; the row is its job. States: received, archived, held, refused, withdrawn."""

    __tablename__ = "instances"
    __table_args__ = (
        Index(
            "uq_instances_sop_instance_uid",
            "registry_id",
            "facility_id",
            "sop_instance_uid",
            unique=True,
            postgresql_where=text("state = 'archived'"),
        ),
        Index("ix_instances_received", "not_before", postgresql_where=text("state = 'received'")),
        Index("ix_instances_submission_number", "submission_number", "row"),
        Index("ix_instances_series_id", "series_id"),
        {"info": facility_bound()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    submission_number: Mapped[int]
    row: Mapped[int] = mapped_column(Integer)
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    quarantine_id: Mapped[UUID | None]
    study_id: Mapped[UUID | None]
    series_id: Mapped[UUID | None]
    sop_class_uid: Mapped[str | None]
    sop_instance_uid: Mapped[str | None]
    transfer_syntax_uid: Mapped[str | None]
    path: Mapped[str | None]
    size: Mapped[int | None]
    sha256: Mapped[str | None]
    metadata_json: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    received_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None]


class MeasuredCase(Base):
    """The two halves of a case that images speak of: what was typed of it, and what was measured.

    Neither identifies. There is a row as soon as something was measured, whether there is a case
    already or not.
    """

    __tablename__ = "measured_cases"
    __table_args__ = ({"info": facility_bound()},)

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, primary_key=True)
    form: Mapped[str] = mapped_column(primary_key=True)
    key_token: Mapped[str] = mapped_column(primary_key=True)
    typed: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What the entry in force carried that somebody sent; null where nobody did."""
    measured: Mapped[dict[str, Any]] = mapped_column(JSONB)
    drafted: Mapped[bool] = mapped_column(server_default="false")
    """Whether the draft in force came of images."""
    measured_at: Mapped[datetime] = mapped_column(default=now)
