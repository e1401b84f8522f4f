"""What is told: own rates live, peers by a dated snapshot, and what is held back with its reason."""

import random
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import quantiles
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.access import Role
from app.benchmarks import generations, query, standing
from app.benchmarks.compare import compare
from app.benchmarks.generations import Workshop
from app.benchmarks.periods import period
from app.benchmarks.snapshots import forget, snapshot_of
from app.benchmarks.statistics import half_up, wilson
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.models import Snapshot, SnapshotSpread
from app.postgres import Addresses
from app.registries.schema import PeerGroup
from tests.benchmarks.history import History, counted, settle
from tests.benchmarks.test_spread import naive_quartile
from tests.benchmarks.toy import definition
from tests.make.accounts import bearer, key_for

TODAY = date(2026, 11, 21)
SPLIT = PeerGroup(
    id="category",
    title="Category",
    by="category",
    groups={"academic": "Academic", "rural": "Rural"},
)
EVERYBODY = PeerGroup(id="all", title="All facilities", by="all")
ACADEMIC, RURAL = range(200001, 200009), range(200009, 200012)


@pytest_asyncio.fixture
async def nation(
    workshop: Workshop, database: Addresses
) -> AsyncIterator[tuple[Workshop, Any, History]]:
    """Eight academic facilities, three rural ones, and a year of their exams."""
    chance, history = random.Random(7), History()
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE corporate_accounts, definitions CASCADE"))
        for facility in (*ACADEMIC, *RURAL):
            await settle(session, facility, "academic" if facility in ACADEMIC else "rural")
    await owner.close()
    case = 0
    for facility in (*ACADEMIC, *RURAL):
        for _ in range(chance.randint(18, 30)):
            case += 1
            history.put(
                case,
                "exam",
                facility,
                case,
                {
                    "exam_date": f"2025-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}",
                    "result": chance.choice("1333"),
                    "dose": f"{chance.randint(50, 600) / 100:.2f}",
                    "packs": chance.choice((10, 30)),
                },
            )
            if chance.random() < 0.6:
                exam = case
                case += 1
                seen = {"seen_on": "2025-12-30", "cancer": True}
                history.put(case, "follow_up", facility, exam, seen, parent=exam)
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
        await workshop.catalogue.publish(session, definition(peers=(EVERYBODY, SPLIT)))
        await workshop.catalogue.refresh(session)
    toy = workshop.catalogue.registry("toy")
    await generations.catch_up(workshop, toy)
    yield workshop, toy, history


def year(history: History, measure: str, facility: int) -> tuple[int, ...]:
    """A measure's populations over 2025, by hand."""
    rows = [
        counts
        for (of, month, name, stratifier, _), counts in counted(history).items()
        if (of, month.year, name, stratifier) == (facility, 2025, measure, "")
    ]
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0,) * 8


async def told(
    workshop: Workshop,
    toy: Any,
    facility: int,
    over: str = "2025",
    today: date = TODAY,
    **more: Any,
) -> dict[str, query.Result]:
    async with workshop.database.transaction(EVERYTHING) as session:
        answer = await query.results(session, toy, facility, [period(over)], today=today, **more)
    return {f"{one.measure.id}:{one.stratum or ''}": one for one in answer.results}


