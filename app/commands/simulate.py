"""`hounsfield simulate`: a nation of facilities with known truth, as files for every door."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.errors import NotFound
from app.registries import load
from app.registries.schema import Definition
from app.settings import Settings
from app.simulation.plan import Plan
from app.simulation.write import simulate as write_nation

app = typer.Typer()

REGISTRY = "early-lung-cancer-detection"


def newest(registry: str) -> Definition:
    """The newest version of a registry, among the packaged ones and the deployer's own."""
    own = Settings().definitions
    found = [
        load.load(folder)
        for root in (load.PACKAGED, *([own] if own else []))
        for folder in load.folders(root)
    ]
    versions = [one for one in found if one.id == registry]
    if not versions:
        raise NotFound("There is no registry of that name.")
    return max(versions, key=lambda one: [int(part) for part in one.version.split(".")])


@app.command("simulate")
def simulate(
    out: Annotated[Path, typer.Argument(help="A new or empty folder for the nation.")],
    seed: Annotated[int, typer.Option(help="Equal seeds make equal nations.")] = 1,
    facilities: Annotated[int, typer.Option(min=1, max=20_000, help="How many facilities.")] = 20,
    cases: Annotated[int, typer.Option(min=1, help="How many screening exams.")] = 2_000,
    flawed: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="The share of entries with known flaws.")
    ] = 0.02,
    images: Annotated[int, typer.Option(min=0, help="How many exams also come as CT studies.")] = 0,
    instances: Annotated[int, typer.Option(min=1, max=500, help="CT instances of one study.")] = 2,
    years: Annotated[int, typer.Option(min=1, max=10, help="Years that the histories span.")] = 4,
    registry: Annotated[str, typer.Option(help="The registry whose forms are filled.")] = REGISTRY,
) -> None:
    """Simulate a nation: entries for every door, CT instances, and the truth to hold results to."""
    console = Console(stderr=True)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        console.print("The folder must be new or empty.")
        raise typer.Exit(1)
    definition = newest(registry)
    plan = Plan(
        seed=seed,
        facilities=facilities,
        cases=cases,
        flawed=flawed,
        studies=images,
        instances=instances,
        years=years,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as display:
        task = display.add_task("simulating", total=cases)
        summary = write_nation(
            plan,
            definition,
            out,
            lambda doing, done, whole: display.update(
                task, description=doing, completed=done, total=whole
            ),
        )
    console.print(
        f"{summary.cases} cases of {summary.people} people at {facilities} facilities: "
        f"{summary.entries} entries ({summary.flawed} with a flaw that rejects) in "
        f"{summary.submissions} submissions, {summary.studies} CT studies. The truth is in "
        "truth.ndjson, answer_key.ndjson and canaries.txt.",
        soft_wrap=True,
    )
