"""Worklists: what a facility looks after is on them, is told when it is due, and goes when it is done."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest_asyncio
from sqlalchemy import text

from app.access import Role
from app.benchmarks.remind import remind
from app.database import Database
from app.postgres import Addresses
from app.settings import Settings
from app.worker import Works, open_works
from tests.ingest.landing import EXAM, Landing, Sender, entry, exam, follow_up
from tests.make.accounts import REGISTRY, Desk, key_for

HERE = f"/v1/registries/{REGISTRY}/worklists"
LIST = f"{HERE}/incidental-follow-up"
TODAY = datetime.now(UTC).date()

NODULE = {
    **{
        name: EXAM[name]
        for name in (
            "facility_npi",
            "other_id",
            "patient_ssn",
            "refused_to_answer_ssn",
            "patient_first_name",
            "patient_last_name",
            "refused_medicare_id",
            "patient_dob",
            "patient_sex",
        )
    },
    "exam_unique_id": "N-1",
    "exam_date": "2025-02-01",
    "radiologist_reading_npi": "1003000126",
    "nodule_exam_modality": "1",
    "anatomic_area": "1",
    "cancer_risk_level": "low",
    "known_cancer": "N",
    "immunosuppressed": "N",
    "guideline_used": "1",
    "follow_up_recommended": "Y",
    "recommended_modality": "1",
    "interval_min_months": "6",
    "interval_max_months": "12",
    "nodule_count": "single",
    "stability": "0",
    "hr_nodule_density": "solid",
    "hr_nodule_size": "7.0",
}
FOLLOW_UP = {
    "exam_unique_id": "N-1",
    "nodule_follow_up_date": "2025-09-01",
    "nodule_follow_up_status": "completed",
    "nodule_follow_up_modality": "1",
    "nodule_outcome": "2",
}


def nodule(name: str, day: date | str, action: str = "submit", **changes: Any) -> dict[str, Any]:
    """An exam with an incidental nodule."""
    return entry(NODULE, "nodule_exam", action, exam_unique_id=name, exam_date=str(day), **changes)


def done(name: str, **changes: Any) -> dict[str, Any]:
    """A follow-up of one."""
    return entry(FOLLOW_UP, "nodule_follow_up", exam_unique_id=name, **changes)


class Room:
    """A facility's own people at the API, and the step that they need not know of."""

    def __init__(self, landing: Landing, database: Addresses, client: httpx.AsyncClient) -> None:
        self.landing, self.database, self.client = landing, database, client
        self.facility = landing.facilities[0]

    async def desk(self, role: Role = Role.REGISTRAR, facility: int | None = None) -> Desk:
        facilities = [facility or self.facility]
        bounds: dict[str, Any] = {"registries": [REGISTRY], "facilities": facilities}
        if role in (Role.OPERATOR, Role.AUDITOR):
            bounds = {}
        elif role in (Role.STEWARD, Role.RESEARCHER):
            bounds.pop("facilities")
        return Desk(self.client, await key_for(self.database, role, **bounds))

    async def land(self, *entries: dict[str, Any], facility: int | None = None) -> None:
        number = facility or self.facility
        landed = await self.landing.land(
            entries, facility=number, sender=Sender(frozenset({number}))
        )
        assert "rejected" not in landed.outcomes, landed.findings
        await self.remind()

    async def remind(self, today: date | None = None) -> None:
        while await remind(self.landing.works.workshop, today=today, wait=True):
            pass


@pytest_asyncio.fixture(scope="module")
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def room(works: Works, web: Database, database: Addresses, client: httpx.AsyncClient) -> Room:
    landing = Landing(works, web)
    await landing.participate("active", "active")
    return Room(landing, database, client)


async def events(desk: Desk, **asked: Any) -> list[tuple[str, str]]:
    """What is told of a list, without numbers."""
    answer = await desk("GET", f"{LIST}/events", params=asked)
    assert answer.status_code == 200, answer.text
    return [(one["event"], one["on"]) for one in answer.json()]


