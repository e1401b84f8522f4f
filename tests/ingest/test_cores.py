"""Processes beside a worker judge as the worker does, and neither outlive it nor take it along."""

import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from app.catalogue import Catalogue
from app.ingest.checks import RegistryAtWork, at_work
from app.ingest.cores import Cores
from app.ingest.formats.sent import ENTRY, as_sent
from app.ingest.judge import MEMBERS, Delivery, Judged
from app.settings import Settings
from app.vault import Vault, identities
from tests.ingest.landing import REGISTRY, exam, follow_up

FACILITY = 100_001
DELIVERIES = {
    1: Delivery(1, FACILITY, frozenset({FACILITY}), frozenset({FACILITY}), date(2026, 1, 31))
}
IDENTITY = [name.split()[0] for name in MEMBERS.split(", ")].index("identity")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data=tmp_path_factory.mktemp("cores"),
        vault_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        check_processes=2,
    )


@pytest.fixture(scope="module")
def vault(settings: Settings) -> Vault:
    return Vault(settings)


@pytest.fixture(scope="module")
def registry(settings: Settings) -> RegistryAtWork:
    return at_work(Catalogue(settings).in_force(REGISTRY))


@pytest.fixture
def cores(settings: Settings, vault: Vault) -> Iterator[Cores]:
    made = Cores(settings, vault)
    yield made
    made.close()


def sealed(vault: Vault, entries: list[dict[str, Any]]) -> list[tuple[int, int, bytes]]:
    seal = vault.sealer(ENTRY, REGISTRY).seal
    return [
        (1, row, seal(as_sent(orjson.dumps(one)).content, f"1/{row}".encode()))
        for row, one in enumerate(entries, 1)
    ]


def opened(vault: Vault, found: Judged) -> list[tuple[Any, ...]]:
    """The rows with their identities opened: a seal is another one each time."""
    rows = []
    for record in found[0]:
        row = list(record)
        if row[IDENTITY] is not None:
            row[IDENTITY] = identities.unseal(vault, REGISTRY, row[0], row[1], row[IDENTITY])
        rows.append(tuple(row))
    return rows


ENTRIES = [
    exam(exam_unique_id="A-1"),
    exam(exam_unique_id="A-2", patient_dob="1899-13-01"),
    exam(exam_unique_id="A-3", ct_exam_result_lung_rads=None),
    exam(exam_unique_id="A-4", smoking_status="7"),
    exam("save", exam_unique_id="A-5", exam_date=None),
    follow_up(),
    {"form": "nothing", "action": "submit", "elements": {}},
]


async def test_what_is_judged_beside_a_worker_is_judged_as_in_it(
    cores: Cores, vault: Vault, registry: RegistryAtWork
) -> None:
    rows = sealed(vault, ENTRIES)
    here, there = [
        await cores.judged(registry, DELIVERIES, rows, beside=beside) for beside in (False, True)
    ]
    assert opened(vault, here) == opened(vault, there)
    assert here[1] == there[1]
    assert {one[5] for one in here[0]} == {"checked", "rejected"}
    assert here[1]


async def test_a_process_that_is_killed_costs_a_try_and_nothing_else(
    cores: Cores, vault: Vault, registry: RegistryAtWork
) -> None:
    rows = sealed(vault, ENTRIES)
    before = await cores.judged(registry, DELIVERIES, rows, beside=True)
    assert cores._pool is not None
    for process in list(cores._pool._processes.values()):
        process.kill()
    with pytest.raises(BrokenProcessPool):
        await cores.judged(registry, DELIVERIES, rows, beside=True)
    after = await cores.judged(registry, DELIVERIES, rows, beside=True)
    assert opened(vault, after) == opened(vault, before)


_WORKER = """
import asyncio, signal
from app.ingest.cores import Cores
from app.catalogue import Catalogue
from app.ingest.checks import at_work
from app.settings import Settings
from app.vault import Vault

settings = Settings()
cores = Cores(settings, Vault(settings))
registry = at_work(Catalogue(settings).in_force("early-lung-cancer-detection"))
asyncio.run(cores.judged(registry, {}, [], beside=True))
print(*cores._pool._processes, flush=True)
signal.pause()
"""


def test_processes_end_with_a_worker_that_is_killed(settings: Settings, tmp_path: Path) -> None:
    program = tmp_path / "worker.py"
    program.write_text(f"if __name__ == '__main__':\n{_indented(_WORKER)}")
    env = os.environ | {
        "HOUNSFIELD_DATA": str(tmp_path),
        "HOUNSFIELD_CHECK_PROCESSES": "2",
        "PYTHONPATH": os.getcwd(),
    }
    worker = subprocess.Popen([sys.executable, program], env=env, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    beside = [int(one) for one in worker.stdout.readline().split()]
    assert beside
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    until = time.monotonic() + 20
    while any(psutil.pid_exists(one) for one in beside) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [one for one in beside if psutil.pid_exists(one)]


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.strip().splitlines())
