"""A nation's benchmark tables, loaded from its lake, and what is asked of them."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import duckdb
from bench.house import REGISTRY

from app.benchmarks.compare import compare
from app.benchmarks.generations import current
from app.benchmarks.measures import tabulation
from app.benchmarks.recompute import fill, over_lake
from app.benchmarks.tabulate import advance
from app.database import EVERYTHING, Database, Role, migrate
from app.locks import Lock, take
from app.models import Generation
from app.postgres import Addresses, Embedded

from .places import Place
from .scans import Scan

CHANGES = 10_000
TODAY = date(2026, 2, 1)
CATEGORIES = ("academic", "community", "freestanding", "multi-specialty", "other")
LOCATIONS = ("metropolitan", "suburban", "rural")
DIVISIONS = (
    "new-england", "middle-atlantic", "east-north-central", "west-north-central", "south-atlantic",
    "east-south-central", "west-south-central", "mountain", "pacific",
)  # fmt: skip


class Asked(NamedTuple):
    """Seconds of each question."""

    rows: int
    load: float
    compare: list[float]
    spreads: int
    feed: list[float]


@contextmanager
def postgres() -> Iterator[Addresses]:
    """A server of its own that writes to disk as in earnest."""
    with (
        tempfile.TemporaryDirectory(prefix="hounsfield-nation-") as folder,
        Embedded(Path(folder) / "data") as server,
    ):
        asyncio.run(migrate(server.url()))
        yield server.addresses()


def ask(scan: Scan, facilities: list[Place], turns: int) -> Asked:
    """Load a nation's tables, take snapshots of them, and apply feeds of changes."""
    with postgres() as addresses:
        return asyncio.run(_ask(addresses, scan, facilities, turns))


async def _ask(addresses: Addresses, scan: Scan, facilities: list[Place], turns: int) -> Asked:
    definition, made = scan.definition, tabulation(scan.definition)
    await _settle(addresses.owner, facilities)
    database = Database(addresses.worker, Role.WORKER, pool=2)
    try:
        begun = time.perf_counter()
        rows = 0
        async with database.transaction(EVERYTHING) as session:
            generation = Generation(
                registry_id=definition.id,
                definition_version=definition.version,
                digest=made.digest,
                layout=made.layout.document(),
                state="current",
                feed_seq=0,
            )
            session.add(generation)
            await session.flush()
            rows = await fill(
                session,
                lambda its, files: over_lake(scan.engine, scan.lake, its, files),
                made,
                scan.files(made),
                generation.id,
            )
        load = time.perf_counter() - begun
        await _analyze(addresses.owner)
        compared = []
        for turn in range(turns):
            begun = time.perf_counter()
            async with database.transaction(EVERYTHING) as session:
                snapshot = await compare(session, definition, date(2026, 2, 1 + turn))
            compared.append(time.perf_counter() - begun)
        assert snapshot is not None
        await _sent(addresses.owner, scan)
        fed = []
        for _ in range(turns):
            await _amend(addresses.owner)
            begun = time.perf_counter()
            async with database.transaction(EVERYTHING) as session:
                await take(session, Lock.TABULATE, definition.id)
                found = await current(session, definition.id)
                assert found is not None
                moved = await advance(session, scan.engine, made, found)
            fed.append(time.perf_counter() - begun)
            assert moved == CHANGES, moved
        connection = await asyncpg.connect(addresses.owner)
        await connection.execute("SET ROLE hounsfield_worker")
        spreads = await connection.fetchval(
            "SELECT count(*) FROM snapshot_spreads WHERE snapshot_id = $1", snapshot.id
        )
        await connection.close()
        return Asked(rows, load, compared, spreads, fed)
    finally:
        await database.close()


