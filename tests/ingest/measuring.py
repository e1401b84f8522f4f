"""A facility whose cases come of images, and everything that is done for it until nothing moves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from app.access import Role
from app.database import Database
from app.ingest.accept import accept
from app.ingest.check import check
from app.ingest.images import images
from app.ingest.link import link
from app.ingest.read import read
from app.ingest.relist import relist
from app.worker import Works
from tests.ingest.imaging import rows
from tests.make.accounts import Desk, account, admitted, bearer, facility, key_for
from tests.make.instances import DICOM_PARTS, multipart

STEPS: tuple[Callable[[Works], Awaitable[int]], ...] = (images, read, check, accept, relist, link)


@dataclass(frozen=True)
class Site:
    """A facility of the dose registry with a registrar's key."""

    client: httpx.AsyncClient
    facility: int
    key: str
    works: Works
    database: Database
    registry: str = "dose-index"

    async def store(self, *objects: bytes) -> httpx.Response:
        """Send objects, and run every step until nothing moves."""
        answer = await self.client.post(
            f"/dicomweb/{self.registry}/studies",
            content=multipart(objects),
            headers={**bearer(self.key), "Content-Type": DICOM_PARTS},
        )
        assert answer.status_code == 200, answer.text
        await self.work()
        return answer

    async def work(self) -> None:
        while sum([await step(self.works) for step in STEPS]):
            pass

    async def type(
        self, action: str = "submit", form: str = "exam", **values: Any
    ) -> dict[str, Any]:
        """An entry of somebody; its submission when it is through."""
        return await self.send({"form": form, "action": action, "elements": values})

    async def send(self, *entries: dict[str, Any]) -> dict[str, Any]:
        """Entries of somebody; their submission when it is through."""
        answer = await self.client.post(
            f"/v1/registries/{self.registry}/submissions",
            content=orjson.dumps({"entries": entries}),
            headers={**bearer(self.key), "Content-Type": "application/json"},
        )
        assert answer.status_code == 202, answer.text
        await self.work()
        found = await self.get(f"/v1/submissions/{answer.json()['id']}")
        return {
            **found,
            "findings": [
                (one["place"], one["code"])
                for one in await self.get(f"/v1/submissions/{answer.json()['id']}/findings")
            ],
        }

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path, headers=bearer(self.key))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def cases(self) -> list[dict[str, Any]]:
        """Every case of the facility, with its elements."""
        listed = await self.get(f"/v1/registries/{self.registry}/cases?facility={self.facility}")
        return [await self.get(f"/v1/cases/{one['id']}") for one in listed]

    async def case(self) -> dict[str, Any]:
        """The only case there is."""
        (one,) = await self.cases()
        return one

    async def arisen(self) -> list[tuple[dict[str, Any], list[tuple[str, str, str]]]]:
        """The counts and findings of the submissions that were made of images, in order."""
        found = await rows(
            self.database,
            "SELECT s.number, s.counts FROM submissions s WHERE s.channel = 'images'"
            " AND s.facility_id = :facility ORDER BY s.number",
            facility=self.facility,
        )
        return [
            (
                counts,
                [
                    tuple(one)
                    for one in await rows(
                        self.database,
                        "SELECT place, code, severity FROM findings"
                        " WHERE submission_number = :number ORDER BY id",
                        number=submission,
                    )
                ],
            )
            for submission, counts in found
        ]


async def opened(
    client: httpx.AsyncClient, addresses: Any, works: Works, worker: Database, registry: str
) -> Site:
    """A facility that takes part in a registry, with a registrar's key."""
    operator = Desk(client, await key_for(addresses, Role.OPERATOR))
    place = await facility(operator, await account(operator))
    await admitted(operator, place, registry)
    key = await key_for(addresses, Role.REGISTRAR, registries=[registry], facilities=[place])
    return Site(client, place, key, works, worker, registry)
