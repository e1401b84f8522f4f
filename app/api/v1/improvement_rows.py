"""Steps of an improvement project, and those who take part in it: added, amended, removed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.access import Act
from app.api.dependencies import LARGEST_BIGINT, Asker, FacilityInReach, Transactions
from app.api.fields import Day, PersonName, Prose, Sent
from app.api.pages import TAGGED, Expected, Unchanged, etag_of, tagged
from app.api.problems import problems
from app.api.v1.improvement_kept import ProjectId, changing
from app.models.improvement import ImprovementIntervention, ImprovementParticipant
from app.registries.improvement import Step
from app.registries.parts import LINE_PATTERN, Slug
from app.reports.improvement.evidence import Intervention, Participant
from app.reports.improvement.plan import check_day, check_stay
from app.reports.improvement.project import Kept

router = APIRouter(
    prefix="/facilities/{facility_id}/improvement-projects/{project_id}", tags=["improvement"]
)

InterventionId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A step.")]
ParticipantId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="Who takes part.")]
MOST_ROWS = 200
"""Steps of a project, and people who take part in it."""
TWICE = "The project has just this on record already."

Row = TypeVar("Row", ImprovementIntervention, ImprovementParticipant)
New = TypeVar("New", bound=Sent)
Told = TypeVar("Told", bound=BaseModel)


class NewIntervention(Sent):
    """A step of the cycle of change."""

    kind: Step
    on: Day = Field(description="The day it was, or is to be, taken.")
    says: Prose = Field(
        description="What was planned, changed, seen or decided. No patient belongs here."
    )
    suggestion: Slug | None = Field(
        default=None, description="The template's suggestion it follows."
    )


class NewParticipant(Sent):
    """Somebody who takes part."""

    name: PersonName
    role: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=LINE_PATTERN)]
    from_day: Day
    to_day: Day | None = Field(default=None, description="When left out, to the project's end.")


def _check_step(kept: Kept, new: NewIntervention) -> None:
    check_day(kept.baseline, new.kind, new.on, datetime.now(UTC).date())
    known = {one.id for one in kept.template.interventions}
    if new.suggestion is not None and new.suggestion not in known:
        raise errors.Unprocessable(f"The template suggests: {', '.join(sorted(known))}.")


def _check_participant(kept: Kept, new: NewParticipant) -> None:
    check_stay(kept.baseline, new.from_day, new.to_day, datetime.now(UTC).date())


@dataclass(frozen=True, slots=True)
class Kind(Generic[Row, New, Told]):
    """A kind of row that a project has."""

    noun: str
    table: type[Row]
    held: Callable[[Kept], Sequence[Row]]
    """The project's rows of this kind."""
    check: Callable[[Kept, New], None]
    """Refuses what does not go with the project."""
    told: type[Told]

    def shown(self, row: Row) -> Told:
        """A row as it is answered with."""
        return self.told.model_validate(row, from_attributes=True)

    def of(self, kept: Kept, row_id: int) -> Row:
        """A row of the project; a row of another one is none."""
        for row in self.held(kept):
            if row.id == row_id:
                return row
        raise errors.NotFound(f"There is no such {self.noun} of this project.")


STEP = Kind(
    noun="step",
    table=ImprovementIntervention,
    held=lambda kept: kept.interventions,
    check=_check_step,
    told=Intervention,
)
PARTICIPANT = Kind(
    noun="participant",
    table=ImprovementParticipant,
    held=lambda kept: kept.participants,
    check=_check_participant,
    told=Participant,
)


async def added(kind: Kind[Row, New, Told], session: AsyncSession, kept: Kept, new: New) -> Told:
    """A row more of the project; Conflict where it has just this one."""
    kind.check(kept, new)
    if len(kind.held(kept)) >= MOST_ROWS:
        raise errors.Unprocessable(f"A project has at most {MOST_ROWS} of these.")
    row: Row | None = await session.scalar(
        insert(kind.table)
        .values(project_id=kept.row.id, facility_id=kept.row.facility_id, **new.model_dump())
        .on_conflict_do_nothing()
        .returning(kind.table)
    )
    if row is None:
        raise errors.Conflict(TWICE)
    return kind.shown(row)


async def amended(
    kind: Kind[Row, New, Told],
    session: AsyncSession,
    kept: Kept,
    row_id: int,
    expected: Expected,
    new: New,
) -> Told:
    """A row of the project as it is from now on; Conflict where another is just this."""
    row = kind.of(kept, row_id)
    expected.require(etag_of(kind.shown(row)))
    kind.check(kept, new)
    for name, value in new.model_dump().items():
        setattr(row, name, value)
    try:
        await session.flush()
    except IntegrityError:
        raise errors.Conflict(TWICE) from None
    return kind.shown(row)


async def removed(
    kind: Kind[Row, New, Told], session: AsyncSession, kept: Kept, row_id: int, expected: Expected
) -> None:
    """Take a row off the project."""
    row = kind.of(kept, row_id)
    expected.require(etag_of(kind.shown(row)))
    await session.delete(row)


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
    act = changing(transactions, asker, facility_id, project_id, "add step")
    async with act as (session, kept):
        shown = await added(STEP, session, kept, new)
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
    act = changing(transactions, asker, facility_id, project_id, "amend step")
    async with act as (session, kept):
        shown = await amended(STEP, session, kept, intervention_id, expected, new)
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
    act = changing(transactions, asker, facility_id, project_id, "remove step")
    async with act as (session, kept):
        await removed(STEP, session, kept, intervention_id, expected)


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
    act = changing(transactions, asker, facility_id, project_id, "add participant")
    async with act as (session, kept):
        shown = await added(PARTICIPANT, session, kept, new)
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
    act = changing(transactions, asker, facility_id, project_id, "amend participant")
    async with act as (session, kept):
        shown = await amended(PARTICIPANT, session, kept, participant_id, expected, new)
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
    act = changing(transactions, asker, facility_id, project_id, "remove participant")
    async with act as (session, kept):
        await removed(PARTICIPANT, session, kept, participant_id, expected)
