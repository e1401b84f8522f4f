"""Spark and DuckDB give the same tables, to the last count, from the same texts."""

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import text

from app.benchmarks import cluster, generations, recompute
from app.benchmarks.cluster import Cluster
from app.benchmarks.engine import Engine
from app.benchmarks.generations import Workshop
from app.benchmarks.lake import Base, Delta, Files, Lake
from app.benchmarks.measures import Tabulation, tabulation
from app.benchmarks.observe import Rows
from app.commands.definitions import newest
from app.commands.running import environment
from app.database import EVERYTHING
from app.postgres import Addresses
from app.registries.conversion import Conversion, Converted
from app.registries.lineage import related
from app.registries.schema import Derived
from app.settings import Settings
from perf.population.cases import statements
from perf.population.places import places
from tests.benchmarks.history import History, counted
from tests.benchmarks.tables import raw, tabulated
from tests.benchmarks.test_histories import something
from tests.benchmarks.toy import DERIVED, definition
from tests.make.definitions import packaged

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java here")

THREADS = "local[2]"
INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
"""For a few cases: what runs for a moment is not compiled for minutes first."""
COMPILED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One session for every test here: to start another takes ten seconds."""
    found = Cluster(THREADS, "1g", tmp_path_factory.mktemp("spark"), more=COMPILED)
    with pytest.MonkeyPatch.context() as patched:
        # Its first minute goes into compiling itself for the hours it usually runs.
        patched.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        session = found.session()
    yield found
    session.stop()


def lake_of(folder: Path, made: Tabulation, cases: int) -> tuple[Lake, list[Files]]:
    """A lake of so many drawn cases, with a delta on it that changes some subjects."""
    lake, files = Lake(folder), []
    registry = newest(made.registry_id)
    for one in made.relations:
        with duckdb.connect(config={"threads": "1"}) as connection:
            for statement in statements(registry, one, made.read[one.form], places(cases)):
                connection.execute(statement)
            names = {
                "base": "SELECT * FROM made",
                "delta": "SELECT * REPLACE (facility_id + 1 AS facility_id) FROM made"
                " WHERE subject_id % 10 = 3 AND case_id % 4 > 0",
                "touched": "SELECT DISTINCT subject_id FROM made WHERE subject_id % 10 = 3",
            }
            for kind, query in names.items():
                connection.execute(
                    f"COPY ({query}) TO '{folder / one.form}-{kind}' (FORMAT parquet)"
                )
            described = connection.execute("DESCRIBE made").fetchall()
        columns = {name: one.marks[name] for name, *_ in described}
        base = Base(f"{one.form}-base", columns, cases)
        delta = Delta(f"{one.form}-delta", columns, f"{one.form}-touched")
        files.append(Files(one.form, 1, (base,), (delta,)))
    return lake, files


def all_of(rows: Iterator[Rows]) -> Counter[object]:
    found: Counter[object] = Counter()
    for some in rows:
        found.update(some.cells)
        found.update(some.histograms)
    return found


def equal_on(cases: int, spark: Cluster, folder: Path) -> None:
    for place, source in enumerate(packaged()):
        made = tabulation(source)
        (folder / str(place)).mkdir()
        lake, files = lake_of(folder / str(place), made, cases)
        engine = Engine("1GB", "4GB", folder / "spill")
        here = all_of(recompute.over_lake(engine, lake, made, files))
        there = all_of(cluster.over_lake(spark, lake, made, files))
        assert here, "there is something to compare"
        assert there - here == here - there == Counter()


def test_what_the_operator_tells_spark_reaches_it_and_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, spark_settings=COMPILED)
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Cluster.of(Settings()).more == COMPILED


@pytest.mark.timeout(1800)
def test_every_measure_of_every_shipped_definition_is_equal(spark: Cluster, tmp_path: Path) -> None:
    equal_on(5_000, replace(spark, more=INTERPRETED), tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_measure_is_equal_over_two_million_cases(spark: Cluster, tmp_path: Path) -> None:
    equal_on(2_000_000, spark, tmp_path)


@pytest.mark.soak
async def test_a_history_is_equal_too_with_columns_that_are_worked_out_when_read(
    workshop: Workshop, spark: Cluster
) -> None:
    chance, history, toy = random.Random(11), History(), definition()
    on_spark = replace(workshop, cluster=spark)
    for _ in range(2):
        for _ in range(40):
            something(chance, history)
        async with workshop.database.transaction(EVERYTHING) as session:
            await history.write(session)
        assert await generations.reconcile(workshop, toy) == []
    second = Derived(
        id="second_to_last", type="integer", form="exam", over="subject",
        expression="lag(packs) OVER (PARTITION BY subject_id ORDER BY exam_date, case_token)",
    )  # fmt: skip
    months = Derived(
        id="months", type="integer", form="exam",
        expression="CASE WHEN second_to_last > 10 THEN months_between(exam_date, next_exam) END",
    )  # fmt: skip
    measures = tuple(
        one.model_copy(update={"numerator": "months < 9 OR divide(dose, 3, 2) > 1.5"})
        if one.id == "returned"
        else one
        for one in toy.measures
    )
    later = definition(
        version="1.1.0", digest="toy-months", derived=(*DERIVED, second, months), measures=measures
    )
    await generations.catch_up(workshop, later)
    assert await generations.reconcile(on_spark, later) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
    await generations.rebuild(on_spark, later)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before


async def test_cases_of_two_versions_are_recomputed_alike(
    workshop: Workshop, spark: Cluster
) -> None:
    chance, history, converted = random.Random(12), History(), History()
    before, swapped = definition(), {"1": "3", "2": "2", "3": "1", "4": "4"}
    codes = Converted(form="exam", element="result", codes=dict(swapped))
    now = definition(
        version="1.1.0",
        digest="toy-converted",
        conversions=(Conversion(converts="1.0.0", elements=(codes,)),),
    )
    _, now = related([before, now])
    for _ in range(60):
        something(chance, history)
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
        assert await session.scalar(text("SELECT count(*) FROM versions")) > 40
    await generations.catch_up(workshop, before)
    async with workshop.database.transaction(EVERYTHING) as session:
        # Every third case is of the later version, which the earlier tables have not seen.
        await session.execute(
            text("UPDATE versions SET definition_version = '1.1.0' WHERE case_id % 3 = 0")
        )
    for case in history.known.values():
        if case.case % 3 and case.form == "exam" and "result" in case.elements:
            result = swapped[case.elements["result"]]
            converted.known[case.case] = replace(case, elements=case.elements | {"result": result})
        else:
            converted.known[case.case] = case
    for engine in (workshop, replace(workshop, cluster=spark)):
        assert await generations.reconcile(engine, now) == []
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await tabulated(session) == counted(converted)
        assert counted(converted) != counted(history)


@pytest.mark.soak
async def test_without_pyspark_it_says_what_to_install(
    workshop: Workshop, database: Addresses, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "pyspark.py").write_text("raise ImportError('not here')")
    history = History()
    history.put(1, "exam", 200001, 1, {"exam_date": "2025-03-04"})
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
        await session.execute(text("SELECT 1"))
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [sys.executable, "-m", "app.cli", "recompute", "--engine", "spark"],
        env=os.environ
        | environment(settings)
        | {
            "HOUNSFIELD_DATABASE_URL": database.owner,
            "HOUNSFIELD_DATABASE_URL_WORKER": database.worker,
            "PYTHONPATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "hounsfield[spark]" in done.stderr
    assert "Traceback" not in done.stderr
