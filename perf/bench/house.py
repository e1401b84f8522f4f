"""A throw-away Hounsfield: embedded PostgreSQL, one web and one worker process, some facilities."""

import asyncio
import base64
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from app.access import new_secret
from app.database import migrate
from app.postgres import Addresses, Embedded

REGISTRY = "early-lung-cancer-detection"
HOUNSFIELD = Path(sys.executable).with_name("hounsfield")


@dataclass
class House:
    """Where it is and who may send."""

    url: str
    addresses: Addresses
    facilities: list[int]
    key: str
    folder: Path

    @property
    def headers(self) -> dict[str, str]:
        """What a sender presents."""
        return {"Authorization": f"Bearer {self.key}"}


@contextmanager
def house(facilities: int = 20) -> Iterator[House]:
    """A service on a folder of its own, gone afterwards. PostgreSQL writes to disk as in earnest."""
    folder = Path(tempfile.mkdtemp(prefix="hounsfield-perf-"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with Embedded(folder / "data") as cluster:
            addresses = cluster.addresses()
            asyncio.run(migrate(cluster.url()))
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            env = {k: v for k, v in os.environ.items() if not k.startswith("HOUNSFIELD_")} | {
                "HOUNSFIELD_DATA": str(folder / "data"),
                "HOUNSFIELD_DATABASE_URL": addresses.owner,
                "HOUNSFIELD_DATABASE_URL_WEB": addresses.web,
                "HOUNSFIELD_DATABASE_URL_WORKER": addresses.worker,
                "HOUNSFIELD_VAULT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
                "HOUNSFIELD_PORT": str(port),
                "HOUNSFIELD_LOG_LEVEL": "warning",
                # 50,000 entries of 1.2 kB are a little more than the limit an operator starts with.
                "HOUNSFIELD_SUBMISSION_LIMIT": str(100 * 1024 * 1024),
            }
            with (folder / "service.log").open("wb") as log:
                subprocess.run([HOUNSFIELD, "migrate"], env=env, check=True, stdout=log, stderr=log)
                numbers, key = asyncio.run(_settle(addresses.owner, facilities))
                for command in "serve", "worker":
                    processes.append(
                        subprocess.Popen([HOUNSFIELD, command], env=env, stdout=log, stderr=log)
                    )
                found = House(f"http://127.0.0.1:{port}", addresses, numbers, key, folder)
                _await_ready(found)
                yield found
            _end(processes)
    finally:
        _end(processes)
        shutil.rmtree(folder, ignore_errors=True)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    processes.clear()


def _await_ready(found: House) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        try:
            if httpx.get(f"{found.url}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit((found.folder / "service.log").read_text()[-3000:])


async def _settle(url: str, count: int) -> tuple[list[int], str]:
    secret = new_secret()
    connection = await asyncpg.connect(url)
    try:
        account = await connection.fetchval(
            "INSERT INTO corporate_accounts (name, street_1, city, state, postal_code, country,"
            " phone, created_at) VALUES ('Perf', '1 Main Street', 'Reston', 'VA', '20191', 'US',"
            " '5550100', now()) RETURNING id"
        )
        # The tables force row-level security upon their owner as well.
        await connection.execute("SET ROLE hounsfield_worker")
        rows = await connection.fetch(
            "INSERT INTO facilities (corporate_account_id, name, street_1, city, state, postal_code,"
            " country, phone, category, location, childrens_hospital, created_at, updated_at)"
            " SELECT $1, 'Place ' || n, '1 Main Street', 'Reston', 'VA', '20191', 'US', '5550100',"
            " 'community', 'suburban', false, now(), now() FROM generate_series(1, $2) n"
            " RETURNING id",
            account,
            count,
        )
        numbers = [row["id"] for row in rows]
        await connection.execute(
            "INSERT INTO participations (facility_id, registry_id, state, created_at)"
            " SELECT unnest($1::int[]), $2, 'active', now()",
            numbers,
            REGISTRY,
        )
        await connection.execute(
            "INSERT INTO keys (id, digest, role, label, registries, facilities, created_at)"
            " VALUES ($1, $2, 'registrar', 'perf', ARRAY[$3], $4, now())",
            secret.key_id,
            secret.digest,
            REGISTRY,
            numbers,
        )
    finally:
        await connection.close()
    return numbers, secret.text
