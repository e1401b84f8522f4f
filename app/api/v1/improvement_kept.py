"""An improvement project as it is kept and shown: found within a key's bounds, locked to be changed, its acts noted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.api.dependencies import LARGEST_BIGINT, Transactions
from app.api.fields import Shown
from app.benchmarks.periods import Period
from app.models.improvement import (
    ImprovementIntervention,
    ImprovementParticipant,
    ImprovementProject,
)
from app.reports.improvement.evidence import Intervention, Participant
from app.reports.improvement.project import Kept

ProjectId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A project.")]


class Project(Shown):
    """A facility's improvement project."""

    id: int
    facility_id: int
    registry_id: str
    template: str
    title: str
    definition_version: str
    measure: str
    aim: str
    baseline: str
    remeasurement: str | None
    state: Literal["open", "closed"]
    created_at: datetime
    closed_at: datetime | None
    conclusion: str | None
    evidence_sha256: str | None = Field(description="Of the evidence as it was when it was closed.")


class ProjectWhole(Project):
    """A project with its steps and those who take part."""

    interventions: list[Intervention]
    participants: list[Participant]


def shown(row: ImprovementProject) -> Project:
    """A project as it is listed."""
    return Project(**_fields(row))


def whole(kept: Kept) -> ProjectWhole:
    """A project with all that is written down of it, as it is answered with."""
    return ProjectWhole(
        **_fields(kept.row),
        interventions=[
            Intervention.model_validate(one, from_attributes=True) for one in kept.interventions
        ],
        participants=[
            Participant.model_validate(one, from_attributes=True) for one in kept.participants
        ],
    )


def _fields(row: ImprovementProject) -> dict[str, Any]:
    again = None
    if row.remeasurement_first is not None and row.remeasurement_last is not None:
        again = Period(row.remeasurement_first, row.remeasurement_last).label
    return {
        "id": row.id,
        "facility_id": row.facility_id,
        "registry_id": row.registry_id,
        "template": row.template_id,
        "title": row.template["title"],
        "definition_version": row.definition_version,
        "measure": row.measure_id,
        "aim": row.aim,
        "baseline": Period(row.baseline_first, row.baseline_last).label,
        "remeasurement": again,
        "state": row.state,
        "created_at": row.created_at,
        "closed_at": row.closed_at,
        "conclusion": row.conclusion,
        "evidence_sha256": row.evidence_sha256,
    }


def bounds(asker: access.Asker) -> ColumnElement[bool]:
    """Within the facilities in scope, the registries of the key."""
    if asker.registries is None:
        return true()
    return ImprovementProject.registry_id.in_(sorted(asker.registries))


async def kept_project(
    session: AsyncSession,
    asker: access.Asker,
    facility_id: int,
    project_id: int,
    *,
    to_change: bool = False,
) -> Kept:
    """A project of the facility with all that is written down of it; locked, and open, to be changed."""
    statement = select(ImprovementProject).where(
        ImprovementProject.id == project_id,
        ImprovementProject.facility_id == facility_id,
        bounds(asker),
    )
    row = await session.scalar(statement.with_for_update() if to_change else statement)
    if row is None:
        raise errors.NotFound("There is no such improvement project, or none within your key.")
    if to_change and row.state != "open":
        raise errors.Conflict("The project is closed: nothing of it is altered any more.")
    steps = await session.scalars(
        select(ImprovementIntervention)
        .where(ImprovementIntervention.project_id == row.id)
        .order_by(ImprovementIntervention.on, ImprovementIntervention.id)
        .execution_options(populate_existing=True)
    )
    people = await session.scalars(
        select(ImprovementParticipant)
        .where(ImprovementParticipant.project_id == row.id)
        .order_by(ImprovementParticipant.from_day, ImprovementParticipant.id)
        .execution_options(populate_existing=True)
    )
    return Kept(row, steps.all(), people.all())


@asynccontextmanager
async def changing(
    transactions: Transactions,
    asker: access.Asker,
    facility_id: int,
    project_id: int,
    action: str,
) -> AsyncIterator[tuple[AsyncSession, Kept]]:
    """An open project, locked until what is changed of it is kept together with a note of the act."""
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        yield session, kept
        await note(session, asker, action, kept.row)


async def note(
    session: AsyncSession, asker: access.Asker, action: str, project: ImprovementProject
) -> None:
    """Write down an act on a project: its number and registry, nothing that was typed."""
    await audit.record(
        session,
        asker,
        action,
        "improvement-project",
        project.id,
        facility_id=project.facility_id,
        registry_id=project.registry_id,
        details={"measure": project.measure_id},
    )
