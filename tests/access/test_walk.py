"""A facility's key reads and changes nothing of another facility, by any endpoint there is."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.access import Role
from app.archive import Archive
from app.benchmarks.periods import PATTERN, period
from app.commands.definitions import newest, packaged
from app.database import Database
from app.database import Role as DatabaseRole
from app.models import Base
from app.postgres import Addresses
from app.reports import issue
from app.settings import Settings
from app.worker import JOURNEY, Works, open_works
from tests.access.walking import GLOBAL, Call, calls, operations, without
from tests.ingest.landing import exam, follow_up
from tests.make.accounts import ADDRESS, FACILITY, REGISTRY, Desk, admitted, bearer, key_for
from tests.make.instances import DICOM_PARTS, multipart, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = {
    "GET /health/live",
    "GET /health/ready",
    "GET /problems/{code}",
    "GET /v1/use-cases",
    "GET /v1/use-cases/{use_case_id}",
    "GET /v1/use-cases/{use_case_id}/versions",
    "GET /v1/use-cases/{use_case_id}/versions/{use_case_version}",
    "GET /v1/use-cases/{use_case_id}/versions/{use_case_version}/comments",
}
"""What anybody may ask without a key."""

NOBODYS = {"drill-down", "read-unlisted"} | {
    worklist.id for definition in packaged() for worklist in definition.worklists
}

LISTING = "dose-index"
"""A registry in which facilities have lists of their own."""

OURS = (Role.FACILITY_ADMINISTRATOR, Role.REGISTRAR, Role.DASHBOARD, Role.SERVICE)


@dataclass
class World:
    """Two organisations with a facility each, and everything that `theirs` has."""

    client: httpx.AsyncClient
    worker: Database
    document: Mapping[str, Any]
    operator: Desk
    ours: int
    theirs: int
    our_account: int
    their_account: int
    our_keys: dict[Role, Desk]
    their_key: Desk
    owned: dict[str, Any]
    known: dict[str, Any]
    nothing: dict[str, Any]

    async def send(self, key: str | None, call: Call) -> httpx.Response:
        body = call.body
        if body is not None and not isinstance(body, bytes | str):
            body = json.dumps(body)
        headers = {} if key is None else bearer(key)
        if call.media_type is not None:
            headers["Content-Type"] = call.media_type
        return await self.client.request(
            call.method, call.path, params=dict(call.query), content=body, headers=headers
        )

    async def their_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that is kept of them, table by table."""
        return {
            table.fullname: await self._rows(table.fullname, self.theirs, self.their_account)
            for table in Base.metadata.sorted_tables
        }

    async def _rows(self, name: str, facility: int, account: int) -> list[dict[str, Any]]:
        table = Base.metadata.tables[name]
        concerns = []
        bound = table.c.get(table.info.get("facility_bound", ""))
        if bound is not None:
            concerns.append(
                bound.contains([facility]) if isinstance(bound.type, ARRAY) else bound == facility
            )
        if "corporate_account_id" in table.c:
            concerns.append(table.c.corporate_account_id == account)
        if name == "corporate_accounts":
            concerns.append(table.c.id == account)
        if name == "keys":
            concerns.append(table.c.facilities.contains([facility]))
        if not concerns:
            return []
        async with self.worker.transaction() as session:
            found = await session.execute(
                select(table).where(or_(*concerns)).order_by(*table.primary_key.columns)
            )
            return [dict(row) for row in found.mappings()]

    async def their_marks(self) -> set[str]:
        """Words that only their rows hold: none of them may ever come out."""
        theirs, shared = set(), set()
        for table in Base.metadata.sorted_tables:
            theirs |= _words(await self._rows(table.fullname, self.theirs, self.their_account))
            shared |= _words(await self._rows(table.fullname, self.ours, self.our_account))
        told = theirs - shared - _words([{"words": json.dumps(self.document)}])
        # A period is nobody's, nor is what the audit trail calls an act.
        return {word for word in told - NOBODYS if not re.fullmatch(PATTERN, word)}


def _words(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*(_words(v) for v in value.values()), set())
    if isinstance(value, list | tuple):
        return set().union(*(_words(v) for v in value), set())
    if isinstance(value, UUID):
        return {str(value)}
    if isinstance(value, str):
        return {word for word in re.split(r"[\s\"',:]+", value) if len(word) >= 8}
    return set()


async def _run(works: Works) -> None:
    """Every step of the journey until nothing moves, housekeeping aside."""
    moved = 1
    while moved:
        moved = 0
        for step in JOURNEY:
            if step.name not in {"seal", "expire", "sweep", "compare"}:
                await works.catalogue.keep_current(works.database)
                moved += await step.run(works)


