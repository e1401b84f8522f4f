"""
Who is asking, what their role may do, and which rows they may see.

A key is `hk_<id>_<secret>`. The secret has 256 random bits, so a plain SHA-256 of it is all that
is kept: there is nothing to guess, and no slow digest to pay for on every request. A key has one
role, registries and facilities; everything an asker may do follows from the two tables below and
from the facilities, which become the scope of each of its transactions (row-level security).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import errors
from app.database import Scope
from app.models.account import (
    Facility,
    Key,
    Participation,
    ParticipationState,
    PartnerAuthorisation,
    PhysicianFacility,
)


class Role(StrEnum):
    """What somebody is to the registries."""

    OPERATOR = "operator"
    STEWARD = "steward"
    AUDITOR = "auditor"
    CORPORATE_ADMINISTRATOR = "corporate-administrator"
    FACILITY_ADMINISTRATOR = "facility-administrator"
    REGISTRAR = "registrar"
    PHYSICIAN = "physician"
    PARTNER = "partner"
    DASHBOARD = "dashboard"
    RESEARCHER = "researcher"
    SERVICE = "service"
    PANEL_MEMBER = "panel-member"


class Act(StrEnum):
    """What a role may be allowed to do."""

    READ_DEFINITIONS = "read definitions"
    READ_BENCHMARKS = "read how rates are spread over peer groups"
    READ_RESULTS = "read the rates and reports of a facility"
    READ_CASES = "read cases and studies, without identities"
    READ_IDENTITIES = "read identifying elements"
    READ_WORKLISTS = "work through what is open at a facility"
    READ_SUBMISSIONS = "follow submissions and read their findings"
    SUBMIT = "submit, amend and withdraw entries and images"
    READ_PHYSICIANS_RESULTS = "read and export the results of single physicians and groups"
    READ_PHYSICIAN_FEEDBACK = (
        "read a physician's feedback: the facility's administrator any, a physician the own"
    )
    IMPROVE = "run the improvement projects of a facility"
    READ_ACCOUNTS = "read accounts, facilities, physicians and participations"
    CHANGE_FACILITIES = "alter a facility, its physicians, administrator and partners"
    ADD_FACILITIES = "add a facility to a corporate account"
    APPLY = "apply for a registry and sign its agreement"
    READ_KEYS = "list keys"
    GRANT_KEYS = "create and revoke keys"
    GOVERN = "open corporate accounts, certify partners, settle fees, activate, suspend"
    PROPOSE = "propose alterations of a definition and comment on proposals"
    DECIDE = "decide on proposals, publish versions of a definition and say when they end"
    PUBLISH = "publish definitions, take snapshots, recompute"
    COMMENT = "comment on AI use cases"
    WRITE_USE_CASES = "write AI use cases"
    REVIEW_USE_CASES = "review AI use cases"
    READ_AUDIT = "read the audit trail"
    READ_OPERATIONS = "read the operational metrics"


_EVERYBODY = frozenset({Act.READ_DEFINITIONS, Act.READ_BENCHMARKS, Act.COMMENT})
_OWN_RESULTS = _EVERYBODY | {Act.READ_RESULTS, Act.READ_ACCOUNTS}
_SENDER = _EVERYBODY | {Act.READ_ACCOUNTS, Act.READ_SUBMISSIONS, Act.SUBMIT}
_REGISTRAR = (
    _OWN_RESULTS
    | _SENDER
    | {Act.READ_CASES, Act.READ_IDENTITIES, Act.READ_WORKLISTS, Act.IMPROVE, Act.PROPOSE}
)
_FACILITY_ADMINISTRATOR = _REGISTRAR | {
    Act.CHANGE_FACILITIES,
    Act.APPLY,
    Act.READ_KEYS,
    Act.GRANT_KEYS,
    Act.READ_AUDIT,
    Act.READ_PHYSICIANS_RESULTS,
    Act.READ_PHYSICIAN_FEEDBACK,
}

ALLOWED: Mapping[Role, frozenset[Act]] = {
    # Whoever runs the service sees all rows, but no identities and no worklists: those are the facility's
    # own. What a physician is told of the own cases is between the physician and the facility.
    Role.OPERATOR: frozenset(Act)
    - {Act.READ_IDENTITIES, Act.READ_WORKLISTS, Act.READ_PHYSICIAN_FEEDBACK},
    Role.STEWARD: _EVERYBODY | {Act.PROPOSE, Act.DECIDE, Act.WRITE_USE_CASES},
    # Whoever reviews does not write: a text goes from hand to hand before it is published.
    Role.PANEL_MEMBER: _EVERYBODY | {Act.REVIEW_USE_CASES},
    Role.AUDITOR: _EVERYBODY | {Act.READ_ACCOUNTS, Act.READ_KEYS, Act.READ_AUDIT},
    Role.CORPORATE_ADMINISTRATOR: _FACILITY_ADMINISTRATOR | {Act.ADD_FACILITIES},
    Role.FACILITY_ADMINISTRATOR: _FACILITY_ADMINISTRATOR,
    Role.REGISTRAR: _REGISTRAR,
    Role.PHYSICIAN: _EVERYBODY | {Act.READ_PHYSICIAN_FEEDBACK, Act.PROPOSE},
    Role.PARTNER: _SENDER,
    Role.DASHBOARD: _OWN_RESULTS,
    Role.RESEARCHER: _EVERYBODY | {Act.PROPOSE},
    # A site's own software: it sends and follows what it sent, and reads no report.
    Role.SERVICE: _SENDER,
}
"""What each role may do. A role that is not named for an act may not do it."""

_WITHIN_A_FACILITY = frozenset(
    {Role.FACILITY_ADMINISTRATOR, Role.REGISTRAR, Role.PHYSICIAN, Role.DASHBOARD, Role.SERVICE}
)

GRANTS: Mapping[Role, frozenset[Role]] = {
    Role.OPERATOR: frozenset(Role),
    Role.CORPORATE_ADMINISTRATOR: _WITHIN_A_FACILITY | {Role.CORPORATE_ADMINISTRATOR},
    Role.FACILITY_ADMINISTRATOR: _WITHIN_A_FACILITY,
}
"""Whose keys each role may create and revoke, within its own facilities and registries."""

EVERY_FACILITY = frozenset({Role.OPERATOR, Role.AUDITOR})
"""Roles that belong to the whole service: their scope is every row."""

NO_FACILITY = frozenset({Role.STEWARD, Role.PANEL_MEMBER, Role.RESEARCHER})
"""Roles that see what is published to them and the rows of no facility."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is asking. `registries` and `facilities` are None where there is no bound."""

    key_id: str
    role: Role
    registries: frozenset[str] | None
    facilities: frozenset[int] | None
    corporate_account_id: int | None = None
    partner_id: int | None = None
    whole_account: bool = False
    """A corporate administrator's key without a bound of its own: facilities to come are in it."""
    physician_id: int | None = None
    """Whose results a physician's key is for; of nobody else's may it read."""
    authorised: frozenset[tuple[str, int]] | None = None
    """A partner's (registry, facility) pairs: another registry of a facility is not its business."""

    @property
    def scope(self) -> Scope:
        """The rows its transactions may touch."""
        if self.facilities is None:
            return Scope(everything=True)
        return Scope(facilities=self.facilities)

    @property
    def sender(self) -> str:
        """The name under which its submissions are kept: the key's own id."""
        return self.key_id

    def may(self, act: Act) -> bool:
        """Whether its role allows this."""
        return act in ALLOWED[self.role]

    def require(self, act: Act) -> None:
        """Refuse what its role does not allow."""
        if not self.may(act):
            raise errors.Forbidden(f"The role {self.role} may not {act}.")

    def sees_registry(self, registry_id: str) -> bool:
        """Whether the registry is within its key."""
        return self.registries is None or registry_id in self.registries

    def facilities_in(self, registry_id: str) -> frozenset[int] | None:
        """The facilities it may act for in a registry; None means all."""
        if not self.sees_registry(registry_id):
            return frozenset()
        if self.authorised is None:
            return self.facilities
        return frozenset(
            facility for registry, facility in self.authorised if registry == registry_id
        )

    def sees_facility(self, facility_id: int, registry_id: str | None = None) -> bool:
        """Whether a facility is within its reach, in one registry or in any."""
        reach = self.facilities if registry_id is None else self.facilities_in(registry_id)
        return reach is None or facility_id in reach

    def may_grant(
        self,
        role: Role,
        registries: Collection[str] | None,
        facilities: Collection[int] | None,
        corporate_account_id: int | None = None,
    ) -> bool:
        """Whether it may create or end a key of that role, within those bounds (None: no bound)."""
        if role not in GRANTS.get(self.role, frozenset()):
            return False
        if self.registries is not None and (
            registries is None or not self.registries.issuperset(registries)
        ):
            return False
        if self.facilities is None:
            return True
        if role is Role.CORPORATE_ADMINISTRATOR and (
            corporate_account_id != self.corporate_account_id
        ):
            return False
        if facilities is None:
            return role is Role.CORPORATE_ADMINISTRATOR and self.whole_account
        return self.facilities.issuperset(facilities)


