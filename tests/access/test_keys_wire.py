"""Keys and partners over the wire: shown once, bounded, ended at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.access import Role
from tests.access.conftest import People
from tests.make.accounts import REGISTRY, Desk, facility

pytestmark = pytest.mark.asyncio(loop_scope="module")


def registrar(people: People, **change: Any) -> dict[str, Any]:
    return {
        "role": "registrar",
        "label": "reading room",
        "registries": [REGISTRY],
        "facilities": [people.ours],
    } | change


async def test_a_key_is_shown_once_and_listed_without_its_secret(people: People) -> None:
    made = await people.administrator("POST", "/v1/keys", registrar(people))
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = made.json()["key"]
    secret = key.rpartition("_")[2]
    assert key.split("_")[1] == made.json()["id"]
    shown = await people.administrator("GET", made.headers["Location"])
    assert shown.json() == {name: v for name, v in made.json().items() if name != "key"}
    listed = await people.administrator("GET", "/v1/keys?limit=500")
    assert made.json()["id"] in [row["id"] for row in listed.json()]
    current = await Desk(people.operator.client, key)("GET", "/v1/keys/current")
    assert current.json()["id"] == made.json()["id"]
    for answer in (shown, listed, current):
        assert secret not in answer.text
        assert "digest" not in answer.text


async def test_a_key_ends_in_a_year_unless_told_otherwise(people: People) -> None:
    now = datetime.now(UTC)
    made = await people.administrator.made("/v1/keys", registrar(people))
    until = datetime.fromisoformat(made["expires_at"])
    assert timedelta(days=364) < until - now < timedelta(days=366)
    soon = (now + timedelta(days=3)).isoformat()
    made = await people.administrator.made("/v1/keys", registrar(people, expires_at=soon))
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(soon)


@pytest.mark.parametrize(
    "expires_at",
    [
        "2020-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2027-01-01T00:00:00",
        "2027-01-01",
        "tomorrow",
        1900000000,
        1.9e9,
        -1,
        1e400,
    ],
)
async def test_an_end_that_is_past_or_far_or_no_moment_is_refused(
    people: People, expires_at: Any
) -> None:
    import json

    answer = await people.operator.client.post(
        "/v1/keys",
        content=json.dumps(registrar(people, expires_at=expires_at)),
        headers={
            "Authorization": f"Bearer {people.administrator.key}",
            "Content-Type": "application/json",
        },
    )
    assert answer.status_code == 422, answer.text


async def test_an_ended_key_opens_nothing_from_that_moment(people: People) -> None:
    made = await people.administrator.made("/v1/keys", registrar(people))
    holder = Desk(people.operator.client, made["key"])
    assert (await holder("GET", "/v1/facilities")).status_code == 200
    path = f"/v1/keys/{made['id']}"
    assert (await people.stranger("DELETE", path)).status_code == 404
    assert (await people.registrar("DELETE", path)).status_code == 403
    assert (await people.auditor("DELETE", path)).status_code == 403
    assert (await people.administrator("DELETE", path)).status_code == 204
    assert (await holder("GET", "/v1/facilities")).status_code == 401
    assert (await people.administrator("DELETE", path)).status_code == 204  # as good as done
    ended = await people.administrator("GET", "/v1/keys?in_force=false&limit=500")
    current = await people.administrator("GET", "/v1/keys?in_force=true&limit=500")
    assert made["id"] in [row["id"] for row in ended.json()]
    assert made["id"] not in [row["id"] for row in current.json()]


@pytest.mark.parametrize(
    ("who", "change", "status"),
    [
        ("administrator", {}, 201),
        ("administrator", {"role": "facility-administrator"}, 201),
        ("administrator", {"role": "service"}, 201),
        ("administrator", {"registries": None}, 201),  # as far as its own
        ("administrator", {"facilities": ["sibling"]}, 403),
        ("administrator", {"facilities": ["ours", "theirs"]}, 403),
        ("administrator", {"facilities": [999_999]}, 403),
        ("administrator", {"role": "operator", "facilities": None}, 403),
        ("administrator", {"role": "auditor", "facilities": None}, 403),
        ("administrator", {"role": "steward", "facilities": None}, 403),
        (
            "administrator",
            {"role": "corporate-administrator", "corporate_account_id": "our_account"},
            403,
        ),
        ("corporate", {"facilities": ["ours", "sibling"]}, 201),
        ("corporate", {"facilities": ["theirs"]}, 403),
        (
            "corporate",
            {
                "role": "corporate-administrator",
                "corporate_account_id": "our_account",
                "facilities": None,
            },
            201,
        ),
        (
            "corporate",
            {
                "role": "corporate-administrator",
                "corporate_account_id": "their_account",
                "facilities": None,
            },
            403,
        ),
        ("registrar", {}, 403),
        ("dashboard", {}, 403),
        ("auditor", {}, 403),
        ("operator", {"role": "steward", "facilities": None}, 201),
        ("operator", {"role": "researcher", "facilities": None}, 201),
        ("operator", {"facilities": [999_999]}, 422),
        ("operator", {"registries": ["no-such-registry"]}, 422),
        ("operator", {"role": "partner", "partner_id": 2_000_000}, 422),
        # a role with bounds that do not fit it
        ("operator", {"facilities": None}, 422),
        ("operator", {"role": "steward", "facilities": None, "registries": None}, 422),
        ("operator", {"role": "operator"}, 422),
        ("operator", {"role": "partner"}, 422),
        ("operator", {"role": "corporate-administrator"}, 422),
        ("operator", {"corporate_account_id": "our_account"}, 422),
        ("operator", {"role": "public"}, 422),
        ("operator", {"facilities": []}, 422),
        ("operator", {"label": ""}, 422),
        ("operator", {"label": "a\x00b"}, 422),
        ("operator", {"digest": "00"}, 422),
    ],
)
async def test_who_may_make_which_key(
    people: People, who: str, change: dict[str, Any], status: int
) -> None:
    def named(value: Any) -> Any:
        return getattr(people, value) if isinstance(value, str) else value

    for name in ("facilities", "corporate_account_id"):
        if isinstance(change.get(name), list):
            change = change | {name: [named(one) for one in change[name]]}
        elif name in change:
            change = change | {name: named(change[name])}
    answer = await getattr(people, who)("POST", "/v1/keys", registrar(people, **change))
    assert answer.status_code == status, answer.text
    if status == 201:
        # What was made reaches no further than its maker.
        made = Desk(people.operator.client, answer.json()["key"])
        if who != "operator":
            listed = await made("GET", "/v1/facilities?limit=500")
            reached = {row["id"] for row in listed.json()}
            own = await getattr(people, who)("GET", "/v1/facilities?limit=500")
            assert reached <= {row["id"] for row in own.json()}


async def test_each_lists_the_keys_it_could_have_made(people: People) -> None:
    def kid(desk: Desk) -> str:
        return desk.key.split("_")[1]

    async def listed(desk: Desk) -> set[str]:
        ids: set[str] = set()
        path: str | None = "/v1/keys?limit=50"
        while path:
            answer = await desk("GET", path)
            ids |= {row["id"] for row in answer.json()}
            path = answer.links.get("next", {}).get("url")
        return ids

    mine = await listed(people.administrator)
    assert {kid(people.administrator), kid(people.registrar)} <= mine
    hidden = {kid(d) for d in (people.operator, people.auditor, people.stranger, people.corporate)}
    assert not mine & hidden
    # The dashboard's key is for every registry: further than this administrator's own.
    assert kid(people.dashboard) not in mine
    accounts = await listed(people.corporate)
    assert {kid(people.corporate), kid(people.administrator), kid(people.dashboard)} <= accounts
    assert not accounts & {kid(people.operator), kid(people.stranger_corporate)}
    everybodys = await listed(people.operator)
    assert everybodys == await listed(people.auditor)
    assert hidden | mine | accounts <= everybodys
    assert (await people.registrar("GET", "/v1/keys")).status_code == 403


async def test_a_key_that_is_not_within_yours_looks_like_none(people: People) -> None:
    foreign = await people.administrator("GET", f"/v1/keys/{people.stranger.key.split('_')[1]}")
    nobodys = await people.administrator("GET", "/v1/keys/aaaaaaaaaaaa")
    assert foreign.status_code == nobodys.status_code == 404
    assert foreign.json() | {"trace_id": 0} == nobodys.json() | {"trace_id": 0}


async def partner(people: People) -> tuple[int, Desk]:
    """A certified partner and its key."""
    number = await facility(people.operator, people.our_account)  # a name nobody has yet
    made = await people.operator.made(
        "/v1/partners", {"name": f"Sender {number}", "registries": [REGISTRY]}
    )
    key = await people.operator.made(
        "/v1/keys", {"role": Role.PARTNER, "label": "sends", "partner_id": made["id"]}
    )
    return made["id"], Desk(people.operator.client, key["key"])


async def test_a_partner_reaches_the_facilities_that_authorised_it(people: People) -> None:
    number, desk = await partner(people)

    async def reached() -> list[int]:
        return [row["id"] for row in (await desk("GET", "/v1/facilities")).json()]

    assert await reached() == []
    leave = f"/v1/facilities/{people.ours}/partners/{number}/{REGISTRY}"
    assert (await people.stranger("PUT", leave)).status_code == 404
    assert (await people.registrar("PUT", leave)).status_code == 403
    assert (await desk("PUT", leave)).status_code == 404
    given = await people.administrator("PUT", leave)
    assert given.status_code == 200
    assert (await people.administrator("PUT", leave)).json() == given.json()
    assert await reached() == [people.ours]
    listed = await people.administrator("GET", f"/v1/facilities/{people.ours}/partners")
    assert given.json() in listed.json()
    assert (await people.administrator("DELETE", leave)).status_code == 204
    assert await reached() == []
    assert (await people.administrator("DELETE", leave)).status_code == 404


async def test_a_partner_is_authorised_for_what_it_is_certified_for(people: People) -> None:
    number, _ = await partner(people)
    for path in (
        f"/v1/facilities/{people.ours}/partners/{number}/no-such-registry",
        f"/v1/facilities/{people.ours}/partners/2000000/{REGISTRY}",
    ):
        assert (await people.administrator("PUT", path)).status_code == 404
    made = await people.administrator(
        "POST", "/v1/partners", {"name": "Own", "registries": [REGISTRY]}
    )
    assert made.status_code == 403


async def test_a_partners_name_stands_once(people: People) -> None:
    body = {"name": "Twice Certified", "registries": [REGISTRY]}
    answers = await asyncio.gather(
        *(people.operator("POST", "/v1/partners", body) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
