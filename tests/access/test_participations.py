"""Participations: every step by whom it belongs to, none left out, each written down."""

import asyncio
from typing import Any

import pytest

from app.access import may_submit_for, participating
from app.api.v1.participations import STEPS
from app.database import EVERYTHING
from app.models.account import ParticipationState
from tests.access.conftest import People
from tests.make.accounts import REGISTRY, account, admitted, facility

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNED = {"state": "agreement-signed", "signed_by": "A. Signer", "on": "2026-01-05"}


async def applied(people: People) -> tuple[int, str]:
    """A new facility's application: its number, and where its steps are taken."""
    number = await facility(people.operator, await account(people.operator))
    begun = await people.operator.made(
        "/v1/participations", {"facility_id": number, "registry_id": REGISTRY}
    )
    return number, f"/v1/participations/{begun['id']}/transitions"


async def test_a_facility_applies_signs_and_is_activated_by_the_operator(people: People) -> None:
    body = {"facility_id": people.ours, "registry_id": REGISTRY}
    begun = await people.administrator("POST", "/v1/participations", body)
    assert begun.status_code == 201
    assert begun.json()["state"] == "applied"
    path = begun.headers["Location"]
    steps = f"{path}/transitions"
    signed = await people.administrator("POST", steps, SIGNED | {"agreement": "PA-2026-17"})
    assert signed.json()["agreement"] == "PA-2026-17"
    for state in ("fee-settled", "active"):
        assert (await people.administrator("POST", steps, {"state": state})).status_code in {
            403,
            409,
        }
    for state in ("fee-settled", "active"):
        assert (await people.operator("POST", steps, {"state": state})).status_code == 201
    shown = (await people.administrator("GET", path)).json()
    assert [step["state"] for step in shown["transitions"]] == [
        "applied",
        "agreement-signed",
        "fee-settled",
        "active",
    ]
    ours, operators = (desk.key.split("_")[1] for desk in (people.administrator, people.operator))
    assert [step["by_key"] for step in shown["transitions"]] == [ours, ours, operators, operators]
    assert all(step["at"] for step in shown["transitions"])
    assert shown["transitions"][1]["signed_by"] == "A. Signer"
    assert shown["transitions"][1]["on"] == "2026-01-05"
    again = await people.administrator("POST", "/v1/participations", body)
    assert again.status_code == 409


async def test_only_an_active_participation_may_submit(people: People) -> None:
    house = people.operator.client._transport.app.state.house  # type: ignore[attr-defined]
    number, steps = await applied(people)

    async def active() -> bool:
        async with house.database.transaction(EVERYTHING) as session:
            return number in await participating(session, REGISTRY, [number])

    expected = [
        (SIGNED, False),
        ({"state": "fee-settled"}, False),
        ({"state": "active"}, True),
        ({"state": "suspended"}, False),
        ({"state": "active"}, True),
        ({"state": "ended"}, False),
        ({"state": "applied"}, False),
    ]
    for body, submits in expected:
        assert (await people.operator("POST", steps, body)).status_code == 201, body
        assert await active() is submits, body


async def test_every_step_that_is_not_in_the_table_is_refused(people: People) -> None:
    ways: dict[str, list[dict[str, Any]]] = {
        "applied": [],
        "agreement-signed": [SIGNED],
        "fee-settled": [SIGNED, {"state": "fee-settled"}],
        "active": [SIGNED, {"state": "fee-settled"}, {"state": "active"}],
        "suspended": [
            SIGNED,
            {"state": "fee-settled"},
            {"state": "active"},
            {"state": "suspended"},
        ],
        "ended": [{"state": "ended"}],
    }
    assert set(ways) == set(ParticipationState)
    for state, way in ways.items():
        number, steps = await applied(people)
        for body in way:
            assert (await people.operator("POST", steps, body)).status_code == 201
        for to in ParticipationState:
            if (ParticipationState(state), to) in STEPS:
                continue
            body = SIGNED if to == "agreement-signed" else {"state": str(to)}
            answer = await people.operator("POST", steps, body)
            assert answer.status_code == 409, (state, to)
            assert "may become" in answer.json()["detail"]
        shown = await people.operator("GET", steps.removesuffix("/transitions"))
        assert (shown.json()["state"], shown.json()["facility_id"]) == (state, number)


async def test_a_facility_may_leave_by_itself_and_not_lift_its_suspension(people: People) -> None:
    number = await facility(people.operator, people.our_account)
    participation = await admitted(people.operator, number)
    steps = f"/v1/participations/{participation}/transitions"
    suspended = await people.corporate("POST", steps, {"state": "suspended"})
    assert suspended.status_code == 403
    await people.operator.made(steps, {"state": "suspended"})
    assert (await people.corporate("POST", steps, {"state": "active"})).status_code == 403
    assert (await people.corporate("POST", steps, {"state": "ended"})).status_code == 201


