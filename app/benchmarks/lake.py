"""
The lake: a columnar copy of a registry's cases at a known feed number.

For each case form one base file, sorted by facility and subject with derived columns stored, and
deltas on it: the rows, as they are, of every subject that changed, and the list of those subjects,
whose earlier rows no longer count. Files are never changed. Which ones make up the lake is said by
`lake_files`, so that a new set takes the place of an old one with a commit.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.engine import Engine
from app.benchmarks.feed import feed_number, in_force, in_force_of_touched
from app.benchmarks.measures import Tabulation
from app.benchmarks.observe import arrow
from app.benchmarks.relation import Relation, relation_name
from app.benchmarks.tabulate import lock
from app.models import LakeFile
from app.models.base import now

BATCH = 50_000
"""Versions that are in memory at once while a file is made."""
MOST_DELTAS = 8
ORDER = "facility_id, subject_id, case_date, case_token"
GRACE = timedelta(hours=1)
"""How long a retired file stays for whoever is still reading it."""


@dataclass(frozen=True, slots=True)
class Lake:
    """Where the files are."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one form that make up the lake, and the feed number they are at."""

    form: str
    feed_seq: int
    base: str
    deltas: tuple[tuple[str, str], ...]
    """Pairs of rows and touched subjects, oldest first."""


def view(files: Files, columns: Sequence[str], lake: Lake) -> str:
    """SQL of a form's cases in the lake: of each subject, what was written last."""
    names = ", ".join(f'"{name}"' for name in columns)
    layers = [files.base, *(rows for rows, _ in files.deltas)]
    selects = []
    for place, name in enumerate(layers):
        later = [_quoted(lake.path(touched)) for _, touched in files.deltas[place:]]
        outdated = (
            f" WHERE subject_id NOT IN (SELECT subject_id FROM read_parquet([{', '.join(later)}]))"
            if later
            else ""
        )
        selects.append(
            f"SELECT {names}, CAST(1 AS TINYINT) AS weight"
            f" FROM read_parquet({_quoted(lake.path(name))}){outdated}"
        )
    return " UNION ALL ".join(selects)


def attach(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    relations: Sequence[Relation],
    files: Sequence[Files],
) -> None:
    """Give a connection the relations of measures over the lake."""
    for one in relations:
        of_form = next(each for each in files if each.form == one.form)
        connection.execute(
            f"CREATE VIEW {relation_name(one.form)} AS {view(of_form, list(one.columns), lake)}"
        )


async def lake_files(session: AsyncSession, tabulation: Tabulation) -> list[Files]:
    """The files that make up a registry's lake; none when its base is still to be made."""
    found = (
        await session.scalars(
            select(LakeFile)
            .where(
                LakeFile.registry_id == tabulation.registry_id,
                LakeFile.state == "current",
                LakeFile.digest.in_([one.digest for one in tabulation.relations]),
            )
            .order_by(LakeFile.id)
        )
    ).all()
    files = []
    for one in tabulation.relations:
        mine = [row for row in found if row.form == one.form and row.digest == one.digest]
        base = next((row.path for row in mine if row.kind == "base"), None)
        if base is None:
            return []
        rows = [row.path for row in mine if row.kind == "delta"]
        touched = [row.path for row in mine if row.kind == "touched"]
        files.append(
            Files(
                one.form,
                max(row.feed_seq for row in mine),
                base,
                tuple(zip(rows, touched, strict=True)),
            )
        )
    return files


async def refresh(
    session: AsyncSession, engine: Engine, lake: Lake, tabulation: Tabulation
) -> list[Files]:
    """Bring the lake to the feed's present number; the files that make it up then."""
    await lock(session, f"lake {tabulation.registry_id}", wait=True)
    await _sweep(session, lake, tabulation.registry_id)
    upto = await feed_number(session, tabulation.registry_id)
    files = await lake_files(session, tabulation)
    if not files:
        await _retire(session, tabulation.registry_id)
        versions = in_force(session, tabulation.registry_id, upto, BATCH)
        made = await _write(engine, lake, tabulation, versions, touched=False)
        await _enter(session, tabulation, made, 0, upto)
    elif files[0].feed_seq < upto:
        since = files[0].feed_seq
        versions = in_force_of_touched(session, tabulation.registry_id, since, upto, BATCH)
        made = await _write(engine, lake, tabulation, versions, touched=True)
        await _enter(session, tabulation, made, since, upto)
        files = await lake_files(session, tabulation)
        if len(files[0].deltas) >= MOST_DELTAS:
            made = await asyncio.to_thread(_compact, engine, lake, tabulation, files)
            await _retire(session, tabulation.registry_id)
            await _enter(session, tabulation, made, 0, upto)
    return await lake_files(session, tabulation)


