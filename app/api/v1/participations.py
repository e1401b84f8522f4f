"""
Participations: a facility's membership in a registry, from application to active and beyond.

    applied → agreement-signed → fee-settled → active ⇄ suspended
    any of them → ended → applied

Each step is kept with who took it and when. Only an active participation may submit.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act
from app.api.dependencies import (
    LARGEST_BIGINT,
    LARGEST_INTEGER,
    NO_SUCH_FACILITY,
    Asker,
    Catalogue,
    Transactions,
    known_registries,
)
from app.api.fields import Day, FacilityId, Line, Note, PersonName, RegistryName, Sent, Shown
from app.api.pages import (
    NOT_MODIFIED,
    PAGED,
    TAGGED,
    Conditional,
    PageAsked,
    Unchanged,
    etag_of,
    tagged,
)
from app.api.problems import problems
from app.models.account import Facility, ParticipationState, ParticipationTransition
from app.models.account import Participation as Row

router = APIRouter(prefix="/participations", tags=["accounts"])

ParticipationId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A participation.")]

_S = ParticipationState
STEPS: Mapping[tuple[ParticipationState, ParticipationState], Act] = {
    (_S.APPLIED, _S.AGREEMENT_SIGNED): Act.APPLY,
    (_S.AGREEMENT_SIGNED, _S.FEE_SETTLED): Act.GOVERN,
    (_S.FEE_SETTLED, _S.ACTIVE): Act.GOVERN,
    (_S.ACTIVE, _S.SUSPENDED): Act.GOVERN,
    (_S.SUSPENDED, _S.ACTIVE): Act.GOVERN,
    (_S.ENDED, _S.APPLIED): Act.APPLY,
    **{(state, _S.ENDED): Act.APPLY for state in _S if state is not _S.ENDED},
}
"""Every step there is, and what its taker must be allowed to do."""


class NewParticipation(Sent):
    """An application of a facility to a registry."""

    facility_id: FacilityId
    registry_id: RegistryName
    note: Note | None = None


class NewTransition(Sent):
    """A step of a participation."""

    state: ParticipationState
    signed_by: PersonName | None = Field(
        default=None, description="Who signed the agreement; needed for `agreement-signed`."
    )
    on: Day | None = Field(
        default=None, description="The day it was signed; needed for `agreement-signed`."
    )
    agreement: Line | None = Field(
        default=None, description="The agreement's own mark or number, if it has one."
    )
    note: Note | None = None

    @model_validator(mode="after")
    def a_signature_has_a_name_and_a_day(self) -> "NewTransition":
        """Signing needs who and when, and no other step has them."""
        signing = self.state is ParticipationState.AGREEMENT_SIGNED
        if signing and (self.signed_by is None or self.on is None):
            raise ValueError("signing needs `signed_by` and `on`")
        if not signing and (self.signed_by or self.on or self.agreement):
            raise ValueError("only signing has `signed_by`, `on` and `agreement`")
        return self


class Transition(Shown):
    """A step that was taken."""

    state: ParticipationState
    at: datetime
    by_key: str | None
    signed_by: str | None
    on: date | None
    note: str | None


class Participation(Shown):
    """A facility's membership in a registry."""

    id: int
    facility_id: int
    registry_id: str
    state: ParticipationState
    agreement: str | None
    created_at: datetime


class ParticipationHistory(Participation):
    """A participation with every step it took, the latest last."""

    transitions: list[Transition]


async def step(
    session: AsyncSession,
    asker: access.Asker | None,
    row: Row,
    new: NewTransition,
) -> None:
    """Take one step of a participation that this session holds locked."""
    act = STEPS.get((ParticipationState(row.state), new.state))
    if act is None:
        ways = ", ".join(to for (from_, to) in STEPS if from_ == row.state)
        raise errors.Conflict(f"A participation that is {row.state} may become: {ways}.")
    if asker is not None:
        asker.require(act)
    row.state = new.state
    if new.agreement is not None:
        row.agreement = new.agreement
    await _keep(session, asker, row, new)


async def _keep(
    session: AsyncSession, asker: access.Asker | None, row: Row, new: NewTransition
) -> None:
    session.add(
        ParticipationTransition(
            participation_id=row.id,
            facility_id=row.facility_id,
            state=new.state,
            note=new.note,
            by_key=asker.key_id if asker else None,
            signed_by=new.signed_by,
            on=new.on,
        )
    )
    await session.flush()
    await audit.record(
        session,
        asker,
        str(new.state),
        "participation",
        row.id,
        facility_id=row.facility_id,
        registry_id=row.registry_id,
    )


