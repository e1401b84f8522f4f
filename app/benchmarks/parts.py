"""
Parts: the files of a lake as they are written, each of a year and of facilities next to one another.

They are no part of it before they are entered: see `refresh`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import duckdb

from app.benchmarks.lake import Files, Lake, parquet, quoted
from app.benchmarks.relation import Relation

PART_ROWS = 2_000_000
"""Rows of a base file, as long as no single facility has more in a year."""
ORDER = "facility_id, subject_id, case_date, case_token"


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was written."""

    form: str
    kind: str
    name: str
    rows: int
    columns: Mapping[str, str]
    year: int | None = None
    first_facility: int | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """The cases that go into one base file: a year, and facilities from the first to the last."""

    year: int | None
    first: int | None
    last: int | None
    """None: no end on that side."""

    @property
    def condition(self) -> str:
        found = [f"year(case_date) IS NOT DISTINCT FROM {self.year or 'NULL'}"]
        found += [f"facility_id >= {self.first}"] if self.first is not None else []
        found += [f"facility_id <= {self.last}"] if self.last is not None else []
        return " AND ".join(found)


class Writer:
    """Writes a registry's files from what a connection has."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, registry_id: str) -> None:
        self.connection, self.lake, self.registry_id = connection, lake, registry_id

    def touched(self, files: Files) -> str:
        """What SQL calls the subjects of all deltas."""
        return parquet(self.lake)([one.touched for one in files.deltas])

    def holds(self, source: str, touched: str) -> bool:
        """Whether a file holds a row of a subject that changed."""
        found = self.connection.execute(
            f"SELECT EXISTS (SELECT 1 FROM {source} AS cases SEMI JOIN {touched} AS touched"
            " USING (subject_id))"
        ).fetchone()
        assert found is not None
        return bool(found[0])

    def extents(self, source: str) -> list[tuple[int | None, int, int]]:
        """Year, facility and number of the rows there are, in order."""
        return self.connection.execute(
            f"SELECT year(case_date) AS year, facility_id, count(*) FROM {source} AS cases"
            " GROUP BY ALL ORDER BY ALL"
        ).fetchall()

    def parts(
        self, form: str, source: str, columns: Mapping[str, str], extent: Extent | None = None
    ) -> list[Made]:
        """Base files of what is in an extent: a year each, and no more facilities than fit."""
        where = f" WHERE {extent.condition}" if extent else ""
        found = self.extents(f"(SELECT * FROM {source} AS cases{where})")
        made = []
        for year in dict.fromkeys(year for year, _, _ in found):
            some = [(facility, rows) for of, facility, rows in found if of == year]
            for first, last in _split(some):
                condition = Extent(year, first, last).condition
                query = (
                    f"SELECT {listed(columns)} FROM {source} AS cases WHERE {condition}"
                    f" ORDER BY {ORDER}"
                )
                made.append(self.file(form, "base", query, columns, year, first))
        return made

    def nothing(self, relation: Relation) -> Made:
        """A base file without a row: a registry that has no case has a lake all the same."""
        columns = ", ".join(
            f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in relation.columns.items()
        )
        return self.file(relation.form, "base", f"SELECT {columns} WHERE FALSE", relation.marks)

    def file(
        self,
        form: str,
        kind: str,
        query: str,
        columns: Mapping[str, str] | None = None,
        year: int | None = None,
        first: int | None = None,
    ) -> Made:
        place = f"{self.registry_id}/{form}" + (f"/{year}" if year is not None else "")
        name = f"{place}/{kind}-{uuid4().hex}.parquet"
        path = self.lake.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = self.connection.execute(
            f"COPY ({query}) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
        assert found is not None
        return Made(form, kind, name, found[0], columns or {}, year, first)


def _split(some: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Facilities in the order of their numbers, in groups of no more rows than a file should have."""
    groups, size = list[tuple[int, int]](), PART_ROWS
    for facility, rows in some:
        if size + rows > PART_ROWS:
            groups.append((facility, facility))
            size = 0
        groups[-1] = (groups[-1][0], facility)
        size += rows
    return groups


def listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
