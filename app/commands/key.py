"""`hounsfield key …`: make keys, list them without their secrets, end them."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.access import Role, in_force
from app.api.v1.keys import NewKey, create_key, end_key
from app.commands.desk import at_the_desk, filled_in
from app.models.account import Key
from app.models.base import now

app = typer.Typer(no_args_is_help=True, help="Keys: who may ask, and for what.")


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What its holder is to the registries.")],
    label: Annotated[str, typer.Option(help="What it is for; not a person's name.")] = "key",
    facility: Annotated[
        list[int] | None, typer.Option(help="A facility it is for; may be repeated.")
    ] = None,
    registry: Annotated[
        list[str] | None, typer.Option(help="A registry it is for; may be repeated. Default: all.")
    ] = None,
    corporate_account: Annotated[
        int | None, typer.Option(help="For a corporate administrator.")
    ] = None,
    partner: Annotated[int | None, typer.Option(help="For a partner.")] = None,
    physician: Annotated[
        int | None, typer.Option(help="For a physician's own results: the row on the list.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=1095, help="Days until it expires.")] = 365,
) -> None:
    """Make a key and print it. It is shown this once."""
    new = filled_in(
        NewKey,
        role=role,
        label=label,
        facilities=facility or None,
        registries=registry or None,
        corporate_account_id=corporate_account,
        partner_id=partner,
        physician_id=physician,
        expires_at=(now() + timedelta(days=days)).isoformat(),
    )

    async def work(session: AsyncSession) -> str:
        _, secret = await create_key(session, None, new)
        return secret.text

    typer.echo(at_the_desk(work))


@app.command("list")
def list_keys() -> None:
    """The keys there are, without their secrets."""

    async def work(session: AsyncSession) -> list[Key]:
        return list(await session.scalars(select(Key).order_by(Key.created_at, Key.id)))

    table = Table("id", "role", "label", "registries", "facilities", "until", "state")
    for key in at_the_desk(work):
        table.add_row(
            key.id,
            key.role,
            key.label,
            "all" if key.registries is None else ", ".join(key.registries),
            "all its" if key.facilities is None else ", ".join(map(str, key.facilities)),
            "" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}",
            "in force" if in_force(key, now()) else "revoked" if key.revoked_at else "expired",
        )
    Console().print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id within the key.")]) -> None:
    """End a key, at once and for good."""

    async def work(session: AsyncSession) -> None:
        key = await session.get(Key, key_id)
        if key is None:
            raise errors.NotFound("There is no key with this id.")
        await end_key(session, None, key)

    at_the_desk(work)
    typer.echo(f"{key_id} opens nothing any more.")
