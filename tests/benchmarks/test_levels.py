"""Reference levels: quantiles of the facilities' own medians, worked out again from the cases themselves."""

import random
from bisect import bisect_right
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import quantiles
from typing import Any

import httpx
import numpy as np
import pytest_asyncio
from sqlalchemy import text

from app.access import Role
from app.benchmarks import generations, query
from app.benchmarks.compare import compare
from app.benchmarks.generations import Workshop
from app.benchmarks.levels import medians
from app.benchmarks.periods import period
from app.benchmarks.rates import digits
from app.benchmarks.statistics import half_up, histogram_quantile
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from app.registries.measure import ReferenceLevel, ReferenceLevels, Stratifier
from app.registries.schema import PeerGroup
from tests.benchmarks.history import History, settle
from tests.benchmarks.toy import MEASURES, definition
from tests.make.accounts import bearer, key_for

TODAY = date(2026, 11, 21)
EVERYBODY = PeerGroup(id="all", title="All facilities", by="all")
EDGES = tuple(Decimal(one) for one in ("0.5", "1", "2", "3", "4", "5", "6"))
DOSE = next(one for one in MEASURES if one.id == "dose")
BY_RESULT = Stratifier(
    id="by_result",
    title="Result",
    expression="result",
    strata={"1": "One", "3": "Three", "4": "Four"},
)
LEVELS = ReferenceLevels(
    by="by_result",
    levels=(
        ReferenceLevel(id="ad", title="Achievable dose", share=Decimal("0.5")),
        ReferenceLevel(id="drl", title="Diagnostic reference level", share=Decimal("0.75")),
    ),
)
LEVELLED = DOSE.model_copy(
    update={
        "bins": EDGES,
        "stratifiers": (BY_RESULT,),
        "reference_levels": LEVELS,
        "minimum_cases": 4,
        "caution_below": 4,
    }
)
FACILITIES = range(200001, 200008)
FEW = 200007
"""It has too few cases of any result to be among those whose medians count."""


def naive_median(doses: list[Decimal]) -> Fraction:
    """Straight through the bin that holds the middle of all, to a thousandth, from the doses themselves."""
    edges = [Fraction(one) for one in EDGES]
    bins = [(edges[0], edges[0]), *pairwise(edges), (edges[-1], edges[-1])]
    half, reached = Fraction(len(doses), 2), 0
    for place, (low, high) in enumerate(bins):
        inside = sum(bisect_right(edges, Fraction(one)) == place for one in doses)
        if inside and reached + inside >= half:
            return Fraction(half_up(low + (high - low) * (half - reached) / inside, 3))
        reached += inside
    raise AssertionError("the bins hold all doses")


def naive_levels(doses: dict[int, list[Decimal]]) -> tuple[Decimal, Decimal] | None:
    """The 50th and the 75th percentile of the medians of facilities with enough cases."""
    found = [naive_median(its) for its in doses.values() if len(its) >= LEVELLED.minimum_cases]
    if len(found) < 5:
        return None
    _, middle, high = quantiles(found, n=4, method="inclusive")
    return half_up(Fraction(middle), 1), half_up(Fraction(high), 1)


@pytest_asyncio.fixture
async def nation(
    workshop: Workshop, database: Addresses
) -> tuple[Workshop, Any, dict[str, dict[int, list[Decimal]]]]:
    """A dozen facilities, a year of their exams, and the doses of each by result."""
    chance, history = random.Random(11), History()
    doses: dict[str, dict[int, list[Decimal]]] = {
        one: {of: [] for of in FACILITIES} for one in "1342"
    }
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE corporate_accounts, definitions CASCADE"))
        for facility in FACILITIES:
            await settle(session, facility)
    await owner.close()
    case = 0
    for facility in FACILITIES:
        few = facility == FEW
        # Of result 4 too few facilities have enough; 2 is no stratum that has levels.
        some = facility < 200003
        for result, number in (
            ("1", 3 if few else 5), ("3", 4), ("4", 4 * some), ("2", 4 * some),
        ):  # fmt: skip
            for _ in range(number):
                case += 1
                dose = Decimal(chance.randint(3, 65 if few else 40)) / 10
                history.put(
                    case,
                    "exam",
                    facility,
                    case,
                    {
                        "exam_date": f"2025-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}",
                        "result": result,
                        "dose": f"{dose:.2f}",
                    },
                )
                doses[result][facility].append(dose)
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
        await workshop.catalogue.publish(
            session, definition(peers=(EVERYBODY,), measures=(LEVELLED,))
        )
        await workshop.catalogue.refresh(session)
    toy = workshop.catalogue.registry("toy")
    await generations.catch_up(workshop, toy)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await compare(session, toy, TODAY) is not None
    return workshop, toy, doses


