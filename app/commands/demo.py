"""`hounsfield demo`: a small nation through every door, held to its truth, and served."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from app import postgres
from app.commands.checks import Checks, cells_differ, tables_tell, tabulated
from app.commands.definitions import home_of, newest, shown_first
from app.commands.running import await_ready, listen
from app.errors import Unavailable
from app.registries.schema import Definition
from app.settings import Settings
from app.simulation.canaries import Canaries
from app.simulation.oracle import Oracle
from app.simulation.plan import Plan
from app.simulation.proof import (
    counts_differ,
    findings_differ,
    images_differ,
    rates_differ,
    worklists_differ,
)
from app.simulation.sending import Keys, Nation, Office, read_lines
from app.simulation.write import simulate

READY_SECONDS = 300.0
"""More than `hounsfield up` waits for its own processes: it knows better what did not come."""
MAY_BE_TOLD = frozenset({"uid"})
"""What an answer may repeat to its sender: the UIDs that PS3.18 has in a STOW-RS response."""

app = typer.Typer()

Told = Callable[[str, int, int], None]


@app.command("demo")
def demo(
    leave: Annotated[
        bool, typer.Option("--exit", help="Check everything, stop, and say with the exit code.")
    ] = False,
    facilities: Annotated[int, typer.Option(min=1, max=500, help="How many facilities.")] = 8,
    cases: Annotated[
        int | None,
        typer.Option(
            min=10,
            max=500_000,
            help="How many cases, such as exams: 1500, or 150 where each comes of images.",
        ),
    ] = None,
    images: Annotated[
        int,
        typer.Option(
            min=0, max=5_000, help="How many CT studies, where the registry takes images."
        ),
    ] = 12,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal nations.")] = 1,
    flawed: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="The share of entries with known flaws.")
    ] = 0.02,
    registry: Annotated[
        str | None, typer.Option(help="The registry that is shown: its id, or its folder.")
    ] = None,
    definitions: Annotated[
        Path | None, typer.Option(help="A folder with definitions of your own.")
    ] = None,
) -> None:
    """Show the whole journey on a throw-away database; serve it until Ctrl-C.

    The data folder is new and is removed at the end: your own data are not touched.
    """
    console = Console(highlight=False)
    shown = registry or shown_first()
    definition, home = newest(shown, definitions), home_of(shown, definitions)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: nothing may stay behind
        signal.signal(ending, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="hounsfield-demo-"))
    held = False
    try:
        plan = Plan(
            seed=seed,
            facilities=facilities,
            cases=cases or _cases(definition),
            flawed=flawed,
            studies=images,
            years=definition.simulation.years,
        )
        with up(folder, console, home) as service:
            held = asyncio.run(_journey(service, plan, definition, console))
            if not leave:
                _wait(console)
        held = service.ended_well(console) and held
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if leave and not held:
        raise typer.Exit(1)


def _cases(definition: Definition) -> int:
    """As many cases as are shown within a minute or two: a study is drawn for each that nobody types."""
    counted = [one for one in definition.entry_forms if one.level == "case"]
    return 1_500 if any(one.typed for one in counted) else 150


class Up:
    """A `hounsfield up` of our own, with its data and its log in a folder."""

    def __init__(self, folder: Path, port: int, definitions: Path | None = None) -> None:
        self.folder = folder
        self.log = folder / "service.log"
        self.settings = Settings(data=folder / "data", port=port)
        self.url = f"http://{self.settings.host}:{self.settings.port}"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HOUNSFIELD_")
        } | {
            "HOUNSFIELD_DATA": str(self.settings.data),
            "HOUNSFIELD_HOST": self.settings.host,
            "HOUNSFIELD_PORT": str(self.settings.port),
        }
        if definitions is not None:
            self.environment["HOUNSFIELD_DEFINITIONS"] = str(definitions.resolve())
        self.status: int | None = None

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another `hounsfield` command against the same data."""
        return subprocess.run(  # noqa: S603 - this very program
            [sys.executable, "-m", "app.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ended_well(self, console: Console) -> bool:
        """Whether it stopped by itself when it was asked to."""
        checks = Checks(console)
        checks.add("the service stopped when asked to", [] if self.status == 0 else ["it did not"])
        return checks.held


@contextmanager
def up(folder: Path, console: Console, definitions: Path | None = None) -> Iterator[Up]:
    """Start everything in one on a folder; stop it at the end.

    The socket it accepts from is opened here and handed on: nobody can take its port in between.
    """
    with listening(Settings()) as listener:
        service = Up(folder, listener.getsockname()[1], definitions)
        with service.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "app.cli", "up", "--fd", str(listener.fileno())],
                env=service.environment,
                pass_fds=(listener.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C is for us
            )
    try:
        with console.status("Starting PostgreSQL, the API and a worker…"):
            _await_ready(service, process)
        yield service
    finally:
        process.terminate()
        try:
            service.status = process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(service: Up, process: subprocess.Popen[bytes]) -> None:
    try:
        await_ready(service.url, lambda: process.poll() is not None, READY_SECONDS)
    except Unavailable as error:
        tail = service.log.read_text(errors="replace")[-2000:]
        raise Unavailable(f"{error} The end of the log:\n{tail}") from None


async def _journey(service: Up, plan: Plan, definition: Definition, console: Console) -> bool:
    """Simulate, register, send, wait, compare with the truth, and show a facility's results."""
    checks = Checks(console)
    seen: list[bytes] = []

    async def listen(response: httpx.Response) -> None:
        seen.append(await response.aread())
        seen.append(repr(response.headers).encode())

    made = service.command("key", "create", "--role", "operator", "--label", "demo operator")
    if made.returncode != 0:
        raise Unavailable(made.stderr.strip())

    async def caught_up() -> bool:
        with postgres.addresses(service.settings) as addresses:
            return await tabulated(addresses.owner)

    async with httpx.AsyncClient(
        base_url=service.url, timeout=120, event_hooks={"response": [listen]}, trust_env=False
    ) as client:
        office = Office(client, definition.id, Keys(made.stdout.strip()))
        with _display(console) as told:
            await asyncio.to_thread(simulate, plan, definition, service.folder / "nation", told)
            nation = Nation.read(service.folder / "nation")
            await office.register(nation, told)
            answered = await office.send_all(
                nation, drained=lambda: office.drained(told, caught_up), told=told
            )
            stored = await office.send_images(nation, told)
            await office.drained(told, caught_up)
            differ = await counts_differ(office, nation, answered, told)
            checks.add(f"{nation.document['entries']} entries in, all accounted for", differ)
            differ = await findings_differ(office, nation, answered, told)
            checks.add("findings equal the answer key", differ)
            compared, differ = await rates_differ(office, nation, told)
            checks.add(f"{compared} rates equal the truth", differ)
            if definition.worklists:
                compared, differ = await worklists_differ(office, nation, told)
                checks.add(f"{compared} open cases of worklists equal the truth", differ)
            wanted = Oracle(definition).cells(read_lines(nation.folder / "truth.ndjson"))
            with postgres.addresses(service.settings) as addresses:
                compared, differ = await cells_differ(addresses.owner, definition, wanted)
            checks.add(f"{compared} cells of the benchmark tables equal the oracle's", differ)
            if stored:
                checks.add(
                    f"{len(stored)} CT studies stored and linked to their cases",
                    await images_differ(office, nation, stored),
                )
        checks.add("reconcile finds no difference", _ran(service.command("reconcile")))
        checks.add("peers compared in a dated snapshot", _ran(service.command("compare")))
        await _show(office, nation, service, console, checks)
    canaries = Canaries.read(service.folder / "nation" / "canaries.txt")
    leaks = canaries.found_in(b"\n".join(seen), but=MAY_BE_TOLD)
    checks.add(f"none of {len(canaries)} planted identities in any response", _kinds(leaks))
    leaks = canaries.found_in(service.log.read_bytes())
    checks.add("none in the logs", _kinds(leaks))
    with postgres.addresses(service.settings) as addresses:
        leaks = await tables_tell(addresses.owner, canaries)
    checks.add("none in any table outside the vault", _kinds(leaks))
    leaks = canaries.found_in_files(service.settings.data, but={"postgres", "quarantine"})
    checks.add("none in the archive, the lake or any other file", _kinds(leaks))
    return checks.held


async def _show(
    office: Office, nation: Nation, service: Up, console: Console, checks: Checks
) -> None:
    """The feedback summary of the largest facility, and where to look further."""
    facility = max(nation.facilities, key=lambda one: one["share"])
    number, year = facility["number"], str(int(nation.document["plan"]["until"][:4]) - 2)
    key = office.keys.facilities[number]
    page = f"/v1/facilities/{number}/reports/{office.registry}/{year}"
    answer = await office.get(page, key, accept="application/json")
    drawn = await office.get(page, key, accept="text/html")
    checks.add(
        "a feedback report can be read as JSON and as a page",
        [
            f"{kind} answered {got.status_code}"
            for kind, got in (("JSON", answer), ("HTML", drawn))
            if got.status_code != 200
        ],
    )
    if answer.status_code == 200:
        console.print(_summary(answer.json(), f"{facility['name']} ({number}), {year}"))
    for line in (
        "\nA key of this facility's registrar, to sign in with or to send as a bearer token:",
        f"  {key}",
        f"  pages     {service.url}/",
        f"  report    {service.url}/sign-in?next={page}",
        f"  wire      {service.url}/openapi.json\n",
    ):
        console.print(line, soft_wrap=True)


def _summary(report: dict[str, Any], title: str) -> Table:
    table = Table("measure", "result", "cases", "peers' median", "standing", title=title)
    for section in report["sections"]:
        for measure in section["measures"]:
            result, unit = measure["result"], measure["unit"]
            said = "" if result["withheld"] is None else result["withheld"]["says"]
            shown = said if result["rate"] is None else f"{result['rate']}{unit}"
            peers = next((one for one in measure["standings"] if one["median"] is not None), None)
            beside = (f"{peers['median']}{unit}", peers["says"]) if peers else ("", "")
            table.add_row(measure["title"], shown, f"{result['denominator'] or 0:,}", *beside)
    return table


def _kinds(leaks: dict[str, str]) -> list[str]:
    return [f"{count} of kind {kind}" for kind, count in _counted(leaks.values()).items()]


def _counted(kinds: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _ran(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [] if done.returncode == 0 else [line for line in done.stderr.splitlines()[-3:] if line]


@contextmanager
def _display(console: Console) -> Iterator[Told]:
    """A line for each thing being done, with how far it is."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}

        def told(doing: str, done: int, whole: int) -> None:
            if doing not in tasks:
                tasks[doing] = progress.add_task(doing, total=whole)
            progress.update(tasks[doing], completed=done, total=whole)

        yield told


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """A socket on the port we were told to use, or on any free one if somebody has it."""
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(listen(settings))
        except Unavailable:
            listener = stack.enter_context(listen(settings.model_copy(update={"port": 0})))
        yield listener


def _wait(console: Console) -> None:
    console.print("Serving until Ctrl-C. Nothing of it is kept.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
