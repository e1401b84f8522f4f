"""
How fast results are read with a nation in the tables.

    python perf/serve.py [--short] [--facilities N] [--requests N]

Loads the cells and histograms of 6,500 skewed facilities over 36 months (150 million cases are behind as
many), takes a peers' snapshot, starts the service and asks it as dashboards do: facilities at random, one
request at a time, over HTTP. Prints the median and the 95th percentile of each question. The floors:
metrics of a facility 50 ms, benchmarks 100 ms, at the 95th percentile. Beside them the CPU that the web
process spends on a request, which a busy machine does not move as much.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import time
from contextlib import suppress
from datetime import UTC, date, datetime
from math import exp
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from bench.feedback import own_layout
from bench.house import REGISTRY, House, house
from population import drawn

from app.access import new_secret
from app.benchmarks.compare import compare
from app.benchmarks.layout import Layout
from app.benchmarks.periods import later
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.registries.schema import Definition

MONTHS = 36
KEYS = 100
TARGETS = {"metrics": 50.0, "benchmarks": 100.0}
CATEGORIES = ("academic", "community", "freestanding", "multi-specialty", "other")
LOCATIONS = ("metropolitan", "suburban", "rural")
DIVISIONS = (
    "new-england", "middle-atlantic", "east-north-central", "west-north-central", "south-atlantic",
    "east-south-central", "west-south-central", "mountain", "pacific",
)  # fmt: skip


async def settle(url: str, facilities: list[int]) -> list[tuple[int, str]]:
    """Traits and organisations of facilities, and keys of some of them."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET ROLE hounsfield_worker")
        await connection.execute(
            "INSERT INTO corporate_accounts (id, name, street_1, city, state, postal_code, country,"
            " phone, created_at) OVERRIDING SYSTEM VALUE SELECT n, 'Organisation ' || n, '1 Main Street',"
            " 'Reston', 'VA', '20191', 'US', '5550100', now() FROM generate_series(100001, $1) n",
            100_001 + len(facilities) // 2,
        )
        chance = random.Random(3)
        await connection.executemany(
            "UPDATE facilities SET category = $2, location = $3, census_division = $4,"
            " annual_exams = $5, corporate_account_id = $6 WHERE id = $1",
            [
                (
                    one,
                    chance.choice(CATEGORIES),
                    chance.choice(LOCATIONS),
                    chance.choice(DIVISIONS),
                    int(exp(chance.gauss(11.0, 1.0))),
                    100_001 + place // 2,
                )
                for place, one in enumerate(facilities)
            ],
        )
        keys = []
        for one in chance.sample(facilities, min(KEYS, len(facilities))):
            secret = new_secret()
            await connection.execute(
                "INSERT INTO keys (id, digest, role, label, registries, facilities, created_at)"
                " VALUES ($1, $2, 'dashboard', 'perf', ARRAY[$3], ARRAY[$4::bigint], now())",
                secret.key_id,
                secret.digest,
                REGISTRY,
                one,
            )
            keys.append((one, secret.text))
        return keys
    finally:
        await connection.close()


async def _current(connection: asyncpg.Connection, layout: Layout) -> int:
    """The generation that the worker makes as it starts, with the layout of these tables."""
    for _ in range(600):
        found = await connection.fetchval(
            "UPDATE generations SET layout = $1::jsonb WHERE state = 'current' AND registry_id = $2"
            " RETURNING id",
            json.dumps(layout.document()),
            REGISTRY,
        )
        if found is not None:
            return int(found)
        await asyncio.sleep(0.1)
    raise SystemExit("the worker has made no tables")


async def load_tables(
    addresses: Addresses, facilities: list[int], definition: Definition, first: date
) -> tuple[float, float]:
    """Fill the tables and compare; seconds of each."""
    connection = await asyncpg.connect(addresses.owner)
    begun = time.perf_counter()
    try:
        await connection.execute("SET ROLE hounsfield_worker")
        generation = await _current(connection, own_layout(definition))
        await drawn.load(connection, definition, generation, facilities, first, MONTHS)
        await connection.execute("RESET ROLE")
        await connection.execute("VACUUM ANALYZE cells, histograms")
    finally:
        await connection.close()
    loaded = time.perf_counter()
    database = Database(addresses.worker, Role.WORKER, pool=1)
    try:
        async with database.transaction(EVERYTHING) as session:
            await compare(session, definition, datetime.now(UTC).date())
    finally:
        await database.close()
    compared = time.perf_counter()
    connection = await asyncpg.connect(addresses.owner)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return loaded - begun, compared - loaded


