"""Improvement projects of facilities: what one set out to do, what it changed and who took part."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, FacilityId, facility_bound, now


class ImprovementProject(Base):
    """A facility's project: open until it is closed, and never altered afterwards.

    `template` is what the definition offered when it began. Periods are first days of months, both
    months included. On closing, the evidence is kept as it was composed, with its digest.
    """

    __tablename__ = "improvement_projects"
    __table_args__ = (
        Index(
            "uq_improvement_projects_open",
            "facility_id",
            "registry_id",
            "template_id",
            "measure_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    facility_id: Mapped[int] = mapped_column(FacilityId, ForeignKey("facilities.id"))
    registry_id: Mapped[str]
    definition_version: Mapped[str]
    template_id: Mapped[str]
    template: Mapped[dict[str, Any]]
    measure_id: Mapped[str]
    aim: Mapped[str]
    baseline_first: Mapped[date]
    baseline_last: Mapped[date]
    remeasurement_first: Mapped[date | None]
    remeasurement_last: Mapped[date | None]
    state: Mapped[str] = mapped_column(default="open")
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    conclusion: Mapped[str | None]
    evidence: Mapped[dict[str, Any] | None]
    evidence_sha256: Mapped[str | None]


class ImprovementIntervention(Base):
    """One step of a cycle of change: planned, carried out, studied or acted upon, on a day."""

    __tablename__ = "improvement_interventions"
    __table_args__ = (
        UniqueConstraint("project_id", "kind", "on", "says"),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("improvement_projects.id"))
    facility_id: Mapped[int] = mapped_column(FacilityId)
    kind: Mapped[str]
    on: Mapped[date]
    says: Mapped[str]
    suggestion: Mapped[str | None]
    """The template's suggestion it follows."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class ImprovementParticipant(Base):
    """Somebody who took part, from one day to another; without an end, to the project's."""

    __tablename__ = "improvement_participants"
    __table_args__ = (
        UniqueConstraint("project_id", "name", "from_day"),
        {"info": facility_bound()},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("improvement_projects.id"))
    facility_id: Mapped[int] = mapped_column(FacilityId)
    name: Mapped[str]
    role: Mapped[str]
    from_day: Mapped[date]
    to_day: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