@pytest.mark.parametrize("who", ["registrar", "dashboard", "auditor"])
async def test_nobody_else_applies(people: People, who: str) -> None:
    body = {"facility_id": people.ours, "registry_id": REGISTRY}
    answer = await getattr(people, who)("POST", "/v1/participations", body)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"state": "agreement-signed"},
        {"state": "agreement-signed", "signed_by": "A. Signer"},
        {"state": "agreement-signed", "on": "2026-01-05"},
        SIGNED | {"on": "2026-02-31"},
        SIGNED | {"on": 0},
        SIGNED | {"on": "05/01/2026"},
        SIGNED | {"signed_by": "\x00"},
        {"state": "fee-settled", "signed_by": "A. Signer"},
        {"state": "Active"},
        {"state": None},
        {"state": "ended", "note": ""},
        {"state": "ended", "note": "x" * 501},
        {"state": "ended", "at": "2026-01-01T00:00:00Z"},
        {},
        [],
        None,
    ],
)
async def test_a_step_that_says_too_little_or_too_much_is_refused(
    people: People, body: Any
) -> None:
    _, steps = await applied(people)
    assert (await people.operator("POST", steps, body)).status_code == 422


async def test_another_facilitys_participation_is_not_there(people: People) -> None:
    number = await facility(people.operator, people.their_account)
    participation = await admitted(people.operator, number)
    path = f"/v1/participations/{participation}"
    for desk in (people.administrator, people.corporate, people.dashboard):
        assert (await desk("GET", path)).status_code == 404
        listed = await desk("GET", f"/v1/participations?facility={number}")
        assert listed.json() == []
    for desk in (people.administrator, people.corporate):
        assert (await desk("POST", f"{path}/transitions", {"state": "ended"})).status_code == 404
        foreign = await desk(
            "POST", "/v1/participations", {"facility_id": number, "registry_id": REGISTRY}
        )
        nobodys = await desk(
            "POST", "/v1/participations", {"facility_id": 999_999, "registry_id": REGISTRY}
        )
        assert foreign.status_code == nobodys.status_code == 422
        assert foreign.json()["detail"] == nobodys.json()["detail"]


async def test_an_unknown_registry_is_refused(people: People) -> None:
    body = {"facility_id": people.ours, "registry_id": "no-such-registry"}
    assert (await people.administrator("POST", "/v1/participations", body)).status_code == 422


async def test_one_step_taken_by_many_at_once_is_taken_once(people: People) -> None:
    _, steps = await applied(people)
    answers = await asyncio.gather(*(people.operator("POST", steps, SIGNED) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_step_may_be_bound_to_what_was_seen(people: People) -> None:
    _, steps = await applied(people)
    seen = await people.operator("GET", steps.removesuffix("/transitions"))
    first = await people.operator("POST", steps, SIGNED, headers={"If-Match": seen.headers["ETag"]})
    assert first.status_code == 201
    late = await people.operator(
        "POST", steps, {"state": "ended"}, headers={"If-Match": seen.headers["ETag"]}
    )
    assert late.status_code == 412


async def test_what_is_compressed_has_a_tag_of_its_own_and_it_counts_as_seen(
    people: People,
) -> None:
    number = await facility(people.operator, people.our_account)
    path = f"/v1/participations/{await admitted(people.operator, number)}"
    long = {"state": "suspended", "note": "a long story " * 38 + "ends"}  # worth compressing
    await people.operator.made(f"{path}/transitions", long)
    plain = await people.operator("GET", path, headers={"Accept-Encoding": "identity"})
    packed = await people.operator("GET", path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()
    tag = packed.headers["ETag"]
    assert tag != plain.headers["ETag"]
    held = await people.operator("GET", path, headers={"If-None-Match": tag})
    assert held.status_code == 304
    ended = await people.operator(
        "POST", f"{path}/transitions", {"state": "ended"}, headers={"If-Match": tag}
    )
    assert ended.status_code == 201
    late = await people.operator(
        "POST", f"{path}/transitions", {"state": "applied"}, headers={"If-Match": tag}
    )
    assert late.status_code == 412


async def test_who_may_submit_for_whom_follows_role_key_and_participation(
    people: People,
) -> None:
    from app.access import Asker, Role

    house = people.operator.client._transport.app.state.house  # type: ignore[attr-defined]
    active = await facility(people.operator, people.our_account)
    await admitted(people.operator, active)
    idle, _ = await applied(people)

    async def submits(role: Role, registries: frozenset[str] | None = None) -> frozenset[int]:
        asker = Asker("k" * 12, role, registries, frozenset({active, idle}))
        async with house.database.transaction(asker.scope) as session:
            return await may_submit_for(session, asker, REGISTRY)

    assert await submits(Role.REGISTRAR) == {active}
    assert await submits(Role.REGISTRAR, frozenset({"another-registry"})) == frozenset()
    assert await submits(Role.DASHBOARD) == frozenset()
