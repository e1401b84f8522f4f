"""
The analytical engine: DuckDB in process, bounded and shut in.

A connection that runs definitions reads what it was given and nothing else: no files but the lake's,
no network, no extensions, no Python variables, and no way to change that.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from app.errors import DiskFull, Unavailable
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Engine:
    """Limits of one analytical connection."""

    memory: str
    spill: str
    folder: Path
    """Where it spills to; each connection has its own place in it."""

    @classmethod
    def of(cls, settings: Settings) -> "Engine":
        return cls(settings.duckdb_memory, settings.duckdb_spill, settings.data / "spill")

    @contextmanager
    def open(
        self,
        *,
        files: Sequence[Path] = (),
        database: Path | None = None,
        threads: int | None = None,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """
        A connection that can reach the named folders of files, and nothing else outside itself.

        It has a thread for each core unless told how many.
        """
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self.memory,
            "temp_directory": str(self.folder),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
            **({"threads": str(threads)} if threads else {}),
        }
        with _said(self), ExitStack() as stack:
            for folder in (self.folder, *([database.parent] if database else [])):
                folder.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(str(database) if database else ":memory:", config=config)
            stack.callback(connection.close)
            # Given to `connect` it is told back and not kept to (DuckDB 2.0).
            connection.execute(f"SET max_temp_directory_size = '{self.spill}'")
            if files:
                folders = ", ".join("'" + str(one).replace("'", "''") + "'" for one in files)
                connection.execute(f"SET allowed_directories = [{folders}]")
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection


@contextmanager
def _said(engine: Engine) -> Iterator[None]:
    """What the limits or a full disk stop is an error that says what to do."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise Unavailable(
            f"More was needed than {engine.memory} of memory and {engine.spill} of disk: raise"
            " HOUNSFIELD_DUCKDB_MEMORY or HOUNSFIELD_DUCKDB_SPILL. Nothing was changed."
        ) from error
    except (duckdb.Error, OSError) as error:
        if not DiskFull.is_behind(error):
            raise
        raise DiskFull("the data folder") from error