async def apply(
    session: AsyncSession,
    asker: access.Asker | None,
    facility_id: int,
    registry_id: str,
    note: str | None = None,
) -> Row:
    """Begin a facility's participation in a registry."""
    if await session.get(Facility, facility_id) is None:
        raise errors.Unprocessable(NO_SUCH_FACILITY)
    row: Row | None = await session.scalar(
        insert(Row)
        .values(facility_id=facility_id, registry_id=registry_id, state=ParticipationState.APPLIED)
        .on_conflict_do_nothing()
        .returning(Row)
    )
    if row is None:
        raise errors.Conflict("This facility has a participation in the registry already.")
    await _keep(session, asker, row, NewTransition(state=ParticipationState.APPLIED, note=note))
    return row


def _bounds(asker: access.Asker) -> ColumnElement[bool]:
    """Within the facilities in scope, the registries of the key."""
    return true() if asker.registries is None else Row.registry_id.in_(asker.registries)


async def _one(
    session: AsyncSession, asker: access.Asker, participation_id: int, *, locked: bool = False
) -> Row:
    statement = select(Row).where(Row.id == participation_id, _bounds(asker))
    row = await session.scalar(statement.with_for_update() if locked else statement)
    if row is None:
        raise errors.NotFound("There is no such participation, or none within your key.")
    return row


async def _with_history(session: AsyncSession, row: Row) -> ParticipationHistory:
    steps = await session.scalars(
        select(ParticipationTransition)
        .where(ParticipationTransition.participation_id == row.id)
        .order_by(ParticipationTransition.id)
    )
    return ParticipationHistory(
        **Participation.model_validate(row).model_dump(),
        transitions=[Transition.model_validate(taken) for taken in steps],
    )


def _registry_of(catalogue: Catalogue, asker: access.Asker, registry_id: str) -> str:
    """A registry named in a body, if it exists within the key."""
    known = known_registries(catalogue)
    if registry_id not in known or not asker.sees_registry(registry_id):
        raise errors.Unprocessable("There is no such registry, or it is not within your key.")
    return registry_id


@router.post(
    "",
    status_code=201,
    response_model=ParticipationHistory,
    responses={201: TAGGED, **problems(400, 401, 403, 409, 422)},
)
async def add(
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: NewParticipation,
    response: Response,
) -> ParticipationHistory:
    """Apply for a registry."""
    asker.require(Act.APPLY)
    registry_id = _registry_of(catalogue, asker, new.registry_id)
    async with transactions.begin() as session:
        row = await apply(session, asker, new.facility_id, registry_id, new.note)
        shown = await _with_history(session, row)
    response.headers["Location"] = f"/v1/participations/{row.id}"
    return tagged(response, shown)


@router.get(
    "", response_model=list[Participation], responses={200: PAGED, **problems(401, 403, 422)}
)
async def list_participations(
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    facility: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="Of this facility.")
    ] = None,
    registry: Annotated[RegistryName | None, Query(description="In this registry.")] = None,
    state: Annotated[ParticipationState | None, Query(description="That stand here.")] = None,
) -> list[Row]:
    """The participations within your key."""
    asker.require(Act.READ_ACCOUNTS)
    statement = select(Row).where(_bounds(asker))
    if facility is not None:
        statement = statement.where(Row.facility_id == facility)
    if registry is not None:
        statement = statement.where(Row.registry_id == registry)
    if state is not None:
        statement = statement.where(Row.state == state)
    async with transactions.begin() as session:
        return await page.rows(session, statement, Row.id)


@router.get(
    "/{participation_id}",
    response_model=ParticipationHistory,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    participation_id: ParticipationId,
    asker: Asker,
    transactions: Transactions,
    conditions: Conditional,
) -> object:
    """One participation with its history."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        shown = await _with_history(session, await _one(session, asker, participation_id))
    return conditions.reply(shown)


@router.post(
    "/{participation_id}/transitions",
    status_code=201,
    response_model=ParticipationHistory,
    responses={201: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def take_step(
    participation_id: ParticipationId,
    asker: Asker,
    transactions: Transactions,
    new: NewTransition,
    expected: Unchanged,
    response: Response,
) -> ParticipationHistory:
    """Take the next step: sign the agreement, settle the fee, activate, suspend, end."""
    asker.require(Act.APPLY)
    async with transactions.begin() as session:
        row = await _one(session, asker, participation_id, locked=True)
        expected.require(etag_of(await _with_history(session, row)))
        await step(session, asker, row, new)
        shown = await _with_history(session, row)
    response.headers["Location"] = f"/v1/participations/{row.id}"
    return tagged(response, shown)
