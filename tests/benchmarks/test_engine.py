"""A connection that runs definitions reaches what it was given and nothing else."""

from pathlib import Path

import duckdb
import pytest

from app.benchmarks.engine import Engine
from app.benchmarks.measures import tabulation
from tests.make.definitions import packaged

HIDDEN = 4242


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{outside}/secret.csv')",
        "COPY (SELECT 1) TO '{outside}/made.csv'",
        "ATTACH '{outside}/other.duckdb' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET allowed_directories = ['/']",
        "RESET memory_limit",
        "SELECT * FROM HIDDEN",
        "SELECT getenv('HOME')",
        "SELECT * FROM read_parquet('{outside}/../outside/secret.csv')",
    ],
)
def test_the_outside_is_out_of_reach(statement: str, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.csv").write_text("a\n1\n")
    engine = Engine("200MB", "200MB", tmp_path / "spill")
    for files in ([], [inside]):
        with engine.open(files=files) as connection, pytest.raises(duckdb.Error):
            connection.execute(statement.format(outside=outside))
    assert [file.name for file in outside.iterdir()] == ["secret.csv"]


def test_the_lakes_own_folder_is_in_reach(tmp_path: Path) -> None:
    inside = tmp_path / "it's inside"
    inside.mkdir()
    name = str(inside / "made.parquet").replace("'", "''")
    with Engine("200MB", "200MB", tmp_path / "spill").open(files=[inside]) as connection:
        connection.execute(f"COPY (SELECT 1 AS a) TO '{name}'")
        assert connection.execute(f"SELECT a FROM read_parquet('{name}')").fetchall() == [(1,)]


def test_what_does_not_fit_in_memory_spills_and_no_further_than_allowed(tmp_path: Path) -> None:
    large = (
        "CREATE TABLE large AS SELECT hash(i) AS a, hash(i, 1) AS b FROM range(8_000_000) AS n(i)"
    )
    with Engine("60MB", "1GB", tmp_path / "spill").open() as connection:
        connection.execute(large)
        assert connection.execute("SELECT count(*) FROM large").fetchone() == (8_000_000,)
    with (
        Engine("60MB", "1MB", tmp_path / "spill").open() as connection,
        pytest.raises(duckdb.OutOfMemoryException),
    ):
        connection.execute(large)


def test_every_shipped_statement_is_sql_on_a_cluster_too() -> None:
    for definition in packaged():
        found = tabulation(definition).spoken("spark")
        assert "COUNT_IF" in found
        assert "::" not in found