async def _organisation(operator: Desk, mark: str) -> tuple[int, int]:
    """An account with a participating facility; every text of it carries a mark."""
    words = {
        **ADDRESS,
        "name": f"{mark} Health",
        "street_1": f"{mark}street",
        "city": f"{mark}city",
    }
    account = (await operator.made("/v1/corporate-accounts", words))["id"]
    facility = await operator.made(
        "/v1/facilities", {**FACILITY, **words, "corporate_account_id": account}
    )
    for registry in (REGISTRY, LISTING):
        await admitted(operator, facility["id"], registry)
    return account, facility["id"]


async def _improving(desk: Desk, facility: int, mark: str) -> dict[str, int]:
    """An improvement project with a step and somebody who takes part; the numbers of the three."""
    path = f"/v1/facilities/{facility}/improvement-projects"
    project = await desk.made(
        path,
        {
            "registry_id": REGISTRY,
            "template": "radiation-dose",
            "measure": "ctdivol",
            "aim": f"{mark}aim",
            "baseline": "2025-01..2025-06",
        },
    )
    path = f"{path}/{project['id']}"
    step = {"kind": "do", "on": "2025-07-01", "says": f"{mark}step"}
    person = {"name": f"{mark}grace", "role": f"{mark}lead", "from_day": "2025-01-01"}
    return {
        "project_id": project["id"],
        "intervention_id": (await desk.made(f"{path}/interventions", step))["id"],
        "participant_id": (await desk.made(f"{path}/participants", person))["id"],
    }


async def _submitted(desk: Desk, mark: str) -> str:
    """A submission with an exam that is accepted, one that is not, a draft and what waits."""
    person = {
        "patient_first_name": f"{mark}first",
        "patient_last_name": f"{mark}last",
        "other_id": f"{mark}mrn",
        "ct_scanner_model": f"{mark}scanner",
    }
    entries = [
        exam(exam_unique_id=f"{mark}exam1", **person),
        exam(exam_unique_id=f"{mark}exam2", dlp="much", **person),
        exam("save", exam_unique_id=f"{mark}exam3", **person),
        follow_up(exam_unique_id=f"{mark}exam1", follow_up_unique_id=f"{mark}follow1"),
        follow_up(exam_unique_id=f"{mark}exam9", follow_up_unique_id=f"{mark}follow2"),
    ]
    answer = await desk("POST", f"/v1/registries/{REGISTRY}/submissions", {"entries": entries})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def _listed(desk: Desk, mark: str) -> None:
    """An entry of a facility's own list."""
    words = {"local_exam_name": f"{mark} chest", "listed_standard_exam": "CHEST-WO"}
    answer = await desk("PUT", f"/v1/registries/{LISTING}/lists/exam_names", {"entries": [words]})
    assert answer.status_code == 202, answer.text


