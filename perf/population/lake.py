"""
Writes a nation's cases as the lake keeps them: by year, sorted by facility and subject.

Part after part, each whole or not at all, so that a run that was stopped goes on where it was.
"""

import multiprocessing
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import duckdb

from app.benchmarks.measures import tabulation
from app.commands.definitions import newest
from app.registries.schema import Definition

from .cases import QUARTERS, statements
from .places import Place, parts, places

MODULE = "lung-cancer-screening"
FIRST_YEAR = 2023
YEARS = range(FIRST_YEAR, FIRST_YEAR + QUARTERS // 4)


@cache
def screening() -> Definition:
    """The registry with the measures of the module that the nation's cases are of."""
    whole = newest("early-lung-cancer-detection")
    kept = tuple(one for one in whole.measures if one.module == MODULE)
    return whole.model_copy(update={"measures": kept, "digest": f"{whole.digest} {MODULE}"})


def file(folder: Path, form: str, year: int, part: int) -> Path:
    """Where the cases of a form, a year and a part are."""
    return folder / form / str(year) / f"part-{part:04d}.parquet"


def make(cases: int, folder: Path, *, processes: int = 2) -> int:
    """Make what is not there yet of a nation of so many cases; how many parts it has."""
    groups = parts(places(cases))
    missing = [
        (folder, part, group) for part, group in enumerate(groups) if not _made(folder, part)
    ]
    begun = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=8) as pool:
        for done, _ in enumerate(pool.imap_unordered(_make, missing), 1):
            seconds = time.perf_counter() - begun
            left = seconds / done * (len(missing) - done)
            print(f"\rpart {done} of {len(missing)}, {left:.0f} s to go ", end="", file=sys.stderr)
    if missing:
        print(
            f"\rmade {len(missing)} parts in {time.perf_counter() - begun:.0f} s", file=sys.stderr
        )
    return len(groups)


def _made(folder: Path, part: int) -> bool:
    return (folder / f"part-{part:04d}").exists()


def _make(asked: tuple[Path, int, Sequence[Place]]) -> None:
    folder, part, group = asked
    definition = screening()
    with duckdb.connect(config={"threads": "1", "memory_limit": "3GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        made = tabulation(definition)
        for one in made.relations:
            for statement in statements(definition, one, made.read[one.form], group):
                connection.execute(statement)
            for year in YEARS:
                path = file(folder, one.form, year, part)
                path.parent.mkdir(parents=True, exist_ok=True)
                connection.execute(
                    "COPY (SELECT * FROM made WHERE"
                    f" case_date BETWEEN DATE '{year}-01-01' AND DATE '{year}-12-31')"
                    f" TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
                )
            connection.execute("DROP VIEW made")
    (folder / f"part-{part:04d}").touch()
