"""What is timed over a nation's lake: our statement, and others that do the same or less."""

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import sqlglot
from sqlglot import exp

from app.benchmarks.engine import Engine
from app.benchmarks.lake import Base, Files, Lake, attach
from app.benchmarks.measures import Tabulation, tabulation
from app.benchmarks.observe import Rows
from app.benchmarks.recompute import over_lake
from app.benchmarks.relation import relation_name
from app.registries.schema import Definition

from .lake import YEARS, file, screening

RESULTS = (
    "lung_rads_0", "lung_rads_1", "lung_rads_2", "lung_rads_3", "lung_rads_4a", "lung_rads_4b",
    "lung_rads_4x", "recall_rate", "abnormal_interpretation_rate", "modifier_s_rate",
)  # fmt: skip
"""What the query below was written by hand for."""
BY_HAND = """
SELECT facility_id, month, coalesce(indication, '') AS stratum,
       count(*) FILTER (WHERE category = '0') AS c0, count(*) FILTER (WHERE category = '1') AS c1,
       count(*) FILTER (WHERE category = '2') AS c2, count(*) FILTER (WHERE category = '3') AS c3,
       count(*) FILTER (WHERE category = '4A') AS c4a, count(*) FILTER (WHERE category = '4B') AS c4b,
       count(*) FILTER (WHERE category = '4X') AS c4x, count(*) FILTER (WHERE category = '0') AS recalled,
       count(*) FILTER (WHERE category IN ('3', '4A', '4B', '4X')) AS abnormal,
       count(*) FILTER (WHERE modifier = 'Y') AS modified
FROM (SELECT facility_id, date_trunc('month', case_date)::date AS month,
             ct_exam_result_lung_rads AS category, ct_exam_result_modifier_s AS modifier,
             CASE indication_of_exam WHEN '1' THEN 'baseline' WHEN '2' THEN 'annual' END AS indication
      FROM read_parquet({files}))
GROUP BY GROUPING SETS ((facility_id, month), (facility_id, month, indication))
HAVING grouping(indication) = 1 OR indication IS NOT NULL
"""

Counts = dict[tuple[int, Any, str], tuple[int, ...]]


class Timed(NamedTuple):
    """A run in a process of its own."""

    seconds: float
    cpu: float
    peak: float
    """Most memory it held, in MB."""
    found: Any


@dataclass(frozen=True, slots=True)
class Scan:
    """A lake of so many parts, and what may be used to read it."""

    folder: Path
    parts: int
    memory: str
    spill: Path

    @property
    def definition(self) -> Definition:
        return screening()

    @property
    def lake(self) -> Lake:
        return Lake(self.folder)

    @property
    def engine(self) -> Engine:
        return Engine(self.memory, "20GB", self.spill)

    def names(self, form: str) -> list[str]:
        top = self.folder / self.definition.id
        paths = [file(top, form, year, part) for part in range(self.parts) for year in YEARS]
        return [str(path.relative_to(self.folder)) for path in paths]

    def files(self, made: Tabulation) -> list[Files]:
        found = []
        for one in made.relations:
            names = self.names(one.form)
            with duckdb.connect() as connection:
                described = connection.execute(
                    f"DESCRIBE SELECT * FROM read_parquet('{self.folder / names[0]}')"
                ).fetchall()
            columns = {name: one.marks[name] for name, *_ in described}
            base = tuple(Base(name, columns, 1) for name in names)
            found.append(Files(one.form, 0, base, ()))
        return found


def run(work: Callable[..., Any], *values: Any) -> Timed:
    """A work in a process of its own, so that the memory is its own too."""
    parent, child = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_inside, args=(child, work, values)
    )
    process.start()
    child.close()
    try:
        return Timed(*parent.recv())
    except EOFError:
        raise SystemExit("a run ended without a result: see above") from None
    finally:
        process.join()


def _inside(pipe: Any, work: Callable[..., Any], values: Sequence[Any]) -> None:
    begun, used = time.perf_counter(), time.process_time()
    found = work(*values)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    pipe.send((seconds, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found))


