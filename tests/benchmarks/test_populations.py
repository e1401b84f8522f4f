"""Drill-down: the cases behind a rate are as many as it counts, and nothing of another facility is told."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.access import Role
from app.benchmarks import generations
from app.benchmarks.engine import Engine
from app.benchmarks.examples import Drafting, Numbers, totals, versions
from app.benchmarks.feed import COLUMNS
from app.benchmarks.generations import Workshop
from app.benchmarks.measures import tabulation
from app.benchmarks.observe import observe
from app.benchmarks.placed import possible
from app.benchmarks.populations import placements
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses
from tests.benchmarks.history import History, counted, settle
from tests.benchmarks.test_examples import DEFINITIONS, EXAMPLES
from tests.benchmarks.toy import definition
from tests.make.accounts import bearer, key_for

OWN, OTHER = 200001, 200002
PATH = "/v1/registries/toy/metrics/{}/cases"
COUNTED = {
    "initial-population": 0,
    "denominator": 1,
    "exclusions": 2,
    "exceptions": 3,
    "numerator": 4,
    "observations": 5,
}


@pytest_asyncio.fixture
async def seen(
    workshop: Workshop, database: Addresses
) -> AsyncIterator[tuple[Workshop, History, dict[str, str]]]:
    """Two facilities that screen the same people, tabulated; the header of one facility's registrar."""
    chance, history = random.Random(11), History()
    for case in range(1, 121):
        exam = {
            "exam_date": f"{chance.choice((2024, 2025))}-{chance.randint(1, 12):02d}-15",
            "result": chance.choice("1234"),
            "packs": chance.choice((10, 30, 999)),
            "dose": chance.choice(("1.25", "2.50", "999.00")),
            "signs": chance.choice(([], [], ["X"], ["Y"])),
        }
        history.put(case, "exam", chance.choice((OWN, OTHER)), chance.randint(1, 45), exam)
        if chance.random() < 0.5:
            follow_up = {"seen_on": "2025-12-20", "cancer": chance.random() < 0.6}
            facility = history.known[case].facility
            history.put(10_000 + case, "follow_up", facility, case, follow_up, parent=case)
    for subject in range(1, 45, 7):
        history.put(20_000 + subject, "person", OWN, subject, {"died_on": "2026-01-01"})
    history.withdraw(3)
    owner = Database(database.owner, DatabaseRole.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text("TRUNCATE corporate_accounts, definitions CASCADE"))
        for facility in (OWN, OTHER):
            await settle(session, facility)
    await owner.close()
    async with workshop.database.transaction(EVERYTHING) as session:
        await history.write(session)
        await workshop.catalogue.publish(session, definition())
        await workshop.catalogue.refresh(session)
    await generations.catch_up(workshop, workshop.catalogue.registry("toy"))
    key = await key_for(database, Role.REGISTRAR, registries=["toy"], facilities=[OWN])
    yield workshop, history, bearer(key)


def totals_of(history: History, stratifier: str = "", stratum: str = "") -> dict[str, list[int]]:
    """Each measure's populations of the own facility over both years, by hand."""
    found: dict[str, list[int]] = defaultdict(lambda: [0] * 8)
    for (facility, _, measure, by, name), counts in counted(history).items():
        if (facility, by, name) == (OWN, stratifier, stratum):
            found[measure] = [a + b for a, b in zip(found[measure], counts, strict=True)]
    return found


async def listed(
    client: httpx.AsyncClient, headers: dict[str, str], measure: str, **asked: Any
) -> list[dict[str, Any]]:
    """Every page of a list."""
    query: dict[str, Any] = {"facility": OWN, "period": "2024-01..2025-12", "limit": 30, **asked}
    found: list[dict[str, Any]] = []
    path: str | None = PATH.format(measure)
    while path:
        answer = await client.get(path, params=query if not found else None, headers=headers)
        assert answer.status_code == 200, answer.text
        found += answer.json()["cases"]
        assert len(answer.json()["cases"]) <= 30
        path = answer.links.get("next", {}).get("url")
        if not path:
            assert len(found) == answer.json()["count"], "the tables count as many"
    return found