async def test_what_is_due_is_listed_told_and_gone_when_it_is_done(room: Room) -> None:
    desk = await room.desk()
    due = TODAY - timedelta(days=200)
    await room.land(
        nodule("N-1", "2025-02-01"),
        nodule("N-2", due),
        nodule("N-3", TODAY),
        nodule(
            "N-4",
            "2025-02-01",
            follow_up_recommended="N",
            recommended_modality=None,
            interval_min_months=None,
            interval_max_months=None,
        ),
        nodule("N-5", "2025-02-02"),
        done("N-5"),
    )
    shown = (await desk("GET", LIST)).json()
    assert shown["counts"] == {"upcoming": 1, "due": 1, "overdue": 1}
    first, second = shown["cases"]
    assert (first["state"], first["due_on"], first["overdue_on"]) == (
        "overdue", "2025-08-01", "2026-03-01",
    )  # fmt: skip
    assert second["state"] == "due"
    assert first["values"]["hr_nodule_size"] == "7.0"
    assert first["identity"] is None
    labels = {one["id"]: one["labels"] for one in shown["columns"]}
    assert labels["hr_nodule_density"]["solid"] == "Solid"
    everything = await desk("GET", LIST, params={"state": ["upcoming", "due", "overdue"]})
    assert [one["state"] for one in everything.json()["cases"]] == ["overdue", "due", "upcoming"]
    assert await events(desk) == [("overdue", "2026-03-01"), ("due", second["due_on"])]

    numbers = [one["feed_number"] for one in (await desk("GET", f"{LIST}/events")).json()]
    assert numbers == sorted(numbers)
    given_up = {"nodule_follow_up_modality": None, "nodule_outcome": None}
    await room.land(
        done("N-1"),
        done("N-2", nodule_follow_up_date=str(TODAY), nodule_follow_up_status="lost", **given_up),
    )
    shown = (await desk("GET", LIST)).json()
    assert (shown["cases"], shown["counts"]["upcoming"]) == ([], 1)
    later = await events(desk, since=numbers[-1])
    assert [one for one, _ in later] == ["closed", "closed"]
    assert shown["feed_number"] >= numbers[-1]


async def test_days_pass_and_each_is_told_once(room: Room) -> None:
    desk = await room.desk()
    await room.land(nodule("N-1", TODAY))
    assert await events(desk) == []
    listed = await desk("GET", LIST, params={"state": "upcoming"})
    (case,) = listed.json()["cases"]
    due, overdue = (date.fromisoformat(case[name]) for name in ("due_on", "overdue_on"))
    for day in (due - timedelta(1), due, due, overdue - timedelta(1), overdue, overdue):
        await room.remind(day)
    assert await events(desk) == [("due", str(due)), ("overdue", str(overdue))]
    await room.land(nodule("N-1", TODAY, "submit", interval_max_months="24"))
    await room.remind(overdue)
    told = await events(desk)
    assert told[2:] == [("due", str(due))], "another interval is told anew"


async def test_a_withdrawn_case_is_on_no_list(room: Room) -> None:
    desk = await room.desk()
    await room.land(nodule("N-1", "2025-02-01"))
    names = {"exam_unique_id": "N-1", "patient_ssn": EXAM["patient_ssn"]}
    await room.land({"form": "nodule_exam", "action": "withdraw", "elements": names})
    assert (await desk("GET", LIST)).json()["counts"]["overdue"] == 0
    assert [one for one, _ in await events(desk)] == ["overdue", "closed"]


async def test_another_facility_s_exam_of_the_person_decides_and_shows_nothing(room: Room) -> None:
    neighbour = room.landing.facilities[1]
    desk, theirs = await room.desk(), await room.desk(facility=neighbour)
    await room.land(exam(exam_date="2024-03-04"))
    await room.land(exam(exam_date="2025-03-03"), facility=neighbour)
    annual = f"{HERE}/annual-screens"
    (case,) = (await desk("GET", annual)).json()["cases"]
    assert case["case_date"] == "2024-03-04", "here nobody knows that she came there"
    (case,) = (await theirs("GET", annual)).json()["cases"]
    assert case["case_date"] == "2025-03-03"
    await room.land(exam(exam_unique_id="A-2", exam_date="2025-04-04"))
    listed = (await desk("GET", annual)).json()["cases"]
    assert [one["case_date"] for one in listed] == ["2025-04-04"]


async def test_a_positive_screen_waits_as_long_as_its_category_says(room: Room) -> None:
    desk = await room.desk()
    for number, category in enumerate(("3", "4A", "4B")):
        await room.land(
            exam(
                exam_unique_id=f"A-{number}",
                other_id=f"MRN-{number}",
                patient_ssn=None,
                refused_to_answer_ssn="Y",
                ct_exam_result_lung_rads=category,
            )
        )
    shown = (await desk("GET", f"{HERE}/positive-screens")).json()["cases"]
    assert {one["values"]["ct_exam_result_lung_rads"]: (one["due_on"], one["overdue_on"]) for one in shown} == {
        "3": ("2025-08-01", "2025-11-30"),
        "4A": ("2025-05-03", "2025-08-02"),
        "4B": ("2025-03-04", "2025-06-03"),
    }  # fmt: skip
    await room.land(follow_up(exam_unique_id="A-1"))
    shown = (await desk("GET", f"{HERE}/positive-screens")).json()
    assert shown["counts"]["overdue"] == 2


