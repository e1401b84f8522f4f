"""AI use cases: their versions, each text that a version had, the steps it took, and what is said of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Identity, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, now


class UseCase(Base):
    """A use case, by the number under which it is known."""

    __tablename__ = "use_cases"

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class UseCaseVersion(Base):
    """One version: where it stands, and which of its texts is the current one."""

    __tablename__ = "use_case_versions"
    __table_args__ = (
        Index(
            "uq_use_case_versions_under_way",
            "use_case_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'panel-review', 'public-comment')"),
        ),
        Index(
            "uq_use_case_versions_published",
            "use_case_id",
            unique=True,
            postgresql_where=text("state = 'published'"),
        ),
        Index("ix_use_case_versions_elements", "elements", postgresql_using="gin"),
    )

    use_case_id: Mapped[str] = mapped_column(ForeignKey("use_cases.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(Integer)
    title: Mapped[str]
    elements: Mapped[list[str]]
    """`<registry>/<element>` of what the current text refers to."""
    registries: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)
    """When its text or its state changed last."""
    published_at: Mapped[datetime | None]


class UseCaseText(Base):
    """A text of a version. Texts are added and never altered: what was published or commented on stays."""

    __tablename__ = "use_case_texts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["use_case_id", "version"], ["use_case_versions.use_case_id", "use_case_versions.version"]
        ),
    )  # fmt: skip

    use_case_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    document: Mapped[dict[str, Any]]
    digest: Mapped[str]
    """SHA-256 of the canonical document."""
    written_at: Mapped[datetime] = mapped_column(default=now)
    written_by: Mapped[str | None]


class UseCaseStep(Base):
    """A step that a version took."""

    __tablename__ = "use_case_steps"
    __table_args__ = (
        ForeignKeyConstraint(
            ["use_case_id", "version"], ["use_case_versions.use_case_id", "use_case_versions.version"]
        ),
        Index("ix_use_case_steps_version", "use_case_id", "version", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    use_case_id: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(default=now)
    by_key: Mapped[str | None]
    by_role: Mapped[str | None]
    note: Mapped[str | None]


class UseCaseComment(Base):
    """What somebody says of a section; `says` is empty once it was taken away."""

    __tablename__ = "use_case_comments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["use_case_id", "version"], ["use_case_versions.use_case_id", "use_case_versions.version"]
        ),
        Index("ix_use_case_comments_version", "use_case_id", "version", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    use_case_id: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer)
    """The text that was commented on."""
    during: Mapped[str]
    """The state in which it was said: what a panel says among itself is not told to all."""
    section: Mapped[str]
    answers: Mapped[int | None] = mapped_column(ForeignKey("use_case_comments.id"))
    """The comment it answers, which answers none itself."""
    says: Mapped[str | None]
    signed: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(default=now)
    by_key: Mapped[str]
    by_role: Mapped[str]
    removed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    """What the panel made of it."""
    outcome_note: Mapped[str | None]
    outcome_at: Mapped[datetime | None]
    outcome_by: Mapped[str | None]
