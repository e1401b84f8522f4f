"""Keys: what is kept opens nothing, and what opens nothing gets one answer."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app import access, errors
from app.access import ALLOWED, EVERY_FACILITY, GRANTS, NO_FACILITY, Act, Asker, Role
from app.database import EVERYTHING, Database
from app.models.account import Key

FACILITY, SIBLING, STRANGER = 100001, 100002, 200001
LUNG, OTHER = "early-lung-cancer-detection", "another-registry"


def asker(role: Role, **bounds: object) -> Asker:
    given: dict[str, object] = {"registries": None, "facilities": frozenset({FACILITY})} | bounds
    return Asker(key_id="abcdefghijkl", role=role, **given)  # type: ignore[arg-type]


async def keep(web: Database, **columns: object) -> str:
    """Write a key's row down; its text."""
    secret = access.new_secret()
    given: dict[str, object] = {
        "role": Role.REGISTRAR,
        "label": "test",
        "facilities": [FACILITY],
        "expires_at": datetime.now(UTC) + timedelta(days=1),
    } | columns
    async with web.transaction(EVERYTHING) as session:
        session.add(Key(id=secret.key_id, digest=secret.digest, **given))
    return secret.text


async def whose(web: Database, text: str) -> Asker:
    async with web.transaction(EVERYTHING) as session:
        return await access.authenticate(session, text)


async def test_a_key_in_force_says_who_is_asking(web: Database) -> None:
    text = await keep(web, registries=[LUNG])
    found = await whose(web, text)
    assert found.role is Role.REGISTRAR
    assert found.facilities == {FACILITY}
    assert found.registries == {LUNG}
    assert text == f"hk_{found.key_id}_{text.rpartition('_')[2]}"
    assert len(text.rpartition("_")[2]) * 4 == 256


async def test_nothing_of_the_secret_is_kept(web: Database) -> None:
    text = await keep(web)
    secret = text.rpartition("_")[2]
    async with web.transaction(EVERYTHING) as session:
        row = (await session.scalars(select(Key).where(Key.id == text.split("_")[1]))).one()
    kept = repr({c.key: getattr(row, c.key) for c in Key.__mapper__.column_attrs})
    assert secret not in kept
    assert bytes.fromhex(secret) != row.digest
    assert secret not in repr(access.new_secret())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.upper(),
        lambda text: text + "0",
        lambda text: text[:-1],
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text.replace("hk_", "hk-"),
        lambda text: "hk_" + "a" * 12 + text[15:],
        lambda text: text[3:],
        lambda _: "",
        lambda _: "hk__",
        lambda _: "hk_" + "\x00" * 12 + "_" + "0" * 64,
        lambda _: "hk_" + "é" * 12 + "_" + "٣" * 64,
        lambda _: "x" * 100_000,
    ],
)
async def test_anything_but_the_key_itself_is_nobody(change: object, web: Database) -> None:
    text = await keep(web)
    with pytest.raises(errors.Unauthenticated):
        await whose(web, change(text))  # type: ignore[operator]


async def test_a_digest_moved_to_another_row_opens_nothing(web: Database) -> None:
    mine, other = await keep(web), access.new_secret()
    async with web.transaction(EVERYTHING) as session:
        row = (await session.scalars(select(Key).where(Key.id == mine.split("_")[1]))).one()
        session.add(Key(id=other.key_id, digest=row.digest, role=Role.OPERATOR, label="planted"))
    with pytest.raises(errors.Unauthenticated):
        await whose(web, f"hk_{other.key_id}_{mine.rpartition('_')[2]}")


@pytest.mark.parametrize(
    "columns",
    [
        {"expires_at": datetime.now(UTC) - timedelta(seconds=1)},
        {"revoked_at": datetime.now(UTC)},
        {"revoked_at": datetime.now(UTC), "expires_at": None},
    ],
)
async def test_a_key_past_its_end_is_nobody_like_one_that_never_was(
    columns: dict[str, object], web: Database
) -> None:
    ended = await keep(web, **columns)
    told = []
    for text in (ended, access.new_secret().text):
        with pytest.raises(errors.Unauthenticated) as caught:
            await whose(web, text)
        told.append(str(caught.value))
    assert told[0] == told[1]


