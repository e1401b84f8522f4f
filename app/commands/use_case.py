"""`hounsfield use-case …`: begin a use case as a file, check it, bring it in."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue import Catalogue
from app.commands.desk import at_the_desk
from app.errors import Conflict, InvalidUseCase, NotFound, Unprocessable
from app.evaluations.use_cases import kept
from app.evaluations.use_cases.read import examples, read_use_case
from app.evaluations.use_cases.steps import UNDER_WAY, UseCaseState
from app.models.use_case import UseCaseVersion
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="AI use cases: begin, check and bring in.")

File = Annotated[Path, typer.Argument(help="A use case as YAML.", exists=True, dir_okay=False)]


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
    example: Annotated[
        str, typer.Option(help=f"What to begin with: {', '.join(examples())}.")
    ] = next(iter(examples())),
) -> None:
    """Write a use case to begin with, one of our examples, ready to be altered."""
    if example not in examples():
        raise NotFound(f"The examples are: {', '.join(examples())}.")
    if file.exists():
        raise Conflict(f"{file} is there already. Name a file that is not.")
    try:
        shutil.copyfile(examples()[example], file)
    except OSError as error:
        raise Unprocessable(f"{file} cannot be written: {error.strerror}.") from None
    typer.echo(f"Wrote {file}. Alter it, then: hounsfield use-case check {file}")


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(help="Use cases as YAML.", exists=True, dir_okay=False)
    ],
) -> None:
    """Check use cases: every complaint with its file and line, the elements looked up in definitions."""
    definitions = kept.at_hand(Catalogue(Settings()))
    complaints: list[str] = []
    for file in files:
        try:
            found = read_use_case(file, definitions)
        except InvalidUseCase as error:
            complaints += [f"{file.parent / one}" for one in error.complaints]
        else:
            tables = found.technical_specification
            typer.echo(
                f"{file}: sound. {len(tables.inputs)} inputs, {len(tables.outputs)} outputs, "
                f"elements of {', '.join(sorted(found.registries)) or 'no registry'}."
            )
    if complaints:
        raise InvalidUseCase(complaints)


@app.command("import")
def bring_in(
    file: File,
    use_case: Annotated[
        str | None,
        typer.Option(
            help="Its number; the draft's text is replaced, or a version begun. Without it, a new one."
        ),
    ] = None,
) -> None:
    """Bring a use case in as a draft, at the operator's desk."""

    async def work(session: AsyncSession) -> UseCaseVersion:
        catalogue = Catalogue(Settings())
        await catalogue.refresh(session)
        document = read_use_case(file, kept.at_hand(catalogue))
        if use_case is None:
            return await kept.begin(session, None, document)
        await kept.locked(session, use_case)
        row = await kept.newest(session, use_case)
        if row.state not in UNDER_WAY:
            row = await kept.begin_version(session, None, use_case)
        await kept.rewrite(session, None, row, document)
        return row

    row = at_the_desk(work)
    typer.echo(f"{row.use_case_id} version {row.version} is a {UseCaseState.DRAFT}.")