async def _imaged(desk: Desk, mark: str, study: int) -> None:
    answer = await desk.client.post(
        f"/dicomweb/{REGISTRY}/studies",
        content=multipart([sent(study=study, AccessionNumber=f"{mark}exam1"[:16])]),
        headers={**bearer(desk.key), "Content-Type": DICOM_PARTS},
    )
    assert answer.status_code == 200, answer.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    client: httpx.AsyncClient, database: Addresses, settings: Settings
) -> AsyncIterator[World]:
    operator = Desk(client, await key_for(database, Role.OPERATOR))
    our_account, ours = await _organisation(operator, "Quokka")
    their_account, theirs = await _organisation(operator, "Zebulon")
    our_keys = {
        role: Desk(client, await key_for(database, role, facilities=[ours])) for role in OURS
    }
    our_keys[Role.CORPORATE_ADMINISTRATOR] = Desk(
        client,
        await key_for(database, Role.CORPORATE_ADMINISTRATOR, corporate_account_id=our_account),
    )
    their_key = Desk(
        client,
        await key_for(database, Role.CORPORATE_ADMINISTRATOR, corporate_account_id=their_account),
    )
    people = {}
    projects = {}
    for desk, account, facility, mark in (
        (our_keys[Role.CORPORATE_ADMINISTRATOR], our_account, ours, "Quokka"),
        (their_key, their_account, theirs, "Zebulon"),
    ):
        person = {"first_name": f"{mark}ada", "last_name": f"{mark}byron"}
        people[facility] = await desk.made(
            "/v1/physicians",
            {
                **person,
                "corporate_account_id": account,
                "npi": "1234567893",
                "facilities": [facility],
            },
        )
        for path in (f"corporate-accounts/{account}", f"facilities/{facility}"):
            await desk("PUT", f"/v1/{path}/administrator", {**person, "email": f"{mark}@a.example"})
        projects[facility] = await _improving(desk, facility, mark)
    physician = {"facilities": [ours], "physician_id": people[ours]["id"]}
    our_keys[Role.PHYSICIAN] = Desk(client, await key_for(database, Role.PHYSICIAN, **physician))
    partner = await operator.made("/v1/partners", {"name": "Sender", "registries": [REGISTRY]})
    leave = f"/v1/facilities/{theirs}/partners/{partner['id']}/{REGISTRY}"
    assert (await their_key("PUT", leave)).status_code == 200
    made_key = await their_key.made(
        "/v1/keys", {"role": "registrar", "label": "Zebulonlabel", "facilities": [theirs]}
    )
    await _submitted(our_keys[Role.REGISTRAR], "Quokka")
    submission = await _submitted(their_key, "Zebulon")
    await _listed(our_keys[Role.REGISTRAR], "Quokka")
    await _listed(their_key, "Zebulon")
    await _imaged(our_keys[Role.REGISTRAR], "Quokka", 1)
    await _imaged(their_key, "Zebulon", 2)
    async with open_works(settings) as works:
        await _run(works)

    async def first(path: str) -> Any:
        answer = await their_key("GET", path)
        assert answer.status_code == 200, answer.text
        assert answer.json(), path
        return answer.json()[0]

    worker = Database(database.worker, DatabaseRole.WORKER, pool=1)
    tables = Base.metadata.tables
    async with worker.transaction() as session:
        series, sop, study = (
            await session.execute(
                select(
                    tables["series"].c.series_instance_uid,
                    tables["instances"].c.sop_instance_uid,
                    tables["studies"].c.study_instance_uid,
                )
                .join_from(
                    tables["series"],
                    tables["studies"],
                    tables["series"].c.study_id == tables["studies"].c.id,
                )
                .join(tables["instances"], tables["instances"].c.series_id == tables["series"].c.id)
                .where(tables["studies"].c.facility_id == theirs)
            )
        ).one()
        delivered = await session.scalar(
            select(tables["submissions"].c.id).where(
                tables["submissions"].c.facility_id == theirs,
                tables["submissions"].c.kind == "instances",
            )
        )
    await _issued(worker, settings, theirs)
    case = await first(f"/v1/registries/{REGISTRY}/cases?form=exam&state=submitted")
    measures = (await operator("GET", f"/v1/registries/{REGISTRY}/measures")).json()
    path = "/v1/registries/{registry_id}/lists/{list_id}"
    lists = {f"{one} registry_id": LISTING for one in (path, f"{path}/unlisted")}
    owned = {
        "account_id": their_account,
        "corporate_account_id": their_account,
        "corporate_account": their_account,
        "facility_id": theirs,
        "facility": theirs,
        "facilities": theirs,
        "physician_id": people[theirs]["id"],
        **projects[theirs],
        "participation_id": (await first("/v1/participations"))["id"],
        "key_id": made_key["id"],
        "submission_id": submission,
        "/v1/submissions/{submission_id}/instances submission_id": delivered,
        "case_id": case["id"],
        "case": case["id"],
        "observation_id": f"case-{case['id']}-0",
        "response_id": f"{submission}-1",
        "parent": case["id"],
        **lists,
        "study_instance_uid": study,
        "series_instance_uid": series,
        "sop_instance_uid": sop,
    }
    nothing = dict.fromkeys(owned, 999999) | {
        **lists,
        "key_id": "aaaaaaaaaaaa",
        "submission_id": str(uuid4()),
        "observation_id": "case-999999-0",
        "response_id": f"{uuid4()}-1",
        "/v1/submissions/{submission_id}/instances submission_id": str(uuid4()),
        "study_instance_uid": "2.25.1",
        "series_instance_uid": "2.25.2",
        "sop_instance_uid": "2.25.3",
    }
    entries = {"entries": [exam(exam_unique_id="Zebulonexam1", facility_id=theirs)]}
    known = {
        "registry_id": REGISTRY,
        "partner_id": partner["id"],
        "measure_id": next(iter(measures["measures"]))["id"],
        'multipart/related; type="application/dicom"': multipart([sent(study=3)]),
        "application/x-ndjson": json.dumps(entries["entries"][0]),
    }
    yield World(
        client=client,
        worker=worker,
        document=client._transport.app.openapi(),  # type: ignore[attr-defined]
        operator=operator,
        ours=ours,
        theirs=theirs,
        our_account=our_account,
        their_account=their_account,
        our_keys=our_keys,
        their_key=their_key,
        owned=owned,
        known=known,
        nothing=nothing,
    )
    await worker.close()


