"""`hounsfield facility …`: add facilities, admit them to registries, see those that are there."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, errors
from app.api.v1.corporate_accounts import NewCorporateAccount, open_account
from app.api.v1.facilities import Category, Location, NewFacility, TraumaLevel, add_facility
from app.api.v1.participations import NewTransition, apply, step
from app.commands.desk import at_the_desk, filled_in
from app.models.account import Facility, Participation, ParticipationState
from app.models.definition import PublishedDefinition

app = typer.Typer(no_args_is_help=True, help="Facilities and their participation in registries.")


@app.command()
def add(
    name: Annotated[str, typer.Option(help="2 to 45 characters, the first two letters.")],
    street_1: Annotated[str, typer.Option("--street-1", help="Street and number.")],
    city: Annotated[str, typer.Option(help="City.")],
    state: Annotated[str, typer.Option(help="The two postal letters; decides the division.")],
    postal_code: Annotated[str, typer.Option(help="ZIP or postal code.")],
    phone: Annotated[str, typer.Option(help="Telephone.")],
    category: Annotated[Category, typer.Option(help="What kind of place it is.")],
    location: Annotated[Location, typer.Option(help="The community around it.")],
    corporate_account: Annotated[
        int | None, typer.Option(help="Its account; without one, an account like it is opened.")
    ] = None,
    street_2: Annotated[str | None, typer.Option("--street-2", help="Second line.")] = None,
    country: Annotated[str, typer.Option(help="Two letters.")] = "US",
    npi: Annotated[str | None, typer.Option(help="Its NPI, with a right check digit.")] = None,
    trauma_level: Annotated[TraumaLevel | None, typer.Option(help="If a trauma center.")] = None,
    physician_group: Annotated[str | None, typer.Option(help="A label siblings share.")] = None,
    childrens_hospital: Annotated[bool, typer.Option(help="A children's hospital.")] = False,
    annual_exams: Annotated[int | None, typer.Option(help="Exams a year.")] = None,
    number: Annotated[
        int | None, typer.Option(help="Six digits it has already; otherwise the next free.")
    ] = None,
) -> None:
    """Add a facility, and print its number."""
    address = {
        "name": name,
        "street_1": street_1,
        "street_2": street_2,
        "city": city,
        "state": state,
        "postal_code": postal_code,
        "country": country,
        "phone": phone,
    }

    async def work(session: AsyncSession) -> int:
        account = corporate_account
        if account is None:
            account = (
                await open_account(session, None, filled_in(NewCorporateAccount, **address))
            ).id
        new = filled_in(
            NewFacility,
            **address,
            corporate_account_id=account,
            category=category,
            location=location,
            npi=npi,
            trauma_level=trauma_level,
            physician_group=physician_group,
            childrens_hospital=childrens_hospital,
            annual_exams=annual_exams,
            id=number,
        )
        return (await add_facility(session, None, new)).id

    typer.echo(at_the_desk(work))


@app.command("list")
def list_facilities() -> None:
    """The facilities there are, with the registries they take part in."""

    async def work(session: AsyncSession) -> list[tuple[Facility, str]]:
        found = await session.scalars(select(Facility).order_by(Facility.id))
        stands = await session.execute(
            select(
                Participation.facility_id, Participation.registry_id, Participation.state
            ).order_by(Participation.registry_id)
        )
        places: dict[int, list[str]] = {}
        for facility_id, registry_id, state in stands:
            places.setdefault(facility_id, []).append(f"{registry_id} ({state})")
        return [(facility, "\n".join(places.get(facility.id, ()))) for facility in found]

    table = Table("number", "name", "account", "category", "location", "state", "registries")
    for facility, registries in at_the_desk(work):
        table.add_row(
            str(facility.id),
            facility.name,
            str(facility.corporate_account_id),
            facility.category,
            facility.location,
            facility.state,
            registries,
        )
    Console().print(table)


@app.command()
def admit(
    facility: Annotated[int, typer.Argument(help="The facility's number.")],
    registry: Annotated[str, typer.Argument(help="The registry's id.")],
    signed_by: Annotated[str, typer.Option(help="Who signed the participation agreement.")],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; default: today.")
    ] = None,
) -> None:
    """Take a facility through every step that is left to an active participation."""
    day: date = (on or datetime.now(UTC)).date()

    async def work(session: AsyncSession) -> None:
        await admit_facility(session, None, facility, registry, signed_by=signed_by, on=day)

    at_the_desk(work)
    typer.echo(f"{facility} is active in {registry}.")


WAY = (
    ParticipationState.APPLIED,
    ParticipationState.AGREEMENT_SIGNED,
    ParticipationState.FEE_SETTLED,
    ParticipationState.ACTIVE,
)


async def admit_facility(
    session: AsyncSession,
    actor: access.Asker | None,
    facility_id: int,
    registry_id: str,
    *,
    signed_by: str,
    on: date,
) -> Participation:
    """Apply, sign, settle and activate, from wherever the participation stands; may be repeated."""
    published = select(PublishedDefinition.version).where(
        PublishedDefinition.registry_id == registry_id
    )
    if await session.scalar(published.limit(1)) is None:
        raise errors.Unprocessable("There is no such registry, or none of it is published.")
    row = await session.scalar(
        select(Participation)
        .where(Participation.facility_id == facility_id, Participation.registry_id == registry_id)
        .with_for_update()
    )
    if row is None:
        row = await apply(session, actor, facility_id, registry_id)
    if row.state == ParticipationState.ENDED:
        await step(session, actor, row, NewTransition(state=ParticipationState.APPLIED))
    if row.state == ParticipationState.SUSPENDED:
        await step(session, actor, row, NewTransition(state=ParticipationState.ACTIVE))
    for state in WAY[WAY.index(ParticipationState(row.state)) + 1 :]:
        signing = state is ParticipationState.AGREEMENT_SIGNED
        new = filled_in(
            NewTransition,
            state=state,
            signed_by=signed_by if signing else None,
            on=on if signing else None,
        )
        await step(session, actor, row, new)
    return row
