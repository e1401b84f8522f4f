"""Cases and their versions: what a registry counts, and what was known of it from when to when."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now

PARTITIONS = 16
"""Hash partitions of `versions`, by subject: a fixed number, chosen for 150 million cases."""


class Subject(Base):
    """A person under pseudonym. A merged subject points to the one that survives."""

    __tablename__ = "subjects"
    __table_args__ = (Index("ix_subjects_registry_id", "registry_id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    pseudonym: Mapped[str] = mapped_column(unique=True)
    merged_into: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Case(Base):
    """Anything a facility names by a key: an exam, a follow-up, a subject's record.

    `state` is that of the version in force: submitted, draft (only a draft exists) or withdrawn.
    """

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("registry_id", "facility_id", "form", "key_token"),
        Index(
            "ix_cases_facility_id_case_date",
            "facility_id",
            "registry_id",
            "form",
            "case_date",
            "id",
        ),
        Index("ix_cases_subject_id", "subject_id"),
        Index("ix_cases_withdrawn", "id", postgresql_where=text("state = 'withdrawn'")),
        Index("ix_cases_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    form: Mapped[str]
    key_token: Mapped[str]
    subject_id: Mapped[int]
    parent_id: Mapped[int | None]
    state: Mapped[str]
    case_date: Mapped[date | None]
    version_id: Mapped[int | None]
    draft_version_id: Mapped[int | None]
    digest: Mapped[bytes | None]
    submission_number: Mapped[int]
    row: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class LookedUp(Base):
    """That a case takes values from a facility's own list, and which version of the list's entry gave them.

    There is a row for each case and list as long as something was left out that the list may say.
    """

    __tablename__ = "lookups"
    __table_args__ = (
        Index("ix_lookups_term", "registry_id", "facility_id", "list_form", "term"),
        {"info": facility_bound()},
    )

    case_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    list_form: Mapped[str] = mapped_column(primary_key=True)
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    term: Mapped[str]
    """The key token under which the list would have it."""
    elements: Mapped[list[str]]
    """The elements that were left out."""
    given_by: Mapped[int | None]
    """The version of the list's entry that is in them; null where the list has none."""


class Version(Base):
    """What was known of a case from feed number `from_seq` until `to_seq` (exclusive; null: in force).

    `elements` are canonical values without identifying ones. State is submitted, draft or withdrawn.
    History is never rewritten: an amendment closes one version and opens another.
    """

    __tablename__ = "versions"
    __table_args__ = (
        Index("ix_versions_case_id", "case_id"),
        Index("ix_versions_registry_id_from_seq", "registry_id", "from_seq"),
        Index(
            "ix_versions_registry_id_to_seq",
            "registry_id",
            "to_seq",
            postgresql_where=text("to_seq IS NOT NULL"),
        ),
        {"info": facility_bound(), "postgresql_partition_by": "HASH (subject_id)"},
    )

    subject_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, server_default=text("nextval('versions_id_seq')")
    )
    registry_id: Mapped[str]
    case_id: Mapped[int]
    parent_id: Mapped[int | None]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    form: Mapped[str]
    key_token: Mapped[str]
    state: Mapped[str]
    definition_version: Mapped[str]
    case_date: Mapped[date | None]
    elements: Mapped[dict[str, Any]] = mapped_column(JSONB)
    original: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    digest: Mapped[bytes | None]
    submission_number: Mapped[int]
    row: Mapped[int] = mapped_column(Integer)
    from_seq: Mapped[int]
    to_seq: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