async def _issued(worker: Database, settings: Settings, facility: int) -> None:
    """A report that was issued to a facility."""
    definition = newest(REGISTRY)
    at = datetime(2026, 1, 5, tzinfo=UTC)
    begun = await issue.begin(
        worker, definition, period(GLOBAL["period"]), today=at, facilities={facility}
    )
    assert begun is not None
    assert await issue.issue_next(
        worker, Archive(settings), definition, begun.id, at=at, lease_seconds=60, tries=1
    )


def _of_a_registry_alone(call: Call) -> bool:
    """Whether an operation is a door of a registry: a sender stands there, and names nobody."""
    return call.method == "POST" and call.path.endswith(("/submissions", "/studies"))


async def test_the_walk_is_aimed_at_things_that_exist(world: World) -> None:
    """The owner reads everything the others are about to try: a walk past nothing proves nothing."""
    missed = []
    for call in calls(world.document, world.owned, world.known):
        if call.method == "GET" and call.aimed:
            answer = await world.send(world.their_key.key, call)
            # That it may not be shown yet is an answer about it, and only its owner gets one.
            withheld = answer.status_code == 403 and answer.json()["type"].endswith("/withheld")
            if answer.status_code >= 400 and not withheld:
                missed.append((str(call), answer.status_code, answer.text[:200]))
    assert missed == []


async def test_no_key_of_ours_reads_or_changes_anything_of_theirs(world: World) -> None:
    marks = await world.their_marks()
    assert {"Zebulonstreet", "Zebulonada", "Zebulonlabel"} <= marks
    before = await world.their_rows()
    walked = list(calls(world.document, world.owned, world.known))
    assert {call.operation for call in walked} == {
        f"{method} {path}" for method, path, _ in operations(world.document)
    }
    told = []
    number = re.compile(rf"(?<!\d){world.theirs}(?!\d)")
    for role, desk in world.our_keys.items():
        for call in walked:
            answer = await world.send(desk.key, call)
            said = without(answer.text + str(dict(answer.headers)), call)
            leaked = {mark for mark in marks if mark in said} - set(call.path.split("/"))
            leaked |= set(number.findall(said))
            aimed_and_answered = (
                call.aimed
                and answer.status_code < 400
                and not (call.method == "GET" and answer.text in {"[]", ""})
                and not (_of_a_registry_alone(call) and not call.names)
            )
            if leaked or aimed_and_answered or answer.status_code >= 500:
                told.append((role.value, str(call), answer.status_code, sorted(leaked)[:3]))
    assert told == []
    assert await world.their_rows() == before


async def test_what_is_theirs_cannot_be_told_from_what_does_not_exist(world: World) -> None:
    aimed = calls(world.document, world.owned, world.known)
    empty = calls(world.document, world.nothing, world.known)
    told = []
    for theirs, nobodys in zip(aimed, empty, strict=True):
        if not theirs.aimed:
            continue
        for role in (Role.FACILITY_ADMINISTRATOR, Role.CORPORATE_ADMINISTRATOR, Role.DASHBOARD):
            key = world.our_keys[role].key
            one, other = await world.send(key, theirs), await world.send(key, nobodys)
            if (one.status_code, without(one.text, theirs)) != (
                other.status_code,
                without(other.text, nobodys),
            ):
                told.append((role.value, str(theirs), one.status_code, other.status_code))
    assert told == []


async def test_without_a_key_only_what_is_public_is_answered(world: World) -> None:
    answered = set()
    for call in calls(world.document, world.owned, world.known):
        for key in (None, "hk_aaaaaaaaaaaa_" + "0" * 64):
            answer = await world.send(key, call)
            if answer.status_code != 401:
                answered.add(call.operation)
    assert answered == PUBLIC


async def test_a_submission_of_ours_that_names_their_facility_changes_nothing_of_theirs(
    world: World, settings: Settings
) -> None:
    before = await world.their_rows()
    desk = world.our_keys[Role.REGISTRAR]
    path = f"/v1/registries/{REGISTRY}/submissions"
    entries = [
        exam(exam_unique_id="Zebulonexam1", facility_id=str(world.theirs)),
        {
            "form": "exam",
            "action": "withdraw",
            "elements": {"exam_unique_id": "Zebulonexam1", "facility_id": str(world.theirs)},
        },
        follow_up(exam_unique_id="Zebulonexam1", facility_id=str(world.theirs)),
    ]
    answer = await desk("POST", path, {"entries": entries})
    assert answer.status_code == 202
    refused = await desk("POST", f"{path}?facility={world.theirs}", {"entries": entries})
    assert refused.status_code in {403, 404}
    async with open_works(settings) as works:
        await _run(works)
    shown = await desk("GET", answer.headers["Location"])
    assert shown.json()["counts"]["rejected"] == 3
    findings = (await desk("GET", f"{answer.headers['Location']}/findings")).json()
    assert {finding["code"] for finding in findings} == {"other-facility"}
    assert await world.their_rows() == before
