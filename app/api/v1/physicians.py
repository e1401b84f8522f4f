"""
Physicians: the list each corporate account keeps, one row per NPI and TIN.

A facility's key sees those who work there, and of the places they work only its own. It may put
somebody on the list or take him off its own facilities; whoever the account lists already is
joined as he is listed. Names and numbers are the account's to change, so that one facility's key
changes nothing of another's.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy import Select, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act, Role
from app.api.dependencies import LARGEST_BIGINT, LARGEST_INTEGER, Asker, Transactions
from app.api.fields import FacilityId, Npi, PersonName, Sent, Shown, Tin
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
from app.models.account import CorporateAccount, Facility, PhysicianFacility
from app.models.account import Physician as Row

router = APIRouter(prefix="/physicians", tags=["accounts"])

PhysicianId = Annotated[int, Path(ge=1, le=LARGEST_BIGINT, description="A physician's row.")]


class PhysicianFields(Sent):
    """What the list says of a physician."""

    npi: Npi
    tin: Tin | None = Field(default=None, description="The taxpayer the NPI bills under.")
    first_name: PersonName
    last_name: PersonName
    facilities: list[FacilityId] = Field(
        default=[], max_length=1000, description="Where the physician works."
    )


class NewPhysician(PhysicianFields):
    """Somebody to be put on an account's list."""

    corporate_account_id: Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER)]


class Physician(Shown):
    """A physician, with those of the facilities that are within your key."""

    id: int
    corporate_account_id: int
    npi: str
    tin: str | None
    first_name: str
    last_name: str
    facilities: list[int]
    created_at: datetime


def _of_the_whole_account(asker: access.Asker, account_id: int) -> bool:
    """Whether the asker answers for the account, not merely for some of its facilities."""
    return asker.role is Role.OPERATOR or (
        asker.role is Role.CORPORATE_ADMINISTRATOR and asker.corporate_account_id == account_id
    )


def _visible(asker: access.Asker) -> Select[Row]:
    statement = select(Row)
    if asker.facilities is None:
        return statement
    if asker.role is Role.CORPORATE_ADMINISTRATOR:
        return statement.where(Row.corporate_account_id == asker.corporate_account_id)
    # Where a physician works is under row-level security: only the asker's facilities count.
    return statement.where(exists().where(PhysicianFacility.physician_id == Row.id))


async def _shown(session: AsyncSession, rows: Collection[Row]) -> list[Physician]:
    """Rows with the facilities that the session may see."""
    places: dict[int, list[int]] = {row.id: [] for row in rows}
    found = await session.execute(
        select(PhysicianFacility.physician_id, PhysicianFacility.facility_id)
        .where(PhysicianFacility.physician_id.in_(places))
        .order_by(PhysicianFacility.facility_id)
    )
    for physician_id, facility_id in found:
        places[physician_id].append(facility_id)
    columns = [field for field in Physician.model_fields if field != "facilities"]
    return [
        Physician(**{name: getattr(row, name) for name in columns}, facilities=places[row.id])
        for row in rows
    ]


async def _one(
    session: AsyncSession, asker: access.Asker, physician_id: int, *, locked: bool = False
) -> Row:
    statement = _visible(asker).where(Row.id == physician_id)
    row = await session.scalar(statement.with_for_update() if locked else statement)
    if row is None:
        raise errors.NotFound("There is no such physician, or none within your key.")
    return row


async def _check_facilities(
    session: AsyncSession, account_id: int, facilities: Collection[int]
) -> None:
    """Refuse facilities that are out of scope or of another account; the two are not told apart."""
    found = await session.scalars(
        select(Facility.id).where(
            Facility.id.in_(set(facilities)), Facility.corporate_account_id == account_id
        )
    )
    if set(found) != set(facilities):
        raise errors.Unprocessable(
            "`facilities` names one that is not of this account or not within your key."
        )


async def _place(session: AsyncSession, physician_id: int, facilities: Collection[int]) -> None:
    """Let a physician work at these of the facilities in scope, and at no other in scope."""
    await session.execute(
        delete(PhysicianFacility).where(
            PhysicianFacility.physician_id == physician_id,
            PhysicianFacility.facility_id.not_in(set(facilities)),
        )
    )
    if facilities:
        links: list[dict[str, Any]] = [
            {"physician_id": physician_id, "facility_id": facility}
            for facility in sorted(set(facilities))
        ]
        await session.execute(insert(PhysicianFacility).values(links).on_conflict_do_nothing())


async def _note(
    session: AsyncSession, asker: access.Asker, action: str, row_id: int, places: Collection[int]
) -> None:
    concerned: list[int | None] = [*sorted(set(places))] or [None]
    for facility in concerned:
        await audit.record(session, asker, action, "physician", row_id, facility_id=facility)


