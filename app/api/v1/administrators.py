"""The one active administrator of an account or a facility: appointing another ends the former."""

from datetime import datetime

from fastapi import APIRouter, Response
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act
from app.api.dependencies import Asker, FacilityInReach, Transactions
from app.api.fields import Email, Name, Sent, Shown
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional, tagged
from app.api.problems import problems
from app.api.v1.corporate_accounts import AccountId, account_within, require_administration
from app.api.v1.facilities import facility_within
from app.models.account import Administrator as Row
from app.models.base import now

router = APIRouter(tags=["accounts"])


class NewAdministrator(Sent):
    """Who is to answer for an account or a facility."""

    first_name: Name
    last_name: Name
    email: Email


class Administrator(Shown):
    """Who answers for an account or a facility."""

    first_name: str
    last_name: str
    email: str
    since: datetime


async def _active(session: AsyncSession, whose: ColumnElement[bool]) -> Row:
    row = await session.scalar(select(Row).where(whose, Row.active))
    if row is None:
        raise errors.NotFound("No administrator has been appointed.")
    return row


async def _appoint(
    session: AsyncSession, asker: access.Asker, whose: ColumnElement[bool], row: Row
) -> Administrator:
    """End the active administrator and begin another, as one change."""
    await session.execute(update(Row).where(whose, Row.active).values(active=False, until=now()))
    session.add(row)
    await session.flush()
    await audit.record(
        session,
        asker,
        "appoint",
        "administrator",
        row.id,
        facility_id=row.facility_id,
        details=None
        if row.corporate_account_id is None
        else {"corporate_account": row.corporate_account_id},
    )
    return Administrator.model_validate(row)


@router.get(
    "/corporate-accounts/{account_id}/administrator",
    response_model=Administrator,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_of_account(
    account_id: AccountId, asker: Asker, transactions: Transactions, conditions: Conditional
) -> object:
    """The active administrator of a corporate account."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        await account_within(session, asker, account_id)
    require_administration(asker, account_id)
    async with transactions.unbound() as session:  # the row belongs to no facility
        row = await _active(session, Row.corporate_account_id == account_id)
    return conditions.reply(Administrator.model_validate(row))


@router.put(
    "/corporate-accounts/{account_id}/administrator",
    response_model=Administrator,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 422)},
)
async def appoint_for_account(
    account_id: AccountId,
    asker: Asker,
    transactions: Transactions,
    new: NewAdministrator,
    response: Response,
) -> Administrator:
    """Appoint the administrator of a corporate account; the former one's time ends."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        await account_within(session, asker, account_id)
    require_administration(asker, account_id)
    async with transactions.unbound() as session:
        await account_within(session, asker, account_id, locked=True)  # one change at a time
        row = Row(corporate_account_id=account_id, **new.model_dump())
        shown = await _appoint(session, asker, Row.corporate_account_id == account_id, row)
    return tagged(response, shown)


@router.get(
    "/facilities/{facility_id}/administrator",
    response_model=Administrator,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_of_facility(
    facility_id: FacilityInReach, asker: Asker, transactions: Transactions, conditions: Conditional
) -> object:
    """The active administrator of a facility."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        await facility_within(session, facility_id)
        row = await _active(session, Row.facility_id == facility_id)
    return conditions.reply(Administrator.model_validate(row))


@router.put(
    "/facilities/{facility_id}/administrator",
    response_model=Administrator,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 422)},
)
async def appoint_for_facility(
    facility_id: FacilityInReach,
    asker: Asker,
    transactions: Transactions,
    new: NewAdministrator,
    response: Response,
) -> Administrator:
    """Appoint the administrator of a facility; the former one's time ends."""
    asker.require(Act.CHANGE_FACILITIES)
    async with transactions.begin() as session:
        await facility_within(session, facility_id, locked=True)
        row = Row(facility_id=facility_id, **new.model_dump())
        shown = await _appoint(session, asker, Row.facility_id == facility_id, row)
    return tagged(response, shown)
