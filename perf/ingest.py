"""
How fast a file becomes benchmarks.

    python perf/ingest.py [--short]

In one interleaved run: (a) plain COPY and upsert of the same rows into a case table with the same
columns and indexes, (b) the whole journey, from a posted NDJSON file to updated benchmark tables,
through a web process, a worker process and PostgreSQL. Prints cases per second and the ratio.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from typing import Any

import asyncpg
import httpx
from bench.exams import exams
from bench.house import REGISTRY, House, house

TARGET = 2_000

_PLAIN = """
CREATE TABLE plain_cases (LIKE cases INCLUDING ALL);
ALTER TABLE plain_cases ADD COLUMN elements jsonb;
CREATE TABLE plain_staging (facility_id int, key_token text, elements jsonb, case_date date);
"""
_UPSERT = """
INSERT INTO plain_cases (registry_id, facility_id, form, key_token, subject_id, state, case_date,
    submission_number, row, created_at, updated_at, elements)
SELECT 'r', facility_id, 'exam', key_token, 1, 'submitted', case_date, 1, 1, now(), now(), elements
FROM plain_staging
ON CONFLICT (registry_id, facility_id, form, key_token) DO UPDATE
SET elements = excluded.elements, case_date = excluded.case_date, updated_at = now()
"""


async def plain(url: str, entries: list[dict[str, Any]]) -> float:
    """Seconds of (a)."""
    from datetime import date

    connection = await asyncpg.connect(url)
    try:
        begun = time.perf_counter()
        rows = [
            (
                int(one["elements"]["facility_id"]),
                one["elements"]["exam_unique_id"],
                json.dumps(one["elements"]),
                date.fromisoformat(one["elements"]["exam_date"]),
            )
            for one in entries
        ]
        async with connection.transaction():
            await connection.copy_records_to_table(
                "plain_staging",
                records=rows,
                columns=["facility_id", "key_token", "elements", "case_date"],
            )
            await connection.execute(_UPSERT)
            await connection.execute("TRUNCATE plain_staging")
        return time.perf_counter() - begun
    finally:
        await connection.close()


async def journey(place: House, body: bytes, count: int) -> dict[str, float]:
    """Seconds of (b): to the receipt, to accepted cases, to benchmark tables."""
    connection = await asyncpg.connect(place.addresses.worker)
    marks: dict[str, float] = {}
    try:
        async with httpx.AsyncClient(base_url=place.url, timeout=120) as client:
            begun = time.perf_counter()
            answer = await client.post(
                f"/v1/registries/{REGISTRY}/submissions",
                content=body,
                headers={**place.headers, "Content-Type": "application/x-ndjson"},
            )
            if answer.status_code != 202:
                raise SystemExit(answer.text)
            marks["received"] = time.perf_counter() - begun
            while True:
                state, number, told = await connection.fetchrow(
                    "SELECT state, number, counts FROM submissions WHERE id = $1",
                    answer.json()["id"],
                )
                if state not in marks:
                    marks[state] = time.perf_counter() - begun
                if state == "completed" and await connection.fetchval(
                    "SELECT g.feed_seq >= f.feed_seq FROM generations g JOIN feeds f"
                    " USING (registry_id) WHERE g.state = 'current' AND g.registry_id = $1",
                    REGISTRY,
                ):
                    marks["benchmarks"] = time.perf_counter() - begun
                    break
                if state in ("held", "unreadable"):
                    raise SystemExit(f"submission {number} is {state}")
                await asyncio.sleep(0.05)
        accepted = json.loads(told)["accepted"]
        if accepted != count:
            raise SystemExit(f"{accepted} of {count} accepted: {told}")
        return marks
    finally:
        await connection.close()


async def run(place: House, count: int, rounds: int) -> bool:
    """The rounds, interleaved; whether the target was reached."""
    owner = await asyncpg.connect(place.addresses.worker)
    await owner.close()
    admin = await asyncpg.connect(place.addresses.owner)
    await admin.execute(_PLAIN)
    await admin.close()
    rates: dict[str, list[float]] = {"plain": [], "journey": []}
    for number in range(rounds):
        entries = list(exams(place.facilities, count, seed=number + 1))
        body = b"\n".join(json.dumps(one).encode() for one in entries)
        seconds = await plain(place.addresses.owner, entries)
        rates["plain"].append(count / seconds)
        marks = await journey(place, body, count)
        rates["journey"].append(count / marks["benchmarks"])
        told = ", ".join(f"{name} {at:.1f} s" for name, at in marks.items())
        print(f"round {number + 1}: plain {seconds:.1f} s; {len(body) / 1e6:.0f} MB: {told}")
    a, b = (statistics.median(rates[name]) for name in ("plain", "journey"))
    print(f"(a) COPY and upsert    {a:8.0f} cases/s")
    print(f"(b) the whole journey  {b:8.0f} cases/s   = 1/{a / b:.1f} of (a)")
    print(f"target                 {TARGET:8.0f} cases/s: {'reached' if b >= TARGET else 'MISSED'}")
    return b >= TARGET


def main() -> None:
    """Run, and fail if the target of the long form is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer cases, one round")
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    count, rounds = (5_000, 1) if asked.short else (asked.cases, asked.rounds)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with house() as place:
        reached = asyncio.run(run(place, count, rounds))
    raise SystemExit(0 if reached or asked.short else 1)


if __name__ == "__main__":
    main()
