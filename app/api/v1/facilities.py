"""Facilities: the places that perform exams and submit, each with a number of six digits."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app import access, audit, errors
from app.access import Act, Role
from app.api.dependencies import (
    LARGEST_INTEGER,
    NO_SUCH_FACILITY,
    Asker,
    FacilityInReach,
    Transactions,
)
from app.api.fields import Address, Count, FacilityId, Line, Npi, Shown
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
from app.locks import Lock, take
from app.models.account import CorporateAccount
from app.models.account import Facility as Row
from app.models.base import now

router = APIRouter(prefix="/facilities", tags=["accounts"])

FIRST_NUMBER, LAST_NUMBER = 100_000, 999_999


class Category(StrEnum):
    """What kind of place a facility is."""

    ACADEMIC = "academic"
    COMMUNITY = "community"
    FREESTANDING = "freestanding"
    MULTI_SPECIALTY = "multi-specialty"
    OTHER = "other"


class Location(StrEnum):
    """The community around it: over 100,000 people, 50,000 to 100,000, or fewer."""

    METROPOLITAN = "metropolitan"
    SUBURBAN = "suburban"
    RURAL = "rural"


class TraumaLevel(StrEnum):
    """The level of a trauma center."""

    I = "I"  # noqa: E741 - the levels are Roman numerals
    II = "II"
    III = "III"
    IV = "IV"
    V = "V"


DIVISIONS = {
    "new-england": "CT ME MA NH RI VT",
    "middle-atlantic": "NJ NY PA",
    "east-north-central": "IL IN MI OH WI",
    "west-north-central": "IA KS MN MO NE ND SD",
    "south-atlantic": "DE DC FL GA MD NC SC VA WV",
    "east-south-central": "AL KY MS TN",
    "west-south-central": "AR LA OK TX",
    "mountain": "AZ CO ID MT NV NM UT WY",
    "pacific": "AK CA HI OR WA AS GU MP PR VI",
}
"""Census divisions by state. The map of the lung registry puts the territories with the Pacific."""

_DIVISION_OF = {state: name for name, states in DIVISIONS.items() for state in states.split()}


def census_division(country: str, state: str) -> str | None:
    """The census division of an address; none outside the United States."""
    return _DIVISION_OF.get(state) if country == "US" else None


class FacilityFields(Address):
    """What a facility tells of itself. Categories and sizes decide its peer groups."""

    category: Category
    location: Location
    trauma_level: TraumaLevel | None = None
    npi: Npi | None = None
    physician_group: Line | None = None
    childrens_hospital: bool = Field(default=False, strict=True)
    annual_exams: Count | None = None
    physicians_full_time: Count | None = None
    physicians_part_time: Count | None = None


class NewFacility(FacilityFields):
    """A facility to be added to a corporate account."""

    corporate_account_id: Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER)]
    id: FacilityId | None = Field(
        default=None,
        description="A number it has already, given by an operator; otherwise the next free one.",
    )


class Facility(Shown):
    """A place that performs exams and submits."""

    id: int
    corporate_account_id: int
    name: str
    street_1: str
    street_2: str | None
    city: str
    state: str
    postal_code: str
    country: str
    phone: str
    category: str
    location: str
    trauma_level: str | None
    npi: str | None
    physician_group: str | None
    childrens_hospital: bool
    annual_exams: int | None
    physicians_full_time: int | None
    physicians_part_time: int | None
    census_division: str | None
    created_at: datetime
    updated_at: datetime


async def add_facility(session: AsyncSession, actor: access.Asker | None, new: NewFacility) -> Row:
    """Add a facility to a corporate account. The session must see every facility's number."""
    if await session.get(CorporateAccount, new.corporate_account_id) is None:
        raise errors.Unprocessable("There is no such corporate account.")
    await take(session, Lock.NUMBER_FACILITIES)
    number = new.id if new.id is not None else await _free_number(session)
    if await session.scalar(select(literal(1)).where(Row.id == number)):
        raise errors.Conflict(f"The number {number} belongs to a facility already.")
    row = Row(
        **new.model_dump(exclude={"id"}),
        id=number,
        census_division=census_division(new.country, new.state),
    )
    session.add(row)
    await session.flush()
    await audit.record(session, actor, "add", "facility", number, facility_id=number)
    return row


