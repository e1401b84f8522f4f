"""
Keys: made, listed without their secret, ended.

A key is shown once, in the answer that creates it; what is kept opens nothing. Who may create
which key is a table in `app.access`: an operator any, a corporate administrator those of its own
facilities up to its own role, a facility administrator those of its own facility up to its own.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, and_, cast, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import BigInteger, Text

from app import access, audit, errors
from app.access import EVERY_FACILITY, GRANTS, NO_FACILITY, Act, Role
from app.api.dependencies import (
    LARGEST_BIGINT,
    LARGEST_INTEGER,
    Asker,
    Catalogue,
    Transactions,
    known_registries,
)
from app.api.fields import FacilityId, Line, Moment, RegistryName, Sent, Shown
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.models.account import CorporateAccount, Facility, Partner, PhysicianFacility
from app.models.account import Key as Row
from app.models.base import now

router = APIRouter(prefix="/keys", tags=["keys"])

USUAL_LIFE = timedelta(days=365)
LONGEST_LIFE = timedelta(days=3 * 365)

KeyId = Annotated[str, Path(pattern=r"^[a-z2-7]{12}$", description="The id within a key.")]
Registries = Annotated[list[RegistryName], Field(min_length=1, max_length=100)]
Facilities = Annotated[list[FacilityId], Field(min_length=1, max_length=1000)]


class NewKey(Sent):
    """A key to be made. Its role says which of the bounds it needs."""

    role: Role
    label: Line = Field(description="What it is for, in your own words; not a person's name.")
    registries: Registries | None = Field(
        default=None,
        description="The registries it is for; null: all that yours is for. A steward's are named.",
    )
    facilities: Facilities | None = Field(
        default=None,
        description="The facilities it is for: needed for a facility's roles, a further bound for "
        "`corporate-administrator` and `partner`, and not for the others.",
    )
    corporate_account_id: Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER)] | None = (
        Field(default=None, description="Needed for `corporate-administrator`.")
    )
    partner_id: Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER)] | None = Field(
        default=None, description="Needed for `partner`."
    )
    physician_id: Annotated[int, Field(strict=True, ge=1, le=LARGEST_BIGINT)] | None = Field(
        default=None,
        description="Needed for `physician`: whose own results it reads, at the one facility named.",
    )
    expires_at: Moment | None = Field(
        default=None, description="Its end; a year from now if left out, at most three."
    )

    @model_validator(mode="after")
    def bounds_fit_the_role(self) -> "NewKey":
        """Each role has the bounds it needs and none that would mean nothing."""
        if (self.corporate_account_id is not None) != (self.role is Role.CORPORATE_ADMINISTRATOR):
            raise ValueError("`corporate_account_id` goes with the role corporate-administrator")
        if (self.partner_id is not None) != (self.role is Role.PARTNER):
            raise ValueError("`partner_id` goes with the role partner")
        if (self.physician_id is not None) != (self.role is Role.PHYSICIAN):
            raise ValueError("`physician_id` goes with the role physician")
        if self.role is Role.PHYSICIAN and len(set(self.facilities or ())) != 1:
            raise ValueError("a physician's key is for one of its `facilities`")
        if self.role is Role.STEWARD and self.registries is None:
            raise ValueError("a steward is one of some `registries`")
        if self.role in EVERY_FACILITY | NO_FACILITY:
            if self.facilities is not None:
                raise ValueError("this role has no facilities of its own")
        elif self.facilities is None and self.role not in (
            Role.CORPORATE_ADMINISTRATOR,
            Role.PARTNER,
        ):
            raise ValueError("this role needs its `facilities`")
        return self


class Key(Shown):
    """A key without its secret. Null registries or facilities: no bound of its own."""

    id: str
    role: str
    label: str
    registries: list[str] | None
    facilities: list[int] | None
    corporate_account_id: int | None
    partner_id: int | None
    physician_id: int | None
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyShownOnce(Key):
    """A new key: keep `key` now, nobody can show it again."""

    key: str


def _within_reach(asker: access.Asker) -> ColumnElement[bool]:
    """The keys an asker may see: those it could create. Keys are not under row-level security."""
    if asker.facilities is None:
        return true()
    reached = and_(
        Row.role.in_(GRANTS.get(asker.role, ())),
        Row.facilities.op("<@")(cast(sorted(asker.facilities), ARRAY(BigInteger))),
        or_(
            Row.role != Role.CORPORATE_ADMINISTRATOR,
            Row.corporate_account_id == asker.corporate_account_id,
        ),
    )
    if asker.whole_account:
        reached = or_(
            reached,
            and_(
                Row.role == Role.CORPORATE_ADMINISTRATOR,
                Row.corporate_account_id == asker.corporate_account_id,
            ),
        )
    if asker.registries is None:
        return reached
    return and_(reached, Row.registries.op("<@")(cast(sorted(asker.registries), ARRAY(Text))))


async def _one(session: AsyncSession, asker: access.Asker, key_id: str) -> Row:
    row = await session.scalar(select(Row).where(Row.id == key_id, _within_reach(asker)))
    if row is None:
        raise errors.NotFound("There is no such key, or it is not within yours.")
    return row


async def _check_bounds(session: AsyncSession, new: NewKey) -> None:
    """Refuse bounds that name nothing, or nothing within the asker's key."""
    account = new.corporate_account_id
    if account is not None and await session.get(CorporateAccount, account) is None:
        raise errors.Unprocessable("There is no such corporate account.")
    if new.partner_id is not None and await session.get(Partner, new.partner_id) is None:
        raise errors.Unprocessable("There is no such partner.")
    if new.facilities is None:
        return
    statement = select(Facility.id).where(Facility.id.in_(new.facilities))
    if account is not None:
        statement = statement.where(Facility.corporate_account_id == account)
    if set(await session.scalars(statement)) != set(new.facilities):
        raise errors.Unprocessable("`facilities` names one that is not within your key.")
    if new.physician_id is None:
        return
    works = select(PhysicianFacility.facility_id).where(
        PhysicianFacility.physician_id == new.physician_id,
        PhysicianFacility.facility_id.in_(new.facilities),
    )
    if await session.scalar(works) is None:
        raise errors.Unprocessable("`physician_id` names nobody who works at this facility.")


