"""`hounsfield subject …`: people found to be one, and parted again."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.desk import at_the_desk
from app.database import Role
from app.ingest import unmerge as parting

app = typer.Typer(no_args_is_help=True, help="Merges of subjects, and their undoing.")


@app.command()
def merges(
    registry: Annotated[str, typer.Option(help="The registry's id.")],
) -> None:
    """The merges of a registry, the latest first; subjects by their numbers."""
    table = Table("id", "merged", "subject", "into", "cases", "by submission", "undone")
    for merge, submission in at_the_desk(
        lambda session: parting.merges(session, registry), Role.WORKER
    ):
        table.add_row(
            str(merge.id),
            f"{merge.merged_at:%Y-%m-%d %H:%M}",
            str(merge.merged_subject_id),
            str(merge.surviving_subject_id),
            str(len(merge.cases)),
            "" if submission is None else str(submission),
            "" if merge.undone_at is None else f"{merge.undone_at:%Y-%m-%d %H:%M}",
        )
    Console().print(table)


@app.command()
def unmerge(merge_id: Annotated[int, typer.Argument(help="The merge's id.")]) -> None:
    """Part two subjects again: the cases that moved move back, and the measures with them."""
    cases = at_the_desk(lambda session: parting.unmerge(session, merge_id), Role.WORKER)
    typer.echo(f"Cases moved back: {cases}.")