async def test_a_snapshot_is_the_spread_of_the_facilities_rates(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, history = nation
    async with workshop.database.transaction(EVERYTHING) as session:
        await compare(session, toy, TODAY)
    rates = {}
    for facility in (*ACADEMIC, *RURAL):
        counts = year(history, "found", facility)
        rates[facility] = Fraction(counts[4], counts[1])
    for facility in (*ACADEMIC, *RURAL):
        own = (await told(workshop, toy, facility))["found:"]
        everybody = next(one for one in own.peers if one.peer_group == "all")
        low, median, high = quantiles(rates.values(), n=4, method="inclusive")
        assert [everybody.low, everybody.median, everybody.high] == [
            half_up(Fraction(one), 3) for one in (low, median, high)
        ]
        assert everybody.facilities == 11
        as_told = {one: half_up(rate, 3) for one, rate in rates.items()}
        assert everybody.quartile == 5 - naive_quartile(
            Fraction(as_told[facility]), [Fraction(one) for one in as_told.values()]
        )
        assert everybody.percentile is None, "eleven facilities are too few for one"
        assert everybody.pooled is None, "so few cases would be told by their rate"
        assert own.rate == half_up(rates[facility], 6)
        category = next(one for one in own.peers if one.peer_group == "category")
        # Three rural facilities are too few, and the academic ones would then be what is left of all.
        assert category.withheld == ("complementary" if facility in ACADEMIC else "few-facilities")
        assert category.median is None


async def test_snapshots_of_the_same_tables_are_the_same(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, _ = nation
    taken = []
    for _ in range(2):
        async with workshop.database.transaction(EVERYTHING) as session:
            snapshot = await compare(session, toy, TODAY)
            assert snapshot is not None
            rows = await session.execute(
                text(
                    "SELECT measure_id, period, peer_group, peers, facilities, spread::text, withheld"
                    " FROM snapshot_spreads WHERE snapshot_id = :id ORDER BY 1, 2, 3, 4"
                ),
                {"id": snapshot.id},
            )
            taken.append([tuple(row) for row in rows])
    assert taken[0] == taken[1]
    assert {row[1] for row in taken[0]} >= {"2025", "2025Q3", "2025-06", "2025-01..2025-12"} - {
        "2025-01..2025-12"  # told as 2025
    }


async def test_a_count_that_does_not_fit_is_told_by_its_kind_and_leaves_no_snapshot(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, _ = nation
    taken = text("SELECT count(*) FROM snapshots")
    moved = text(
        "UPDATE cells SET counts = ARRAY(SELECT one + CAST(:by AS bigint) FROM unnest(counts) AS one)"
    )
    async with workshop.database.transaction(EVERYTHING) as session:
        before = await session.scalar(taken)
        await session.execute(moved, {"by": 3_000_000_000})
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        async with workshop.database.transaction(EVERYTHING) as session:
            await compare(session, toy, TODAY)
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await session.scalar(taken) == before
        await session.execute(moved, {"by": -3_000_000_000})


async def test_a_registry_that_compares_nobody_has_a_snapshot_that_tells_nothing(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, _ = nation
    alone = toy.model_copy(update={"peers": (), "digest": "without peers"})
    async with workshop.database.transaction(EVERYTHING) as session:
        snapshot = await compare(session, alone, TODAY)
        assert snapshot is not None
        told = text("SELECT count(*) FROM snapshot_spreads WHERE snapshot_id = :id")
        assert await session.scalar(told, {"id": snapshot.id}) == 0


async def test_of_months_before_the_last_one_snapshot_is_kept(workshop: Workshop) -> None:
    days = [date(2026, *one) for one in ((8, 10), (8, 20), (9, 5), (10, 3), (10, 4), (11, 20))]
    async with workshop.database.transaction(EVERYTHING) as session:
        for registry in ("toy", "other"):
            for day in days:
                taken = Snapshot(registry_id=registry, generation_id=1, feed_seq=1, taken_on=day)
                session.add(taken)
                await session.flush()
                told = {
                    "measure_id": "found",
                    "period": "2025",
                    "peer_group": "all",
                    "peers": "all",
                }
                session.add(SnapshotSpread(snapshot_id=taken.id, **told))
        await session.flush()
        await forget(session, "toy", TODAY)
        kept = (
            "SELECT taken_on FROM snapshots JOIN snapshot_spreads ON snapshot_id = snapshots.id"
            " WHERE registry_id = :registry ORDER BY taken_on"
        )
        for registry, wanted in (("toy", days[1:]), ("other", days)):
            assert list(await session.scalars(text(kept), {"registry": registry})) == wanted
        spreads = await session.scalar(text("SELECT count(*) FROM snapshot_spreads"))
        assert spreads == 2 * len(days) - 1


async def test_a_snapshot_does_not_move_when_a_facility_does(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, history = nation
    async with workshop.database.transaction(EVERYTHING) as session:
        await compare(session, toy, TODAY)
    before = (await told(workshop, toy, 200001))["found:"]
    history.put(9001, "exam", 200001, 9001, {"exam_date": "2025-05-05", "result": "3", "packs": 1})
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
    await generations.catch_up(workshop, toy)
    after = (await told(workshop, toy, 200001))["found:"]
    assert after.counts.denominator == before.counts.denominator + 1
    assert [one.median for one in after.peers] == [one.median for one in before.peers]


async def test_own_results_are_those_counted_by_hand_and_have_their_interval(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, history = nation
    found = (await told(workshop, toy, 200002))["found:"]
    counts = year(history, "found", 200002)
    assert (found.counts.denominator, found.counts.numerator) == (counts[1], counts[4])
    limits = wilson(counts[4], counts[1])
    assert found.low is not None
    assert found.high is not None
    assert float(found.low) == pytest.approx(limits.low, abs=1e-6)
    assert float(found.high) == pytest.approx(limits.high, abs=1e-6)
    dose = (await told(workshop, toy, 200002))["dose:"]
    mine = year(history, "dose", 200002)
    assert dose.rate == half_up(Fraction(mine[6], 10 * mine[5]), 3)
    assert dose.median is not None


async def test_strata_add_up_to_the_whole(nation: tuple[Workshop, Any, History]) -> None:
    workshop, toy, _ = nation
    whole = (await told(workshop, toy, 200003))["found:"]
    strata = await told(workshop, toy, 200003, stratifier="by_packs")
    assert sum(
        one.counts.denominator for key, one in strata.items() if key.startswith("found")
    ) == (whole.counts.denominator)
    one = await told(workshop, toy, 200003, stratifier="by_packs", stratum="many")
    assert set(one) == {"found:many", "dose:many"}
    assert one["found:many"].counts == strata["found:many"].counts


async def test_each_display_rule_holds_back_with_its_reason(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, _ = nation
    # `returned` matures 14 months after 2025: on 1 March 2027.
    assert (await told(workshop, toy, 200001))["returned:"].withheld == "not-matured"
    assert (await told(workshop, toy, 200001, today=date(2027, 2, 28)))["returned:"].rate is None
    assert (await told(workshop, toy, 200001, today=date(2027, 3, 1)))["returned:"].rate is not None
    gate = toy.model_copy(
        update={
            "measures": tuple(
                one.model_copy(
                    update={
                        "shown_when": one.shown_when.model_copy(update={"at_least": Decimal(1)})
                    }
                )
                if one.shown_when
                else one.model_copy(update={"minimum_cases": 10_000})
                if one.id == "dose"
                else one
                for one in toy.measures
            )
        }
    )
    found = await told(workshop, gate, 200001)
    assert found["changed:"].withheld == "condition-not-met"
    assert found["dose:"].withheld == "too-few-cases"
    assert found["dose:"].counts.denominator > 0, "one's own small counts are one's own"
    assert (await told(workshop, toy, 200001, over="2019"))["found:"].withheld == "no-cases"
    assert all(one.rate is None for one in found.values() if one.withheld)
    peers = (await told(workshop, toy, 200001))["found:"].peers
    assert {one.withheld for one in peers} == {"no-snapshot"}


async def test_months_quarters_and_the_year_add_up(nation: tuple[Workshop, Any, History]) -> None:
    workshop, toy, _ = nation
    whole = (await told(workshop, toy, 200004))["found:"].counts
    for parts in (
        [f"2025Q{quarter}" for quarter in range(1, 5)],
        [f"2025-{month:02d}" for month in range(1, 13)],
        ["2025-01..2025-05", "2025-06..2025-12"],
    ):
        found = [(await told(workshop, toy, 200004, over=one))["found:"].counts for one in parts]
        assert sum(one.denominator for one in found) == whole.denominator
        assert sum(one.numerator for one in found) == whole.numerator


async def test_the_wire_answers_its_owner_and_nobody_else(
    nation: tuple[Workshop, Any, History], client: httpx.AsyncClient, database: Addresses
) -> None:
    workshop, toy, history = nation
    async with workshop.database.transaction(EVERYTHING) as session:
        await compare(session, toy, TODAY)
        assert await snapshot_of(session, "toy") is not None
    own = bearer(await key_for(database, Role.DASHBOARD, registries=["toy"], facilities=[200001]))
    asked = {"facility": 200001, "measure": "found", "period": "2025"}
    path = "/v1/registries/toy/metrics"
    answer = await client.get(path, params=asked, headers=own)
    assert answer.status_code == 200, answer.text
    (metric,) = answer.json()["metrics"]
    counts = year(history, "found", 200001)
    assert (metric["numerator"], metric["denominator"]) == (counts[4], counts[1])
    assert metric["rate"] == round(counts[4] / counts[1], 6)
    assert metric["peers"][0]["quartiles"]["median"] <= 1
    assert answer.json()["as_of"]["feed_number"] == history_length(history)

    assert (
        await client.get(path, params=asked | {"facility": 200002}, headers=own)
    ).status_code == 404
    assert (
        await client.get(path, params=asked | {"measure": "none"}, headers=own)
    ).status_code == 404
    assert (
        await client.get(path, params=asked | {"period": "2025Q9"}, headers=own)
    ).status_code == 422
    assert (
        await client.get(path, params=asked | {"stratum": "none"}, headers=own)
    ).status_code == 422
    assert (await client.get(path, params=asked)).status_code == 401
    strata = await client.get(path, params=asked | {"stratum": "by_packs"}, headers=own)
    assert {one["stratum"] for one in strata.json()["metrics"]} == {"few", "many"}

    research = bearer(await key_for(database, Role.RESEARCHER, registries=["toy"]))
    assert (await client.get(path, params=asked, headers=research)).status_code == 403
    spread = await client.get(
        "/v1/registries/toy/benchmarks",
        params={"measure": "found", "period": "2025"},
        headers=research,
    )
    assert spread.status_code == 200, spread.text
    said = spread.json()["benchmarks"]
    assert {one["peers"] for one in said} == {"all", "academic", "rural"}
    assert all(one["rank_quartile"] is None for one in said)
    assert [one["quartiles"] for one in said if one["withheld"]] == [None, None]
    assert not {"numerator", "denominator"} & set(said[0])

    measures = await client.get("/v1/registries/toy/measures", headers=research)
    assert [one["id"] for one in measures.json()["measures"]] == [one.id for one in toy.measures]
    one = await client.get("/v1/registries/toy/measures/dose", headers=research)
    assert one.json()["scoring"] == "continuous-variable"


def history_length(history: History) -> int:
    """Every change was written once."""
    return len(history.known)


async def test_a_snapshot_is_taken_though_a_measure_rests_on_one_that_is_still_being_built(
    nation: tuple[Workshop, Any, History],
) -> None:
    workshop, toy, _ = nation
    condition = next(one.shown_when for one in toy.measures if one.shown_when is not None)
    rests = toy.measure(condition.measure)
    gate = rests.model_copy(update={"id": "new_gate"})
    changed = rests.model_copy(
        update={"shown_when": condition.model_copy(update={"measure": "new_gate"})}
    )
    measures = (*(changed if one is rests else one for one in toy.measures), gate)
    newer = definition(peers=(EVERYBODY, SPLIT), measures=measures, version="1.1.0")
    async with workshop.database.transaction(EVERYTHING) as session:
        assert await compare(session, newer, TODAY) is not None
        told = await standing.spreads(session, newer, measures=newer.measures)
    assert {spread.withheld for measure, _, spread in told if measure == rests.id} == {
        "few-facilities"
    }
    assert any(spread.median is not None for _, _, spread in told)