async def test_as_many_cases_are_listed_as_are_counted_in_every_population_of_every_measure(
    seen: tuple[Workshop, History, dict[str, str]], client: httpx.AsyncClient
) -> None:
    workshop, history, headers = seen
    toy = workshop.catalogue.registry("toy")
    by_hand = totals_of(history)
    several = 0
    for measure in toy.measures:
        members: dict[str, set[int]] = {}
        for population in possible(measure):
            cases = await listed(client, headers, measure.id, population=population)
            ids = [one["id"] for one in cases]
            members[population] = set(ids)
            assert len(ids) == len(members[population]), "no case is listed twice"
            assert [(one["case_date"], one["id"]) for one in cases] == sorted(
                (one["case_date"], one["id"]) for one in cases
            )
            assert {history.known[one].facility for one in ids} <= {OWN}
            if population == "unmet":
                assert members["unmet"] == members["denominator"] - members["numerator"]
                continue
            assert len(ids) == by_hand[measure.id][COUNTED[population]], (measure.id, population)
            several += len(ids) > 30
        if "exclusions" in members:
            assert not members["exclusions"] & members["denominator"]
    assert several > 2, "some lists have more than a page"


async def test_the_cases_of_a_stratum_are_as_many_as_it_counts(
    seen: tuple[Workshop, History, dict[str, str]], client: httpx.AsyncClient
) -> None:
    _, history, headers = seen
    for stratum in ("few", "many"):
        wanted = totals_of(history, "by_packs", stratum)
        for measure in ("found", "dose"):
            cases = await listed(client, headers, measure, stratum=f"by_packs:{stratum}")
            assert len(cases) == wanted[measure][1] > 0


async def test_a_case_is_explained_by_each_expression_and_what_it_rests_on(
    seen: tuple[Workshop, History, dict[str, str]], client: httpx.AsyncClient
) -> None:
    workshop, history, headers = seen
    for measure, population in (
        ("found", "numerator"),
        ("found", "exclusions"),
        ("dose", "denominator"),
    ):
        for case in (await listed(client, headers, measure, population=population))[:3]:
            answer = await client.get(case["why"], headers=headers)
            assert answer.status_code == 200, answer.text
            said = answer.json()
            assert population in said["populations"]
            assert said["case"] == case
            texts = workshop.catalogue.registry("toy").measure(measure)
            parts = {one["part"]: one for one in said["expressions"]}
            assert parts["denominator"]["expression"] == texts.denominator
            values = {one["name"]: one["value"] for one in said["columns"]}
            sent = history.known[case["id"]].elements
            if measure == "found":
                assert values["result"] == sent["result"] in ("3", "4")
                assert parts["denominator"]["value"] is True
                assert values["signs"] == sent["signs"]
                assert parts["numerator"]["value"] is (population == "numerator")
                if population == "exclusions":
                    assert parts["exclusion"]["value"] is True
            else:
                known = sent["dose"] != "999.00"
                assert ("observations" in said["populations"]) is known
                assert parts["observation"]["value"] == (sent["dose"] if known else None)
                assert values["dose_unknown"] is not known


async def test_what_another_facility_sent_is_never_a_value_of_an_explanation(
    seen: tuple[Workshop, History, dict[str, str]], client: httpx.AsyncClient
) -> None:
    _, history, headers = seen
    exams = [
        one for one in history.known.values() if one.form == "exam" and one.state == "submitted"
    ]
    withheld = told = 0
    for case in (await listed(client, headers, "changed", population="denominator"))[:24]:
        own = history.known[case["id"]]
        line = sorted(
            (one for one in exams if one.subject == own.subject),
            key=lambda one: (one.elements["exam_date"], f"{one.case:08d}"),
        )
        mine = [one for one in line if one.facility == OWN]
        prior = line[line.index(own) - 1]
        by_own = mine[mine.index(own) - 1] if mine.index(own) else None
        answer = (await client.get(case["why"], headers=headers)).json()
        column = next(one for one in answer["columns"] if one["name"] == "prior_result")
        if by_own is not None and by_own.elements["result"] == prior.elements["result"]:
            assert (column["value"], column["withheld"]) == (prior.elements["result"], None)
            told += 1
        else:
            assert column["value"] is None
            assert column["withheld"]["reason"] == "another-facility"
            withheld += 1
    assert withheld > 2
    assert told > 2
    for case in (await listed(client, headers, "returned", population="numerator"))[:8]:
        own = history.known[case["id"]]
        later = [
            one.elements["exam_date"]
            for one in exams
            if one.subject == own.subject and one.facility == OTHER
        ]
        mine = [one.elements["exam_date"] for one in exams if one.facility == OWN]
        answer = await client.get(case["why"], headers=headers)
        for day in set(later) - set(mine):
            assert day not in answer.text