async def test_levels_are_quantiles_of_medians_and_the_own_median_stands_beside_them(
    nation: tuple[Workshop, Any, dict[str, dict[int, list[Decimal]]]],
    client: httpx.AsyncClient,
    database: Addresses,
) -> None:
    workshop, toy, doses = nation
    wanted = {result: naive_levels(doses[result]) for result in "134"}
    assert wanted["1"] is not None
    assert wanted["3"] is not None
    assert wanted["4"] is None
    above = 0
    for facility in FACILITIES:
        async with workshop.database.transaction(EVERYTHING) as session:
            answer = await query.results(
                session, toy, facility, [period("2025")], today=TODAY, stratifier="by_result"
            )
        for one in answer.results:
            result = one.stratum or ""
            own = doses[result][facility]
            shown = naive_median(own) if len(own) >= LEVELLED.minimum_cases else None
            if result == "2":
                assert one.levels == ()
                continue
            assert one.median == (None if shown is None else half_up(shown, 3))
            levels = {level.level.id: level for level in one.levels}
            told = wanted[result]
            if told is None:
                assert {level.withheld for level in levels.values()} == {"few-facilities"}
                assert {level.value for level in levels.values()} == {None}
                continue
            assert (levels["ad"].value, levels["drl"].value) == told
            enough = sum(len(its) >= LEVELLED.minimum_cases for its in doses[result].values())
            assert levels["drl"].facilities == enough
            assert levels["drl"].above == (None if shown is None else shown > Fraction(told[1]))
            above += bool(levels["drl"].above)
    assert above
    await _read_over_http(client, database, doses)


async def _read_over_http(
    client: httpx.AsyncClient, database: Addresses, doses: dict[str, dict[int, list[Decimal]]]
) -> None:
    """The same levels for everybody, and a facility's own median beside them."""
    steward = bearer(await key_for(database, Role.STEWARD, registries=["toy"]))
    answer = await client.get("/v1/registries/toy/benchmarks?period=2025", headers=steward)
    (spread,) = answer.json()["benchmarks"]
    told = {(one["stratum"], one["level"]): one for one in spread["reference_levels"]}
    for result in "13":
        levels = naive_levels(doses[result])
        assert levels is not None
        assert told[result, "ad"]["value"] == float(levels[0])
        assert told[result, "drl"]["value"] == float(levels[1])
        assert told[result, "drl"]["above"] is None
    assert told["4", "drl"]["value"] is None
    assert told["4", "drl"]["withheld"]["reason"] == "few-facilities"
    own = bearer(await key_for(database, Role.REGISTRAR, registries=["toy"], facilities=[200001]))
    answer = await client.get(
        "/v1/registries/toy/metrics?period=2025&stratum=by_result:1", headers=own
    )
    (metric,) = answer.json()["metrics"]
    median = naive_median(doses["1"][200001])
    (drl,) = [one for one in metric["reference_levels"] if one["level"] == "drl"]
    assert metric["median"] == float(median)
    assert drl["above"] is (float(median) > drl["value"])


def test_medians_of_many_are_those_of_each() -> None:
    chance = np.random.default_rng(5)
    rows = chance.integers(0, 4, (400, len(EDGES) + 1)) * chance.integers(
        0, 2, (400, len(EDGES) + 1)
    )
    rows = rows[rows.any(axis=1)]
    for units, its in zip(medians(LEVELLED, rows).tolist(), rows.tolist(), strict=True):
        exact = histogram_quantile(EDGES, its, Fraction(1, 2))
        assert exact is not None
        assert Decimal(units).scaleb(-digits(LEVELLED)) == half_up(exact, digits(LEVELLED))