async def _settle(url: str, facilities: list[Place]) -> None:
    connection = await asyncpg.connect(url)
    try:
        account = await connection.fetchval(
            "INSERT INTO corporate_accounts (name, street_1, city, state, postal_code, country,"
            " phone, created_at) VALUES ('Nation', '1 Main Street', 'Reston', 'VA', '20191', 'US',"
            " '5550100', now()) RETURNING id"
        )
        await connection.execute("SET ROLE hounsfield_worker")
        await connection.executemany(
            "INSERT INTO facilities (id, corporate_account_id, name, street_1, city, state, postal_code,"
            " country, phone, category, location, census_division, annual_exams, childrens_hospital,"
            " created_at, updated_at) OVERRIDING SYSTEM VALUE VALUES ($1, $2, 'Place', '1 Main Street',"
            " 'Reston', 'VA', '20191', 'US', '5550100', $3, $4, $5, $6, false, now(), now())",
            [
                (
                    one.facility_id,
                    account,
                    CATEGORIES[one.facility_id % 5],
                    LOCATIONS[one.facility_id // 5 % 3],
                    DIVISIONS[one.facility_id // 15 % 9],
                    one.cases // 3,
                )
                for one in facilities
            ],
        )
        await connection.executemany(
            "INSERT INTO participations (facility_id, registry_id, state, created_at)"
            " VALUES ($1, $2, 'active', now())",
            [(one.facility_id, REGISTRY) for one in facilities],
        )
    finally:
        await connection.close()


async def _analyze(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("ANALYZE cells")
    await connection.execute("ANALYZE histograms")
    await connection.close()


async def _sent(url: str, scan: Scan) -> None:
    """The versions of some cases from all over the nation, as they stand in the registry's feed."""
    definition = scan.definition
    (form,) = [one.form for one in tabulation(definition).relations]
    names = scan.names(form)
    every = max(len(names) // 30, 1)
    files = ", ".join(f"'{scan.folder / name}'" for name in names[::every])
    with duckdb.connect(config={"memory_limit": scan.memory}) as connection:
        elements = {one.id for one in definition.form(form).all_elements}
        columns = [
            name
            for name, *_ in connection.execute(
                f"DESCRIBE SELECT * FROM read_parquet([{files}])"
            ).fetchall()
            if name in elements
        ]
        shown = ", ".join(f'"{name}"' for name in columns)
        found = connection.execute(
            f"SELECT subject_id, case_id, facility_id, case_token, case_date,"
            f" to_json(struct_pack({', '.join(f'{name} := {name}' for name in columns)})) AS elements,"
            f" {shown} FROM read_parquet([{files}]) WHERE subject_id % 7 = 5 LIMIT {CHANGES}"
        ).fetchall()
    assert len(found) == CHANGES, "too small a nation for so many changes"
    rows = [
        (
            *one[:5],
            json.dumps({k: v for k, v in json.loads(one[5]).items() if v is not None}),
            n,
            definition.version,
        )
        for n, one in enumerate(found, 1)
    ]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET ROLE hounsfield_worker")
        await connection.executemany(_VERSION, [_decimals_as_text(row) for row in rows])
        await connection.execute(
            "INSERT INTO feeds (registry_id, feed_seq) VALUES ($1, $2)", REGISTRY, CHANGES
        )
        await connection.execute(
            "UPDATE generations SET feed_seq = $1 WHERE registry_id = $2", CHANGES, REGISTRY
        )
        await connection.execute("RESET ROLE")
        await connection.execute("ANALYZE versions")
    finally:
        await connection.close()


_VERSION = (
    "INSERT INTO versions (subject_id, registry_id, case_id, facility_id, form, key_token, state,"
    f" definition_version, case_date, elements, submission_number, row, from_seq) VALUES ($1, '{REGISTRY}',"
    " $2, $3, 'exam', $4, 'submitted', $8, $5, CAST($6 AS jsonb), 1, CAST($7 AS int), CAST($7 AS int))"
)


def _decimals_as_text(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Canonical values: a decimal number is text in the entries that the registry keeps."""
    elements = {
        name: str(value) if isinstance(value, float) else value
        for name, value in json.loads(row[5]).items()
    }
    return (*row[:5], json.dumps(elements), *row[6:])


async def _amend(url: str) -> None:
    """Every one of those cases is sent again with another result, as one feed."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET ROLE hounsfield_worker")
        async with connection.transaction():
            last = await connection.fetchval(
                "UPDATE feeds SET feed_seq = feed_seq + $1 WHERE registry_id = $2 RETURNING feed_seq",
                CHANGES,
                REGISTRY,
            )
            await connection.execute(
                "WITH closed AS (UPDATE versions SET to_seq = CAST($1 AS bigint) - CAST($2 AS bigint) + row WHERE to_seq IS NULL"
                f" AND registry_id = '{REGISTRY}' RETURNING *)"
                " INSERT INTO versions (subject_id, registry_id, case_id, facility_id, form, key_token,"
                " state, definition_version, case_date, elements, submission_number, row, from_seq)"
                " SELECT subject_id, registry_id, case_id, facility_id, form, key_token, state,"
                " definition_version, case_date, elements || jsonb_build_object("
                "'ct_exam_result_lung_rads', CASE elements ->> 'ct_exam_result_lung_rads'"
                " WHEN '1' THEN '2' ELSE '1' END), submission_number + 1, row, CAST($1 AS bigint) - CAST($2 AS bigint) + row FROM closed",
                last,
                CHANGES,
            )
    finally:
        await connection.close()
