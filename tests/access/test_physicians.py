"""The list of physicians: an account's, and of it what a facility's key may see and change."""

from typing import Any

import pytest

from tests.access.conftest import People

pytestmark = pytest.mark.asyncio(loop_scope="module")

NPIS = iter(
    f"{number}{check}"
    for number in range(100_000_000, 100_000_200)
    for check in range(10)
    # an independent Luhn: over 80840 and the number, doubling every second figure from the right
    if sum(
        sum(divmod(int(figure) * (1 + place % 2), 10))
        for place, figure in enumerate(reversed(f"80840{number}{check}"))
    )
    % 10
    == 0
)


def physician(people: People, **change: Any) -> dict[str, Any]:
    return {
        "corporate_account_id": people.our_account,
        "npi": next(NPIS),
        "tin": "123456789",
        "first_name": "Wilhelm",
        "last_name": "Röntgen",
        "facilities": [people.ours],
    } | change


def fields(body: dict[str, Any], **change: Any) -> dict[str, Any]:
    """The body of a change: without the account, which never changes."""
    return {k: v for k, v in body.items() if k != "corporate_account_id"} | change


async def test_a_facility_lists_its_physicians(people: People) -> None:
    body = physician(people)
    made = await people.administrator.made("/v1/physicians", body)
    assert {name: made[name] for name in body} == body
    path = f"/v1/physicians/{made['id']}"
    for desk in (people.administrator, people.corporate, people.operator, people.registrar):
        assert (await desk("GET", path)).json() == made
    for desk in (people.stranger, people.stranger_corporate):
        assert (await desk("GET", path)).status_code == 404
        listed = await desk("GET", "/v1/physicians?limit=500")
        assert made["id"] not in [row["id"] for row in listed.json()]


async def test_a_facility_sees_of_a_physician_only_where_he_works_within_its_key(
    people: People,
) -> None:
    body = physician(people, facilities=[people.ours, people.sibling])
    made = await people.corporate.made("/v1/physicians", body)
    assert made["facilities"] == [people.ours, people.sibling]
    shown = await people.administrator("GET", f"/v1/physicians/{made['id']}")
    assert shown.json()["facilities"] == [people.ours]


async def test_another_facilitys_physician_is_not_seen_and_may_be_joined(people: People) -> None:
    body = physician(people, facilities=[people.sibling])
    made = await people.corporate.made("/v1/physicians", body)
    path = f"/v1/physicians/{made['id']}"
    assert (await people.administrator("GET", path)).status_code == 404
    filtered = await people.administrator("GET", f"/v1/physicians?facility={people.sibling}")
    assert filtered.json() == []
    # To be told "he is on the list already" would tell of the other facility.
    joined = await people.administrator(
        "POST", "/v1/physicians", body | {"facilities": [people.ours]}
    )
    assert joined.status_code == 201
    assert joined.json()["facilities"] == [people.ours]
    whole = await people.corporate("GET", path)
    assert whole.json()["facilities"] == [people.ours, people.sibling]
    again = await people.administrator(
        "POST", "/v1/physicians", body | {"facilities": [people.ours]}
    )
    assert again.status_code == 409


async def test_a_facility_takes_a_physician_off_its_own_place_and_no_other(people: People) -> None:
    body = physician(people, facilities=[people.ours, people.sibling])
    made = await people.corporate.made("/v1/physicians", body)
    path = f"/v1/physicians/{made['id']}"
    assert (await people.stranger("DELETE", path)).status_code == 404
    assert (await people.registrar("DELETE", path)).status_code == 403
    assert (await people.administrator("DELETE", path)).status_code == 204
    assert (await people.administrator("GET", path)).status_code == 404
    assert (await people.corporate("GET", path)).json()["facilities"] == [people.sibling]
    assert (await people.corporate("DELETE", path)).status_code == 204
    assert (await people.corporate("GET", path)).status_code == 404


async def test_names_and_numbers_are_the_accounts(people: People) -> None:
    body = physician(people)
    made = await people.administrator.made("/v1/physicians", body)
    path = f"/v1/physicians/{made['id']}"
    renamed = fields(body, last_name="Hounsfield")
    assert (await people.administrator("PUT", path, renamed)).status_code == 403
    changed = await people.corporate("PUT", path, renamed)
    assert changed.json()["last_name"] == "Hounsfield"
    unlinked = fields(body, last_name="Hounsfield", facilities=[])
    assert (await people.administrator("PUT", path, unlinked)).json()["facilities"] == []
    foreign = await people.corporate("PUT", path, fields(body, facilities=[people.theirs]))
    nobodys = await people.corporate("PUT", path, fields(body, facilities=[999_999]))
    assert foreign.status_code == nobodys.status_code == 422
    assert foreign.json()["detail"] == nobodys.json()["detail"]


async def test_an_npi_and_tin_stand_once_on_an_accounts_list(people: People) -> None:
    body = physician(people, tin=None)
    await people.corporate.made("/v1/physicians", body)
    assert (await people.corporate("POST", "/v1/physicians", body)).status_code == 409
    other = await people.corporate.made("/v1/physicians", body | {"tin": "987654321"})
    clash = await people.corporate("PUT", f"/v1/physicians/{other['id']}", fields(body))
    assert clash.status_code == 409
    # Another account keeps a list of its own.
    theirs = body | {"corporate_account_id": people.their_account, "facilities": [people.theirs]}
    assert (await people.stranger("POST", "/v1/physicians", theirs)).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        {"facilities": []},
        {"facilities": ["theirs"]},
        {"facilities": ["ours", "sibling"]},
        {"corporate_account_id": "their_account"},
        {"corporate_account_id": 2_000_000},
    ],
)
async def test_a_facility_puts_nobody_where_it_has_no_say(
    people: People, change: dict[str, Any]
) -> None:
    def named(value: Any) -> Any:
        return getattr(people, value) if isinstance(value, str) else value

    resolved = {
        name: [named(one) for one in value] if isinstance(value, list) else named(value)
        for name, value in change.items()
    }
    answer = await people.administrator("POST", "/v1/physicians", physician(people, **resolved))
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"npi": "1000000000"},
        {"npi": "٣" * 10},
        {"tin": "12-3456789"},
        {"first_name": ""},
        {"first_name": "A\x00"},
        {"facilities": [1]},
        {"facilities": [2**63]},
        {"facilities": None},
    ],
)
async def test_a_field_out_of_its_limits_is_refused(people: People, change: dict[str, Any]) -> None:
    answer = await people.operator("POST", "/v1/physicians", physician(people, **change))
    assert answer.status_code == 422, answer.text


async def test_two_who_list_the_same_physician_at_once_make_one_row(people: People) -> None:
    import asyncio

    body = physician(people)
    answers = await asyncio.gather(
        *(people.corporate("POST", "/v1/physicians", body) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_change_of_what_was_not_seen_is_refused(people: People) -> None:
    body = physician(people)
    made = await people.corporate("POST", "/v1/physicians", body)
    path = made.headers["Location"]
    stale = {"If-Match": '"0"'}
    assert (await people.corporate("PUT", path, fields(body), headers=stale)).status_code == 412
    assert (await people.corporate("DELETE", path, headers=stale)).status_code == 412
    seen = {"If-Match": made.headers["ETag"]}
    assert (await people.corporate("DELETE", path, headers=seen)).status_code == 204
