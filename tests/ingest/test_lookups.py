"""Values that a facility's own list gives: looked up on arrival, and following the list ever after."""

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import update

from app.access import Role
from app.claim import claim
from app.database import EVERYTHING, Database
from app.errors import NotFound
from app.ingest import held as holding
from app.ingest.relist import CHANGED, relist
from app.models.vault import Term
from app.postgres import Addresses
from app.vault import identities
from app.worker import Works
from tests.ingest import measuring
from tests.ingest.imaging import rows
from tests.ingest.measuring import Site, opened
from tests.make.accounts import bearer, key_for

EXAM = {"exam_date": "2026-05-01", "ctdivol": "8.00", "dlp": "280.00", "patient_age": "60"}


@pytest_asyncio.fixture
async def site(
    client: httpx.AsyncClient, database: Addresses, works: Works, worker: Database
) -> Site:
    return await opened(client, database, works, worker, "dose-index")


async def standard(site: Site) -> dict[str, str | None]:
    """Exam -> its standard name, by the number that its facility gave it."""
    found = await rows(
        site.database,
        "SELECT i.sealed, v.submission_number, v.row, v.elements ->> 'standard_exam' FROM cases c"
        " JOIN versions v ON v.id = c.version_id JOIN vault.identities i ON i.version_id = v.id"
        " WHERE c.form = 'exam' AND c.facility_id = :facility AND c.state = 'submitted'",
        facility=site.facility,
    )
    return {
        identities.unseal(site.works.vault, site.registry, number, row, bytes(sealed))[
            "exam_unique_id"
        ]: code
        for sealed, number, row, code in found
    }


def exam(number: str, name: str | None = None, **more: str) -> dict[str, Any]:
    named = {} if name is None else {"exam_name": name}
    elements = {"exam_unique_id": number, "other_id": f"P{number}", **EXAM, **named, **more}
    return {"form": "exam", "elements": elements}


def listed(name: str, code: str | None = "CHEST-WO") -> dict[str, Any]:
    """An entry of the facility's list of exam names; without a code, what takes it off."""
    if code is None:
        return {"form": "exam_names", "action": "withdraw", "elements": {"local_exam_name": name}}
    elements = {"local_exam_name": name, "listed_standard_exam": code}
    return {"form": "exam_names", "elements": elements}


async def sent(site: Site, *entries: dict[str, Any]) -> dict[str, str | None]:
    """What becomes of the exams when some entries were sent."""
    found = await site.send(*entries)
    assert not found["counts"]["rejected"], found["findings"]
    return await standard(site)


async def test_exams_follow_the_list_whichever_came_first(site: Site) -> None:
    others = {"A2": None, "A3": None, "A4": "OTHER"}
    found = await sent(
        site,
        exam("A1", "CT CHEST"),
        exam("A2", "CT CHEST SPECIAL"),
        exam("A3"),
        exam("A4", "CT CHEST", standard_exam="OTHER"),
    )
    assert found == {"A1": None, **others}
    found = await sent(site, exam("A5", "CT CHEST"), listed("CT CHEST"), exam("A6", "CT CHEST"))
    assert found == {"A1": "CHEST-WO", **others, "A5": "CHEST-WO", "A6": "CHEST-WO"}
    found = await sent(site, listed("CT CHEST", "HEAD-WO"))
    assert found == {"A1": "HEAD-WO", **others, "A5": "HEAD-WO", "A6": "HEAD-WO"}
    found = await sent(site, listed("CT CHEST", None), listed("CT HEAD", "HEAD-WO"))
    assert found == {"A1": None, **others, "A5": None, "A6": None}


async def test_an_amended_exam_is_looked_up_anew_and_one_sent_again_is_unchanged(
    site: Site,
) -> None:
    of_two = listed("CT CHEST"), listed("CT HEAD", "HEAD-WO")
    found = await sent(site, *of_two, exam("B1", "CT CHEST"), exam("B1", "CT HEAD"))
    assert found == {"B1": "HEAD-WO"}
    again = await site.send(exam("B1", "CT HEAD"), listed("CT CHEST", "OTHER"))
    assert again["counts"]["unchanged"] == 1
    assert await standard(site) == {"B1": "HEAD-WO"}
    found = await sent(site, exam("B1", standard_exam="CHEST-WO"), listed("CT HEAD", "OTHER"))
    assert found == {"B1": "CHEST-WO"}


async def test_what_follows_is_a_version_of_its_own_and_no_name_leaves_the_vault(
    site: Site,
) -> None:
    await sent(site, exam("C1", "CT ZEBRAFINCH"))
    await sent(site, listed("CT ZEBRAFINCH"))
    ((case, number),) = await rows(
        site.database,
        "SELECT id, version_id FROM cases WHERE form = 'exam' AND facility_id = :facility",
        facility=site.facility,
    )
    versions = await site.get(f"/v1/cases/{case}/versions")
    assert [one["elements"].get("standard_exam") for one in versions] == [None, "CHEST-WO"]
    first, last = versions
    assert (first["to_seq"], last["to_seq"], last["version"]) == (last["from_seq"], None, number)
    assert (first["submission"], first["entry"]) == (last["submission"], last["entry"])
    own = await site.get(f"/v1/cases/{case}?identity=true")
    assert own["identity"]["exam_name"] == "CT ZEBRAFINCH"
    for table in ("versions", "entries", "cases", "lookups", "findings", "submissions"):
        found = await rows(
            site.database, f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%zebrafinch%'"
        )
        assert found == [(0,)], table


