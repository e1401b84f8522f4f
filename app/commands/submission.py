"""`hounsfield submission …`: what is held, and its way back."""

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from app.commands.desk import at_the_desk
from app.database import Role
from app.ingest import held as holding
from app.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Submissions, instances and terms of lists that are held."
)


@app.command()
def held() -> None:
    """What is held, why, and until when it can be tried again."""
    days = Settings().quarantine_days
    table = Table("id", "what", "registry", "facility", "why", "since", "until")
    for one in at_the_desk(lambda session: holding.held(session, days), Role.WORKER):
        table.add_row(
            str(one.id),
            one.kind,
            one.registry_id,
            "" if one.facility_id is None else str(one.facility_id),
            one.why,
            "" if one.since is None else f"{one.since:%Y-%m-%d %H:%M}",
            "" if one.until is None else f"{one.until:%Y-%m-%d}",
        )
    Console().print(table)


@app.command()
def retry(
    id: Annotated[
        UUID,
        typer.Argument(
            help="As `held` lists it; of a delivery of images its own id, for all that it holds."
        ),
    ],
) -> None:
    """Let the step that failed try again, as often as the first time."""
    days = Settings().quarantine_days
    state = at_the_desk(lambda session: holding.retry(session, id, days), Role.WORKER)
    typer.echo(f"{id} is {state} again.")
