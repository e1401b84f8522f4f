"""Corporate accounts, facilities and administrators over the wire."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from app.access import Role
from app.api.v1.facilities import DIVISIONS, census_division
from app.database import EVERYTHING
from app.models.account import Administrator
from app.models.audit import AuditEvent
from tests.access.conftest import People
from tests.make.accounts import ADDRESS, FACILITY, Desk, account, facility

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_operator_opens_an_account_and_adds_a_facility(people: People) -> None:
    made = await people.operator("POST", "/v1/corporate-accounts", dict(ADDRESS))
    assert made.status_code == 201
    location = made.headers["Location"]
    shown = await people.operator("GET", location)
    assert shown.json() == made.json() | {"id": int(location.rpartition("/")[2])}
    assert shown.headers["ETag"] == made.headers["ETag"]

    body = {**FACILITY, "corporate_account_id": made.json()["id"], "npi": "1234567893"}
    added = await people.operator("POST", "/v1/facilities", body)
    assert added.status_code == 201
    assert 100_000 <= added.json()["id"] <= 999_999
    assert added.json()["census_division"] == "east-north-central"
    assert (await people.operator("GET", added.headers["Location"])).json() == added.json()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "9 Rivers"}, "/body/name"),
        ({"name": "A"}, "/body/name"),
        ({"name": "A1"}, "/body/name"),
        ({"name": "A" * 46}, "/body/name"),
        ({"name": "Riverside\x00"}, "/body/name"),
        ({"name": "Riverside\nImaging"}, "/body/name"),
        ({"name": "Riverside\ud800"}, "/body/name"),
        ({"street_1": "x" * 46}, "/body/street_1"),
        ({"street_1": " 1 River Road"}, "/body/street_1"),
        ({"street_1": "1 River Road "}, "/body/street_1"),
        ({"street_1": ""}, "/body/street_1"),
        ({"city": None}, "/body/city"),
        ({"state": "ohio"}, "/body/state"),
        ({"postal_code": "432;10"}, "/body/postal_code"),
        ({"country": "usa"}, "/body/country"),
        ({"phone": "call me"}, "/body/phone"),
        ({"phone": 6145550100}, "/body/phone"),
        ({"category": "spa"}, "/body/category"),
        ({"location": "moon"}, "/body/location"),
        ({"trauma_level": "VI"}, "/body/trauma_level"),
        ({"npi": "1234567890"}, "/body/npi"),
        ({"npi": "3234567893"}, "/body/npi"),
        ({"npi": "123456789"}, "/body/npi"),
        ({"npi": 1234567893}, "/body/npi"),
        ({"annual_exams": -1}, "/body/annual_exams"),
        ({"annual_exams": 2**31}, "/body/annual_exams"),
        ({"annual_exams": "12"}, "/body/annual_exams"),
        ({"annual_exams": 1.0}, "/body/annual_exams"),
        ({"annual_exams": True}, "/body/annual_exams"),
        ({"childrens_hospital": "yes"}, "/body/childrens_hospital"),
        ({"corporate_account_id": 2**31}, "/body/corporate_account_id"),
        ({"corporate_account_id": 0}, "/body/corporate_account_id"),
        ({"id": 99_999}, "/body/id"),
        ({"id": 1_000_000}, "/body/id"),
        ({"beds": 40}, "/body/*"),
    ],
)
async def test_a_field_out_of_its_limits_is_named_and_its_value_is_not(
    people: People, change: dict[str, Any], pointer: str
) -> None:
    body = {**FACILITY, "corporate_account_id": people.our_account, **change}
    answer = await people.operator.client.post(
        "/v1/facilities",
        content=json.dumps(body),  # httpx would refuse the lone surrogate itself
        headers={
            "Authorization": f"Bearer {people.operator.key}",
            "Content-Type": "application/json",
        },
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [flaw["pointer"] for flaw in answer.json()["errors"]] == [pointer]
    (value,) = change.values()
    if isinstance(value, str) and len(value) > 3:
        assert value not in answer.text


@pytest.mark.parametrize("name", ["Église Imaging", "St. Mary's (North) №2", "Ab", "A" * 45])
async def test_an_honest_name_is_taken_and_comes_back_as_it_was(people: People, name: str) -> None:
    made = await people.operator.made("/v1/corporate-accounts", {**ADDRESS, "name": name})
    assert made["name"] == name


@pytest.mark.parametrize(
    "path",
    [
        "/v1/facilities/99999999999999999999",
        "/v1/facilities/2147483648",
        "/v1/facilities/-1",
        "/v1/facilities/abc",
        "/v1/facilities/%00",
        "/v1/facilities/999998",
        "/v1/corporate-accounts/2147483648",
        "/v1/corporate-accounts/1",
        "/v1/physicians/9223372036854775808",
        "/v1/physicians/9223372036854775807",
        "/v1/participations/9223372036854775808",
        "/v1/keys/%00%00%00%00%00%00%00%00%00%00%00%00",
        "/v1/keys/aaaaaaaaaaaa",
        "/v1/facilities?after=%00",
        "/v1/facilities?after=AAAA",
        "/v1/facilities?limit=0",
        "/v1/facilities?limit=501",
        "/v1/facilities?corporate_account=99999999999999999999",
        "/v1/participations?registry=%00",
        "/v1/participations?state=x",
    ],
)
async def test_an_address_of_nothing_is_told_as_such(people: People, path: str) -> None:
    answer = await people.operator("GET", path)
    assert answer.status_code in {404, 422}, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_numbers_are_given_in_order_and_one_given_by_hand_is_passed_over(
    people: People,
) -> None:
    first = await facility(people.operator, people.our_account)
    by_hand = await facility(people.operator, people.our_account, id=first + 1)
    assert by_hand == first + 1
    assert await facility(people.operator, people.our_account) == first + 2
    again = await people.operator(
        "POST",
        "/v1/facilities",
        {**FACILITY, "corporate_account_id": people.our_account, "id": by_hand},
    )
    assert again.status_code == 409


async def test_a_corporate_administrator_adds_facilities_to_its_own_account_alone(
    people: People,
) -> None:
    body = {**FACILITY, "corporate_account_id": people.our_account}
    added = await people.corporate("POST", "/v1/facilities", body)
    assert added.status_code == 201
    number = added.json()["id"]
    # The key was for the whole account: it reaches the new facility at once.
    assert (await people.corporate("GET", f"/v1/facilities/{number}")).status_code == 200
    foreign = await people.corporate(
        "POST", "/v1/facilities", body | {"corporate_account_id": people.their_account}
    )
    nowhere = await people.corporate(
        "POST", "/v1/facilities", body | {"corporate_account_id": 2_000_000}
    )
    assert foreign.status_code == nowhere.status_code == 422
    assert foreign.json()["detail"] == nowhere.json()["detail"]
    chosen = await people.corporate("POST", "/v1/facilities", body | {"id": 700_000})
    assert chosen.status_code == 403


@pytest.mark.parametrize("who", ["auditor", "steward", "administrator", "registrar", "dashboard"])
async def test_nobody_else_adds_facilities_or_accounts(people: People, who: str) -> None:
    desk = getattr(people, who)
    body = {**FACILITY, "corporate_account_id": people.our_account}
    assert (await desk("POST", "/v1/facilities", body)).status_code == 403
    assert (await desk("POST", "/v1/corporate-accounts", dict(ADDRESS))).status_code == 403


async def test_each_sees_the_facilities_within_its_key(people: People) -> None:
    async def seen(who: str) -> set[int]:
        answer = await getattr(people, who)("GET", "/v1/facilities?limit=500")
        return {shown["id"] for shown in answer.json()}

    assert await seen("administrator") == {people.ours}
    assert await seen("corporate") >= {people.ours, people.sibling}
    assert people.theirs not in await seen("corporate")
    assert {people.ours, people.sibling, people.theirs} <= await seen("operator")
    assert {people.ours, people.sibling, people.theirs} <= await seen("auditor")
    refused = await people.steward("GET", "/v1/facilities")
    assert refused.status_code == 403


async def test_each_sees_the_accounts_of_its_facilities(people: People) -> None:
    for who in ("administrator", "corporate", "dashboard"):
        answer = await getattr(people, who)("GET", "/v1/corporate-accounts")
        assert [shown["id"] for shown in answer.json()] == [people.our_account]
        other = await getattr(people, who)("GET", f"/v1/corporate-accounts/{people.their_account}")
        assert other.status_code == 404


async def test_an_account_without_facilities_is_seen_by_its_administrator(
    people: People,
) -> None:
    empty = await account(people.operator)
    made = await people.operator.made(
        "/v1/keys",
        {"role": Role.CORPORATE_ADMINISTRATOR, "label": "first", "corporate_account_id": empty},
    )
    corporate = Desk(people.operator.client, made["key"])
    shown = await corporate("GET", "/v1/corporate-accounts")
    assert [row["id"] for row in shown.json()] == [empty]
    number = await facility(corporate, empty)
    assert (await corporate("GET", f"/v1/facilities/{number}")).status_code == 200


async def test_a_list_is_turned_page_by_page(people: People) -> None:
    large = await account(people.operator)
    added = [await facility(people.operator, large) for _ in range(7)]
    path: str | None = f"/v1/facilities?corporate_account={large}&limit=3"
    seen: list[int] = []
    while path is not None:
        answer = await people.operator("GET", path)
        assert len(answer.json()) <= 3
        seen += [shown["id"] for shown in answer.json()]
        link = answer.links.get("next")
        path = link["url"] if link else None
        assert path is None or path.startswith("/v1/facilities?")
    assert seen == sorted(added)


async def test_a_change_needs_what_was_seen_and_shows_what_is_held(people: People) -> None:
    path = f"/v1/facilities/{people.ours}"
    before = await people.administrator("GET", path)
    tag = before.headers["ETag"]
    held = await people.administrator("GET", path, headers={"If-None-Match": tag})
    assert (held.status_code, held.content) == (304, b"")

    body = {**FACILITY, "name": "Hillside Imaging", "state": "CA", "category": "academic"}
    changed = await people.administrator("PUT", path, body, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.json()["name"] == "Hillside Imaging"
    assert changed.json()["census_division"] == "pacific"
    assert changed.headers["ETag"] != tag
    late = await people.administrator("PUT", path, body, headers={"If-Match": tag})
    assert late.status_code == 412
    moved = await people.administrator("PUT", path, body | {"corporate_account_id": 1})
    assert moved.status_code == 422


async def test_only_the_accounts_administrator_changes_the_account(people: People) -> None:
    path = f"/v1/corporate-accounts/{people.our_account}"
    body = {**ADDRESS, "name": "Riverside Group"}
    assert (await people.administrator("PUT", path, body)).status_code == 403
    assert (await people.stranger_corporate("PUT", path, body)).status_code == 404
    assert (await people.auditor("PUT", path, body)).status_code == 403
    assert (await people.corporate("PUT", path, body)).json()["name"] == "Riverside Group"


async def test_a_new_administrator_ends_the_time_of_the_former(people: People) -> None:
    person = {"first_name": "Ada", "last_name": "Byron", "email": "ada@example.org"}
    for path, desk in (
        (f"/v1/facilities/{people.ours}/administrator", people.administrator),
        (f"/v1/corporate-accounts/{people.our_account}/administrator", people.corporate),
    ):
        assert (await desk("GET", path)).status_code == 404
        first = await desk("PUT", path, person)
        assert first.status_code == 200
        second = await desk("PUT", path, person | {"first_name": "Grace"})
        assert second.status_code == 200
        shown = await desk("GET", path)
        assert shown.json() == second.json()
        assert shown.json()["first_name"] == "Grace"
        assert (await people.stranger("GET", path)).status_code == 404
        assert (await people.stranger("PUT", path, person)).status_code == 404
        assert (await people.dashboard("PUT", path, person)).status_code == 403
        wrong = await desk("PUT", path, person | {"email": "ada@@example"})
        assert wrong.status_code == 422


async def test_many_who_appoint_at_once_leave_one_administrator(people: People) -> None:
    number = await facility(people.operator, people.our_account)
    path = f"/v1/facilities/{number}/administrator"
    answers = await asyncio.gather(
        *(
            people.operator(
                "PUT",
                path,
                {"first_name": "Ada", "last_name": f"By{letter}", "email": "a@example.org"},
            )
            for letter in "abcdef"
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    house = people.operator.client._transport.app.state.house  # type: ignore[attr-defined]
    async with house.database.transaction(EVERYTHING) as session:
        rows = (
            await session.scalars(select(Administrator).where(Administrator.facility_id == number))
        ).all()
    assert len(rows) == 6
    assert [row.active for row in sorted(rows, key=lambda row: row.id)].count(True) == 1
    assert all(row.active == (row.until is None) for row in rows)


async def test_every_state_is_in_one_division() -> None:
    states = [state for division in DIVISIONS.values() for state in division.split()]
    assert len(states) == len(set(states)) == 56
    assert len(DIVISIONS) == 9
    assert census_division("US", "NY") == "middle-atlantic"
    assert census_division("CA", "ON") is None
    assert census_division("CA", "NY") is None


async def test_without_a_key_there_is_nothing_to_see(people: People) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Basic {people.operator.key}"},
        {"Authorization": f"Bearer {people.operator.key}x"},
    ):
        answer = await people.operator.client.get("/v1/facilities", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_who_changed_a_facility_is_written_down(people: People) -> None:
    path = f"/v1/facilities/{people.ours}"
    await people.administrator("PUT", path, {**FACILITY, "name": "Hidden Words"})
    house = people.operator.client._transport.app.state.house  # type: ignore[attr-defined]
    async with house.database.transaction(EVERYTHING) as session:
        events = (
            await session.scalars(
                select(AuditEvent)
                .where(AuditEvent.facility_id == people.ours)
                .order_by(AuditEvent.id)
            )
        ).all()
    assert (events[0].action, events[0].record_type) == ("add", "facility")
    last = events[-1]
    assert (last.action, last.record_id) == ("change", str(people.ours))
    assert last.key_id == people.administrator.key.split("_")[1]
    assert "Hidden" not in str(last.details)


async def test_a_facility_reads_what_was_done_to_it_and_an_auditor_everything(
    people: People,
) -> None:
    await people.administrator("PUT", f"/v1/facilities/{people.ours}", dict(FACILITY))
    await people.stranger("PUT", f"/v1/facilities/{people.theirs}", dict(FACILITY))

    async def concerned(desk: Desk, query: str = "") -> set[int | None]:
        answer = await desk("GET", f"/v1/audit-events?limit=500{query}")
        assert answer.status_code == 200, answer.text
        ids = [event["id"] for event in answer.json()]
        assert ids == sorted(ids, reverse=True)
        return {event["facility_id"] for event in answer.json()}

    assert await concerned(people.administrator) == {people.ours}
    assert await concerned(people.administrator, f"&facility={people.theirs}") == set()
    assert await concerned(people.auditor) >= {people.ours, people.theirs, None}
    assert await concerned(people.auditor, f"&facility={people.theirs}") == {people.theirs}
    of_ours = f"&record_type=facility&record_id={people.ours}"
    assert await concerned(people.auditor, of_ours) == {people.ours}
    mine = f"&key={people.stranger.key.split('_')[1]}"
    assert await concerned(people.auditor, mine) == {people.theirs}
    assert await concerned(people.administrator, mine) == set()
    for desk in (people.registrar, people.dashboard, people.steward):
        assert (await desk("GET", "/v1/audit-events")).status_code == 403
