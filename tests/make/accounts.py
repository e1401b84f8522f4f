"""Accounts, facilities and keys, built as an operator would build them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import httpx

from app.access import Role
from app.api.v1.keys import NewKey, create_key
from app.database import EVERYTHING, Database
from app.database import Role as DatabaseRole
from app.postgres import Addresses

REGISTRY = "early-lung-cancer-detection"

ADDRESS: Mapping[str, Any] = {
    "name": "Riverside Imaging",
    "street_1": "1 River Road",
    "city": "Columbus",
    "state": "OH",
    "postal_code": "43210",
    "country": "US",
    "phone": "+1 614 555 0100",
}
FACILITY: Mapping[str, Any] = {**ADDRESS, "category": "community", "location": "metropolitan"}


@lru_cache(maxsize=4)
def _web(url: str) -> Database:
    """One for a database's keys: what it compiled outlives its connections, and they each loop."""
    return Database(url, DatabaseRole.WEB, pool=1)


async def key_for(database: Addresses, role: Role, **bounds: Any) -> str:
    """A key of any role, made as an operator's command line makes it."""
    opened = _web(database.web)
    try:
        async with opened.transaction(EVERYTHING) as session:
            new = NewKey(role=role, label="test", **bounds)
            return (await create_key(session, None, new))[1].text
    finally:
        await opened.close()


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


class Desk:
    """Somebody at the API with a key: sends JSON, and says what came back."""

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self.client, self.key = client, key

    async def __call__(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        headers = bearer(self.key) | options.pop("headers", {})
        return await self.client.request(method, path, json=body, headers=headers, **options)

    async def made(self, path: str, body: Any) -> Any:
        """What a POST that must succeed made."""
        answer = await self("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()


async def account(operator: Desk, **change: Any) -> int:
    """A new corporate account."""
    return int((await operator.made("/v1/corporate-accounts", {**ADDRESS, **change}))["id"])


async def facility(operator: Desk, account_id: int, **change: Any) -> int:
    """A new facility of an account."""
    body = {**FACILITY, "corporate_account_id": account_id, **change}
    return int((await operator.made("/v1/facilities", body))["id"])


async def admitted(operator: Desk, facility_id: int, registry_id: str = REGISTRY) -> int:
    """An active participation of a facility, through every step."""
    begun = await operator.made(
        "/v1/participations", {"facility_id": facility_id, "registry_id": registry_id}
    )
    path = f"/v1/participations/{begun['id']}/transitions"
    await operator.made(
        path, {"state": "agreement-signed", "signed_by": "A. Signer", "on": "2026-01-05"}
    )
    await operator.made(path, {"state": "fee-settled"})
    await operator.made(path, {"state": "active"})
    return int(begun["id"])
