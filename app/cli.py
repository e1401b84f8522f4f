"""`hounsfield …`: one command line, put together from the commands of every part."""

import sys

import typer
from rich.console import Console

from app import telemetry
from app.commands import audit, benchmarks, demo, facility, key, serve, simulate
from app.errors import RegistryError

app = typer.Typer(
    name="hounsfield",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (serve, demo, simulate, benchmarks):
    app.add_typer(commands.app)
for name, group in (("audit", audit), ("facility", facility), ("key", key)):
    app.add_typer(group.app, name=name)


@app.callback()
def begin() -> None:
    """National imaging registries on your own machines."""
    telemetry.configure("warning", process="command")  # commands that serve say more


def main() -> None:
    """Run a command. A failure we expect is one line and exit 1; anything else is a bug and shown."""
    try:
        app()
    except RegistryError as error:
        Console(stderr=True, highlight=False).print(f"hounsfield: {error}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
