"""
A simulated nation in random order: incremental tables, DuckDB's recompute, Spark's and the oracle's
count are the same, every measure, to the last count.

`EXACT_CASES`, `EXACT_FACILITIES` and `EXACT_SEED` make the long form larger or another one.
"""

import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from app.benchmarks import generations
from app.benchmarks.cluster import Cluster
from app.benchmarks.engine import Engine
from app.benchmarks.feed import WINDOW
from app.benchmarks.generations import Workshop
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role
from app.postgres import Addresses
from app.simulation.plan import Plan
from tests.benchmarks.chronicle import Chronicle
from tests.benchmarks.tables import raw
from tests.journeys.travel import REGISTRY
from tests.oracles.cells import binned, cells_of, differing, histograms_of
from tests.oracles.elcdr import MEASURES

SMALL = Plan(seed=11, facilities=6, cases=600, flawed=0.02, years=6)
LARGE = Plan(
    seed=int(os.environ.get("EXACT_SEED", "12")),
    facilities=int(os.environ.get("EXACT_FACILITIES", "300")),
    cases=int(os.environ.get("EXACT_CASES", "100000")),
    flawed=0.02,
    years=6,
)


async def exact(
    plan: Plan,
    workshop: Workshop,
    database: Addresses,
    stops: int,
    transaction: int,
    window: int = WINDOW,
) -> Chronicle:
    """Tell a nation's history with some stops on the way; tables, recompute and oracle agree."""
    definition = newest(REGISTRY)
    chronicle = Chronicle(plan, definition, transaction)
    owner = Database(database.owner, Role.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        ends = await chronicle.write(session)
    await owner.close()
    told = [0, *(ends[len(ends) * one // stops - 1] for one in range(1, stops + 1))]
    for since, upto in pairwise(told):
        async with workshop.database.transaction(EVERYTHING) as session:
            await chronicle.tell(session, upto)
        moved = 0
        while some := await generations.step(workshop, definition, window=window):
            moved += some
        assert moved == upto - since
        assert await generations.reconcile(workshop, definition) == []

    chronicle.count(MEASURES)
    scales = {one.id: one.scale for one in definition.measures}
    assert differing(chronicle.wanted, await cells_of(database.owner, REGISTRY, scales)) == []
    edges = {one.id: one.bins for one in definition.measures if one.bins}
    wanted = {
        (facility, month, measure): binned(counted.values, edges[measure])
        for (facility, month, measure, stratifier, _), counted in chronicle.wanted.items()
        if measure in edges and stratifier == "" and counted.values
    }
    found = await histograms_of(database.owner, REGISTRY)
    assert {key: bins for key, bins in found.items() if key[2] in edges} == wanted
    return chronicle


@pytest.mark.soak  # `make test` holds a small nation that came through every door to the same oracle
async def test_a_nation_in_random_order_is_counted_as_the_oracle_counts(
    workshop: Workshop, database: Addresses
) -> None:
    chronicle = await exact(SMALL, workshop, database, stops=1, transaction=50, window=200)
    assert min(chronicle.kinds.values()) >= 1, chronicle.kinds
    assert {cell[2] for cell in chronicle.wanted} >= {"adherence", "cancer_detection_rate", "ppv1"}


@pytest.mark.soak
@pytest.mark.timeout(14_400)
async def test_a_large_nation_in_random_order_is_counted_as_the_oracle_counts_on_spark_too(
    workshop: Workshop, database: Addresses, tmp_path: Path
) -> None:
    large = replace(workshop, engine=Engine("3GB", "20GB", tmp_path / "spill"))
    chronicle = await exact(LARGE, large, database, stops=10, transaction=5_000)
    assert min(chronicle.kinds.values()) >= LARGE.cases // 10_000, chronicle.kinds
    assert {cell[2] for cell in chronicle.wanted} == {one.id for one in MEASURES}
    definition = newest(REGISTRY)
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await raw(session)
    await generations.rebuild(large, definition)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await raw(session) == before
    if shutil.which("java") is None:
        pytest.skip("all but Spark was equal: there is no Java here")
    spark = Cluster("local[2]", "3g", tmp_path / "spark")
    try:
        on_spark = replace(large, cluster=spark)
        assert await generations.reconcile(on_spark, definition) == []
    finally:
        spark.session().stop()