@dataclass(frozen=True, slots=True)
class _Made:
    """A file that was written."""

    form: str
    kind: str
    name: str
    rows: int


async def _write(
    engine: Engine,
    lake: Lake,
    tabulation: Tabulation,
    batches: AsyncIterator[list[Any]],
    *,
    touched: bool,
) -> list[_Made]:
    """Write files from versions that come in batches of whole subjects."""
    folder = lake.folder / tabulation.registry_id
    folder.mkdir(parents=True, exist_ok=True)
    working = folder / f"working-{uuid4().hex}.duckdb"
    try:
        with engine.open(files=[lake.folder], database=working) as connection:
            for one in tabulation.relations:
                columns = ", ".join(f'"{name}" {kind}' for name, kind in one.columns.items())
                connection.execute(f"CREATE TABLE {relation_name(one.form)} ({columns})")
            connection.execute("CREATE TABLE touched (subject_id BIGINT)")
            async for batch in batches:
                await asyncio.to_thread(_take, connection, tabulation, batch)
            return await asyncio.to_thread(_copy, connection, lake, tabulation, touched)
    finally:
        for left in folder.glob(working.name + "*"):
            left.unlink()


def _take(connection: duckdb.DuckDBPyConnection, tabulation: Tabulation, batch: list[Any]) -> None:
    connection.register("versions", arrow(batch))
    for one in tabulation.relations:
        names = ", ".join(f'"{name}"' for name in one.columns)
        connection.execute(
            f"INSERT INTO {relation_name(one.form)} SELECT {names} FROM ({one.build})"
        )
    connection.execute("INSERT INTO touched SELECT DISTINCT subject_id FROM versions")
    connection.unregister("versions")


def _copy(
    connection: duckdb.DuckDBPyConnection, lake: Lake, tabulation: Tabulation, touched: bool
) -> list[_Made]:
    made = []
    for one in tabulation.relations:
        kind = "delta" if touched else "base"
        query = f"SELECT * FROM {relation_name(one.form)} ORDER BY {ORDER}"
        made.append(_parquet(connection, lake, tabulation.registry_id, one.form, kind, query))
        if touched:
            query = "SELECT DISTINCT subject_id FROM touched ORDER BY subject_id"
            made.append(
                _parquet(connection, lake, tabulation.registry_id, one.form, "touched", query)
            )
    return made


def _compact(
    engine: Engine, lake: Lake, tabulation: Tabulation, files: Sequence[Files]
) -> list[_Made]:
    """One base again, out of a base and its deltas."""
    with engine.open(files=[lake.folder]) as connection:
        attach(connection, lake, tabulation.relations, files)
        return [
            _parquet(
                connection,
                lake,
                tabulation.registry_id,
                one.form,
                "base",
                f"SELECT * EXCLUDE (weight) FROM {relation_name(one.form)} ORDER BY {ORDER}",
            )
            for one in tabulation.relations
        ]


def _parquet(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    registry_id: str,
    form: str,
    kind: str,
    query: str,
) -> _Made:
    name = f"{registry_id}/{form}-{kind}-{uuid4().hex}.parquet"
    found = connection.execute(
        f"COPY ({query}) TO {_quoted(lake.path(name))} (FORMAT parquet, COMPRESSION zstd)"
    ).fetchone()
    assert found is not None
    return _Made(form, kind, name, found[0])


async def _enter(
    session: AsyncSession, tabulation: Tabulation, made: Sequence[_Made], since: int, upto: int
) -> None:
    digests = {one.form: one.digest for one in tabulation.relations}
    for one in made:
        session.add(
            LakeFile(
                registry_id=tabulation.registry_id,
                form=one.form,
                kind=one.kind,
                path=one.name,
                digest=digests[one.form],
                from_seq=since,
                feed_seq=upto,
                rows=one.rows,
                state="current",
            )
        )
        await session.flush()


async def _retire(session: AsyncSession, registry_id: str) -> None:
    """Take every file of a registry out of the lake."""
    await session.execute(
        update(LakeFile)
        .where(LakeFile.registry_id == registry_id, LakeFile.state == "current")
        .values(state="retired", created_at=now())
    )


async def _sweep(session: AsyncSession, lake: Lake, registry_id: str) -> None:
    """Remove files that were retired a while ago, and those that a killed run left behind.

    The caller holds the lake's lock, so nobody else is writing one.
    """
    await session.execute(
        delete(LakeFile).where(
            LakeFile.registry_id == registry_id,
            LakeFile.state == "retired",
            LakeFile.created_at < now() - GRACE,
        )
    )
    kept = set(
        await session.scalars(select(LakeFile.path).where(LakeFile.registry_id == registry_id))
    )
    folder = lake.folder / registry_id
    for file in folder.glob("*") if folder.is_dir() else ():
        if f"{registry_id}/{file.name}" not in kept:
            file.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
