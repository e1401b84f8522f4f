"""Partners: certified software that submits for the facilities that authorised it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import audit, errors
from app.access import Act
from app.api.dependencies import (
    LARGEST_INTEGER,
    Asker,
    Catalogue,
    FacilityInReach,
    RegistryId,
    Transactions,
    known_registries,
    visible_registry,
)
from app.api.fields import Name, RegistryName, Sent, Shown
from app.api.pages import PAGED, PageAsked
from app.api.problems import problems
from app.api.v1.facilities import facility_within
from app.models.account import Partner as Row
from app.models.account import PartnerAuthorisation

router = APIRouter(tags=["accounts"])

PartnerId = Annotated[int, Path(ge=1, le=LARGEST_INTEGER, description="A partner's id.")]
NO_SUCH_PARTNER = "No such partner is certified for this registry."


class NewPartner(Sent):
    """Software that passed certification for some registries."""

    name: Name
    registries: Annotated[list[RegistryName], Field(min_length=1, max_length=100)]


class Partner(Shown):
    """Certified software; every facility's administrator may look it up and authorise it."""

    id: int
    name: str
    registries: list[str]


class Authorisation(Shown):
    """A facility's leave for a partner to submit for it to one registry."""

    partner_id: int
    facility_id: int
    registry_id: str
    at: datetime


@router.post(
    "/partners",
    status_code=201,
    response_model=Partner,
    responses=problems(400, 401, 403, 409, 422),
)
async def add(
    asker: Asker, transactions: Transactions, catalogue: Catalogue, new: NewPartner
) -> Row:
    """Record that a partner was certified. For operators."""
    asker.require(Act.GOVERN)
    known = known_registries(catalogue)
    if not known.issuperset(new.registries):
        raise errors.Unprocessable("`registries` names one that does not exist.")
    async with transactions.begin() as session:
        row: Row | None = await session.scalar(
            insert(Row)
            .values(name=new.name, registries=sorted(set(new.registries)))
            .on_conflict_do_nothing()
            .returning(Row)
        )
        if row is None:
            raise errors.Conflict("A partner of this name is certified already.")
        await audit.record(session, asker, "add", "partner", row.id)
    return row


@router.get(
    "/partners", response_model=list[Partner], responses={200: PAGED, **problems(401, 403, 422)}
)
async def list_partners(asker: Asker, transactions: Transactions, page: PageAsked) -> list[Row]:
    """The certified partners."""
    asker.require(Act.READ_ACCOUNTS)
    async with transactions.begin() as session:
        return await page.rows(session, select(Row), Row.id)


@router.get(
    "/facilities/{facility_id}/partners",
    response_model=list[Authorisation],
    responses=problems(401, 403, 404, 422),
)
async def list_authorisations(
    facility_id: FacilityInReach, asker: Asker, transactions: Transactions
) -> list[PartnerAuthorisation]:
    """Which partners may submit for a facility."""
    asker.require(Act.CHANGE_FACILITIES)
    async with transactions.begin() as session:
        await facility_within(session, facility_id)
        found = await session.scalars(
            select(PartnerAuthorisation)
            .where(PartnerAuthorisation.facility_id == facility_id)
            .order_by(PartnerAuthorisation.partner_id, PartnerAuthorisation.registry_id)
        )
        return list(found)


@router.put(
    "/facilities/{facility_id}/partners/{partner_id}/{registry_id}",
    response_model=Authorisation,
    responses=problems(401, 403, 404, 422),
)
async def authorise(
    facility_id: FacilityInReach,
    partner_id: PartnerId,
    registry_id: RegistryId,
    asker: Asker,
    transactions: Transactions,
    catalogue: Catalogue,
) -> PartnerAuthorisation:
    """Let a partner submit for a facility to a registry; its keys reach it from now on."""
    asker.require(Act.CHANGE_FACILITIES)
    visible_registry(catalogue, asker, registry_id)
    async with transactions.begin() as session:
        await facility_within(session, facility_id)
        partner = await session.get(Row, partner_id)
        if partner is None or registry_id not in partner.registries:
            raise errors.NotFound(NO_SUCH_PARTNER)
        await session.execute(
            insert(PartnerAuthorisation)
            .values(
                partner_id=partner_id,
                facility_id=facility_id,
                registry_id=registry_id,
                by_key=asker.key_id,
            )
            .on_conflict_do_nothing()
        )
        await audit.record(
            session,
            asker,
            "authorise",
            "partner",
            partner_id,
            facility_id=facility_id,
            registry_id=registry_id,
        )
        return (
            await session.scalars(
                select(PartnerAuthorisation).where(
                    PartnerAuthorisation.partner_id == partner_id,
                    PartnerAuthorisation.facility_id == facility_id,
                    PartnerAuthorisation.registry_id == registry_id,
                )
            )
        ).one()


@router.delete(
    "/facilities/{facility_id}/partners/{partner_id}/{registry_id}",
    status_code=204,
    responses=problems(401, 403, 404, 422),
)
async def withdraw(
    facility_id: FacilityInReach,
    partner_id: PartnerId,
    registry_id: RegistryId,
    asker: Asker,
    transactions: Transactions,
) -> None:
    """End a partner's leave; its keys no longer reach the facility."""
    asker.require(Act.CHANGE_FACILITIES)
    async with transactions.begin() as session:
        ended = await session.scalar(
            delete(PartnerAuthorisation)
            .where(
                PartnerAuthorisation.partner_id == partner_id,
                PartnerAuthorisation.facility_id == facility_id,
                PartnerAuthorisation.registry_id == registry_id,
            )
            .returning(PartnerAuthorisation.partner_id)
        )
        if ended is None:
            raise errors.NotFound("This facility gave the partner no such leave.")
        await audit.record(
            session,
            asker,
            "withdraw",
            "partner",
            partner_id,
            facility_id=facility_id,
            registry_id=registry_id,
        )
