"""
Refresh: bring the lake to the feed's present number.

What is written is entered in `lake_files` with the commit, so a run that is killed has changed
nothing; the next one removes what it left. Deltas are gathered into one when there are many, and
taken into the base when they have grown to a share of it; then only those base files are written
anew that hold a subject who changed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import duckdb
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.engine import Engine
from app.benchmarks.feed import feed_number, in_force, in_force_of_touched
from app.benchmarks.lake import Base, Files, Lake, lake_files, missing, parquet, view
from app.benchmarks.measures import Tabulation
from app.benchmarks.observe import arrow
from app.benchmarks.parts import ORDER, Extent, Made, Writer, listed
from app.benchmarks.relation import Relation, relation_name
from app.locks import Lock, take
from app.models import LakeFile
from app.models.base import now

BATCH = 50_000
"""Versions that are in memory at once while a file is made."""
MOST_DELTAS = 8
SHARE = 10
"""Deltas are taken into the base when the base has no more than so many times their rows."""
GRACE = timedelta(hours=1)
"""How long a retired file stays for whoever is still reading it."""


async def refresh(
    session: AsyncSession, engine: Engine, lake: Lake, tabulation: Tabulation
) -> list[Files]:
    """Bring the lake to the feed's present number; the files that make it up then, at hand."""
    registry_id = tabulation.registry_id
    await take(session, Lock.REFRESH_LAKE, registry_id)
    await _sweep(session, lake, registry_id)
    upto = await feed_number(session, registry_id)
    files = await lake_files(session, tabulation)
    if not files:
        await _retire(session, registry_id)
        versions = in_force(session, registry_id, upto, BATCH)
        made = await _write(engine, lake, tabulation, versions, touched=False)
        await _enter(session, lake, registry_id, made, 0, upto)
    elif files[0].feed_seq < upto:
        since = files[0].feed_seq
        versions = in_force_of_touched(session, registry_id, since, upto, BATCH)
        made = await _write(engine, lake, tabulation, versions, touched=True)
        await _enter(session, lake, registry_id, made, since, upto)
        files = await lake_files(session, tabulation)
        if len(files[0].deltas) >= MOST_DELTAS:
            await compact(session, engine, lake, tabulation, files)
    files = await lake_files(session, tabulation)
    await lake.fetch(name for one in files for name in one.names)
    return files


async def compact(
    session: AsyncSession,
    engine: Engine,
    lake: Lake,
    tabulation: Tabulation,
    files: Sequence[Files],
) -> None:
    """Gather the deltas into one, or take them into the base. The caller holds the lake's lock."""
    await lake.fetch(name for one in files for name in one.names)
    rows = sum(one.rows for each in files for one in each.base)
    changed = sum(one.rows for each in files for one in each.deltas)
    if rows > SHARE * changed:
        made = await asyncio.to_thread(_gather, engine, lake, tabulation, files)
        gone = {name for one in files for d in one.deltas for name in (d.name, d.touched)}
    else:
        made, gone = await asyncio.to_thread(_take_in, engine, lake, tabulation, files)
    await _retire(session, tabulation.registry_id, gone)
    upto = files[0].feed_seq
    await session.execute(  # what stays holds every case of its extent as it is now
        update(LakeFile)
        .where(LakeFile.registry_id == tabulation.registry_id, LakeFile.state == "current")
        .values(feed_seq=upto)
    )
    await _enter(session, lake, tabulation.registry_id, made, 0, upto)


async def _write(
    engine: Engine,
    lake: Lake,
    tabulation: Tabulation,
    batches: AsyncIterator[list[Any]],
    *,
    touched: bool,
) -> list[Made]:
    """Write files from versions that come in batches of whole subjects."""
    folder = lake.folder / tabulation.registry_id
    working = folder / f"working-{uuid4().hex}.duckdb"
    try:
        with engine.open(files=[lake.folder], database=working) as connection:
            for one in tabulation.relations:
                columns = ", ".join(f'"{name}" {kind}' for name, kind in one.columns.items())
                connection.execute(f"CREATE TABLE {relation_name(one.form)} ({columns})")
            connection.execute("CREATE TABLE touched (subject_id BIGINT)")
            async for batch in batches:
                await asyncio.to_thread(_take, connection, tabulation, batch)
            writer = Writer(connection, lake, tabulation.registry_id)
            return await asyncio.to_thread(_copied, writer, tabulation, touched)
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


def _copied(writer: Writer, tabulation: Tabulation, touched: bool) -> list[Made]:
    made = list[Made]()
    for one in tabulation.relations:
        name = relation_name(one.form)
        if touched:
            query = f"SELECT * FROM {name} ORDER BY {ORDER}"
            made.append(writer.file(one.form, "delta", query, one.marks))
            query = "SELECT DISTINCT subject_id FROM touched ORDER BY subject_id"
            made.append(writer.file(one.form, "touched", query))
        else:
            whole = f"(SELECT * FROM {name})"
            made += writer.parts(one.form, whole, one.marks) or [writer.nothing(one)]
    return made