async def create_key(
    session: AsyncSession, actor: access.Asker | None, new: NewKey
) -> tuple[Row, access.Secret]:
    """Make a key; its secret is in the answer and nowhere else."""
    await _check_bounds(session, new)
    moment = now()
    expires_at = new.expires_at or moment + USUAL_LIFE
    if not moment < expires_at <= moment + LONGEST_LIFE:
        raise errors.Unprocessable("`expires_at` must lie ahead, at most three years.")
    secret = access.new_secret()
    row = Row(
        id=secret.key_id,
        digest=secret.digest,
        role=new.role,
        label=new.label,
        registries=None if new.registries is None else sorted(set(new.registries)),
        facilities=None if new.facilities is None else sorted(set(new.facilities)),
        corporate_account_id=new.corporate_account_id,
        partner_id=new.partner_id,
        physician_id=new.physician_id,
        created_at=moment,
        created_by=actor.key_id if actor else None,
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    await _note(session, actor, "create", row)
    return row, secret


async def end_key(session: AsyncSession, actor: access.Asker | None, row: Row) -> None:
    """Revoke a key: from this transaction's commit on it opens nothing."""
    ended = await session.scalar(
        update(Row)
        .where(Row.id == row.id, Row.revoked_at.is_(None))
        .values(revoked_at=now(), revoked_by=actor.key_id if actor else None)
        .returning(Row.id)
    )
    if ended is not None:
        await _note(session, actor, "revoke", row)


async def _note(session: AsyncSession, actor: access.Asker | None, action: str, row: Row) -> None:
    details = {"role": str(row.role)}
    concerned: list[int | None] = [*(row.facilities or ())] or [None]
    for facility in concerned:
        await audit.record(
            session, actor, action, "key", row.id, facility_id=facility, details=details
        )


@router.post(
    "", status_code=201, response_model=KeyShownOnce, responses=problems(400, 401, 403, 422)
)
async def create(
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
    new: NewKey,
    response: Response,
) -> KeyShownOnce:
    """Make a key. This answer is the only one that shows it."""
    asker.require(Act.GRANT_KEYS)
    if new.registries is None and asker.registries is not None:
        new = new.model_copy(update={"registries": sorted(asker.registries)})
    known = known_registries(catalogue)
    if new.registries is not None and not known.issuperset(new.registries):
        raise errors.Unprocessable("`registries` names one that is not within your key.")
    async with transactions.begin() as session:
        if not asker.may_grant(new.role, new.registries, new.facilities, new.corporate_account_id):
            raise errors.Forbidden(
                "Your key makes keys up to its own role, for its own facilities and registries."
            )
        row, secret = await create_key(session, asker, new)
    response.headers["Location"] = f"/v1/keys/{row.id}"
    response.headers["Cache-Control"] = "no-store"
    return KeyShownOnce(**Key.model_validate(row).model_dump(), key=secret.text)


@router.get("", response_model=list[Key], responses={200: PAGED, **problems(401, 403, 422)})
async def list_keys(
    asker: Asker,
    transactions: Transactions,
    page: PageAsked,
    in_force: Annotated[
        bool | None, Query(description="Only those neither ended nor expired, or only the others.")
    ] = None,
) -> list[Row]:
    """The keys within yours, without their secrets."""
    asker.require(Act.READ_KEYS)
    statement = select(Row).where(_within_reach(asker))
    if in_force is not None:
        current = and_(
            Row.revoked_at.is_(None), or_(Row.expires_at.is_(None), Row.expires_at > func.now())
        )
        statement = statement.where(current if in_force else ~current)
    async with transactions.begin() as session:
        return await page.rows(session, statement, Row.id)


@router.get("/current", response_model=Key, responses=problems(401))
async def show_current(asker: Asker, transactions: Transactions) -> Row:
    """The key you are asking with."""
    async with transactions.begin() as session:
        return (await session.scalars(select(Row).where(Row.id == asker.key_id))).one()


@router.get("/{key_id}", response_model=Key, responses=problems(401, 403, 404, 422))
async def show(key_id: KeyId, asker: Asker, transactions: Transactions) -> Row:
    """One key, without its secret."""
    asker.require(Act.READ_KEYS)
    async with transactions.begin() as session:
        return await _one(session, asker, key_id)


@router.delete("/{key_id}", status_code=204, responses=problems(401, 403, 404, 422))
async def revoke(key_id: KeyId, asker: Asker, transactions: Transactions) -> None:
    """End a key, at once and for good."""
    asker.require(Act.GRANT_KEYS)
    async with transactions.begin() as session:
        await end_key(session, asker, await _one(session, asker, key_id))