# The id is lower-case base32 and the secret hexadecimal: neither can hold the underscore.
_KEY = re.compile(r"hk_([a-z2-7]{12})_([0-9a-f]{64})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A new key as it is shown, once."""

    key_id: str
    text: str

    @property
    def digest(self) -> bytes:
        """What is kept of it."""
        return digest(self.text)


def new_secret() -> Secret:
    """A key that nobody has seen yet."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return Secret(key_id, f"hk_{key_id}_{secrets.token_hex(32)}")


def digest(key: str) -> bytes:
    """What is kept of a key. The id is part of it: a digest moved to another row opens nothing."""
    return hashlib.sha256(key.encode()).digest()


async def authenticate(session: AsyncSession, presented: str) -> Asker:
    """The asker behind a key; the session needs the scope of everything, and a short life."""
    return await asker_of(session, await known_key(session, presented))


async def known_key(session: AsyncSession, presented: str) -> Key:
    """The row of a key that is in force. Keys are not facility-bound: any session will do.

    Unknown, wrong, expired and revoked keys get the same answer in the same time, give or take
    a row: whoever holds none learns nothing about those that exist.
    """
    form = _KEY.fullmatch(presented)
    if form is None:
        raise errors.Unauthenticated
    key = await session.get(Key, form[1])
    kept = key.digest if key is not None else bytes(32)
    same = hmac.compare_digest(kept, digest(presented))
    if key is None or not same or not in_force(key, datetime.now(UTC)):
        raise errors.Unauthenticated
    return key


def reaches_by_rows(key: Key) -> bool:
    """Whether what a key reaches stands in facility-bound rows, and not in the key alone."""
    return key.role in (Role.PARTNER, Role.CORPORATE_ADMINISTRATOR, Role.PHYSICIAN)


async def still_known(session: AsyncSession, asker: Asker) -> None:
    """Refuse an asker whose key has ended since it was shown: for answers that go on for long."""
    key = await session.get(Key, asker.key_id)
    if key is None or not in_force(key, datetime.now(UTC)):
        raise errors.Unauthenticated


def in_force(key: Key, at: datetime) -> bool:
    """Whether a key is neither revoked nor past its end."""
    return key.revoked_at is None and (key.expires_at is None or at < key.expires_at)


async def asker_of(session: AsyncSession, key: Key) -> Asker:
    """The asker a key stands for, with the facilities it reaches at this moment."""
    role = Role(key.role)
    registries = None if key.registries is None else frozenset(key.registries)
    facilities: frozenset[int] | None = (
        None if key.facilities is None else frozenset(key.facilities)
    )
    authorised = None
    if role in NO_FACILITY:
        facilities = frozenset()
    elif role is Role.PARTNER:
        found = await session.execute(
            select(PartnerAuthorisation.registry_id, PartnerAuthorisation.facility_id).where(
                PartnerAuthorisation.partner_id == key.partner_id
            )
        )
        authorised = frozenset(
            (registry, facility)
            for registry, facility in found
            if (registries is None or registry in registries)
            and (facilities is None or facility in facilities)
        )
        facilities = frozenset(facility for _, facility in authorised)
    elif role is Role.CORPORATE_ADMINISTRATOR and facilities is None:
        found_ids = await session.scalars(
            select(Facility.id).where(Facility.corporate_account_id == key.corporate_account_id)
        )
        facilities = frozenset(found_ids)
    elif role is Role.PHYSICIAN:
        # Whoever works there no longer reads nothing there any more.
        found_ids = await session.scalars(
            select(PhysicianFacility.facility_id).where(
                PhysicianFacility.physician_id == key.physician_id,
                PhysicianFacility.facility_id.in_(facilities or ()),
            )
        )
        facilities = frozenset(found_ids)
    elif role not in EVERY_FACILITY and facilities is None:
        facilities = frozenset()  # a damaged row must not become an operator
    return Asker(
        key_id=key.id,
        role=role,
        registries=registries,
        facilities=facilities,
        corporate_account_id=key.corporate_account_id,
        whole_account=role is Role.CORPORATE_ADMINISTRATOR and key.facilities is None,
        partner_id=key.partner_id,
        physician_id=key.physician_id,
        authorised=authorised,
    )


async def participating(
    session: AsyncSession, registry_id: str, facilities: Collection[int] | None = None
) -> frozenset[int]:
    """Those of the facilities (None: all in scope) whose participation in a registry is active."""
    statement = select(Participation.facility_id).where(
        Participation.registry_id == registry_id,
        Participation.state == ParticipationState.ACTIVE,
    )
    if facilities is not None:
        statement = statement.where(Participation.facility_id.in_(facilities))
    return frozenset(await session.scalars(statement))


async def may_submit_for(session: AsyncSession, asker: Asker, registry_id: str) -> frozenset[int]:
    """The facilities the asker may submit for to a registry at this moment."""
    if not asker.may(Act.SUBMIT):
        return frozenset()
    return await participating(session, registry_id, asker.facilities_in(registry_id))