def everything(scan: Scan) -> int:
    """All measures; how many rows of cells and histograms."""
    return _rows(scan, tabulation(scan.definition))


def without_windows(scan: Scan) -> int:
    """The measures that read nothing derived by windows over a subject's cases."""
    return _rows(scan, tabulation(windowless(scan.definition)))


def windowless(definition: Definition) -> Definition:
    """A definition with no measure that rests on a window."""
    over = {one.id for one in definition.derived if one.over == "subject"}

    def rests(texts: Sequence[str | None]) -> bool:
        return any(
            column.name in over
            for text in texts
            if text
            for column in sqlglot.parse_one(text, read="duckdb").find_all(exp.Column)
        )

    kept = tuple(
        one
        for one in definition.measures
        if not rests(
            [
                one.initial_population, one.denominator, one.denominator_exclusion,
                one.denominator_exception, one.numerator, one.observation,
            ]
        )
    )  # fmt: skip
    return definition.model_copy(
        update={"measures": kept, "digest": definition.digest + " without windows"}
    )


def _rows(scan: Scan, made: Tabulation) -> int:
    return sum(
        len(some.cells) + len(some.histograms)
        for some in over_lake(scan.engine, scan.lake, made, scan.files(made))
    )


def decoded(scan: Scan) -> None:
    """The columns that the statement reads, brought out of the files and nothing more."""
    made = tabulation(scan.definition)
    with scan.engine.open(files=[scan.folder]) as connection:
        attach(connection, scan.lake, made.relations, scan.files(made))
        for one in made.relations:
            # To count what could be null a column has to be decoded.
            counted = ", ".join(f'count("{name}")' for name in sorted(made.read[one.form]))
            connection.execute(f"SELECT {counted} FROM {relation_name(one.form)}").fetchall()


def results(definition: Definition) -> Definition:
    """A definition of no other measures than the query by hand, and of nothing more of them: no case mix."""
    kept = tuple(
        one.model_copy(update={"case_mix": ()}) for one in definition.measures if one.id in RESULTS
    )
    return definition.model_copy(
        update={"measures": kept, "digest": definition.digest + " results alone"}
    )


def ours(scan: Scan) -> Counts:
    """What the query by hand gives, by our statement."""
    made = tabulation(results(scan.definition))
    found: Counts = {}
    for rows in over_lake(scan.engine, scan.lake, made, scan.files(made)):
        found |= counts(made, rows)
    return found


def counts(made: Tabulation, rows: Rows) -> Counts:
    found: Counts = {}
    places = {
        series.stratifier: [
            series.slots[name].get("numerator", series.slots[name]["initial_population"])
            for name in RESULTS
        ]
        for series in made.layout.series
    }
    for row in rows.cells:
        numbers = row.counts[1:-1].split(",")
        found[row.facility_id, row.month, row.stratum] = tuple(
            int(numbers[place]) for place in places[row.stratifier]
        )
    return found


def by_hand(scan: Scan) -> Counts:
    """The query as one writes it for this one question."""
    (form,) = [one.form for one in tabulation(scan.definition).relations]
    files = ", ".join(f"'{scan.folder / name}'" for name in scan.names(form))
    with duckdb.connect(config={"memory_limit": scan.memory}) as connection:
        connection.execute("SET enable_progress_bar = false")
        found = connection.execute(BY_HAND.format(files=f"[{files}]")).fetchall()
    return {(facility, month, stratum): tuple(rest) for facility, month, stratum, *rest in found}


def on_spark(scan: Scan) -> tuple[float, int]:
    """All measures on Spark; seconds without those in which it starts."""
    from app.benchmarks import cluster

    made = tabulation(scan.definition)
    where = cluster.Cluster("local[2]", "3g", scan.spill)
    where.session()
    begun = time.perf_counter()
    rows = sum(
        len(some.cells) + len(some.histograms)
        for some in cluster.over_lake(where, scan.lake, made, scan.files(made))
    )
    return time.perf_counter() - begun, rows
