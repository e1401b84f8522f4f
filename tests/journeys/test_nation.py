"""
A nation sent through every door is accounted for, entry by entry and rate by rate; and it makes
no difference to the tables who is killed on the way.
"""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import httpx
import pytest

from app.commands.definitions import newest
from app.simulation.plan import Plan
from app.simulation.proof import counts_differ, findings_differ, images_differ, rates_differ
from app.simulation.sending import Nation
from app.simulation.write import simulate
from tests.journeys.answers import Judge
from tests.journeys.service import Service
from tests.journeys.tables import differences, tables
from tests.journeys.travel import REGISTRY, travel
from tests.oracles.answers import Truth
from tests.oracles.cells import binned, cells_of, differing, histograms_of
from tests.oracles.counting import Cell, Count, count, exams_of
from tests.oracles.elcdr import MEASURES, MODULE

SMALL = Plan(seed=65, facilities=7, cases=500, flawed=0.05, studies=4, years=6, single_posts=3)
LARGE = Plan(
    seed=int(os.environ.get("NATION_SEED", "2")),
    facilities=int(os.environ.get("NATION_FACILITIES", "200")),
    cases=int(os.environ.get("NATION_CASES", "100000")),
    flawed=0.02,
    studies=60,
    years=6,
    single_posts=10,
)


OF_IT = ("--registry", REGISTRY)
"""The other registries have nothing; one command is for all, to see that this is no hindrance."""


@dataclass(frozen=True)
class Storm:
    """How a run is disturbed: kills, restarts of the API, and seconds between two blows."""

    kills: int
    restarts: int
    pause: tuple[float, float]


STORMS = {SMALL: Storm(5, 0, (0.2, 2.0)), LARGE: Storm(30, 2, (0.5, 9.0))}


@dataclass
class Arrived:
    """A nation that arrived, and how far it differs from its truth."""

    storm: Storm
    nation: Nation
    counts: list[str]
    findings: list[str]
    images: list[str]
    rates: list[str]
    compared: int
    wanted: dict[Cell, Count]
    got: dict[Cell, Count]
    histograms: list
    answers: list[str]
    seen: Counter[str]
    reconciled: str
    recomputed: dict[Cell, Count]
    tables: dict


async def histograms_differ(url, definition, wanted):
    """Facility, month and measure where the observations fall into other bins than the oracle's."""
    edges = {one.id: one.bins for one in definition.measures if one.bins}
    expected = {
        (facility, month, measure): binned(counted.values, edges[measure])
        for (facility, month, measure, stratifier, _), counted in wanted.items()
        if measure in edges and stratifier == "" and counted.values
    }
    found = await histograms_of(url, definition.id)
    got = {key: bins for key, bins in found.items() if key[2] in edges}
    assert expected
    return [key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key)]


SIMPLE = ("abnormal_interpretation_rate", "recall_rate", "modifier_s_rate")
"""What is asked for one by one; the oracle's cells are compared for every measure."""


