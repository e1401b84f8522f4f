"""
The same statement on Spark, for a lake beyond one machine.

The text of every measure is the one DuckDB runs, put into Spark's dialect; so is what says which
rows of the lake count. PySpark is the extra `spark`, and wants Java 17; nothing else here needs it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.benchmarks.lake import Files, Lake, view
from app.benchmarks.measures import Tabulation
from app.benchmarks.observe import BATCH, CellRow, HistogramRow, Rows
from app.benchmarks.relation import relation_name
from app.errors import Unavailable
from app.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Spark runs, and what it may take."""

    master: str
    memory: str
    folder: Path
    """Where it spills to, on each machine."""
    lake_url: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    """Further settings of Spark's (`HOUNSFIELD_SPARK_SETTINGS`): they go before ours."""

    @classmethod
    def of(cls, settings: Settings) -> "Cluster":
        url = settings.lake_url if not settings.spark_master.startswith("local") else None
        return cls(
            settings.spark_master,
            settings.spark_memory,
            settings.data / "spill",
            url,
            settings.spark_settings,
        )

    def session(self) -> "SparkSession":
        """The process's session, begun if there is none."""
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise Unavailable(
                "PySpark is not installed: install the extra, `pip install hounsfield[spark]`."
            ) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "spark.driver.memory": self.memory,
            "spark.executor.memory": self.memory,
            "spark.local.dir": str(self.folder),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "true",  # what overflows is an error, as in DuckDB
            "spark.sql.caseSensitive": "true",
            "spark.sql.codegen.maxFields": "500",
            "spark.sql.shuffle.partitions": "8",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            # A machine that is busy with other work is late, not gone.
            "spark.network.timeout": "800s",
            "spark.executor.heartbeatInterval": "120s",
        }
        if self.master.startswith("local"):  # nobody else has business with it
            settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        builder = SparkSession.builder.appName("hounsfield recompute").master(self.master)
        for name, value in (settings | dict(self.more)).items():
            builder = builder.config(name, value)
        try:
            return builder.getOrCreate()
        except (PySparkException, OSError) as error:
            raise Unavailable(
                f"Spark does not start at {self.master}. It wants Java 17 or newer: set JAVA_HOME."
            ) from error

    def address(self, lake: Lake, name: str) -> str:
        """A file of the lake as Spark reads it: a cluster goes to the store itself."""
        if self.lake_url is None:
            return str(lake.path(name))
        return f"{self.lake_url.replace('s3://', 's3a://', 1).rstrip('/')}/{name}"


def over_lake(
    cluster: Cluster, lake: Lake, tabulation: Tabulation, files: Sequence[Files]
) -> Iterator[Rows]:
    """All rows of a generation, worked out from the lake, some at a time."""
    spark = cluster.session()
    known: dict[tuple[str, ...], str] = {}

    def source(names: Sequence[str]) -> str:
        key = tuple(names)
        if key not in known:
            known[key] = f"files_{len(known)}"
            paths = [cluster.address(lake, name) for name in names]
            spark.read.parquet(*paths).createOrReplaceTempView(known[key])
        return known[key]

    for one in tabulation.relations:
        of_form = next(each for each in files if each.form == one.form)
        text = view(one, of_form, source, dialect="spark")
        spark.sql(text).createOrReplaceTempView(relation_name(one.form))
    found = spark.sql(tabulation.spoken("spark")).toLocalIterator()
    rows = Rows([], [])
    for row in found:
        _take(rows, row)
        if len(rows.cells) + len(rows.histograms) >= BATCH:
            yield rows
            rows = Rows([], [])
    yield rows


def _take(rows: Rows, row: Any) -> None:
    form, kind, series, stratum, facility, month, counts, sums = row
    if kind == "histogram":
        rows.histograms.append(HistogramRow(facility, series, month, counts))
    else:
        rows.cells.append(CellRow(facility, form, series, month, stratum, counts, sums))
