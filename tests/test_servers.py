"""An operator's own PostgreSQL server instead of the embedded one, with an owner that is no superuser."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import pytest
from pydantic import SecretStr

from app.database import differences
from app.settings import Settings
from tests.ingest.landing import EXAM, FOLLOW_UP, entry
from tests.served import FACILITY, REGISTRY, whole_service

DEBIANS = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server of Debian's, and the owner of an empty database on it."""

    version: int
    url: str


def installed() -> list[Path]:
    """The folders of programs of the servers that this machine has."""
    found = [folder for folder in DEBIANS.glob("*/bin") if (folder / "initdb").exists()]
    return sorted(found, key=lambda folder: int(folder.parent.name))


def as_nobody(*command: str | Path) -> None:
    """Run a program of PostgreSQL's, which refuses to run as root."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    subprocess.run(
        [*(become if os.geteuid() == 0 else []), *map(str, command)],
        check=True,
        capture_output=True,
        cwd="/",
        timeout=120,
    )


@pytest.fixture(scope="module", params=installed() or [None], ids=lambda it: it and it.parent.name)
def server(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    programs = request.param
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here (Debian: postgresql)")
    folder = Path(f"/tmp/hounsfield-server-{os.getpid()}-{programs.parent.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    as_nobody(programs / "initdb", "-D", data, "-U", "super", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = programs / "pg_ctl"
    as_nobody(control, "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        for statement in (
            "CREATE ROLE registry LOGIN CREATEROLE PASSWORD 'secret'",
            "CREATE DATABASE registry OWNER registry",
        ):
            as_nobody(
                programs / "psql", "-h", "127.0.0.1", "-p", str(port), "-U", "super",
                "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qc", statement,
            )  # fmt: skip
        yield OwnServer(
            int(programs.parent.name), f"postgresql://registry:secret@127.0.0.1:{port}/registry"
        )
    finally:
        as_nobody(control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_the_journey_runs_on_an_operators_own_server(server: OwnServer, tmp_path: Path) -> None:
    assert 15 <= server.version <= 18
    settings = Settings(data=tmp_path, database_url=SecretStr(server.url), log_level="warning")
    lines = [entry(EXAM), entry(FOLLOW_UP, form="follow_up")]
    with (
        whole_service(settings) as service,
        httpx.Client(base_url=service.url, timeout=60) as client,
    ):
        sent = client.post(
            f"/v1/registries/{REGISTRY}/submissions",
            content=b"\n".join(map(orjson.dumps, lines)),
            headers=service.authorised(service.registrar)
            | {"Content-Type": "application/x-ndjson", "Prefer": "wait=20"},
        )
        assert sent.status_code in (200, 202), sent.text
        own = service.authorised(service.registrar)
        deadline = time.monotonic() + 120  # on a machine that is busy with other work
        while (status := client.get(sent.headers["Location"], headers=own).json())[
            "state"
        ] != "completed":
            assert time.monotonic() < deadline, status
            time.sleep(0.2)
        assert status["counts"]["accepted"] == 2
        deadline = time.monotonic() + 120
        while True:
            answer = client.get(
                f"/v1/registries/{REGISTRY}/metrics",
                params={"facility": FACILITY, "period": "2025-03"},
                headers=service.authorised(service.dashboard),
            )
            assert answer.status_code == 200, answer.text
            if re.search(r'"denominator":\s*1\b', answer.text):
                break
            assert time.monotonic() < deadline, "the case never reached the metrics"
            time.sleep(0.2)
    asyncio.run(differences(server.url))