async def arrive(plan, addresses, folder):
    """Send a plan's nation undisturbed, and compare what became of it with the truth."""
    definition = newest(REGISTRY)
    simulate(plan, definition, folder / "nation")
    nation = Nation.read(folder / "nation")
    patience = 600 + plan.cases / 50
    with Service(addresses, folder, workers=1, lease=60) as service:
        async with httpx.AsyncClient(base_url=service.url, timeout=300) as client:
            travelled = await travel(service, client, nation, addresses.owner, patience=patience)
            office, answered = travelled.office, travelled.answered
            compared, rates = await rates_differ(office, nation, measures=SIMPLE)
            counts = await counts_differ(office, nation, answered)
            findings = await findings_differ(office, nation, answered)
            images = await images_differ(office, nation, [])
            found = await tables(addresses.owner)
            wanted = count(exams_of(folder / "nation" / "truth.ndjson"), MEASURES)
            service.command("compare", *OF_IT)
            truth = Truth.of(definition.measures, wanted, datetime.now(UTC).date())
            judge = Judge(truth, definition, nation)
            await judge.metrics(office)
            await judge.benchmarks(office)
        scales = {one.id: one.scale for one in definition.measures}
        got = await cells_of(addresses.owner, REGISTRY, scales)
        histograms = await histograms_differ(addresses.owner, definition, wanted)
        reconciled = service.command("reconcile", timeout=1800)
        service.command("recompute", *OF_IT, timeout=1800)
        recomputed = await cells_of(addresses.owner, REGISTRY, scales)
    return Arrived(
        storm=STORMS[plan],
        nation=nation,
        counts=counts,
        findings=findings,
        images=images,
        rates=rates,
        compared=compared,
        wanted=wanted,
        got=got,
        histograms=histograms,
        answers=judge.differ,
        seen=judge.seen,
        reconciled=reconciled,
        recomputed=recomputed,
        tables=found,
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SMALL, id="small"),
        pytest.param(LARGE, id="large", marks=[pytest.mark.soak, pytest.mark.timeout(14_400)]),
    ],
)
def arrived(request, databases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return asyncio.run(arrive(request.param, databases("undisturbed"), folder))


def test_every_entry_is_accounted_for(arrived):
    assert arrived.counts == []


def test_the_findings_are_the_answer_key(arrived):
    assert arrived.findings == []


def test_studies_are_archived_and_linked_to_their_cases(arrived):
    assert arrived.images == []


def test_the_rates_that_facilities_read_are_those_of_the_truth(arrived):
    assert arrived.compared > 50
    assert arrived.rates == []


def test_every_cell_of_every_measure_is_the_oracles(arrived):
    assert len(arrived.wanted) > 1_000
    assert {cell[2] for cell in arrived.wanted} >= {"adherence", "ppv1", "appropriate_uspstf_2013"}
    assert differing(arrived.wanted, arrived.got) == []
    assert arrived.histograms == []


def test_every_metric_and_benchmark_that_is_answered_is_the_oracles(arrived):
    assert arrived.answers == []
    reasons = {"no-cases", "too-few-cases", "condition-not-met"}
    seen = {"metrics", "benchmarks", "intervals", "ranks", "peers: None", "peers: small-count"}
    seen |= {f"withheld: {reason}" for reason in reasons} | {"peers: few-facilities"}
    if len(arrived.nation.facilities) >= 40:
        seen |= {"peers: dominance", "peers: complementary"}
    assert {one for one in seen if arrived.seen[one] < 50} == set()


def test_a_recompute_from_the_lake_makes_no_difference(arrived):
    assert "0 differences" in arrived.reconciled
    assert differing(arrived.wanted, arrived.recomputed) == []


def test_killed_workers_and_restarted_apis_change_nothing(arrived, databases, tmp_path):
    disturbed = asyncio.run(weather(arrived.storm, arrived.nation, databases("storm"), tmp_path))
    assert all(arrived.tables.values()), "every table has something to compare"
    assert differences(arrived.tables, disturbed) == {}


async def weather(storm, nation, addresses, folder):
    """Send a nation while workers are killed with -9, and the API too; returns the tables."""
    rng = Random(storm.kills)
    struck = {"kills": 0, "restarts": 0}
    # Early, so that entries are still being sent on a machine of any speed.
    restart_after = {3 * (1 + number) for number in range(storm.restarts)}
    with Service(addresses, folder, workers=2, lease=3) as service:

        async def disturb(entries_arrived):
            while struck["kills"] < storm.kills:
                await asyncio.sleep(rng.uniform(*storm.pause))
                await asyncio.to_thread(service.kill_a_worker, rng)
                struck["kills"] += 1
                if struck["kills"] in restart_after:
                    assert not entries_arrived.is_set(), "too quick to be restarted"
                    await asyncio.to_thread(service.restart_api)
                    struck["restarts"] += 1

        async with httpx.AsyncClient(base_url=service.url, timeout=300) as client:
            patience = 900 + nation.document["cases"] / 20
            await travel(
                service, client, nation, addresses.owner, disturb=disturb, patience=patience
            )
        assert struck == {"kills": storm.kills, "restarts": storm.restarts}
        assert "0 differences" in service.command("reconcile", *OF_IT, timeout=1800)
    return await tables(addresses.owner)


def test_the_oracle_counts_every_measure_that_the_module_has():
    measures = [one for one in newest(REGISTRY).measures if one.module == MODULE]
    assert {one.id for one in MEASURES} == {one.id for one in measures}
    for measure in measures:
        (oracle,) = [one for one in MEASURES if one.id == measure.id]
        assert set(oracle.strata) == {one.id for one in measure.stratifiers}, measure.id
