"""`hounsfield recompute | reconcile | compare`, as an operator runs them."""

import asyncio

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from app.cli import assembled
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.settings import Settings
from tests.benchmarks.history import History

REGISTRY = "early-lung-cancer-detection"


@pytest.fixture
def runner(database: Addresses, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL", database.owner)
    monkeypatch.setenv("HOUNSFIELD_DATABASE_URL_WORKER", database.worker)
    monkeypatch.setenv("HOUNSFIELD_DATA", str(settings.data))
    return CliRunner()


def on_the_tables(database: Addresses, statement: str | None = None) -> None:
    """Two exams arrive, or somebody changes the tables by hand."""

    async def work() -> None:
        opened = Database(database.worker, Role.WORKER, pool=1)
        async with opened.transaction(EVERYTHING) as session:
            if statement is not None:
                await session.execute(text(statement))
            else:
                history = History(registry=REGISTRY)
                for case in (1, 2):
                    sent = {"exam_date": "2026-03-04", "ct_exam_result_lung_rads": "2"}
                    history.put(case, "exam", 200001, case, sent)
                await history.write(session)
        await opened.close()

    asyncio.run(work())


def test_reconcile_says_what_differs_and_recompute_mends_it(
    runner: CliRunner, database: Addresses
) -> None:
    on_the_tables(database)
    clean = runner.invoke(assembled(), ["reconcile", "--registry", REGISTRY])
    assert (clean.exit_code, f"{REGISTRY}: 0 differences" in clean.output) == (0, True), (
        clean.output
    )
    on_the_tables(database, "UPDATE cells SET counts[1] = 99 WHERE stratifier = ''")
    wrong = runner.invoke(assembled(), ["reconcile", "--registry", REGISTRY])
    assert wrong.exit_code == 1
    assert f"{REGISTRY}: 1 differences" in wrong.output
    assert "cells: facility 200001, 2026-03, exam" in wrong.output
    assert runner.invoke(assembled(), ["recompute", "--registry", REGISTRY]).exit_code == 0
    assert runner.invoke(assembled(), ["reconcile"]).exit_code == 0


def test_compare_takes_a_snapshot(runner: CliRunner, database: Addresses) -> None:
    on_the_tables(database)
    found = runner.invoke(assembled(), ["compare"])
    assert found.exit_code == 0, found.output
    assert f"{REGISTRY}: snapshot" in found.output


@pytest.mark.parametrize("command", ["reconcile", "compare"])
def test_registries_that_nobody_sent_a_case_to_are_passed_by(
    runner: CliRunner, database: Addresses, command: str
) -> None:
    on_the_tables(database)
    found = runner.invoke(assembled(), [command])
    assert found.exit_code == 0, found.output
    told = {line.split(":")[0] for line in found.stdout.splitlines()}
    assert told == {REGISTRY}


def test_an_unknown_registry_is_one_line(runner: CliRunner) -> None:
    found = runner.invoke(assembled(), ["reconcile", "--registry", "nothing"])
    assert found.exit_code == 1