async def test_a_step_that_dies_on_the_way_moves_a_case_once(
    site: Site, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sent(site, *(exam(f"D{number}", "CT CHEST") for number in range(7)))
    monkeypatch.setattr("app.ingest.relist.BATCH", 3)
    others = tuple(step for step in measuring.STEPS if step is not relist)
    monkeypatch.setattr(measuring, "STEPS", others)
    assert set((await sent(site, listed("CT CHEST"))).values()) == {None}
    # One that took the row and was killed: its lease ends, and somebody else goes on.
    taken = await claim(
        works.database, Term, Term.state == CHANGED, order_by=[Term.not_before],
        lease_seconds=0.01, tries=5,
    )  # fmt: skip
    assert len(taken.rows) == 1
    await asyncio.sleep(0.05)
    assert [await relist(works) for _ in range(4)] == [3, 3, 1, 0]
    assert set((await standard(site)).values()) == {"CHEST-WO"}
    numbers = await rows(
        site.database,
        "SELECT count(*), count(DISTINCT v.from_seq) FROM versions v WHERE v.form = 'exam'"
        " AND v.facility_id = :facility",
        facility=site.facility,
    )
    assert numbers == [(14, 14)]


async def test_a_name_whose_step_failed_too_often_is_held_listed_and_tried_again(
    site: Site, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sent(site, exam("E1", "CT ZEBRAFINCH"))
    others = tuple(step for step in measuring.STEPS if step is not relist)
    monkeypatch.setattr(measuring, "STEPS", others)
    await sent(site, listed("CT ZEBRAFINCH"))
    async with works.database.transaction(EVERYTHING) as session:
        await session.execute(update(Term).where(Term.state == CHANGED).values(tries=99))
    assert await relist(works) == 0, "the last try is over"

    async def held() -> list[holding.Held]:
        async with works.database.transaction() as session:
            every = await holding.held(session, 30)
        return [one for one in every if one.facility_id == site.facility]

    (one,) = await held()
    assert (one.kind, one.registry_id, one.why) == ("term", site.registry, "relist")
    assert (one.since is not None, one.until) == (True, None)
    assert "zebrafinch" not in repr(one).lower()
    assert await held() == [one], "it is called the same whenever it is listed"
    async with works.database.transaction() as session:
        assert await holding.retry(session, one.id, 30) == CHANGED
    assert await held() == []
    assert await relist(works) == 1
    assert await standard(site) == {"E1": "CHEST-WO"}
    audited = await rows(
        site.database,
        "SELECT record_type, facility_id, details FROM audit_events"
        " WHERE action = 'retry' AND record_id = :id",
        id=str(one.id),
    )
    assert [tuple(each) for each in audited] == [("term", site.facility, {"state": CHANGED})]
    async with works.database.transaction() as session:
        with pytest.raises(NotFound):
            await holding.retry(session, one.id, 30)


async def test_a_facility_sees_what_its_list_lacks_and_replaces_it(
    site: Site, database: Addresses
) -> None:
    base = f"/v1/registries/{site.registry}/lists"
    unknown = (exam(f"F{n}", name) for n, name in enumerate(("Chest WO", "Chest WO", "Whole leg")))
    await sent(site, listed("CT HEAD", "HEAD-WO"), exam("F9", "CT HEAD"), *unknown)
    (counted,) = (await site.get(base))["lists"]
    assert (counted["unlisted_names"], counted["unlisted_cases"]) == (2, 3)
    missing = await site.get(f"{base}/exam_names/unlisted")
    assert [(one["name"], one["cases"]) for one in missing["unlisted"]] == [
        ("Chest WO", 2),
        ("Whole leg", 1),
    ]
    (best, *_), none = (one["suggestions"] for one in missing["unlisted"])
    assert (best["code"], best["label"]) == ("CHEST-WO", "Chest without contrast")
    assert none == []
    answer = await site.client.get(f"{base}/exam_names", headers=bearer(site.key))
    (own,) = answer.json()["entries"]
    assert (own["local_exam_name"], own["listed_standard_exam"]) == ("CT HEAD", "HEAD-WO")
    wanted = {"entries": [{"local_exam_name": "Chest WO", "listed_standard_exam": "CHEST-WO"}]}
    for match, status in (('"another"', 412), (answer.headers["ETag"], 202)):
        put = await site.client.put(
            f"{base}/exam_names", json=wanted, headers={**bearer(site.key), "If-Match": match}
        )
        assert put.status_code == status, put.text
    await site.work()
    names = [one["local_exam_name"] for one in (await site.get(f"{base}/exam_names"))["entries"]]
    assert names == ["Chest WO"]
    assert await standard(site) == {"F0": "CHEST-WO", "F1": "CHEST-WO", "F2": None, "F9": None}
    left = (await site.get(f"{base}/exam_names/unlisted"))["unlisted"]
    assert {one["name"] for one in left} == {"CT HEAD", "Whole leg"}
    operator = bearer(await key_for(database, Role.OPERATOR))
    for path in ("", "/exam_names", "/exam_names/unlisted"):
        address = f"{base}{path}?facility={site.facility}"
        assert (await site.client.get(address, headers=operator)).status_code == 403
    assert (await site.client.get(f"{base}/exam", headers=bearer(site.key))).status_code == 404
