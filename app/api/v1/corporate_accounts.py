"""Corporate accounts: organisations, each the umbrella of one or more facilities."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act, Role
from app.api.dependencies import LARGEST_INTEGER, Asker, Transactions
from app.api.fields import Address, Shown
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
from app.models.account import CorporateAccount as Row
from app.models.account import Facility

router = APIRouter(prefix="/corporate-accounts", tags=["accounts"])

AccountId = Annotated[int, Path(ge=1, le=LARGEST_INTEGER, description="A corporate account's id.")]


class NewCorporateAccount(Address):
    """An organisation, as it applies."""


class CorporateAccount(Shown):
    """An organisation: billing, agreements and the list of physicians live here."""

    id: int
    name: str
    street_1: str
    street_2: str | None
    city: str
    state: str
    postal_code: str
    country: str
    phone: str
    created_at: datetime


def visible(asker: access.Asker) -> Select[Row]:
    """The accounts an asker may see: its own, and those of the facilities in its reach."""
    statement = select(Row)
    if asker.facilities is None:
        return statement
    # Facilities are under row-level security: the subquery sees those in the asker's scope.
    reached: ColumnElement[bool] = Row.id.in_(select(Facility.corporate_account_id))
    if asker.role is Role.CORPORATE_ADMINISTRATOR:
        reached = or_(reached, Row.id == asker.corporate_account_id)
    return statement.where(reached)


async def account_within(
    session: AsyncSession, asker: access.Asker, account_id: int, *, locked: bool = False
) -> Row:
    """An account, if the asker may see it; otherwise there is none."""
    statement = visible(asker).where(Row.id == account_id)
    row = await session.scalar(statement.with_for_update() if locked else statement)
    if row is None:
        raise errors.NotFound("There is no such corporate account, or it is not within your key.")
    return row


def require_administration(asker: access.Asker, account_id: int) -> None:
    """Refuse whoever neither runs the service nor administers this account."""
    if asker.role is Role.OPERATOR:
        return
    if asker.role is Role.CORPORATE_ADMINISTRATOR and asker.corporate_account_id == account_id:
        return
    raise errors.Forbidden("Only the account's own administrator or an operator may do this.")


async def open_account(
    session: AsyncSession, actor: access.Asker | None, new: NewCorporateAccount
) -> Row:
    """Add a corporate account."""
    row = Row(**new.model_dump())
    session.add(row)
    await session.flush()
    await audit.record(session, actor, "add", "corporate-account", row.id)
    return row


@router.post(
    "",
    status_code=201,
    response_model=CorporateAccount,
    responses={201: TAGGED, **problems(400, 401, 403, 422)},
)
async def add(
    asker: Asker,
    transactions: Transactions,
    new: NewCorporateAccount,
    response: Response,
) -> CorporateAccount:
    """Open a corporate account, once an organisation has applied. For operators."""
    asker.require(Act.GOVERN)
    async with transactions.begin() as session:
        row = await open_account(session, asker, new)
        shown = CorporateAccount.model_validate(row)
    response.headers["Location"] = f"/v1/corporate-accounts/{row.id}"
    return tagged(response, shown)


@router.get(
    "", response_model=list[CorporateAccount], responses={200: PAGED, **problems(401, 403, 422)}
)
async def list_accounts(asker: Asker, transactions: Transactions, page: PageAsked) -> list[Row]:
    """The corporate accounts within your key."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        return await page.rows(session, visible(asker), Row.id)


@router.get(
    "/{account_id}",
    response_model=CorporateAccount,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    account_id: AccountId, asker: Asker, transactions: Transactions, conditions: Conditional
) -> CorporateAccount | Response:
    """One corporate account."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        row = await account_within(session, asker, account_id)
    return conditions.reply(CorporateAccount.model_validate(row))


@router.put(
    "/{account_id}",
    response_model=CorporateAccount,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 412, 422)},
)
async def change(
    account_id: AccountId,
    asker: Asker,
    transactions: Transactions,
    new: NewCorporateAccount,
    expected: Unchanged,
    response: Response,
) -> CorporateAccount:
    """Replace what is known of a corporate account; send its ETag as `If-Match`."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        row = await account_within(session, asker, account_id)
        require_administration(asker, account_id)
        row = await account_within(session, asker, account_id, locked=True)
        expected.require(etag_of(CorporateAccount.model_validate(row)))
        for field, value in new.model_dump().items():
            setattr(row, field, value)
        await session.flush()
        await audit.record(session, asker, "change", "corporate-account", account_id)
        shown = CorporateAccount.model_validate(row)
    return tagged(response, shown)
