"""`hounsfield registry import-cde` and `export-cde`: common data elements to and from RadElement."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.catalogue import Catalogue
from app.errors import NotFound
from app.registries.radelement import SPECIALTIES, UnreadableSet, export_set, import_set, read_set
from app.registries.writing import yaml_of
from app.settings import Settings

LARGEST = 16 * 1024 * 1024


def import_cde(
    file: Annotated[Path, typer.Argument(help="A set: *.cde.json, either edition of the schema.")],
    into: Annotated[
        Path | None, typer.Option(help="A definition's folder; otherwise the YAML is shown.")
    ] = None,
) -> None:
    """Read a RadElement set into a definition: a form in elements/, its codes in value_sets/.

    Files that are there are never written over.
    """
    console = Console(stderr=True)
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UnreadableSet([f"larger than {LARGEST // 1024 // 1024} MiB"])
        found = import_set(read_set(json.loads(content, parse_float=str)))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no JSON"
        console.print(f"[red]{file.name}[/]: {reason}")
        raise typer.Exit(1) from None
    except UnreadableSet as error:
        for line in error.complaints:
            console.print(f"[red]{file.name}[/]: {line}", highlight=False)
        raise typer.Exit(1) from None
    form = yaml_of(found.form.model_dump(mode="json", exclude_defaults=True))
    sets = yaml_of([one.model_dump(mode="json", exclude_defaults=True) for one in found.value_sets])
    if into is None:
        print(f"# elements/{found.form.id}.yaml\n{form}")
        print(f"# value_sets/{found.form.id}.yaml\n{sets}", end="")
    else:
        targets = [
            (into / "elements" / f"{found.form.id}.yaml", form),
            (into / "value_sets" / f"{found.form.id}.yaml", sets),
        ]
        if not (into / "registry.yaml").is_file():
            console.print(f"{into}: there is no registry.yaml in this folder")
            raise typer.Exit(1)
        for path, _ in targets:
            if path.exists():
                console.print(f"{path}: is there already; move it away first")
                raise typer.Exit(1)
        for path, text in targets:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            console.print(f"wrote {path}")
    for place in found.left:
        console.print(f"left behind: {place}", highlight=False)


def export_cde(
    registry: Annotated[str, typer.Argument(help="The registry's id.")],
    form: Annotated[str, typer.Argument(help="A form of it.")],
    version: Annotated[str | None, typer.Option(help="Otherwise the one in force.")] = None,
    specialty: Annotated[
        list[str] | None, typer.Option(help="Two letters, as RSNA abbreviates; several allowed.")
    ] = None,
) -> None:
    """A form's own elements as a RadElement set, on standard output."""
    console = Console(stderr=True)
    definition = Catalogue(Settings()).registry(registry, version=version)
    if unknown := set(specialty or ()) - set(SPECIALTIES):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: there are {', '.join(SPECIALTIES)}"
        )
    found = next((one for one in definition.forms if one.id == form), None)
    if found is None:
        raise NotFound("The registry has no such form.")
    document, left = export_set(
        found,
        definition.value_sets,
        on=datetime.now(UTC).date(),
        description=definition.description,
        specialties=tuple(specialty or ("OT",)),
    )
    print(json.dumps(document, indent=2, ensure_ascii=False))
    for line in left:
        console.print(f"left behind: {line}", highlight=False)