@pytest.mark.parametrize("role", sorted(set(Role) - EVERY_FACILITY))
async def test_a_damaged_row_never_becomes_an_operator(role: Role, web: Database) -> None:
    found = await whose(web, await keep(web, role=role, facilities=None))
    assert found.facilities == frozenset()
    assert not found.scope.everything


def test_every_role_has_a_line_in_the_table_of_acts() -> None:
    assert set(ALLOWED) == set(Role)


def test_every_act_is_allowed_to_somebody() -> None:
    assert frozenset().union(*ALLOWED.values()) == set(Act)


def test_only_roles_of_a_facility_read_identities() -> None:
    readers = {role for role in Role if Act.READ_IDENTITIES in ALLOWED[role]}
    assert readers == {
        Role.CORPORATE_ADMINISTRATOR,
        Role.FACILITY_ADMINISTRATOR,
        Role.REGISTRAR,
    }
    assert not readers & (EVERY_FACILITY | NO_FACILITY)


@pytest.mark.parametrize("act", [Act.GOVERN, Act.PUBLISH, Act.READ_OPERATIONS])
def test_only_the_operator_governs(act: Act) -> None:
    assert [role for role in Role if act in ALLOWED[role]] == [Role.OPERATOR]


@pytest.mark.parametrize("role", [role for role in GRANTS if role is not Role.OPERATOR])
def test_nobody_but_the_operator_grants_what_he_may_not_do_himself(role: Role) -> None:
    for granted in GRANTS[role]:
        assert ALLOWED[granted] <= ALLOWED[role], granted


def test_whoever_grants_keys_is_in_both_tables() -> None:
    assert {role for role in Role if Act.GRANT_KEYS in ALLOWED[role]} == set(GRANTS)


def test_what_a_role_may_not_do_is_refused_by_name() -> None:
    with pytest.raises(errors.Forbidden, match="dashboard may not submit"):
        asker(Role.DASHBOARD).require(Act.SUBMIT)
    asker(Role.REGISTRAR).require(Act.SUBMIT)


OPERATOR = {"role": Role.OPERATOR, "facilities": None, "registries": None}


@pytest.mark.parametrize(
    ("granter", "role", "registries", "facilities", "account", "allowed"),
    [
        # an operator makes any key
        (OPERATOR, Role.OPERATOR, None, None, None, True),
        (OPERATOR, Role.PARTNER, None, None, None, True),
        # a facility's administrator: up to its own role, for its own facility and registries
        ({}, Role.FACILITY_ADMINISTRATOR, [LUNG], [FACILITY], None, True),
        ({}, Role.REGISTRAR, [LUNG], [FACILITY], None, True),
        ({}, Role.REGISTRAR, [LUNG], [STRANGER], None, False),
        ({}, Role.REGISTRAR, [LUNG], [FACILITY, STRANGER], None, False),
        ({}, Role.REGISTRAR, [LUNG], None, None, False),
        ({}, Role.REGISTRAR, [OTHER], [FACILITY], None, False),
        ({}, Role.REGISTRAR, None, [FACILITY], None, False),
        ({"registries": None}, Role.REGISTRAR, None, [FACILITY], None, True),
        ({}, Role.CORPORATE_ADMINISTRATOR, [LUNG], [FACILITY], 7, False),
        ({}, Role.OPERATOR, [LUNG], None, None, False),
        ({}, Role.AUDITOR, [LUNG], None, None, False),
        ({}, Role.STEWARD, [LUNG], None, None, False),
        ({}, Role.PARTNER, [LUNG], [FACILITY], None, False),
        # a corporate administrator: its own account
        ({"role": "c"}, Role.CORPORATE_ADMINISTRATOR, [LUNG], None, 7, True),
        ({"role": "c"}, Role.CORPORATE_ADMINISTRATOR, [LUNG], None, 8, False),
        ({"role": "c"}, Role.CORPORATE_ADMINISTRATOR, [LUNG], [SIBLING], 7, True),
        ({"role": "c"}, Role.FACILITY_ADMINISTRATOR, [LUNG], [SIBLING], None, True),
        ({"role": "c"}, Role.FACILITY_ADMINISTRATOR, [LUNG], [STRANGER], None, False),
        ({"role": "c"}, Role.REGISTRAR, [LUNG], None, None, False),
        ({"role": "c"}, Role.STEWARD, [LUNG], None, None, False),
        # one whose key is bound to some of the account's facilities
        ({"role": "b"}, Role.CORPORATE_ADMINISTRATOR, [LUNG], None, 7, False),
        ({"role": "b"}, Role.CORPORATE_ADMINISTRATOR, [LUNG], [FACILITY], 7, True),
        # others make none
        ({"role": Role.REGISTRAR}, Role.REGISTRAR, [LUNG], [FACILITY], None, False),
        ({"role": Role.AUDITOR, "facilities": None}, Role.DASHBOARD, None, None, None, False),
    ],
)
def test_who_may_make_which_key(
    granter: dict[str, object],
    role: Role,
    registries: list[str] | None,
    facilities: list[int] | None,
    account: int | None,
    allowed: bool,
) -> None:
    corporate = {"corporate_account_id": 7, "role": Role.CORPORATE_ADMINISTRATOR}
    bounds: dict[str, object] = {
        "role": Role.FACILITY_ADMINISTRATOR,
        "registries": frozenset({LUNG}),
    } | granter
    if granter.get("role") == "c":
        bounds |= corporate | {
            "facilities": frozenset({FACILITY, SIBLING}),
            "whole_account": True,
        }
    if granter.get("role") == "b":
        bounds |= corporate | {"facilities": frozenset({FACILITY})}
    assert asker(**bounds).may_grant(role, registries, facilities, account) is allowed  # type: ignore[arg-type]


