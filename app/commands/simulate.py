"""`hounsfield simulate`: a nation of facilities with known truth, as files for every door."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.commands.definitions import newest, shown_first
from app.errors import Unprocessable
from app.registries.schema import Definition
from app.simulation.doors import MEDIA_TYPES
from app.simulation.plan import Plan
from app.simulation.write import Summary
from app.simulation.write import simulate as write_nation

app = typer.Typer()

Seed = Annotated[int, typer.Option(help="Equal seeds make equal nations.")]


@app.command("simulate")
def simulate(
    out: Annotated[Path, typer.Argument(help="A new or empty folder for the nation.")],
    seed: Seed = 1,
    facilities: Annotated[int, typer.Option(min=1, max=20_000, help="How many facilities.")] = 20,
    cases: Annotated[int, typer.Option(min=1, help="How many cases, such as exams.")] = 2_000,
    flawed: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="The share of entries with known flaws.")
    ] = 0.02,
    images: Annotated[int, typer.Option(min=0, help="How many cases also come as CT studies.")] = 0,
    instances: Annotated[int, typer.Option(min=1, max=500, help="CT instances of one study.")] = 2,
    years: Annotated[
        int | None,
        typer.Option(min=1, max=10, help="Years that the histories span; the registry's own."),
    ] = None,
    registry: Annotated[
        str | None, typer.Option(help="The registry whose forms are filled: an id or a folder.")
    ] = None,
) -> None:
    """Simulate a nation: entries for every door, CT instances, and the truth to hold results to."""
    definition = newest(registry or shown_first())
    plan = Plan(
        seed=seed,
        facilities=facilities,
        cases=cases,
        flawed=flawed,
        studies=images,
        instances=instances,
        years=years or definition.simulation.years,
    )
    written(plan, definition, out)


def simulate_registry(
    registry: Annotated[
        str, typer.Argument(help="The registry's id, or its folder.", metavar="FOLDER|ID")
    ],
    out: Annotated[Path, typer.Option(help="A new or empty folder for the data.")],
    cases: Annotated[int, typer.Option(min=1, help="How many cases.")] = 500,
    seed: Seed = 1,
    facilities: Annotated[int, typer.Option(min=1, max=20_000, help="How many facilities.")] = 3,
    flaws: Annotated[
        str, typer.Option(help="The share of entries with known flaws, such as 2%.")
    ] = "2%",
    door: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this door ({', '.join(MEDIA_TYPES)}); may be repeated."),
    ] = None,
) -> None:
    """Simulate data of a registry from its definition: files for its doors, and the answer key."""
    strange = sorted(set(door or ()) - MEDIA_TYPES.keys())
    if strange:
        raise Unprocessable(f"There is no such door; there are {', '.join(MEDIA_TYPES)}.")
    definition = newest(registry)
    plan = Plan(
        seed=seed,
        facilities=facilities,
        cases=cases,
        flawed=_share(flaws),
        doors=tuple(door or ()),
        years=definition.simulation.years,
    )
    summary = written(plan, definition, out)
    missed = [
        f"{form}: {kind}"
        for form, kinds in summary.planted.items()
        for kind, times in kinds.items()
        if not times
    ]
    if missed and plan.flawed:
        typer.echo(f"Flaws that had no turn, of more cases or a larger share: {'; '.join(missed)}")


def written(plan: Plan, definition: Definition, out: Path) -> Summary:
    """Write a nation, and tell of it."""
    console = Console(stderr=True)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Unprocessable("The folder must be new or empty.")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as display:
        task = display.add_task("simulating", total=plan.cases)
        summary = write_nation(
            plan,
            definition,
            out,
            lambda doing, done, whole: display.update(
                task, description=doing, completed=done, total=whole
            ),
        )
    console.print(
        f"{summary.cases} cases of {summary.people} people at {plan.facilities} facilities: "
        f"{summary.entries} entries ({summary.flawed} with a flaw that rejects) in "
        f"{summary.submissions} submissions, {summary.studies} CT studies. The truth is in "
        "truth.ndjson, answer_key.ndjson and canaries.txt.",
        soft_wrap=True,
    )
    return summary


def _share(text: str) -> float:
    """A share of one: `2%` or `0.02`."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 0.5:
        raise Unprocessable("Say the share of flawed entries as 2% or 0.02, at most one half.")
    return share