async def test_nobody_but_the_facility_s_own_people_reads_it(room: Room) -> None:
    await room.land(nodule("N-1", "2025-02-01"))
    paths = (HERE, LIST, f"{LIST}/events")
    asked = {"facility": room.facility}
    for role in (
        Role.OPERATOR,
        Role.AUDITOR,
        Role.STEWARD,
        Role.RESEARCHER,
        Role.DASHBOARD,
        Role.SERVICE,
    ):
        desk = await room.desk(role)
        assert [(await desk("GET", path, params=asked)).status_code for path in paths] == [403] * 3, role  # fmt: skip
    neighbour = await room.desk(facility=room.landing.facilities[1])
    assert [(await neighbour("GET", path, params=asked)).status_code for path in paths] == [404] * 3  # fmt: skip
    assert (await neighbour("GET", LIST)).json()["cases"] == []
    assert (await neighbour("GET", f"{LIST}/events")).json() == []
    admin = await room.desk(Role.FACILITY_ADMINISTRATOR)
    assert [(await admin("GET", path)).status_code for path in paths] == [200] * 3


async def test_identities_come_when_asked_for_and_each_look_is_kept(room: Room) -> None:
    desk = await room.desk(Role.FACILITY_ADMINISTRATOR)
    await room.land(nodule("N-1", "2025-02-01", other_id="=1+2"))
    plain = await desk("GET", LIST)
    assert "=1+2" not in plain.text
    (case,) = (await desk("GET", LIST, params={"identity": True})).json()["cases"]
    assert (case["identity"]["exam_unique_id"], case["identity"]["other_id"]) == ("N-1", "=1+2")
    trail = (await desk("GET", "/v1/audit-events", params={"limit": 500})).json()
    looks = [(one["action"], one["record_type"], one["record_id"]) for one in trail]
    assert ("read-identity", "case", str(case["id"])) in looks
    assert ("read", "worklist", "incidental-follow-up") in looks

    table = await desk("GET", LIST, params={"identity": True}, headers={"Accept": "text/csv"})
    assert table.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert (row["case"], row["state"], row["hr_nodule_size"]) == (str(case["id"]), "overdue", "7.0")
    assert row["other_id"] == "'=1+2", "a spreadsheet runs nothing that was sent"
    table = await desk("GET", LIST, headers={"Accept": "text/csv"})
    assert "other_id" not in table.text.splitlines()[0]


async def test_what_cannot_be_asked_is_refused_in_words(room: Room) -> None:
    desk = await room.desk()
    for path, status in (
        (f"{HERE}/no-such-list", 404),
        (f"{HERE}/no-such-list/events", 404),
        (f"{LIST}?state=late", 422),
        (f"{LIST}?after=zzzz", 422),
        (f"{LIST}/events?since=-1", 422),
        (f"{LIST}/events?since=99999999999999999999", 422),
    ):
        answer = await desk("GET", path)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    refused = await desk("GET", LIST, headers={"Accept": "image/png"})
    assert refused.status_code == 406


async def test_pages_hold_every_case_once(room: Room) -> None:
    desk = await room.desk()
    await room.land(*(nodule(f"N-{n}", f"2025-02-{n % 5 + 1:02}") for n in range(7)))
    found: list[int] = []
    path: str | None = f"{LIST}?limit=3"
    while path:
        answer = await desk("GET", path)
        found += [one["id"] for one in answer.json()["cases"]]
        path = answer.links.get("next", {}).get("url")
    assert (len(found), len(set(found))) == (7, 7)


async def test_worked_out_anew_for_another_definition_nothing_is_told_twice(
    room: Room, worker: Database
) -> None:
    desk = await room.desk()
    await room.land(nodule("N-1", "2025-02-01"), nodule("N-2", "2025-02-02"))
    await room.land(done("N-2"))
    before = (await desk("GET", f"{LIST}/events")).json()
    async with worker.transaction() as session:
        await session.execute(text("UPDATE worklist_marks SET digest = 'of another'"))
    await room.remind()
    assert (await desk("GET", f"{LIST}/events")).json() == before
    assert len((await desk("GET", LIST)).json()["cases"]) == 1
