"""
Pictures of the pages people see, into docs/pictures: `make screenshots`.

They are taken of a demonstration nation, so that every figure in them is simulated. Reports on paper
and as pages are pictured for a large, a tiny and a new facility of a nation of planted tables.
"""

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from PIL import Image

from app.benchmarks.compare import compare
from app.benchmarks.periods import period
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role, migrate
from app.postgres import Embedded
from app.registries.schema import Definition
from app.reports import render
from app.reports.compose import compose
from app.reports.composition import Composition
from app.reports.paper import pictures
from perf.bench.feedback import Place, places, plant, plant_cases
from tests.browser.browser import Page, browser
from tests.make.definitions import ORIGINAL

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
REGISTRY = "early-lung-cancer-detection"
NATION = ("--facilities", "24", "--cases", "2400", "--images", "4")
KEY = re.compile(r"hk_[a-z2-7]{12}_[0-9a-f]{64}")
REPORT = re.compile(r"report\s+http\S+\?next=(\S+)")
PAGES = re.compile(r"pages\s+(http\S+)")


@contextmanager
def demonstration() -> Iterator[str]:
    """What the demo printed, while it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", *NATION],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Serving until" in line:
                break
        else:
            raise SystemExit(f"the demo did not come to serve:\n{said}")
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(120)


def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the demo must not outlive us
    with demonstration() as said, browser() as opened:
        key, report, home = KEY.search(said), REPORT.search(said), PAGES.search(said)
        if not (key and report and home):
            raise SystemExit(f"the demo did not print a key and its addresses:\n{said}")
        take(opened.page(), key[0], home[1].rstrip("/") + report[1], home[1].rstrip("/"))
        with tempfile.TemporaryDirectory(prefix="hounsfield-pictures-") as folder:
            for name, made in reports(Path(folder)).items():
                on_paper(name, made)
                as_page(opened.page(), Path(folder), name, made)


def reports(folder: Path) -> dict[str, Composition]:
    """The same registry and period for a large, a tiny and a new facility."""
    registry = newest(ORIGINAL)
    since = date(2023, 10, 1)
    chosen = {
        "large": Place(200001, "Riverside University Hospital", 1_900, since, 0.12, 0.35),
        "tiny": Place(200002, "Cedar Hollow Imaging", 1.2, since),
        "new": Place(200003, "Harbor Lights Lung Center", 90, date(2026, 7, 1)),
    }
    cluster = Embedded(folder / "postgres", durable=False)
    cluster.start()
    try:
        cluster.create_database("pictures")
        asyncio.run(migrate(cluster.url("owner", "pictures")))
        return asyncio.run(
            _composed(cluster.url("hounsfield_worker", "pictures"), registry, chosen, since)
        )
    finally:
        cluster.destroy()


async def _composed(
    url: str, registry: Definition, chosen: dict[str, Place], since: date
) -> dict[str, Composition]:
    at = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    database = Database(url, Role.WORKER, pool=1)
    try:
        async with database.transaction(EVERYTHING) as session:
            await plant(session, registry, [*places(60, since), *chosen.values()], date(2026, 9, 1))
            for one in chosen.values():
                cases = max(round(3 * one.monthly), 1)
                await plant_cases(session, registry, one.facility_id, date(2026, 7, 1), 92, cases)
        async with database.transaction(EVERYTHING) as session:
            await compare(session, registry, at.date())
            return {
                name: await compose(session, registry, one.facility_id, period("2026Q3"), at=at)
                for name, one in chosen.items()
            }
    finally:
        await database.close()


def on_paper(name: str, made: Composition) -> None:
    """The first page and that of a measure beside each other, as they leave the printer."""
    pages = [Image.open(io.BytesIO(one)) for one in pictures(made, ppi=100)]
    chosen = [pages[0], pages[min(4, len(pages) - 1)]]
    width, height = chosen[0].size
    sheet = Image.new("RGB", (2 * width + 12, height), "#8a949c")
    for place, one in enumerate(chosen):
        sheet.paste(one, (place * (width + 12), 0))
    # Few colours are in it: a palette keeps the picture small, and the rare ones too.
    sheet.quantize(128, Image.Quantize.MAXCOVERAGE).save(
        PICTURES / f"report-{name}-paper.png", optimize=True
    )


def as_page(page: Page, folder: Path, name: str, made: Composition) -> None:
    """The top of the same report as a page."""
    file = folder / f"{name}.html"
    file.write_text(render.page(made), encoding="utf-8")
    page.size(1120, 1100)
    page.open(file.as_uri())
    page.screenshot(PICTURES / f"report-{name}-page.png", whole=False)


def take(page: Page, key: str, report: str, home: str) -> None:
    """Walk through the pages with one facility's key."""
    page.size(1200, 820)
    page.open(home + "/")
    page.screenshot(PICTURES / "home.png", whole=False)
    page.open(home + "/sign-in")
    page.until("document.activeElement.id === 'key'")
    page.type(key)
    page.does("document.querySelector('main form').requestSubmit()")
    page.open(f"{home}/registries/{REGISTRY}")
    page.screenshot(PICTURES / "registry.png", whole=False)
    page.open(f"{home}/registries/{REGISTRY}/submit")
    page.screenshot(PICTURES / "submit.png", whole=False)
    page.open(f"{home}/submissions")
    page.screenshot(PICTURES / "submissions.png", whole=False)
    page.does("[...document.querySelectorAll('tbody a')].at(-1).click()")
    page.screenshot(PICTURES / "submission.png", whole=False)
    page.size(1120, 1500)
    page.open(report + "?format=html")
    page.screenshot(PICTURES / "report.png", whole=False)
    page.size(1120, 760)
    page.run("document.getElementById('ctdivol').scrollIntoView()")
    page.screenshot(PICTURES / "measures.png", whole=False)
    page.size(390, 844)
    page.run("document.getElementById('ctdivol').scrollIntoView()")
    page.screenshot(PICTURES / "measures-phone.png", whole=False)


if __name__ == "__main__":
    main()
