"""`hounsfield deid`: de-identify files, folders and archives, without a server or a database."""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from app.commands.policy import DEFAULT, lines, policy
from app.deid.files import secret
from app.deid.files.account import Totals
from app.deid.files.outcomes import Fate
from app.deid.files.run import Order, Told, check, run
from app.deid.files.sources import weighed

app = typer.Typer()

HELD_BACK = 3
"""Exit code when an object was held back or refused; 0 says that every object was written."""

# A paragraph is one line each: the terminal decides where lines break.
HELP = "\n\n".join(
    (
        "De-identify DICOM objects: files, folders and zip archives into a new folder.",
        "Every file is looked at; DICOM is known by its content, whatever its name. Outputs are named by "
        "their new identifiers, PATIENT/STUDY/SERIES/INSTANCE.dcm. Inputs are only read.",
        "What is done is PS3.15 Annex E with the options of the profile (see --explain), then a second "
        "look for the object's own identifiers: what it doubts is held back and not written.",
        "A run that was stopped goes on when the same command is given again: a key file is needed for "
        "that. Nothing is ever half written, and no output is there before its line in the journal.",
        "Ends with 0 when every object was written, 3 when some were held back or refused (the map and "
        "the report say why), 1 when it could not go on, 2 when it was called wrongly. Files that are no "
        "DICOM objects are listed and change nothing.",
        "For example: hounsfield deid exports/ more.zip cleaned/ --key-file study.key --make-key "
        "--map map.json --report report.json",
    )
)


@app.command("deid", no_args_is_help=True, help=HELP)
def deid(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files, folders and zip archives, in any mix; the last path is the folder for "
            "the outputs: new, empty, or of an earlier run that is to be finished.",
            metavar="IN... OUT",
        ),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            help="What to do: a deid.yaml, the id of a packaged registry, or `default`.",
            metavar="FILE|NAME",
        ),
    ] = DEFAULT,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="The secret behind pseudonyms, UIDs and dates: at least 32 random bytes that "
            "nobody else should read. Equal secrets give equal results, on any machine. Without one "
            "a fresh secret is used and forgotten."
        ),
    ] = None,
    make_key: Annotated[
        bool, typer.Option("--make-key", help="Make the key file when there is none.")
    ] = False,
    scope: Annotated[
        str,
        typer.Option(
            help="A name that is mixed into the secret: the same patient gets another pseudonym "
            "in another scope."
        ),
    ] = "",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="Processes that work at once; as many as cores when left out."
        ),
    ] = None,
    map_file: Annotated[
        Path | None,
        typer.Option(
            "--map",
            help="Write which output each input became. It holds the inputs' names: keep it from "
            "those who get the outputs.",
            metavar="MAP.json",
        ),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write what was done to every attribute of every object, and by which rule. It "
            "holds no value and no name.",
            metavar="REPORT.json",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say what the profile does to every attribute, and why, and stop."
        ),
    ] = False,
) -> None:
    """De-identify DICOM objects; `HELP` says the rest."""
    if explain:
        from app.deid.explain import explained  # takes a second to load

        chosen = policy(profile)
        for line in lines(explained(chosen)):
            typer.echo(line)
        return
    if not paths or len(paths) < 2:
        raise typer.BadParameter("At least one input and the folder for the outputs are needed.")
    if make_key and key_file is None:
        raise typer.BadParameter("--make-key needs --key-file, to know where.")
    *inputs, out = paths
    console = Console(stderr=True, highlight=False)
    order = Order(
        inputs=inputs,
        out=out,
        profile=policy(profile),
        secret=_secret(key_file, make_key),
        scope=scope,
        jobs=jobs or usable_cores(),
        map_file=map_file,
        report_file=report_file,
    )
    check(order)
    if key_file is None:
        console.print(
            "No key file: a fresh secret is used and forgotten. Another run will give other "
            "pseudonyms, and this one cannot be continued.",
            soft_wrap=True,
        )
    elif secret.is_open(key_file):
        console.print(
            "Others may read the key file, and so undo pseudonyms: make it yours alone (chmod 600).",
            soft_wrap=True,
        )
    totals = run(order, partial(_display, console, inputs))
    gc.freeze()  # what is left goes with the process: its end need not look through all of it
    _tell(console, order, totals)


def usable_cores() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _secret(key_file: Path | None, make: bool) -> bytes:
    if key_file is None:
        return secret.fresh()
    return secret.made(key_file) if make else secret.read(key_file)


@contextmanager
def _display(console: Console, inputs: Sequence[Path]) -> Iterator[Told]:
    """A bar that shows how far it is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    counted = dict.fromkeys(Fate, 0)
    with Progress(*columns, console=console, transient=not console.is_terminal) as display:
        task = display.add_task("de-identifying", total=weighed(inputs))

        def told(size: int, ended: Fate) -> None:
            counted[ended] += 1
            kept = counted[Fate.HELD] + counted[Fate.REFUSED]
            said = f"{counted[Fate.WRITTEN]} written" + (f", {kept} held back" if kept else "")
            display.update(task, advance=size, description=said)

        yield told


def _tell(console: Console, order: Order, totals: Totals) -> None:
    """How it ended, in a few lines without names; exit 3 if anything was held back."""
    said = totals.told()
    console.print(
        f"{said['inputs']} inputs: {said['written']} written, {said['held']} held back, "
        f"{said['refused']} refused, {said['passed-by']} no DICOM object. {said['outputs']} outputs "
        f"of {said['patients']} patients, {said['studies']} studies, {said['series']} series.",
        soft_wrap=True,
    )
    for reason, times in said["reasons"].items():
        console.print(f"  {reason}: {times}")
    if order.map_file is not None and order.out.resolve() in order.map_file.resolve().parents:
        console.print("The map lies in OUT and names the inputs: move it before OUT is shared.")
    if totals.fates[Fate.HELD] or totals.fates[Fate.REFUSED]:
        raise typer.Exit(HELD_BACK)
