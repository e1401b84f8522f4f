"""Steps of an improvement project, and those who take part in it: added, amended, removed."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Response
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.access import Act
from app.api.dependencies import LARGEST_BIGINT, Asker, FacilityInReach, Transactions
from app.api.pages import TAGGED, Unchanged, etag_of, tagged
from app.api.problems import problems
from app.api.v1.improvement_projects import (
    MOST_ROWS,
    PROJECT_ROWS,
    NewIntervention,
    NewParticipant,
    ProjectId,
    check_participant,
    check_step,
    kept_project,
    note,
)
from app.models.improvement import ImprovementIntervention, ImprovementParticipant
from app.reports.improvement.compose import Kept
from app.reports.improvement.evidence import Intervention, Participant

router = APIRouter(
    prefix="/facilities/{facility_id}/improvement-projects/{project_id}", tags=["improvement"]
)

InterventionId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A step.")]
ParticipantId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="Who takes part.")]

Row = TypeVar("Row", ImprovementIntervention, ImprovementParticipant)


def _step(row: ImprovementIntervention) -> Intervention:
    return Intervention.model_validate(row, from_attributes=True)


def _person(row: ImprovementParticipant) -> Participant:
    return Participant.model_validate(row, from_attributes=True)


def _of(kept: Kept, rows: "list[Row] | tuple[Row, ...]", row_id: int, what: str) -> Row:
    """A row of the project; a row of another one is none."""
    for row in rows:
        if row.id == row_id:
            return row
    raise errors.NotFound(PROJECT_ROWS[what])


async def _added(
    session: AsyncSession, table: type[Row], kept: Kept, values: dict[str, Any]
) -> Row:
    rows = kept.interventions if table is ImprovementIntervention else kept.participants
    if len(rows) >= MOST_ROWS:
        raise errors.Unprocessable(f"A project has at most {MOST_ROWS} of these.")
    row: Row | None = await session.scalar(
        insert(table)
        .values(project_id=kept.row.id, facility_id=kept.row.facility_id, **values)
        .on_conflict_do_nothing()
        .returning(table)
    )
    if row is None:
        raise errors.Conflict("The project has just this on record already.")
    return row


async def _amended(session: AsyncSession, row: Row, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    try:
        await session.flush()
    except IntegrityError:
        raise errors.Conflict("The project has just this on record already.") from None


@router.post(
    "/interventions",
    status_code=201,
    response_model=Intervention,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 422)},
)
async def add_intervention(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    new: NewIntervention,
    response: Response,
) -> Intervention:
    """Write down a step: what was planned, changed, seen or decided, and on which day."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        check_step(kept, new)
        row = await _added(session, ImprovementIntervention, kept, new.model_dump())
        await note(session, asker, "add step", kept)
        shown = _step(row)
    return tagged(response, shown)


@router.put(
    "/interventions/{intervention_id}",
    response_model=Intervention,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def amend_intervention(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    intervention_id: InterventionId,
    asker: Asker,
    transactions: Transactions,
    new: NewIntervention,
    expected: Unchanged,
    response: Response,
) -> Intervention:
    """Amend a step."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        row = _of(kept, list(kept.interventions), intervention_id, "intervention")
        expected.require(etag_of(_step(row)))
        check_step(kept, new)
        await _amended(session, row, new.model_dump())
        await note(session, asker, "amend step", kept)
        shown = _step(row)
    return tagged(response, shown)


@router.delete(
    "/interventions/{intervention_id}",
    status_code=204,
    responses=problems(401, 403, 404, 409, 412, 422),
)
async def remove_intervention(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    intervention_id: InterventionId,
    asker: Asker,
    transactions: Transactions,
    expected: Unchanged,
) -> None:
    """Remove a step."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        row = _of(kept, list(kept.interventions), intervention_id, "intervention")
        expected.require(etag_of(_step(row)))
        await session.delete(row)
        await note(session, asker, "remove step", kept)


@router.post(
    "/participants",
    status_code=201,
    response_model=Participant,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 422)},
)
async def add_participant(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    asker: Asker,
    transactions: Transactions,
    new: NewParticipant,
    response: Response,
) -> Participant:
    """Name somebody who takes part, as what, and from which day."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        check_participant(kept, new)
        row = await _added(session, ImprovementParticipant, kept, new.model_dump())
        await note(session, asker, "add participant", kept)
        shown = _person(row)
    return tagged(response, shown)


@router.put(
    "/participants/{participant_id}",
    response_model=Participant,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def amend_participant(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    participant_id: ParticipantId,
    asker: Asker,
    transactions: Transactions,
    new: NewParticipant,
    expected: Unchanged,
    response: Response,
) -> Participant:
    """Amend who takes part, and how long."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        row = _of(kept, list(kept.participants), participant_id, "participant")
        expected.require(etag_of(_person(row)))
        check_participant(kept, new)
        await _amended(session, row, new.model_dump())
        await note(session, asker, "amend participant", kept)
        shown = _person(row)
    return tagged(response, shown)


@router.delete(
    "/participants/{participant_id}",
    status_code=204,
    responses=problems(401, 403, 404, 409, 412, 422),
)
async def remove_participant(
    facility_id: FacilityInReach,
    project_id: ProjectId,
    participant_id: ParticipantId,
    asker: Asker,
    transactions: Transactions,
    expected: Unchanged,
) -> None:
    """Take somebody off the project."""
    asker.require(Act.IMPROVE)
    async with transactions.begin() as session:
        kept = await kept_project(session, asker, facility_id, project_id, to_change=True)
        row = _of(kept, list(kept.participants), participant_id, "participant")
        expected.require(etag_of(_person(row)))
        await session.delete(row)
        await note(session, asker, "remove participant", kept)
