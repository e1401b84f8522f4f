"""Tables of the vault, in a schema of its own: sealed identities, quarantine, linkage tokens."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now
from app.models.submission import Job

SCHEMA = "vault"


class QuarantineObject(Base):
    """Received bytes, encrypted under a key of their own, with an end date. Small ones lie in `content`."""

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("ix_quarantine_expires_at", "expires_at"),
        {"schema": SCHEMA, "info": facility_bound()},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    registry_id: Mapped[str]
    facility_id: Mapped[int | None] = mapped_column(FacilityId)
    path: Mapped[str | None]
    content: Mapped[bytes | None]
    wrapped_key: Mapped[bytes]
    sha256: Mapped[bytes]
    size: Mapped[int]
    received_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class IdentityRecord(Base):
    """The identifying elements of one version of a case, sealed; for the owning facility alone."""

    __tablename__ = "identities"
    __table_args__ = (
        Index("ix_identities_case_id", "case_id"),
        {"schema": SCHEMA, "info": facility_bound()},
    )

    version_id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int]
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    sealed: Mapped[bytes]


class Term(Job, Base):
    """What a facility calls something that one of its lists may know, sealed; and whether cases follow.

    `settled`, or `changed` while cases may still have what the list said before.
    """

    __tablename__ = "terms"
    __table_args__ = (
        Index("ix_terms_changed", "not_before", postgresql_where=text("state = 'changed'")),
        {"schema": SCHEMA, "info": facility_bound()},
    )

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, primary_key=True)
    list_form: Mapped[str] = mapped_column(primary_key=True)
    term: Mapped[str] = mapped_column(primary_key=True)
    """The key token under which the list would have it."""
    sealed: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=now)


class SubjectToken(Base):
    """A keyed token that leads to a subject. Kinds: national, national-birth, local."""

    __tablename__ = "subject_tokens"
    __table_args__ = (
        Index("ix_subject_tokens_subject_id", "subject_id"),
        {"schema": SCHEMA},
    )

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Merge(Base):
    """Two subjects found to be one person; can be undone."""

    __tablename__ = "merges"
    __table_args__ = ({"schema": SCHEMA},)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    merged_subject_id: Mapped[int]
    surviving_subject_id: Mapped[int]
    submission_number: Mapped[int | None]
    tokens: Mapped[list[str]]
    """What moved, so that it can move back: `kind token`, and the cases."""
    cases: Mapped[list[int]]
    merged_at: Mapped[datetime] = mapped_column(default=now)
    undone_at: Mapped[datetime | None]


class ImagePatient(Base):
    """The patient of images: per registry, facility and keyed patient token a pseudonym and its subject."""

    __tablename__ = "image_patients"
    __table_args__ = ({"schema": SCHEMA, "info": facility_bound()},)

    registry_id: Mapped[str] = mapped_column(primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, primary_key=True)
    patient_token: Mapped[str] = mapped_column(primary_key=True)
    pseudonym: Mapped[str]
    subject_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Measurement(Base):
    """What one object said of one case, sealed, for it may tell true dates; not who it is about.

    Objects that say the same of a case are one row: `fingerprint` is a keyed digest of it.
    """

    __tablename__ = "measurements"
    __table_args__ = (
        UniqueConstraint("registry_id", "facility_id", "form", "key_token", "fingerprint"),
        Index("ix_measurements_study_id", "study_id"),
        {"schema": SCHEMA, "info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    form: Mapped[str]
    key_token: Mapped[str]
    fingerprint: Mapped[bytes]
    study_id: Mapped[UUID | None]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=now)
