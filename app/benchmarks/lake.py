"""
The lake: a columnar copy of a registry's cases at a known feed number.

For each case form base files by year, sorted by facility and subject with derived columns stored,
and deltas on them: the rows, as they are, of every subject that changed, and the list of those
subjects, whose earlier rows no longer count. Files are never changed. Which ones make up the lake is
said by `lake_files`, so that new ones take the place of old ones with a commit.

They lie in a folder, or in an object store of which the folder then holds copies of what is read.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore, from_url
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.benchmarks.dialects import in_dialect, stands_for
from app.benchmarks.measures import Tabulation
from app.benchmarks.relation import KEYS, Relation, relation_name
from app.durable import settle
from app.errors import DiskFull, Unavailable
from app.models import LakeFile
from app.registries.expressions import Dialect, Expression
from app.settings import Settings

AT_ONCE = 4
"""Objects that are copied at the same time."""
PIECE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lake:
    """Where the files are. Without a store, the folder is the lake."""

    folder: Path
    store: ObjectStore | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Lake":
        store = from_url(settings.lake_url) if settings.lake_url else None
        return cls(settings.data / "lake", store)

    def path(self, name: str) -> Path:
        return self.folder / name

    async def keep(self, names: Iterable[str]) -> None:
        """Make sure of files that were written: when this returns they survive a power cut."""
        if self.store is None:
            try:
                for name in names:
                    path = self.path(name)
                    await asyncio.to_thread(settle, (path, path.parent))
            except OSError as error:
                raise _unwritten(error) from error
            return
        await self._each(self._send, names)

    async def fetch(self, names: Iterable[str]) -> None:
        """Bring the files that are not here yet; each is here whole or not at all."""
        if self.store is not None:
            await self._each(self._bring, [one for one in names if not self.path(one).exists()])

    async def remove_all_but(self, registry_id: str, kept: Collection[str]) -> None:
        """Remove every file of a registry that nobody needs, here and in the store."""
        folder = self.folder / registry_id
        for file in folder.rglob("*") if folder.is_dir() else ():
            if file.is_file() and str(file.relative_to(self.folder)) not in kept:
                file.unlink(missing_ok=True)
        if self.store is None:
            return
        try:
            listing: Any = obstore.list(self.store, prefix=registry_id)
            gone = [
                one["path"]
                for some in await asyncio.to_thread(list, listing)
                for one in some
                if one["path"] not in kept
            ]
            for path in gone:
                await obstore.delete_async(self.store, path)
        except NotFoundError:
            return  # somebody else was faster
        except BaseError as error:
            raise _unwritten(error) from error

    async def _each(self, work: Callable[[str], Any], names: Iterable[str]) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> None:
            async with places:
                await work(name)

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(one(name))

    async def _send(self, name: str) -> None:
        assert self.store is not None
        try:
            await obstore.put_async(self.store, name, self.path(name))
        except BaseError as error:
            raise _unwritten(error) from error

    async def _bring(self, name: str) -> None:
        assert self.store is not None
        path = self.path(name)
        unfinished = path.with_name(f"{path.name}.{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            found = await obstore.get_async(self.store, name)
            with unfinished.open("wb") as file:
                async for piece in found.stream(min_chunk_size=PIECE):
                    await asyncio.to_thread(file.write, piece)
            unfinished.rename(path)
        except (BaseError, OSError) as error:
            if DiskFull.is_behind(error):
                raise DiskFull("the data folder") from error
            raise Unavailable("The lake cannot be read.") from error
        finally:
            unfinished.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Base:
    """A base file: cases of one year, of the facilities from the first one on."""

    name: str
    columns: Mapping[str, str]
    """Name -> how it was made, as `Relation.marks` says."""
    rows: int = 0
    year: int | None = None
    first_facility: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """The rows of subjects that changed, and the list of those subjects."""

    name: str
    columns: Mapping[str, str]
    touched: str
    rows: int = 0
    """Of cases, or of subjects where those are more."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one form that make up the lake, and the feed number they are at."""

    form: str
    feed_seq: int
    base: tuple[Base, ...]
    deltas: tuple[Delta, ...]
    """Oldest first."""

    @property
    def names(self) -> list[str]:
        """Everything there is to read."""
        of_deltas = [name for one in self.deltas for name in (one.name, one.touched)]
        return [one.name for one in self.base] + of_deltas


Source = Callable[[Sequence[str]], str]
"""What SQL calls the rows of some files."""