async def _free_number(session: AsyncSession) -> int:
    """The first number after a taken one that is free: numbers given by hand leave gaps."""
    after = aliased(Row)
    taken = select(after.id).where(after.id == Row.id + 1)
    free: int | None = await session.scalar(
        select(func.min(Row.id) + 1).where(Row.id < LAST_NUMBER, ~taken.exists())
    )
    return FIRST_NUMBER if free is None else free


async def facility_within(session: AsyncSession, number: int, *, locked: bool = False) -> Row:
    """A facility in the scope of the session; otherwise there is none."""
    statement = select(Row).where(Row.id == number)
    row = await session.scalar(statement.with_for_update() if locked else statement)
    if row is None:
        raise errors.NotFound(NO_SUCH_FACILITY)
    return row


@router.post(
    "",
    status_code=201,
    response_model=Facility,
    responses={201: TAGGED, **problems(400, 401, 403, 409, 422)},
)
async def add(
    asker: Asker,
    transactions: Transactions,
    new: NewFacility,
    response: Response,
) -> Facility:
    """Add a facility to a corporate account. For operators and the account's administrator."""
    asker.require(Act.ADD_FACILITIES)
    if asker.role is not Role.OPERATOR:
        if new.corporate_account_id != asker.corporate_account_id:
            raise errors.Unprocessable("There is no such corporate account.")
        if new.id is not None:
            raise errors.Forbidden("Only an operator gives a facility its number.")
    async with transactions.unbound() as session:
        row = await add_facility(session, asker, new)
        shown = Facility.model_validate(row)
    response.headers["Location"] = f"/v1/facilities/{row.id}"
    return tagged(response, shown)


@router.get("", response_model=list[Facility], responses={200: PAGED, **problems(401, 403, 422)})
async def list_facilities(
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    corporate_account: Annotated[
        int | None, Query(ge=1, le=LARGEST_INTEGER, description="Of this corporate account.")
    ] = None,
) -> list[Row]:
    """The facilities within your key."""
    asker.require(Act.READ_ACCOUNTS)
    statement = select(Row)
    if corporate_account is not None:
        statement = statement.where(Row.corporate_account_id == corporate_account)
    async with transactions.begin() as session:
        return await page.rows(session, statement, Row.id)


@router.get(
    "/{facility_id}",
    response_model=Facility,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show(
    facility_id: FacilityInReach, asker: Asker, transactions: Transactions, conditions: Conditional
) -> Facility | Response:
    """One facility."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        row = await facility_within(session, facility_id)
    return conditions.reply(Facility.model_validate(row))


@router.put(
    "/{facility_id}",
    response_model=Facility,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 412, 422)},
)
async def change(
    facility_id: FacilityInReach,
    asker: Asker,
    transactions: Transactions,
    new: FacilityFields,
    expected: Unchanged,
    response: Response,
) -> Facility:
    """Replace what is known of a facility; send its ETag as `If-Match`."""
    asker.require(Act.CHANGE_FACILITIES)
    async with transactions.begin() as session:
        row = await facility_within(session, facility_id, locked=True)
        expected.require(etag_of(Facility.model_validate(row)))
        for field, value in new.model_dump().items():
            setattr(row, field, value)
        row.census_division = census_division(new.country, new.state)
        row.updated_at = now()
        await session.flush()
        await audit.record(
            session, asker, "change", "facility", facility_id, facility_id=facility_id
        )
        shown = Facility.model_validate(row)
    return tagged(response, shown)