bounds = st.none() | st.frozensets(st.sampled_from([FACILITY, SIBLING, STRANGER]))
registries = st.none() | st.frozensets(st.sampled_from([LUNG, OTHER]))


@given(
    role=st.sampled_from([Role.FACILITY_ADMINISTRATOR, Role.CORPORATE_ADMINISTRATOR]),
    mine=st.frozensets(st.sampled_from([FACILITY, SIBLING, STRANGER])),
    my_registries=registries,
    granted=st.sampled_from(Role),
    theirs=bounds,
    their_registries=registries,
)
def test_a_granted_key_never_reaches_further_than_the_one_that_granted_it(
    role: Role,
    mine: frozenset[int],
    my_registries: frozenset[str] | None,
    granted: Role,
    theirs: frozenset[int] | None,
    their_registries: frozenset[str] | None,
) -> None:
    granter = asker(role, facilities=mine, registries=my_registries, corporate_account_id=7)
    if granter.may_grant(granted, their_registries, theirs, 7):
        assert theirs is not None
        assert theirs <= mine
        assert my_registries is None or (their_registries or frozenset({"?"})) <= my_registries | (
            frozenset({"?"}) if their_registries == frozenset() else frozenset()
        )
        assert ALLOWED[granted] <= ALLOWED[role]


def test_a_partner_acts_for_a_facility_in_the_registry_it_was_authorised_for() -> None:
    partner = asker(
        Role.PARTNER,
        facilities=frozenset({FACILITY, SIBLING}),
        authorised=frozenset({(LUNG, FACILITY), (OTHER, SIBLING)}),
    )
    assert partner.facilities_in(LUNG) == {FACILITY}
    assert partner.facilities_in(OTHER) == {SIBLING}
    assert partner.sees_facility(FACILITY, LUNG)
    assert not partner.sees_facility(FACILITY, OTHER)


def test_a_key_acts_for_no_facility_in_a_registry_that_it_does_not_hold() -> None:
    registrar = asker(Role.REGISTRAR, registries=frozenset({LUNG}))
    assert registrar.facilities_in(LUNG) == {FACILITY}
    assert registrar.facilities_in(OTHER) == frozenset()
    operator = asker(Role.OPERATOR, registries=frozenset({LUNG}), facilities=None)
    assert operator.facilities_in(LUNG) is None
    assert operator.facilities_in(OTHER) == frozenset()