def _gather(
    engine: Engine, lake: Lake, tabulation: Tabulation, files: Sequence[Files]
) -> list[Made]:
    """One delta out of many: of each subject, what was written last."""
    made = []
    with engine.open(files=[lake.folder]) as connection:
        writer = Writer(connection, lake, tabulation.registry_id)
        for one, of_form in _each(tabulation, files):
            stored = _stored(one, of_form)
            rows = view(one, replace(of_form, base=()), parquet(lake), only=stored)
            query = f"SELECT {listed(stored)} FROM ({rows}) AS cases ORDER BY {ORDER}"
            made.append(writer.file(one.form, "delta", query, stored))
            query = f"SELECT DISTINCT subject_id FROM {writer.touched(of_form)} ORDER BY subject_id"
            made.append(writer.file(one.form, "touched", query))
    return made


def _take_in(
    engine: Engine, lake: Lake, tabulation: Tabulation, files: Sequence[Files]
) -> tuple[list[Made], set[str]]:
    """Base files that take the place of others and of all deltas, and the names of those."""
    made, gone = list[Made](), set[str]()
    with engine.open(files=[lake.folder]) as connection:
        writer = Writer(connection, lake, tabulation.registry_id)
        for one, of_form in _each(tabulation, files):
            touched = writer.touched(of_form)
            stored = _stored(one, of_form)
            changed = view(one, replace(of_form, base=()), parquet(lake), only=stored)
            arrived = writer.extents(f"({changed})")
            kept = False
            for base, extent in _extents(of_form.base, arrived):
                names = [base.name] if base else []
                source = parquet(lake)(names) if base else ""
                if base and not writer.holds(source, touched) and not _within(arrived, extent):
                    kept = True
                    continue
                gone |= set(names)
                of_extent = replace(of_form, base=(base,) if base else ())
                rows = view(one, of_extent, parquet(lake), only=stored)
                made += writer.parts(one.form, f"({rows})", stored, extent)
            gone |= {name for d in of_form.deltas for name in (d.name, d.touched)}
            if not kept and not any(each.form == one.form for each in made):
                made.append(writer.nothing(one))
    return made, gone


def _each(tabulation: Tabulation, files: Sequence[Files]) -> Iterator[tuple[Relation, Files]]:
    for one in tabulation.relations:
        yield one, next(each for each in files if each.form == one.form)


def _extents(
    base: Sequence[Base], arrived: Iterable[tuple[int | None, int, int]]
) -> Iterator[tuple[Base | None, Extent]]:
    """Every base file and the cases that belong there; years that have none yet, whole."""
    for year in {*(one.year for one in base if one.rows), *(year for year, _, _ in arrived)}:
        of_year = sorted(
            (one for one in base if one.year == year and one.rows),
            key=lambda one: one.first_facility,
        )
        if not of_year:
            yield None, Extent(year, None, None)
        for place, one in enumerate(of_year):
            last = of_year[place + 1].first_facility - 1 if place + 1 < len(of_year) else None
            yield one, Extent(year, one.first_facility if place else None, last)
    for one in base:
        if not one.rows:  # it stood for a registry without a case
            yield one, Extent(one.year, 0, -1)


def _within(arrived: Iterable[tuple[int | None, int, int]], extent: Extent) -> bool:
    """Whether any row that arrived belongs into an extent."""
    first = extent.first if extent.first is not None else 0
    return any(
        year == extent.year
        and facility >= first
        and (extent.last is None or facility <= extent.last)
        for year, facility, _ in arrived
    )


def _stored(relation: Relation, files: Files) -> dict[str, str]:
    """
    What goes into files made of files: columns that all of these have as the relation makes them.

    What is missing in some stays away: a subject's cases of other years are not at hand here.
    """
    absent = missing(relation, files)
    return {name: mark for name, mark in relation.marks.items() if name not in absent}


async def _enter(
    session: AsyncSession,
    lake: Lake,
    registry_id: str,
    made: Sequence[Made],
    since: int,
    upto: int,
) -> None:
    """Make files part of the lake, with this transaction's commit."""
    await lake.keep(one.name for one in made)
    for one in made:
        session.add(
            LakeFile(
                registry_id=registry_id,
                form=one.form,
                kind=one.kind,
                path=one.name,
                year=one.year,
                first_facility=one.first_facility,
                columns=dict(one.columns),
                from_seq=since,
                feed_seq=upto,
                rows=one.rows,
                state="current",
            )
        )
        await session.flush()  # deltas are read in the order of their ids


async def _retire(
    session: AsyncSession, registry_id: str, names: Iterable[str] | None = None
) -> None:
    """Take files of a registry out of the lake: all, or those of the names."""
    query = update(LakeFile).where(LakeFile.registry_id == registry_id, LakeFile.state == "current")
    if names is not None:
        query = query.where(LakeFile.path.in_(list(names)))
    await session.execute(query.values(state="retired", created_at=now()))


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
    kept = await session.scalars(select(LakeFile.path).where(LakeFile.registry_id == registry_id))
    await lake.remove_all_but(registry_id, set(kept))
