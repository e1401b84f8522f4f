"""
The whole service, as processes of its own on a real port: for tests of what only HTTP shows.

    served     the service, with two facilities that may submit, and a key for each role they need
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app import postgres
from app.access import Role
from app.api.v1.corporate_accounts import NewCorporateAccount, open_account
from app.api.v1.facilities import NewFacility, add_facility
from app.api.v1.keys import NewKey, create_key
from app.commands.facility import admit_facility
from app.commands.prepare import prepare
from app.commands.running import environment
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.settings import Settings
from tests.journeys.service import VAULT_KEY, Service

REGISTRY = "early-lung-cancer-detection"
FACILITY, NEIGHBOUR = 200001, 200002
ADDRESS = {
    "street_1": "1 River Road",
    "city": "Raleigh",
    "state": "NC",
    "postal_code": "27601",
    "country": "US",
    "phone": "+1 919 555 0100",
}


@dataclass(frozen=True, slots=True)
class Served:
    """Where the service answers, and keys to it."""

    url: str
    operator: str
    administrator: str
    registrar: str
    dashboard: str
    neighbour: str
    settings: Settings

    def authorised(self, key: str) -> dict[str, str]:
        """The header that shows a key."""
        return {"Authorization": f"Bearer {key}"}


@contextmanager
def whole_service(
    settings: Settings, *, workers: int = 1, also: Sequence[str] = ()
) -> Iterator[Served]:
    """Run it, with two facilities that take part in the packaged registry, and in others."""
    given = {"host": "127.0.0.1", "public_url": None, "vault_key": SecretStr(VAULT_KEY)}
    chosen = settings.model_copy(update=given)
    with postgres.addresses(chosen) as found:
        prepare(chosen, found.owner)
        service = Service(found, chosen.data, workers=workers)
        chosen = chosen.model_copy(update={"port": service.port})
        service.env |= environment(chosen)
        with service:
            keys = asyncio.run(settle(found.web, also))
            yield Served(service.url, *keys, settings=chosen)


async def settle(url: str, also: Sequence[str] = ()) -> list[str]:
    """Two facilities that take part in the packaged registry, and the keys of `Served`."""
    database = Database(url, DatabaseRole.WEB, pool=1)
    try:
        async with database.transaction(EVERYTHING) as session:
            return await _facilities_and_keys(session, (REGISTRY, *also))
    finally:
        await database.close()


async def _facilities_and_keys(session: AsyncSession, registries: Sequence[str]) -> list[str]:
    account = await open_account(
        session, None, NewCorporateAccount.model_validate({"name": "Riverside Health", **ADDRESS})
    )
    for number, name in ((FACILITY, "Riverside Imaging"), (NEIGHBOUR, "Hilltop Imaging")):
        body = {
            **ADDRESS,
            "name": name,
            "id": number,
            "corporate_account_id": account.id,
            "category": "community",
            "location": "metropolitan",
            "npi": "1234567893",
        }
        await add_facility(session, None, NewFacility.model_validate(body))
        for registry in registries:
            await admit_facility(
                session, None, number, registry, signed_by="R. Administrator", on=date(2026, 1, 2)
            )
    wanted: list[tuple[Role, int | None]] = [
        (Role.OPERATOR, None),
        (Role.FACILITY_ADMINISTRATOR, FACILITY),
        (Role.REGISTRAR, FACILITY),
        (Role.DASHBOARD, FACILITY),
        (Role.REGISTRAR, NEIGHBOUR),
    ]
    made = []
    for role, facility in wanted:
        body = {"role": role, "label": "tests", "facilities": [facility] if facility else None}
        _, secret = await create_key(session, None, NewKey.model_validate(body))
        made.append(secret.text)
    return made
