"""`hounsfield up`, `serve`, `worker`, `migrate`, `openapi`, `version`: run the service."""

import asyncio
import gc
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
import uvicorn
from rich.console import Console

from app import postgres, telemetry
from app.commands.prepare import prepare
from app.commands.running import Children, hold_lifeline, listen, running
from app.errors import RegistryError
from app.settings import Settings

OPENAPI = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"
GRACE_SECONDS = 20

app = typer.Typer()


@app.command()
def up(
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Everything in one: PostgreSQL, web and worker processes; stops on Ctrl-C."""
    settings = Settings()
    telemetry.configure(settings.log_level, process="up")
    console = Console()
    listener = None if fd is None else socket.socket(fileno=fd)
    with until_stopped() as stopped, running(settings, listener=listener) as service:
        told = (
            f"Hounsfield {telemetry.version()} is up.",
            f"  pages     {service.url}/",
            f"  API       {service.url}/v1, described in {service.url}/openapi.json",
            f"  health    {service.url}/health/ready",
            f"  data      {settings.data}",
            "  a key     hounsfield key create --help",
            "Ctrl-C stops it.",
        )
        console.print("\n".join(told), highlight=False, soft_wrap=True)
        stopped.wait()
        console.print("Stopping.")


@app.command()
def serve(
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """The web processes alone (the database must have been migrated)."""
    settings = Settings()
    telemetry.configure(settings.log_level, process="web")
    hold_lifeline()
    if fd is not None:
        _serve(settings, socket.socket(fileno=fd))
        return
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings))
        Console().print(f"Serving on {settings.address}. Ctrl-C stops it.", highlight=False)
        if settings.web_processes == 1:
            _serve(settings, listener)
            return
        stopped = stack.enter_context(until_stopped())
        stack.enter_context(postgres.addresses(settings))
        children = stack.enter_context(Children(settings).supervised())
        for _ in range(settings.web_processes):
            children.add("serve", "--fd", str(listener.fileno()), keep=(listener.fileno(),))
        stopped.wait()


@app.command()
def worker(
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many worker processes.")] = 1,
) -> None:
    """The background process alone: it follows the journey until it is stopped."""
    settings = Settings()
    telemetry.configure(settings.log_level, process="worker")
    hold_lifeline()
    if processes == 1:
        from app.worker import run  # not before: the web process needs none of it

        asyncio.run(run(settings))
        return
    with (
        until_stopped() as stopped,
        postgres.addresses(settings),
        Children(settings).supervised() as children,
    ):
        for _ in range(processes):
            children.add("worker")
        stopped.wait()


@app.command()
def migrate() -> None:
    """Bring the tables to the newest revision and publish the packaged definitions."""
    settings = Settings()
    with postgres.addresses(settings) as found:
        prepare(settings, found.owner)
    Console().print("The database is as this release needs it.")


@app.command()
def openapi(
    check: Annotated[
        bool, typer.Option("--check", help="Compare only; fail if they differ.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The file.")] = OPENAPI,
) -> None:
    """Write what the service says of its wire to openapi/openapi.json."""
    from app.main import create_app

    document = create_app(Settings()).openapi()
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if not check:
        out.parent.mkdir(exist_ok=True)
        out.write_text(text)
    elif not out.exists() or out.read_text() != text:
        raise RegistryError(
            f"{out.name} is not what the application says: run `hounsfield openapi`."
        )


@app.command()
def version() -> None:
    """The version of this release."""
    Console().print(telemetry.version(), highlight=False)


@contextmanager
def until_stopped() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set, instead of ending us where we stand."""
    stopped = Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(settings: Settings, listener: socket.socket) -> None:
    """One web process on a socket that is listening already."""
    from app.main import create_app  # not before: a worker needs none of it

    config = uvicorn.Config(
        create_app(settings),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # What is there by now stays: looking for garbage in it again and again would stop requests for long.
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run(sockets=[listener])
