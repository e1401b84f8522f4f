"""
A nation on one machine: what a full recompute, a comparison and a feed of changes cost.

    python perf/nation.py [--cases N] [--keep FOLDER] [--memory 3GB] [--turns N] [--peers PYTHON]
                          [--no-tables] [--spark] [--short]

Makes 150 million cases of three years at 6,500 facilities of very different size in the lake: by
year, sorted by facility and subject, derived columns stored. A run that was stopped goes on where it
was, when the folder is kept. Then, for a hundredth, a tenth and all of it: the full recompute of every
measure, as `hounsfield recompute` does, beside the mere decoding of the same columns; the measures
that need no window; ten measures by our statement and by a query written by hand for them, which must
agree. With `--peers`, the same ten by Polars, run by a Python that has it; with `--spark`, all measures
on PySpark in two threads. Then the tables: they are loaded into a PostgreSQL, compared over all
facilities and peer groups, and fed with 10,000 changed cases.

Every run over the lake is a process of its own. 150 million cases take 5 GB of disk.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb
from population import scans
from population.lake import make, screening
from population.places import Place, parts, places
from population.scans import Scan, Timed, run
from population.tables import CHANGES, ask

NATION = 150_000_000
FLOOR, GOAL = 240.0, 120.0
WINDOWLESS_GOAL = 60.0
MEMORY = 4_096.0
COMPARE = 5.0
FEED = 8.0


def main() -> None:
    asked = arguments()
    cases = 300_000 if asked.short else asked.cases
    missed = list[str]()
    with tempfile.TemporaryDirectory(prefix="hounsfield-nation-") as temporary:
        folder = (asked.keep or Path(temporary)) / f"nation-{cases}"
        registry = screening().id
        count = make(cases, folder / registry)
        groups = parts(places(cases))
        size = sum(one.stat().st_size for one in folder.rglob("*.parquet"))
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, DuckDB {duckdb.__version__},"
            f" memory limit {asked.memory}; load {os.getloadavg()[0]:.1f}"
        )
        print(f"lake: {cases:,} cases, {len(places(cases)):,} facilities, {size / 1e9:.2f} GB")
        spill = Path(temporary) / "spill"
        costs = []
        for share in dict.fromkeys(max(count // by, 1) for by in (100, 10, 1)):
            scan = Scan(folder, share, asked.memory, spill)
            some = sum(one.cases for group in groups[:share] for one in group)
            costs.append((some, scanned(scan, some, asked.turns, missed)))
        linear(costs, missed)
        if asked.peers:
            polars(asked.peers, Scan(folder, count, asked.memory, spill))
        if asked.spark:
            share = max(count // 100, 1)
            spark(Scan(folder, share, asked.memory, spill))
        if not asked.no_tables:
            for share in dict.fromkeys(max(count // by, 1) for by in (10, 1)):
                tables(Scan(folder, share, asked.memory, spill), groups[:share], asked, missed)
    if missed:
        raise SystemExit("MISSED: " + "; ".join(missed))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=NATION)
    parser.add_argument("--short", action="store_true", help="300,000 cases")
    parser.add_argument("--keep", type=Path, help="a folder to make the lake in, and find it again")
    parser.add_argument("--memory", default="3GB")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--peers", help="an interpreter that has Polars")
    parser.add_argument("--spark", action="store_true", help="PySpark on the smallest share")
    parser.add_argument("--no-tables", action="store_true", help="the lake alone, no PostgreSQL")
    return parser.parse_args()


def scanned(scan: Scan, cases: int, turns: int, missed: list[str]) -> float:
    """Everything that is timed over some of the lake; seconds of the full recompute."""
    decoded, full, rest = [], [], []
    for _ in range(turns):  # in turns, so that what else the machine does meets all alike
        decoded.append(run(scans.decoded, scan))
        full.append(run(scans.everything, scan))
        rest.append(run(scans.without_windows, scan))
    best = min(full)
    said(f"{cases:,} cases: all measures", best)
    print(
        f"    median {statistics.median(one.seconds for one in full):.2f} s,"
        f" {cases / best.seconds:,.0f} cases/s, {best.found:,} rows of cells and histograms"
    )
    said("  decoding of the same columns", min(decoded))
    print(f"    ratio {best.seconds / min(decoded).seconds:.1f}")
    said("  measures that need no window", min(rest))
    hand, ours = run(scans.by_hand, scan), run(scans.ours, scan)
    if hand.found != ours.found:
        missed.append(f"the query by hand gives something else over {cases:,} cases")
    said("  ten measures by hand", hand)
    said("  the same by our statement", ours)
    print(f"    ratio {ours.seconds / hand.seconds:.2f}, {len(ours.found):,} rows, equal")
    held(f"recompute of {cases:,}", best.seconds, FLOOR * cases / NATION + 2.0, missed)
    held(f"memory of {cases:,}, MB", best.peak, MEMORY, missed)
    goal = GOAL * cases / NATION + 2.0
    print(f"    goal {goal:.1f} s: {'reached' if best.seconds <= goal else 'not reached'}")
    goal = WINDOWLESS_GOAL * cases / NATION + 2.0
    print(
        f"    goal without windows {goal:.1f} s:"
        f" {'reached' if min(rest).seconds <= goal else 'not reached'}"
    )
    return best.seconds


def said(what: str, one: Timed) -> None:
    print(f"{what}: {one.seconds:.2f} s, {one.cpu:.2f} s of CPU, {one.peak:,.0f} MB", flush=True)


def held(what: str, found: float, most: float, missed: list[str]) -> None:
    print(f"    {what}: {found:,.1f}, at most {most:,.1f}: {'held' if found <= most else 'MISSED'}")
    if found > most:
        missed.append(what)


def linear(costs: list[tuple[int, float]], missed: list[str]) -> None:
    """No more a case for more cases; a second of each run is what it costs to begin."""
    if len(costs) < 2:
        return
    (few, short), (many, long) = costs[0], costs[-1]
    growth = (long / short) / (many / few)
    print(f"cost a case, {many:,} against {few:,}: {growth:.2f} of linear")
    if growth > 1.25:
        missed.append("growth")


def polars(python: str, scan: Scan) -> None:
    """The query by hand in Polars, an engine of its own, and the sums it must agree in."""
    (form,) = ("exam",)
    paths = [str(scan.folder / name) for name in scan.names(form)]
    peer = Path(__file__).with_name("population") / "polars_peer.py"
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    begun = time.perf_counter()
    done = subprocess.run(
        [python, str(peer), *paths], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stdout)
    ours = run(scans.ours, scan)
    sums = [
        sum(counts[place] for (_, _, stratum), counts in ours.found.items() if not stratum)
        for place in range(len(scans.RESULTS))
    ]
    assert told["sums"] == sums, "Polars gives something else"
    print(
        f"Polars, ten measures: {told['seconds']:.2f} s ({time.perf_counter() - begun - ours.seconds:.2f} s"
        f" with its start); ours {ours.seconds:.2f} s; ratio {told['seconds'] / ours.seconds:.2f}, equal"
    )


def spark(scan: Scan) -> None:
    full, (seconds, rows) = run(scans.everything, scan), run(scans.on_spark, scan).found
    assert rows == full.found, "Spark gives something else"
    print(
        f"Spark local[2], all measures on the smallest share: {seconds:.1f} s; DuckDB"
        f" {full.seconds:.2f} s; ratio {seconds / full.seconds:.0f}"
    )


def tables(
    scan: Scan, groups: list[list[Place]], asked: argparse.Namespace, missed: list[str]
) -> None:
    facilities = [one for group in groups for one in group]
    found = ask(scan, facilities, max(asked.turns, 2))
    cases = sum(one.cases for one in facilities)
    print(f"tables of {len(facilities):,} facilities and {cases:,} cases: {found.rows:,} cells")
    print(f"  recomputed and loaded in {found.load:.1f} s")
    print(f"  compared in {min(found.compare):.2f} s; {found.spreads:,} spreads")
    print(f"  a feed of {CHANGES:,} changed cases in {min(found.feed):.2f} s")
    held("comparison", min(found.compare), COMPARE, missed)
    held("feed", min(found.feed), FEED, missed)


if __name__ == "__main__":
    main()
