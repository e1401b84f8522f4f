"""
`hounsfield …`: one command line, put together from the commands of every part.

Only the part that is asked for is loaded: a worker needs no web, and `--help` of one command does
not wait for all the others.
"""

import gc
import sys
from importlib import import_module

import typer
from rich.console import Console

from app import telemetry
from app.errors import RegistryError

COMMANDS = {
    "up": "serve",
    "serve": "serve",
    "worker": "serve",
    "migrate": "serve",
    "openapi": "serve",
    "version": "serve",
    "demo": "demo",
    "simulate": "simulate",
    "recompute": "benchmarks",
    "reconcile": "benchmarks",
    "compare": "benchmarks",
    "issue": "issue",
    "deid": "deid",
}
"""Which module of `app.commands` holds a command."""

GROUPS = ("registry", "facility", "key", "submission", "subject", "use-case", "audit", "qpp")
"""Commands of commands: `hounsfield <group> <command>`, in a module of the same name."""

COLLECT_AFTER = 50_000
"""New objects before unreachable ones are looked for; with Python's few, loading a process looks for
them over and over among modules that stay."""


def assembled(first: str | None = None) -> typer.Typer:
    """The command line; with the first word that was typed, only the part it needs."""
    app = typer.Typer(
        name="hounsfield",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(begin)
    modules = [COMMANDS[first]] if first in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    if first in GROUPS:
        modules = []
    for name in modules:
        app.add_typer(import_module(f"app.commands.{name}").app)
    for name in GROUPS:
        if name == first or first not in (*COMMANDS, *GROUPS):
            module = import_module(f"app.commands.{name.replace('-', '_')}")
            app.add_typer(module.app, name=name)
    return app


def begin() -> None:
    """National imaging registries on your own machines."""
    telemetry.configure("warning", process="command")  # commands that serve say more


def main() -> None:
    """Run a command. A failure we expect is one line and exit 1; anything else is a bug and shown."""
    gc.set_threshold(COLLECT_AFTER)
    try:
        assembled(sys.argv[1] if len(sys.argv) > 1 else None)()
    except RegistryError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"hounsfield: {error}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
