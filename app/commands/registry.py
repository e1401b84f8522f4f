"""`hounsfield registry …`: check, publish, compare and look at definitions."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app import errors
from app.catalogue import Catalogue
from app.commands.builder import docs, new
from app.commands.definitions import read_all
from app.commands.elements import export_cde, import_cde
from app.commands.simulate import simulate_registry
from app.database import EVERYTHING, Database, Role
from app.postgres import addresses
from app.registries.compare import compare as compared
from app.registries.compare import incomparable
from app.registries.dictionary.markdown import markdown
from app.registries.dictionary.rows import MARKS
from app.registries.lineage import conversion_of
from app.registries.load import PACKAGED
from app.registries.schema import Definition
from app.registries.workbook import template as workbook
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Registries and the definitions that make them.")

app.command("new")(new)
app.command("docs")(docs)
app.command("simulate")(simulate_registry)
app.command("import-cde")(import_cde)
app.command("export-cde")(export_cde)

Registry = Annotated[str, typer.Argument(help="The registry's id.", metavar="REGISTRY")]
Version = Annotated[str | None, typer.Option(help="One version; otherwise the one in force.")]
Folder = Annotated[Path, typer.Argument(help="A definition's folder.", metavar="FOLDER")]


@app.command()
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders to check; without any, the packaged definitions.", metavar="[FOLDER]..."
        ),
    ] = None,
) -> None:
    """Check definitions, and say everything that is wrong with them at once."""
    complaints: list[str] = []
    for path in paths or [PACKAGED]:
        # The examples of what is packaged were counted before it was.
        definitions, said = read_all(path, worked=bool(paths))
        complaints += said
        for one in definitions:
            counts = (
                f"{len(one.forms)} forms, {sum(len(form.elements) for form in one.forms)} elements, "
                f"{len(one.rules)} rules, {len(one.measures)} measures"
            )
            typer.echo(f"{one.id} {one.version}: {counts}, digest {one.digest[:12]}")
    for line in complaints:
        typer.echo(line)
    if complaints:
        count = len(complaints)
        raise errors.InvalidDefinition([f"{count} complaint{'s' if count > 1 else ''}"])


@app.command()
def publish(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders to publish; without any, what is packaged and in HOUNSFIELD_DEFINITIONS.",
            metavar="[FOLDER]...",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who decided it.")] = None,
) -> None:
    """Freeze definitions in the database. What is published already stays as it is."""
    settings = Settings()
    definitions: list[Definition] = []
    complaints: list[str] = []
    for path in paths or []:
        found, said = read_all(path, worked=True)
        definitions += found
        complaints += said
    if complaints:
        raise errors.InvalidDefinition(complaints)
    catalogue = Catalogue(settings)

    async def work(owner: str) -> list[tuple[Definition, bool]]:
        database = Database(owner, Role.OWNER, pool=1)
        try:
            async with database.transaction(EVERYTHING) as session:
                if not definitions:
                    return [(one, True) for one in await catalogue.publish_packaged(session)]
                return [
                    (one, await catalogue.publish(session, one, by))
                    for one in sorted(definitions, key=lambda one: one.newness)
                ]
        finally:
            await database.close()

    with addresses(settings) as found_at:
        done = asyncio.run(work(found_at.owner))
    for one, changed in done:
        word = "published" if changed else "was published already"
        typer.echo(f"{one.id} {one.version} {word}, digest {one.digest[:12]}")
    if not done:
        typer.echo("Everything was published already.")


@app.command("list")
def list_registries() -> None:
    """List the registries that are packaged or in HOUNSFIELD_DEFINITIONS."""
    catalogue = Catalogue(Settings())
    table = Table("registry", "version", "title", "takes entries from", "until", "measures")
    for registry in catalogue.registries():
        for one in catalogue.versions(registry.id):
            until = one.accept_until.isoformat() if one.accept_until else ""
            table.add_row(
                one.id,
                one.version,
                one.title,
                one.accept_from.isoformat(),
                until,
                str(len(one.measures)),
            )
    Console().print(table)


@app.command()
def show(registry: Registry, version: Version = None) -> None:
    """Show what a registry collects and measures."""
    one = Catalogue(Settings()).registry(registry, version=version)
    typer.echo(f"{one.title} ({one.id} {one.version})")
    typer.echo(f"Steward: {one.steward}")
    for form in one.forms:
        required = sum(1 for element in form.elements if element.required)
        typer.echo(
            f"Form {form.id} ({form.level}): {len(form.elements)} elements, {required} required"
        )
    for measure in one.measures:
        mark = f" [{MARKS[measure.source]}]" if MARKS[measure.source] else ""
        typer.echo(f"Measure {measure.id}: {measure.title}{mark}")


@app.command()
def compare(
    old: Folder,
    new: Annotated[Path, typer.Argument(help="The folder of the new version.", metavar="NEW")],
) -> None:
    """Say what a new version breaks; exit 1 if its cases could not stand beside the old ones."""
    pair: list[Definition] = []
    for path in (old, new):
        definitions, complaints = read_all(path)
        if complaints or len(definitions) != 1:
            raise errors.InvalidDefinition(
                complaints or [f"{path}: name the folder of one version"]
            )
        pair += definitions
    changes = compared(*pair)
    for change in changes:
        typer.echo(str(change))
    if not changes:
        typer.echo("The two say the same.")
    if conversion_of(pair[1], pair[0].version) is not None:
        open_ones = sum(change.covered is False for change in changes)
        typer.echo(
            f"The conversion of {pair[0].version} covers what it has to."
            if not open_ones
            else f"The conversion of {pair[0].version} leaves {open_ones} open."
        )
    if incomparable(*pair):
        raise errors.Conflict("Cases of the two versions could not be compared.")


@app.command()
def dictionary(registry: Registry, version: Version = None) -> None:
    """Print the data dictionary as Markdown."""
    typer.echo(markdown(Catalogue(Settings()).registry(registry, version=version)), nl=False)


@app.command()
def template(
    registry: Registry,
    form: Annotated[
        str | None, typer.Option(help="A form; otherwise the registry's first.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    version: Version = None,
) -> None:
    """Write an Excel template for a form's entries."""
    one = Catalogue(Settings()).registry(registry, version=version)
    wanted = form or one.first_case_form.id
    if wanted not in {entry.id for entry in one.entry_forms}:
        forms = ", ".join(entry.id for entry in one.entry_forms)
        raise errors.NotFound(f"The registry has no such form of entries; it has {forms}.")
    path = to or Path(f"{one.id}-{wanted}-{one.version}.xlsx")
    path.write_bytes(workbook(one, wanted))
    typer.echo(f"Wrote {path}")