@router.post(
    "",
    status_code=201,
    response_model=Physician,
    responses={201: TAGGED, **problems(400, 401, 403, 409, 422)},
)
async def add(
    asker: Asker,
    transactions: Transactions,
    new: NewPhysician,
    response: Response,
) -> Physician:
    """Put a physician on the list. Somebody whom another facility listed is joined to yours."""
    asker.require(Act.CHANGE_FACILITIES)
    account_id = new.corporate_account_id
    whole = _of_the_whole_account(asker, account_id)
    async with transactions.begin() as session:
        if whole and await session.get(CorporateAccount, account_id) is None:
            raise errors.Unprocessable("There is no such corporate account.")
        if not whole and not new.facilities:
            raise errors.Unprocessable("Name at least one of your `facilities`.")
        await _check_facilities(session, account_id, new.facilities)
        fields = new.model_dump(exclude={"facilities"})
        created = await session.scalar(
            insert(Row).values(fields).on_conflict_do_nothing().returning(Row.id)
        )
        same_person = select(Row).where(
            Row.corporate_account_id == account_id,
            Row.npi == new.npi,
            Row.tin.is_not_distinct_from(new.tin),
        )
        row = (await session.scalars(same_person.with_for_update())).one()
        (known,) = await _shown(session, [row])
        if created is None and (whole or set(known.facilities) >= set(new.facilities)):
            raise errors.Conflict(f"Physician {row.id} of the list has this NPI and TIN.")
        await _place(session, row.id, {*known.facilities, *new.facilities})
        await _note(session, asker, "add", row.id, new.facilities)
        (shown,) = await _shown(session, [row])
    response.headers["Location"] = f"/v1/physicians/{row.id}"
    return tagged(response, shown)


@router.get("", response_model=list[Physician], responses={200: PAGED, **problems(401, 403, 422)})
async def list_physicians(
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    facility: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="Who works at this facility.")
    ] = None,
) -> list[Physician]:
    """The physicians within your key."""
    asker.require(Act.READ_ACCOUNTS)
    statement = _visible(asker)
    if facility is not None:
        statement = statement.where(
            exists().where(
                PhysicianFacility.physician_id == Row.id, PhysicianFacility.facility_id == facility
            )
        )
    async with transactions.begin() as session:
        return await _shown(session, await page.rows(session, statement, Row.id))


@router.get(
    "/{physician_id}",
    response_model=Physician,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    physician_id: PhysicianId, asker: Asker, transactions: Transactions, conditions: Conditional
) -> object:
    """One physician."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        row = await _one(session, asker, physician_id)
        (shown,) = await _shown(session, [row])
    return conditions.reply(shown)


@router.put(
    "/{physician_id}",
    response_model=Physician,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 409, 412, 422)},
)
async def change(
    physician_id: PhysicianId,
    asker: Asker,
    transactions: Transactions,
    new: PhysicianFields,
    expected: Unchanged,
    response: Response,
) -> Physician:
    """Replace what the list says of a physician; of `facilities`, those within your key."""
    asker.require(Act.CHANGE_FACILITIES)
    async with transactions.begin() as session:
        row = await _one(session, asker, physician_id, locked=True)
        (before,) = await _shown(session, [row])
        expected.require(etag_of(before))
        fields = new.model_dump(exclude={"facilities"})
        altered = any(getattr(row, name) != value for name, value in fields.items())
        if altered and not _of_the_whole_account(asker, row.corporate_account_id):
            raise errors.Forbidden("Names and numbers are changed by the account's administrator.")
        await _check_facilities(session, row.corporate_account_id, new.facilities)
        twin = select(Row.id).where(
            Row.corporate_account_id == row.corporate_account_id,
            Row.npi == new.npi,
            Row.tin.is_not_distinct_from(new.tin),
            Row.id != row.id,
        )
        if altered and await session.scalar(twin) is not None:
            raise errors.Conflict("Another physician of the list has this NPI and TIN.")
        for name, value in fields.items():
            setattr(row, name, value)
        await session.flush()
        await _place(session, row.id, new.facilities)
        await _note(session, asker, "change", row.id, {*before.facilities, *new.facilities})
        (shown,) = await _shown(session, [row])
    return tagged(response, shown)


@router.delete("/{physician_id}", status_code=204, responses=problems(401, 403, 404, 412, 422))
async def remove(
    physician_id: PhysicianId, asker: Asker, transactions: Transactions, expected: Unchanged
) -> None:
    """Take a physician off the list; with a facility's key, off the facilities within it."""
    asker.require(Act.CHANGE_FACILITIES)
    async with transactions.begin() as session:
        row = await _one(session, asker, physician_id, locked=True)
        (before,) = await _shown(session, [row])
        expected.require(etag_of(before))
        await _place(session, row.id, ())
        if _of_the_whole_account(asker, row.corporate_account_id):
            await session.delete(row)
        await _note(session, asker, "remove", row.id, before.facilities)