async def test_cases_are_for_those_who_may_read_them_and_each_look_is_kept(
    seen: tuple[Workshop, History, dict[str, str]],
    client: httpx.AsyncClient,
    database: Addresses,
) -> None:
    workshop, history, headers = seen
    (first, *_) = await listed(client, headers, "found")
    foreign = next(
        one.case for one in history.known.values() if one.facility == OTHER and one.form == "exam"
    )
    for role in (Role.DASHBOARD, Role.SERVICE):
        key = bearer(await key_for(database, role, registries=["toy"], facilities=[OWN]))
        assert (await client.get(PATH.format("found"), headers=key)).status_code == 403
        assert (await client.get(first["why"], headers=key)).status_code == 403
    for path, status in (
        (f"{PATH.format('found')}?facility={OTHER}", 404),
        (f"{PATH.format('found')}/{foreign}?facility={OWN}", 404),
        (f"{PATH.format('found')}/{foreign}?facility={OTHER}", 404),
        (f"{PATH.format('found')}/3?facility={OWN}", 404),
        (f"{PATH.format('none')}?facility={OWN}", 404),
        (f"{PATH.format('dose')}?facility={OWN}&population=numerator", 422),
        (f"{PATH.format('found')}?facility={OWN}&population=all", 422),
        (f"{PATH.format('found')}?facility={OWN}&stratum=by_packs", 422),
        (f"{PATH.format('found')}?facility={OWN}&stratum=by_result:3", 422),
        (f"{PATH.format('found')}?facility={OWN}&after=bm9uc2Vuc2U", 422),
        (f"{PATH.format('found')}?facility={OWN}&period=2025Q7", 422),
    ):
        assert (await client.get(path, headers=headers)).status_code == status, path
    assert (await client.get(first["why"])).status_code == 401
    await client.get(first["why"], headers=headers)
    async with workshop.database.transaction(EVERYTHING) as session:
        kept = await session.execute(
            text("SELECT action, record_id, facility_id, details FROM audit_events ORDER BY id")
        )
        events = [tuple(row) for row in kept]
    assert ("explain", str(first["id"]), OWN, {"measure": "found"}) in events
    assert any(
        event[:3] == ("drill-down", "found", OWN) and event[3]["population"] == "denominator"
        for event in events
    )


@pytest.mark.parametrize("of", DEFINITIONS, ids=[one.id for one in DEFINITIONS])
def test_every_shipped_measure_lists_as_many_cases_as_it_counts(of: Any, tmp_path: Path) -> None:
    engine, numbers = Engine("1GB", "1GB", tmp_path / "spill"), Numbers()
    drafting = Drafting(of)
    with duckdb.connect() as connection:
        sent = [
            dict(zip(COLUMNS, version, strict=True))
            for place, (one, measure, example) in enumerate(EXAMPLES)
            if one is of
            for version in versions(connection, drafting, measure, example, place, numbers)
        ]
    rows = observe(engine, tabulation(of), [tuple(one.values()) for one in sent])
    facilities = {one["facility_id"] for one in sent}
    seen = 0
    for measure in of.measures:
        ids = [one["case_id"] for one in sent if one["form"] == measure.form]
        counts = [totals(rows, of, measure, facility, None) for facility in facilities]
        placed = placements(engine, of, measure, [tuple(one.values()) for one in sent], ids)
        for population in set(COUNTED) & set(possible(measure)):
            found = sum(population in one.populations(measure) for one in placed)
            assert found == sum(getattr(one, population.replace("-", "_")) for one in counts)
            seen += found
    assert seen > 50 * len(of.measures), "the cases of dozens of examples"
