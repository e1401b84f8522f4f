"""
What an endpoint may ask for, each an alias with a noun for a name.

An endpoint without `Asker` (or something that needs it) is public. Whoever asks is found out in a
short transaction of its own, before the body is read; the endpoint then opens its transactions
through `Transactions`, which gives each the scope of the asker. No transaction spans the reply.

All of them are coroutines, even those that wait for nothing: FastAPI sends others through a thread.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, errors
from app.archive import Archive as ArchiveStore
from app.catalogue import Catalogue as DefinitionsInForce
from app.database import EVERYTHING, Database
from app.registries.schema import Definition
from app.settings import Settings
from app.vault.quarantine import Quarantine as QuarantineStore
from app.vault.room import Vault

LARGEST_INTEGER = 2**31 - 1
LARGEST_BIGINT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class House:
    """Everything the process holds, made once in `app.main` and kept in `app.state.house`."""

    settings: Settings
    database: Database
    catalogue: DefinitionsInForce
    vault: Vault
    quarantine: QuarantineStore
    archive: ArchiveStore


async def house(request: Request) -> House:
    """The house of this process."""
    return cast(House, request.app.state.house)


HouseInForce = Annotated[House, Depends(house)]


async def settings_in_force(house: HouseInForce) -> Settings:
    """The settings of this process."""
    return house.settings


async def catalogue(house: HouseInForce) -> DefinitionsInForce:
    """The definitions in force, as published by whichever process."""
    await house.catalogue.keep_current(house.database)
    return house.catalogue


async def vault_room(house: HouseInForce) -> Vault:
    """The room where identities exist."""
    return house.vault


async def quarantine(house: HouseInForce) -> QuarantineStore:
    """Where received bytes wait."""
    return house.quarantine


async def archive(house: HouseInForce) -> ArchiveStore:
    """The object store of de-identified images and other lasting files."""
    return house.archive


SettingsInForce = Annotated[Settings, Depends(settings_in_force)]
Catalogue = Annotated[DefinitionsInForce, Depends(catalogue)]
VaultRoom = Annotated[Vault, Depends(vault_room)]
Quarantine = Annotated[QuarantineStore, Depends(quarantine)]
Archive = Annotated[ArchiveStore, Depends(archive)]

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    bearerFormat="hk_<id>_<secret>",
    description="A key, as shown once when it was created.",
)


async def asker(
    house: HouseInForce,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> access.Asker:
    """Who is asking; 401 if that is nobody we know."""
    if credentials is None:
        raise errors.Unauthenticated
    async with house.database.glance() as session:
        key = await access.known_key(session, credentials.credentials)
        if not access.reaches_by_rows(key):
            return await access.asker_of(session, key)
    async with house.database.transaction(EVERYTHING) as session:
        return await access.asker_of(session, key)


Asker = Annotated[access.Asker, Depends(asker, scope="function")]


async def visitor(
    house: HouseInForce,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> access.Asker | None:
    """Who is asking for what is open to all: nobody needs a key, and a wrong one is still refused."""
    return None if credentials is None else await asker(house, credentials)


Visitor = Annotated[access.Asker | None, Depends(visitor, scope="function")]

OPEN_TO_ALL: dict[str, Any] = {"security": [{}]}
"""Documents an operation that a `Visitor` may ask: `openapi_extra=OPEN_TO_ALL`."""


@dataclass(frozen=True, slots=True)
class ScopedTransactions:
    """Transactions of one asker: each commits at its end and sees only the asker's rows."""

    database: Database
    asker: access.Asker

    def begin(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction in the asker's scope."""
        return self.database.transaction(self.asker.scope)

    def unbound(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction that sees all rows.

        For rows that belong to an account and no facility, and for published results. Row-level
        security does not help here: the caller bounds each statement itself.
        """
        return self.database.transaction(EVERYTHING)


async def transactions(house: HouseInForce, asker: Asker) -> ScopedTransactions:
    """The asker's transactions."""
    return ScopedTransactions(house.database, asker)


Transactions = Annotated[ScopedTransactions, Depends(transactions, scope="function")]


RegistryId = Annotated[
    str, Path(description="A registry's id.", min_length=1, max_length=100, pattern=r"^[a-z0-9-]+$")
]
FacilityNumber = Annotated[
    int, Path(description="A facility's number of six digits.", ge=1, le=LARGEST_INTEGER)
]


async def registry_in_force(
    registry_id: RegistryId, catalogue: Catalogue, asker: Asker
) -> Definition:
    """The definition in force of the registry in the address; 404 if it is not within the key."""
    return visible_registry(catalogue, asker, registry_id)


def visible_registry(
    catalogue: DefinitionsInForce, asker: access.Asker, registry_id: str
) -> Definition:
    """A registry's definition in force, if the asker's key holds it; otherwise there is none."""
    if not asker.sees_registry(registry_id):
        raise errors.NotFound(NO_SUCH_REGISTRY)
    return catalogue.in_force(registry_id)


def known_registries(catalogue: DefinitionsInForce) -> frozenset[str]:
    """The ids of every registry in force."""
    return frozenset(definition.id for definition in catalogue.registries())


NO_SUCH_REGISTRY = "There is no such registry, or it is not within your key."
NO_SUCH_FACILITY = "There is no such facility, or it is not within your key."

RegistryInForce = Annotated[Definition, Depends(registry_in_force, scope="function")]


async def facility_in_reach(facility_id: FacilityNumber, asker: Asker) -> int:
    """The number of the facility in the address; 404 if it is not within the key.

    A key that reaches every facility reaches numbers that nobody has yet: the endpoint's own
    query finds nothing then.
    """
    return visible_facility(asker, facility_id)


def visible_facility(asker: access.Asker, facility_id: int, registry_id: str | None = None) -> int:
    """A facility's number, if the asker's key reaches it in that registry; otherwise there is none."""
    if not asker.sees_facility(facility_id, registry_id):
        raise errors.NotFound(NO_SUCH_FACILITY)
    return facility_id


FacilityInReach = Annotated[int, Depends(facility_in_reach, scope="function")]
