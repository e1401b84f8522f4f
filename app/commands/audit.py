"""`hounsfield audit …`: prove that the trail of who did what still stands as it was written."""

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.commands.desk import at_the_desk
from app.models.audit import AuditBlock

app = typer.Typer(no_args_is_help=True, help="The trail of who did what to which record.")


@app.command()
def verify() -> None:
    """Check the chain of sealed blocks; exit 1 if it was tampered with.

    Note the printed head somewhere else: the chain itself cannot show that its end was cut off.
    """

    async def work(session: AsyncSession) -> tuple[list[str], AuditBlock | None]:
        complaints = [complaint async for complaint in audit.verify(session)]
        newest = select(AuditBlock).order_by(AuditBlock.id.desc()).limit(1)
        return complaints, await session.scalar(newest)

    complaints, head = at_the_desk(work)
    for complaint in complaints:
        typer.echo(complaint, err=True)
    if complaints:
        raise typer.Exit(1)
    if head is None:
        typer.echo("Nothing is sealed yet.")
    else:
        typer.echo(f"Block {head.id} up to event {head.last_event}: {head.digest.hex()}")


@app.command()
def head() -> None:
    """How many events are sealed, without checking them."""

    async def work(session: AsyncSession) -> AuditBlock | None:
        return await session.scalar(select(AuditBlock).order_by(AuditBlock.id.desc()).limit(1))

    found = at_the_desk(work)
    typer.echo(
        "Nothing is sealed yet." if found is None else f"{found.last_event} {found.digest.hex()}"
    )
