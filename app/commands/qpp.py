"""`hounsfield qpp …`: quality results for CMS's Quality Payment Program, as a QCDR sends them."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.benchmarks.engine import Engine
from app.catalogue import Catalogue
from app.commands.desk import at_the_desk
from app.database import Role
from app.errors import Unprocessable
from app.registries.values.texts import is_npi
from app.reports.qpp import check as checking
from app.reports.qpp.entities import Entity
from app.reports.qpp.export import LEFT_OUT, Results, export, submission
from app.reports.qpp.scoring import UNSCORED
from app.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Results of clinicians and groups for CMS's Quality Payment Program."
)

Registry = Annotated[str, typer.Option(help="A registry's id.")]
PerformanceYear = Annotated[int, typer.Option(help="The performance year.")]
Tin = Annotated[str, typer.Option(help="The TIN under which they bill, 9 digits.")]
Npi = Annotated[str | None, typer.Option(help="One clinician of it; the group when left out.")]
Program = Annotated[str, typer.Option(help="mips, or the id of an MVP.")]


@app.command()
def results(
    registry: Registry,
    year: PerformanceYear,
    tin: Tin,
    npi: Npi = None,
    program: Program = "mips",
) -> None:
    """What a clinician or a group has to send of a year, and where it stands."""
    found = _worked_out(registry, year, tin, npi, program)
    table = Table("QPP", "measure", "rate", "complete", "cases", "decile", "points", "note")
    for one in found.reported:
        score = one.score
        note = UNSCORED[score.unscored] if score.unscored else "capped" if score.capped else ""
        table.add_row(
            one.official.measure_id,
            one.measure.id,
            str(score.performance_rate),
            f"{score.reporting_rate} %",
            str(score.case_count),
            "" if score.decile is None else str(score.decile),
            "" if score.points is None else str(score.points),
            note,
        )
    for left in found.left_out:
        note = f"not sent: {LEFT_OUT[left.reason]}"
        table.add_row(left.official.measure_id, left.measure.id, "", "", "", "", "", note)
    Console().print(table)
    if found.provisional:
        typer.echo(f"{year} has not ended: these results are not final.", err=True)


@app.command("export")
def write(
    registry: Registry,
    year: PerformanceYear,
    tin: Tin,
    output: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    npi: Npi = None,
    program: Program = "mips",
) -> None:
    """Write the submission of a clinician or a group: JSON for CMS's Submissions API, checked."""
    found = _worked_out(registry, year, tin, npi, program)
    document = submission(found, vendor=Settings().qpp_vendor)
    try:
        with output.open("x", encoding="utf-8") as file:
            output.chmod(0o600)
            json.dump(document, file, indent=2)
            file.write("\n")
    except FileExistsError:
        raise Unprocessable(
            "The output file is there already: name another, or move it away."
        ) from None
    typer.echo(f"{registry}: {len(found.reported)} measures of {year} written.")
    if found.provisional:
        typer.echo(f"{year} has not ended: these results are not final.", err=True)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A submission as JSON.")
    ],
) -> None:
    """Check a submission as CMS would; every complaint is a line that names its measure."""
    try:
        sent = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise Unprocessable("The file is not JSON.") from None
    complaints = checking.check(sent, vendor=Settings().qpp_vendor)
    for one in complaints:
        typer.echo(str(one), err=True)
    if complaints:
        sys.exit(1)
    typer.echo("CMS's rules are kept.")


def _worked_out(registry: str, year: int, tin: str, npi: str | None, program: str) -> Results:
    if not (len(tin) == 9 and tin.isascii() and tin.isdigit()):
        raise Unprocessable("A TIN has 9 digits, without a hyphen.")
    if npi is not None and not is_npi(npi):
        raise Unprocessable("An NPI has 10 digits, the last of which checks the others.")
    settings = Settings()

    async def work(session: AsyncSession) -> Results:
        catalogue = Catalogue(settings)
        await catalogue.refresh(session)
        definition = catalogue.in_force(registry)
        found = await export(
            session,
            Engine.of(settings),
            definition,
            Entity(tin, npi),
            year,
            reach=None,
            today=datetime.now(UTC).date(),
            program=program,
            vendor=settings.qpp_vendor,
        )
        details = {"year": year, "entity": found.entity.kind}
        for facility in found.places.facilities:
            await audit.record(
                session,
                None,
                "export",
                "qpp-results",
                registry,
                facility_id=facility,
                registry_id=registry,
                details=details,
            )
        return found

    return at_the_desk(work, Role.WORKER)
