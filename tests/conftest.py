"""
One real PostgreSQL for the run, migrated once; a database of its own for each test module.

The run's first process starts the embedded server and migrates a template; the modules' databases
are copies of it. Under pytest-xdist the workers are told the addresses.

    database   addresses of the module's database, for owner, web and worker
    settings   settings that point there, with a data folder of the module's own
    web, worker   a `Database` in that role, one for the module
    application   the real application, one for the module
    client     HTTP on it, through its lifespan, once for the module

Tests of a module run in one event loop, so that they share connections and compiled statements; a module
that alters what the application reads only when it is opened opens it for each test.
"""

import asyncio
import gc
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from hypothesis import settings as hypothesis

from app.cli import COLLECT_AFTER
from app.database import Database, Role, migrate
from app.postgres import Addresses, Embedded
from app.settings import Settings
from tests.nursery import nursing

if TYPE_CHECKING:
    from fastapi import FastAPI

hypothesis.register_profile("house", deadline=None)  # a busy machine is no finding
hypothesis.load_profile("house")

TEMPLATE = "hounsfield_template"
TESTS = Path(__file__).parent
LONGEST = (
    "benchmarks/test_cluster.py",
    "journeys/test_nation.py",
    "test_openapi_contract.py",
    "test_cli.py",
    "docs/test_first_registry.py",
    "privacy/test_canaries.py",
    "browser/test_pages.py",
    "test_postgres.py",
    "benchmarks/test_populations.py",
    "journeys/test_copied_definition.py",
    "deid/pixels/test_text_is_found.py",
    "deid/test_adversary.py",
    "deid/files/test_interrupted.py",
    "deid/files/test_journeys.py",
    "privacy/test_suppression.py",
    "reports/test_issue.py",
    "ingest/test_images.py",
    "benchmarks/test_histories.py",
    "benchmarks/test_lake.py",
    "test_servers.py",
    "ingest/test_images_peers.py",
    "test_worker.py",
    "docs/test_readme.py",
    "deid/test_memory.py",
    "deid/test_fuzz.py",
)
"""Begun first, by falling length: what is long and begun last leaves the other cores idle."""

CI = bool(os.environ.get("CI"))

gc.set_threshold(COLLECT_AFTER)  # as every process of ours has it: loading the tests makes millions


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if name.startswith("HOUNSFIELD_"):
            del os.environ[name]  # what the developer has set must not decide a test
    if hasattr(config, "workerinput"):
        config._hounsfield = dict(config.workerinput["hounsfield"])
        return
    if config.option.collectonly:
        return
    folder = Path(tempfile.mkdtemp(prefix="hounsfield-tests-"))
    cluster = Embedded(folder, durable=False)
    cluster.start()
    cluster.create_database(TEMPLATE)
    asyncio.run(migrate(cluster.url("owner", TEMPLATE)))
    config._hounsfield_cluster = cluster
    config._hounsfield_nursery = ExitStack()
    config._hounsfield_nursery.enter_context(nursing())
    config._hounsfield = {
        "folder": str(folder),
        "owner": cluster.url("owner", "{}"),
        "web": cluster.url("hounsfield_web", "{}"),
        "worker": cluster.url("hounsfield_worker", "{}"),
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {TESTS / name: number for number, name in enumerate(LONGEST)}
    gone = [str(path) for path in place if not path.is_file()]
    assert not gone, f"LONGEST names what is no file: {gone}"
    items.sort(key=lambda one: place.get(one.path, len(place)))


def pytest_collection_finish() -> None:
    """The modules and tests of a run stay: nobody need look through them for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["hounsfield"] = node.config._hounsfield


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.unfreeze()
    cluster = getattr(config, "_hounsfield_cluster", None)
    if cluster is not None:
        config._hounsfield_nursery.close()
        cluster.destroy()
        shutil.rmtree(config._hounsfield["folder"], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Under CI nothing may be skipped: what the machine lacks is an error there."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr}"
    return report


class TestCluster:
    """The run's PostgreSQL: makes databases, migrated or empty, and drops them."""

    __test__ = False

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = addresses
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection: asyncpg.Connection | None = None

    def addresses(self, name: str) -> Addresses:
        """The addresses of a database for the three roles."""
        return Addresses(
            *(self._addresses[role].format(name) for role in ("owner", "web", "worker"))
        )

    def create(self, name: str, template: str | None = TEMPLATE) -> Addresses:
        """A database: migrated by default, empty with `template=None`."""
        # As files: to log every page of the copy costs as much again, and nothing is recovered here.
        copied = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        self._execute(f'CREATE DATABASE "{name}"{copied}', patient=True)
        return self.addresses(name)

    def drop(self, name: str) -> None:
        """Drop a database and end whoever is connected."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str, *, patient: bool = False) -> None:
        async def execute() -> None:
            if self._connection is None:
                address = self._addresses["owner"].format("postgres")
                self._connection = await asyncpg.connect(address)
            for attempt in range(50):
                try:
                    await self._connection.execute(statement)
                    return
                except asyncpg.ObjectInUseError:  # another copy of the template is being made
                    if not patient or attempt == 49:
                        raise
                    await asyncio.sleep(0.1)

        self._runner.run(execute())

    def close(self) -> None:
        """Close its connection."""
        if self._connection is not None:
            self._runner.run(self._connection.close())
        self._runner.close()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[TestCluster]:
    found = TestCluster(request.config._hounsfield)  # type: ignore[attr-defined]  # set in pytest_configure
    yield found
    found.close()


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, cluster: TestCluster) -> Iterator[Addresses]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = re.sub(r"\W", "_", f"{worker}_{request.module.__name__}")[-60:]
    yield cluster.create(name)
    cluster.drop(name)


@pytest.fixture(scope="module")
def settings(database: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data=tmp_path_factory.mktemp("data"),
        database_url=database.owner,
        database_url_web=database.web,
        database_url_worker=database.worker,
        public_url="http://hounsfield.test",
        log_level="warning",
        lease_seconds=5,
    )


@pytest_asyncio.fixture(scope="module")
async def web(database: Addresses) -> AsyncIterator[Database]:
    opened = Database(database.web, Role.WEB, pool=5)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module")
async def worker(database: Addresses) -> AsyncIterator[Database]:
    opened = Database(database.worker, Role.WORKER, pool=5)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def application(settings: Settings) -> "FastAPI":
    """The real application: its first request works out all routes, so a module shares one."""
    from app.main import create_app

    return create_app(settings)


@pytest_asyncio.fixture(scope="module")
async def client(application: "FastAPI") -> AsyncIterator[httpx.AsyncClient]:
    """HTTP on the application, opened in this process; the worker is not running."""
    async with opened(application) as asked:
        yield asked


@asynccontextmanager
async def opened(application: "FastAPI") -> AsyncIterator[httpx.AsyncClient]:
    """HTTP on an application for as long as it lives, from its lifespan's begin to its end."""
    async with (
        application.router.lifespan_context(application),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=application, raise_app_exceptions=False),
            base_url="http://hounsfield.test",
        ) as asked,
    ):
        yield asked
