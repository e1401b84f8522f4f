"""`hounsfield registry new` and `registry docs`: begin a registry, and show it to its committee."""

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from app.commands.definitions import home_of, newest, read_all
from app.errors import Conflict, InvalidDefinition, Unprocessable
from app.registries.load import PACKAGED
from app.registries.schema import Definition
from app.reports.dictionary import site

STARTER = PACKAGED.parent / "starter"
"""A sound definition of one form, to begin with."""
_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")


def new(
    registry: Annotated[str, typer.Argument(help="The new registry's id.", metavar="ID")],
    folder: Annotated[
        Path | None,
        typer.Argument(help="The folder to write; otherwise one named as the registry."),
    ] = None,
) -> None:
    """Begin a registry: a folder with a form, rules and a measure, sound and ready to be altered."""
    if not _ID.fullmatch(registry):
        raise Unprocessable("An id begins with a small letter; then letters, digits and hyphens.")
    home = folder or Path(registry)
    if home.exists():
        raise Conflict(f"{home} is there already. Name a folder that is not.")
    title = registry.replace("-", " ").capitalize()
    try:
        shutil.copytree(STARTER, home)
        for name in ("registry.yaml", "README.md"):
            path = home / name
            text = path.read_text(encoding="utf-8")
            text = text.replace("id: new-registry", f"id: {registry}").replace(
                "New registry", title
            )
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unprocessable(f"{home} cannot be written: {error.strerror}.") from None
    typer.echo(f"Wrote {home}. Alter its files, then:")
    typer.echo(f"  hounsfield registry check {home}")
    typer.echo(f"  hounsfield demo --registry {home} --exit")


def docs(
    registry: Annotated[
        str, typer.Argument(help="The registry's id, or its folder.", metavar="FOLDER|ID")
    ],
    out: Annotated[Path, typer.Argument(help="The folder to write; it may be there already.")],
    before: Annotated[
        Path | None,
        typer.Option(help="The folder of an earlier version: what has changed since is told."),
    ] = None,
) -> None:
    """Write a data dictionary as a site of its own, with search, and as a PDF beside it."""
    definition = newest(registry)
    earlier = _earlier(registry, definition, before)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in site(definition, earlier).items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise Unprocessable(f"{out} cannot be written: {error.strerror}.") from None
    typer.echo(f"Wrote {out / 'index.html'} of {definition.id} {definition.version}")


def _earlier(registry: str, definition: Definition, before: Path | None) -> Definition | None:
    """The version that was named, or the newest below this one among its neighbours."""
    home = before or home_of(registry) or PACKAGED
    found, complaints = read_all(home)
    if before is not None and (complaints or not found):
        raise InvalidDefinition(complaints or [f"{before}: name the folder of a version"])
    older = [one for one in found if one.id == definition.id and one.newness < definition.newness]
    return max(older, key=lambda one: one.newness, default=None)
