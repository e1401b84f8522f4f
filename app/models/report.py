"""Issued reports: what a facility was sent, with digests, and what was issued when."""

from datetime import date, datetime

from sqlalchemy import Identity, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now
from app.models.submission import Job


class ReportIssue(Base):
    """One round of sending a registry's reports of a period; open until `ended_at`.

    A period's first round has no reason. One with a reason corrects what was issued before.
    """

    __tablename__ = "report_issues"
    __table_args__ = (
        Index(
            "uq_report_issues_open",
            "registry_id",
            "period",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    registry_id: Mapped[str]
    period: Mapped[str]
    reason: Mapped[str | None]
    begun_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]


class IssuedReport(Job, Base):
    """A facility's report in one round, and the job of making it.

    State: waiting, issued, unchanged (a correction that would have said the same), held. What was
    issued is never altered: its bytes lie in the archive under their digest, and a correction is
    another row, with the next number, that names the one it supersedes.
    """

    __tablename__ = "issued_reports"
    __table_args__ = (
        UniqueConstraint("report_issue_id", "facility_id"),
        UniqueConstraint("facility_id", "registry_id", "period", "number"),
        Index("ix_issued_reports_waiting", "id", postgresql_where=text("state = 'waiting'")),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    report_issue_id: Mapped[int]
    registry_id: Mapped[str]
    facility_id: Mapped[int] = mapped_column(FacilityId)
    period: Mapped[str]
    named: Mapped[bool] = mapped_column(server_default=text("false"))
    """Asked for by its number: it is issued again even where no figure has changed."""
    number: Mapped[int | None] = mapped_column(Integer)
    supersedes: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None]
    definition_version: Mapped[str | None]
    feed_number: Mapped[int | None]
    snapshot_on: Mapped[date | None]
    composition_path: Mapped[str | None]
    composition_sha256: Mapped[str | None]
    pdf_path: Mapped[str | None]
    pdf_sha256: Mapped[str | None]
    pdf_size: Mapped[int | None]
    issued_at: Mapped[datetime | None]