def view(
    relation: Relation,
    files: Files,
    source: Source,
    *,
    only: Collection[str] | None = None,
    dialect: Dialect = "duckdb",
) -> str:
    """
    SQL of a form's cases in the lake: of each subject, what was written last.

    A column is read by its name, and null in files that are older than its element. What is derived
    from cases and subjects is worked out where a file has none, or one made otherwise; with `only`,
    there are no columns but these, and they are read as they are.
    """
    texts: dict[str, Expression] = {}
    absent = missing(relation, files) if only is None else set(relation.columns) - set(only)
    selects = []
    for names, columns, later in _layers(files):
        values = ", ".join(
            f'"{name}"' if name in columns else f'CAST(NULL AS {kind}) AS "{name}"'
            for name, kind in relation.columns.items()
            if name not in absent
        )
        touched = source([one.touched for one in later]) if later else ""
        outdated = f" WHERE subject_id NOT IN (SELECT subject_id FROM {touched})" if later else ""
        selects.append(
            f"SELECT {values}, CAST(1 AS TINYINT) AS weight FROM {source(names)}{outdated}"
        )
    sql = " UNION ALL ".join(selects)
    for name, text in relation.worked_out.items() if only is None else ():
        if name in absent:
            texts[stands_for(name)] = text
            value = f"CAST({stands_for(name)} AS {relation.columns[name]})"
            sql = f'SELECT *, {value} AS "{name}" FROM ({sql}) AS cases'
    return in_dialect(sql, texts, dialect)


def missing(relation: Relation, files: Files) -> set[str]:
    """Derived columns that not every file has as the relation makes them."""
    return {
        name
        for name in relation.worked_out
        if any(columns.get(name) != relation.marks[name] for _, columns, _ in _layers(files))
    }


def _layers(files: Files) -> list[tuple[tuple[str, ...], Mapping[str, str], tuple[Delta, ...]]]:
    """Files that are read together, their columns, and the deltas that outdate them."""

    shapes: dict[frozenset[tuple[str, str]], list[Base]] = {}
    for one in files.base:
        shapes.setdefault(frozenset(one.columns.items()), []).append(one)
    layers: list[tuple[tuple[str, ...], Mapping[str, str], tuple[Delta, ...]]] = []
    for alike in shapes.values():
        layers.append((tuple(one.name for one in alike), alike[0].columns, files.deltas))
    for place, delta in enumerate(files.deltas):
        layers.append(((delta.name,), delta.columns, files.deltas[place + 1 :]))
    return layers


def usable(relation: Relation, columns: Mapping[str, str]) -> bool:
    """Whether a file with these columns can be read as a relation."""
    return all(
        columns.get(name) == mark
        or name in relation.worked_out
        or (name not in columns and name not in KEYS and name not in relation.gathered)
        for name, mark in relation.marks.items()
    )


def parquet(lake: Lake) -> Source:
    """Files as DuckDB reads them."""
    return lambda names: f"read_parquet([{', '.join(quoted(lake.path(one)) for one in names)}])"


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
            f"CREATE VIEW {relation_name(one.form)} AS {view(one, of_form, parquet(lake))}"
        )


async def lake_files(session: AsyncSession, tabulation: Tabulation) -> list[Files]:
    """The files that make up a registry's lake; none when it is still to be made, or of no use."""
    found = (
        await session.scalars(
            select(LakeFile)
            .where(LakeFile.registry_id == tabulation.registry_id, LakeFile.state == "current")
            .order_by(LakeFile.id)
        )
    ).all()
    files = []
    for one in tabulation.relations:
        mine = [row for row in found if row.form == one.form]
        base = [
            Base(row.path, row.columns, row.rows, row.year, row.first_facility or 0)
            for row in mine
            if row.kind == "base"
        ]
        rows = [row for row in mine if row.kind == "delta"]
        touched = [row for row in mine if row.kind == "touched"]
        if not base or not all(usable(one, row.columns) for row in mine if row.kind != "touched"):
            return []
        deltas = [
            Delta(row.path, row.columns, subjects.path, max(row.rows, subjects.rows))
            for row, subjects in zip(rows, touched, strict=True)
        ]
        upto = max(row.feed_seq for row in mine)
        files.append(Files(one.form, upto, tuple(base), tuple(deltas)))
    return files


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _unwritten(error: BaseException) -> Unavailable:
    if DiskFull.is_behind(error):
        return DiskFull("the lake")
    return Unavailable("The lake cannot be written to.")
