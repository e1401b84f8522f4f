"""Report once, register once: a report becomes a draft, which its facility reads, completes and submits."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from app.access import Role
from app.database import Database
from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.read import read
from app.postgres import Addresses
from app.settings import Settings
from app.worker import Works, open_works
from tests.api.test_worklists import NODULE
from tests.ingest.landing import Landing
from tests.make.accounts import REGISTRY, Desk, key_for

FLEISCHNER = "/v1/reporting-modules/fleischner-2017/drafts"
TO = {"registry": REGISTRY}
ANSWERS = {"applies": "true", "kind": "solid", "count": "single", "diameter": 7, "risk": "low"}
FILLED = (
    "cancer_risk_level", "follow_up_recommended", "guideline_used", "hr_nodule_density", "hr_nodule_size",
    "interval_max_months", "interval_min_months", "nodule_count", "recommended_modality",
)  # fmt: skip
KEY = {name: NODULE[name] for name in ("exam_unique_id", "patient_ssn", "other_id")}


@pytest_asyncio.fixture(scope="module")
async def works(settings: Settings) -> AsyncIterator[Works]:
    async with open_works(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def landing(works: Works, web: Database) -> Landing:
    found = Landing(works, web)
    await found.participate("active", "active")
    return found


class Reading:
    """A reading room of a facility, with a key of some role."""

    def __init__(self, landing: Landing, database: Addresses, client: httpx.AsyncClient) -> None:
        self.landing, self.database, self.client = landing, database, client

    async def desk(self, role: Role = Role.REGISTRAR, place: int = 0) -> Desk:
        facilities = [self.landing.facilities[place]]
        key = await key_for(self.database, role, registries=[REGISTRY], facilities=facilities)
        return Desk(self.client, key)

    async def case_of(self, desk: Desk, submission: str) -> dict[str, Any]:
        """The case that the first entry of a submission came to, once it is accepted."""
        await self.landing.run((read, check, accept))
        (entry,) = (await desk("GET", f"/v1/submissions/{submission}/entries")).json()
        assert entry["state"] == "accepted", entry
        shown = await desk("GET", f"/v1/cases/{entry['case_id']}")
        return dict(shown.json())


@pytest_asyncio.fixture
async def room(landing: Landing, database: Addresses, client: httpx.AsyncClient) -> Reading:
    return Reading(landing, database, client)


async def test_a_report_becomes_a_draft_that_is_read_completed_and_submitted(room: Reading) -> None:
    desk = await room.desk()
    body = {"answers": ANSWERS, "elements": KEY}
    once = {"Idempotency-Key": "report-1"}
    answer = await desk("POST", FLEISCHNER, body, params=TO, headers=once)
    assert answer.status_code == 202, answer.text
    drafted = answer.json()
    assert drafted["filled"] == list(FILLED)
    assert drafted["evaluated"]["complete"] is True
    submission = drafted["submission"]["id"]
    assert answer.headers["location"] == f"/v1/submissions/{submission}"
    again = await desk("POST", FLEISCHNER, body, params=TO, headers=once)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["submission"]["id"] == submission

    case = await room.case_of(desk, submission)
    assert (case["state"], case["has_draft"], case["elements"]) == ("draft", True, {})
    assert {name: case["draft"][name] for name in FILLED} == {
        name: NODULE[name] if name not in ("interval_min_months", "interval_max_months") else int(NODULE[name])
        for name in FILLED
    }  # fmt: skip

    whole = {"entries": [{"form": "nodule_exam", "elements": {**NODULE, **case["draft"]}}]}
    sent = await desk("POST", f"/v1/registries/{REGISTRY}/submissions", whole)
    assert sent.status_code == 202
    done = await room.case_of(desk, sent.json()["id"])
    assert (done["id"], done["state"], done["has_draft"]) == (case["id"], "submitted", False)
    assert done["elements"]["follow_up_recommended"] == "Y"


async def test_what_the_sender_says_is_not_filled_by_the_report(room: Reading) -> None:
    desk = await room.desk()
    body = {"answers": ANSWERS, "elements": {**KEY, "recommended_modality": "3"}}
    drafted = (await desk("POST", FLEISCHNER, body, params=TO)).json()
    assert "recommended_modality" not in drafted["filled"]
    case = await room.case_of(desk, drafted["submission"]["id"])
    assert case["draft"]["recommended_modality"] == "3"


async def test_another_facility_neither_drafts_nor_reads_it(room: Reading) -> None:
    desk, neighbour = await room.desk(), await room.desk(place=1)
    body = {"answers": ANSWERS, "elements": KEY}
    drafted = (await desk("POST", FLEISCHNER, body, params=TO)).json()
    case = await room.case_of(desk, drafted["submission"]["id"])
    assert (await neighbour("GET", f"/v1/cases/{case['id']}")).status_code == 404
    ours = TO | {"facility": room.landing.facilities[0]}
    assert (await neighbour("POST", FLEISCHNER, body, params=ours)).status_code in (403, 404)
    dashboard = await room.desk(Role.DASHBOARD)
    assert (await dashboard("POST", FLEISCHNER, body, params=TO)).status_code == 403


async def test_what_cannot_be_taken_makes_no_draft_and_is_not_repeated(room: Reading) -> None:
    desk = await room.desk()
    marked = "MARKED-WORDS"
    covid = "/v1/reporting-modules/covid-19-chest-ct/drafts"
    for path, body, asked, status in (
        (FLEISCHNER, {"answers": {**ANSWERS, "kind": marked}, "elements": KEY}, TO, 422),
        (FLEISCHNER, {"answers": {marked: 1}, "elements": KEY}, TO, 422),
        (FLEISCHNER, {"answers": ANSWERS, "elements": KEY, marked: 1}, TO, 422),
        (FLEISCHNER, {"answers": ANSWERS, "elements": [marked]}, TO, 422),
        (FLEISCHNER, {"answers": ANSWERS, "elements": KEY}, {}, 422),
        (FLEISCHNER, {"answers": ANSWERS, "elements": KEY}, {"registry": "no-such"}, 404),
        (FLEISCHNER, {"answers": ANSWERS, "elements": KEY}, {"registry": "mammography"}, 404),
        (FLEISCHNER.replace("2017", "2004"), {"answers": ANSWERS}, TO, 404),
        (covid, {"answers": {"pneumonia": "false"}, "elements": KEY}, TO, 422),
    ):
        answer = await desk("POST", path, body, params=asked)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert marked not in answer.text
    listed = await desk("GET", f"/v1/registries/{REGISTRY}/cases")
    assert listed.json() == []


async def test_an_element_that_the_form_has_not_is_a_finding_of_the_submission(
    room: Reading,
) -> None:
    desk = await room.desk()
    body = {"answers": ANSWERS, "elements": {**KEY, "no_such_element": "x"}}
    drafted = (await desk("POST", FLEISCHNER, body, params=TO)).json()
    await room.landing.run()
    found = await desk("GET", f"/v1/submissions/{drafted['submission']['id']}/findings")
    assert [one["code"] for one in found.json()] == ["unknown-element"]
