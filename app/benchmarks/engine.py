"""
The analytical engine: DuckDB in process, bounded and shut in.

A connection that runs definitions reads what it was given and nothing else: no files but the lake's,
no network, no extensions, no Python variables, and no way to change that.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from app.errors import Unavailable
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
        self.folder.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(
            str(database) if database else ":memory:",
            config={
                "memory_limit": self.memory,
                "temp_directory": str(self.folder),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "python_enable_replacements": "false",
                "preserve_insertion_order": "false",
                **({"threads": str(threads)} if threads else {}),
            },
        )
        try:
            # Given to `connect` it is told back and not kept to (DuckDB 2.0).
            connection.execute(f"SET max_temp_directory_size = '{self.spill}'")
            if files:
                folders = ", ".join("'" + str(one).replace("'", "''") + "'" for one in files)
                connection.execute(f"SET allowed_directories = [{folders}]")
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        except duckdb.OutOfMemoryException as error:
            raise Unavailable(
                f"More was needed than {self.memory} of memory and {self.spill} of disk: raise"
                " HOUNSFIELD_DUCKDB_MEMORY or HOUNSFIELD_DUCKDB_SPILL. Nothing was changed."
            ) from error
        except duckdb.IOException as error:
            if "No space left" not in str(error):
                raise
            raise Unavailable(
                "The disk of the data folder is full. Make room and start again: nothing was changed."
            ) from error
        finally:
            connection.close()