def questions(definition: Definition, today: date) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is asked, in words: the endpoint and its query."""
    quarter = later(today.replace(day=1), -3)
    recent = f"{quarter.year}Q{(quarter.month - 1) // 3 + 1}"
    months = [f"{later(today.replace(day=1), -back):%Y-%m}" for back in range(1, 13)]
    one = "abnormal_interpretation_rate"
    return {
        "all measures, the last twelve months": ("metrics", {}),
        "all measures, a quarter": ("metrics", {"period": recent}),
        "one measure, twelve months one by one": ("metrics", {"measure": one, "period": months}),
        "one measure with change and course": (
            "metrics",
            {"measure": one, "include": ["change", "course"]},
        ),
        "one measure, every peer group": ("benchmarks", {"measure": one}),
        "all measures, one grouping": ("benchmarks", {"peer_group": "division"}),
        "all measures, every peer group": ("benchmarks", {}),
    }


def _process(place: House, command: str) -> int:
    """The number of a process of the house."""
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            said = one.read_bytes().split(b"\0")
            environment = one.with_name("environ").read_bytes()
            if command.encode() in said and str(place.folder).encode() in environment:
                return int(one.parent.name)
    raise SystemExit("the web process has ended")


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has had: what it costs however busy the machine is."""
    return (
        sum(
            int(one.read_text().split()[0])
            for one in Path(f"/proc/{process}/task").glob("*/schedstat")
        )
        / 1e9
    )


async def ask(
    place: House, keys: list[tuple[int, str]], definition: Definition, times: int
) -> bool:
    """Ask, tell; whether the floors hold."""
    chance, well = random.Random(9), True
    asked = questions(definition, datetime.now(UTC).date())
    took: dict[str, list[float]] = {name: [] for name in asked}
    burnt = dict.fromkeys(asked, 0.0)
    web = _process(place, "serve")
    async with httpx.AsyncClient(base_url=place.url, timeout=60) as http:
        for turn in range(-5, times):  # the first ones open connections and compile statements
            for name, (endpoint, query) in asked.items():
                facility, key = chance.choice(keys)
                of = {"facility": facility} if endpoint == "metrics" else {}
                begun, cpu = time.perf_counter(), _cpu(web)
                answer = await http.get(
                    f"/v1/registries/{definition.id}/{endpoint}",
                    params={**of, **query},
                    headers={"Authorization": f"Bearer {key}"},
                )
                spent = time.perf_counter() - begun
                if answer.status_code != 200 or not answer.json()[endpoint]:
                    raise SystemExit(answer.text[:2000])
                if turn >= 0:
                    took[name].append(1_000 * spent)
                    burnt[name] += 1_000 * (_cpu(web) - cpu) / times
    for name, every in took.items():
        endpoint = asked[name][0]
        middle, most = statistics.median(every), sorted(every)[int(len(every) * 0.95)]
        held = most < TARGETS[endpoint]
        well &= held
        print(
            f"{endpoint}, {name}: p50 {middle:.1f} ms, p95 {most:.1f} ms"
            f" (floor {TARGETS[endpoint]:.0f}: {'holds' if held else 'MISSED'}),"
            f" {burnt[name]:.1f} ms of CPU in the web process"
        )
    return well


def main() -> None:
    """Run, and fail if a floor of the long form is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer facilities and requests")
    parser.add_argument("--facilities", type=int)
    parser.add_argument("--requests", type=int)
    asked = parser.parse_args()
    facilities = asked.facilities or (200 if asked.short else 6_500)
    times = asked.requests or (20 if asked.short else 200)
    definition = newest(REGISTRY)
    first = later(datetime.now(UTC).date().replace(day=1), -MONTHS)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with house(facilities) as place:
        keys = asyncio.run(settle(place.addresses.owner, place.facilities))
        load_seconds, compare_seconds = asyncio.run(
            load_tables(place.addresses, place.facilities, definition, first)
        )
        print(
            f"{facilities} facilities, {MONTHS} months, {len(definition.measures)} measures:"
            f" loaded in {load_seconds:.0f} s, snapshot in {compare_seconds:.1f} s"
        )
        well = asyncio.run(ask(place, keys, definition, times))
    raise SystemExit(0 if well or asked.short else 1)


if __name__ == "__main__":
    main()
