"""
How fast a nation's feedback reports are issued.

    python perf/reports.py [--reports N] [--facilities N] [--short]

Makes the benchmark tables of a nation of skewed facilities (12 measures, 36 months, a peers' snapshot)
and, for a sample of them, cases of the quarter; then runs `hounsfield issue` for the sample, with a
process on every core. Beside it, in turns: plain typst setting as many pages of mere text, and
Vega-Lite drawing as many pictures. Prints reports a minute, what 6,500 would take, CPU a report,
and the ratios.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import typst
import vl_convert
from bench.feedback import Place, places, plant, plant_cases
from sqlalchemy import text

from app.archive import Archive
from app.benchmarks.compare import compare
from app.benchmarks.periods import period
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role, migrate
from app.models import IssuedReport
from app.postgres import Embedded
from app.registries.schema import Definition
from app.reports import issue, paper, vega
from app.reports.composition import Composition
from app.settings import Settings

NATION = 6_500
GOAL_MINUTES, FLOOR_MINUTES, CORES = 30, 90, 2
OVER, TODAY = period("2026Q3"), datetime(2026, 11, 20, tzinfo=UTC)
TWELVE = (
    "ctdivol",
    "ctdivol_at_most_3_mgy",
    "dlp",
    "effective_dose",
    "follow_up_completeness_3",
    "adherence",
    "cancer_detection_rate",
    "follow_up_reporting_rate",
    "appropriate_uspstf_2021",
    "recall_rate",
    "abnormal_interpretation_rate",
    "cessation_counseling_offered",
)
TURNS = 5


def definition() -> Definition:
    """The packaged registry with twelve of its measures."""
    whole = newest("early-lung-cancer-detection")
    chosen = tuple(one for one in whole.measures if one.id in TWELVE)
    assert len(chosen) == len(TWELVE)
    return whole.model_copy(update={"measures": chosen})


async def prepare(
    url: str, registry: Definition, nation: Sequence[Place], sample: Sequence[Place]
) -> float:
    """The tables, the cases of the sample and a snapshot; seconds of the snapshot."""
    database = Database(url, Role.WORKER, pool=2)
    try:
        async with database.transaction(EVERYTHING) as session:
            await plant(session, registry, nation, date(2026, 9, 1))
        async with database.transaction(EVERYTHING) as session:
            for one in sample:
                cases = max(round(3 * one.monthly), 1)
                await plant_cases(session, registry, one.facility_id, OVER.first, 92, cases)
        begun = time.perf_counter()
        async with database.transaction(EVERYTHING) as session:
            await compare(session, registry, TODAY.date())
        taken = time.perf_counter() - begun
    finally:
        await database.close()
    return taken


async def make(
    url: str, settings: Settings, registry: Definition, issue_id: int
) -> tuple[int, float]:
    """One process's share, as `hounsfield issue` does it: reports after the first, and their CPU.

    The first bears what is paid once a process: fonts, template, statements.
    """
    made, started = -1, 0.0
    database = Database(url, Role.WORKER, pool=2)
    try:
        archive = Archive(settings)
        while await issue.issue_next(
            database, archive, registry, issue_id, at=TODAY, lease_seconds=120, tries=2
        ):
            made += 1
            if not made:
                started = time.process_time()
        return max(made, 0), time.process_time() - started
    finally:
        await database.close()


def worker(url: str, folder: str, issue_id: int) -> None:
    """A process of its own: issue what is free, then say what it cost."""
    made, used = asyncio.run(make(url, Settings(data=Path(folder)), definition(), issue_id))
    print(json.dumps([made, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


async def server_seconds(url: str) -> float:
    """CPU seconds that this PostgreSQL has used so far: its living processes and those that ended."""
    database = Database(url, Role.WORKER, pool=1)
    try:
        async with database.transaction(EVERYTHING) as session:
            return _with_siblings(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
    finally:
        await database.close()


def _with_siblings(process: int) -> float:
    """CPU seconds of a server's processes, from one of them."""
    parent = int(_stat(process)[1])
    living = [int(one.name) for one in Path("/proc").glob("[0-9]*")]
    children = [one for one in living if (found := _stat(one)) and int(found[1]) == parent]
    ticks = sum(int(field) for one in children for field in _stat(one)[11:13])
    ticks += sum(int(field) for field in _stat(parent)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[str]:
    """The fields of a process after its name; none of one that ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


async def begin(url: str, registry: Definition, sample: Sequence[Place]) -> int:
    database = Database(url, Role.WORKER, pool=1)
    try:
        found = await issue.begin(
            database, registry, OVER, today=TODAY, facilities={one.facility_id for one in sample}
        )
        assert found is not None
        return found.id
    finally:
        await database.close()


async def issued(
    url: str, settings: Settings, issue_id: int
) -> tuple[int, list[Composition], float]:
    """How many were issued, what some of them say, and the size of the PDFs in the middle."""
    database = Database(url, Role.WORKER, pool=1)
    try:
        done = (await issue.end(database, issue_id)).issued
        async with database.transaction(EVERYTHING) as session:
            rows = list(
                await session.scalars(
                    text("SELECT id FROM issued_reports WHERE state = 'issued' ORDER BY id")
                )
            )
            found = [await session.get(IssuedReport, one) for one in rows]
        reports = [one for one in found if one is not None]
        sizes = [one.pdf_size or 0 for one in reports]
        archive = Archive(settings)
        some = [await issue.as_issued(archive, one) for one in reports[:TURNS]]
        return done, some, statistics.median(sizes)
    finally:
        await database.close()


def text_only(pages: int) -> float:
    """CPU seconds of plain typst on so many pages of text, its fonts and nothing else."""
    words = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. " * 12
    source = "\n#pagebreak()\n".join(f"= Page {page}\n{words}" for page in range(pages))
    begun = time.process_time()
    typst.Compiler(source.encode(), ignore_system_fonts=True).compile(format="pdf")
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[1])
    parser.add_argument("--reports", type=int, default=60)
    parser.add_argument("--facilities", type=int, default=400)
    parser.add_argument("--short", action="store_true", help="12 reports of 60 facilities")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        worker(asked.worker[0], asked.worker[1], int(asked.worker[2]))
        return
    count, size = (12, 60) if asked.short else (asked.reports, asked.facilities)
    registry, nation = definition(), places(size, date(2023, 10, 1))
    sample = [nation[place * size // count] for place in range(count)]
    processes = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="hounsfield-reports-") as folder:
        settings = Settings(data=Path(folder))
        cluster = Embedded(Path(folder) / "postgres", durable=True)
        cluster.start()
        try:
            cluster.create_database("reports")
            asyncio.run(migrate(cluster.url("owner", "reports")))
            url = cluster.url("hounsfield_worker", "reports")
            snapshot = asyncio.run(prepare(url, registry, nation, sample))
            issue_id = asyncio.run(begin(url, registry, sample))
            before, begun = asyncio.run(server_seconds(url)), time.perf_counter()
            made = [
                subprocess.Popen(
                    [sys.executable, __file__, "--worker", url, folder, str(issue_id)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for _ in range(processes)
            ]
            told = [json.loads(one.communicate()[0]) for one in made]
            wall = time.perf_counter() - begun
            database = asyncio.run(server_seconds(url)) - before
            done, some, middle = asyncio.run(issued(url, settings, issue_id))
        finally:
            cluster.destroy()
    if done != count:
        raise SystemExit(f"{done} of {count} reports were issued")
    _print(count, size, processes, wall, database, snapshot, told, some, middle)


def _print(
    count: int,
    size: int,
    processes: int,
    wall: float,
    database: float,
    snapshot: float,
    told: list[list[float]],
    some: list[Composition],
    middle: float,
) -> None:
    making = sum(one[1] for one in told) / sum(one[0] for one in told)
    each = making + database / count
    pages = len(paper.document(some[0])["pages"]) + 4
    charts = sum(
        len(page.get("wide", [])) + len(page.get("small", []))
        for page in paper.document(some[0])["pages"]
    )
    set_again, plain, drawn = [], [], []
    for report in some:
        begun = time.process_time()
        paper.pdf(report)
        set_again.append(time.process_time() - begun)
        plain.append(text_only(pages))
        measure = next(one for one in report.measures if one.run is not None and one.shown.rate)
        specification = json.dumps(vega.specification(measure, "run"))
        begun = time.process_time()
        vl_convert.vegalite_to_svg(specification, vl_version="6.1")
        drawn.append(time.process_time() - begun)
    at_cpu = each * NATION / CORES / 60
    at_wall = wall / count * NATION / 60 * processes / CORES
    print(f"{platform.machine()}, {os.cpu_count()} cores, typst {version('typst')}")
    print(f"nation: {size} facilities, 12 measures, 36 months; snapshot in {snapshot:.1f} s")
    print(
        f"{count} reports of about {pages} pages with {charts} charts, PDF {middle / 1e3:,.0f} kB, on"
        f" {processes} processes: {wall:.1f} s, start included"
    )
    print(
        f"  CPU a report {each:.2f} s (making {making:.2f}, PostgreSQL {database / count:.2f});"
        f" {60 / each:,.0f} reports a minute and core"
    )
    print(f"  peak memory of a process {max(one[2] for one in told):,.0f} MB")
    verdict = (
        "goal reached"
        if at_cpu <= GOAL_MINUTES
        else "floor reached"
        if at_cpu <= FLOOR_MINUTES
        else "MISSED"
    )
    print(
        f"6,500 reports on {CORES} cores: {at_cpu:.0f} min by CPU, {at_wall:.0f} min by the clock of this"
        f" run; floor {FLOOR_MINUTES}, goal {GOAL_MINUTES}: {verdict}"
    )
    best, text_best, vega_best = min(set_again), min(plain), min(drawn[1:] or drawn)
    print(
        f"setting one PDF: {best:.2f} s; plain typst, as many pages of text: {text_best:.2f} s; ratio {best / text_best:.1f}"
    )
    print(
        f"a picture by Vega-Lite: {vega_best * 1e3:.0f} ms; {charts} of them {charts * vega_best:.2f} s, ours"
        f" with all the paper {best:.2f} s; ratio {best / (charts * vega_best):.2f}"
    )
    if verdict == "MISSED":
        raise SystemExit(1)


if __name__ == "__main__":
    main()
