"""A facility that sends images, and the background steps run by hand until nothing moves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx
from pydicom import Dataset, dcmread
from sqlalchemy import text

from app.access import Role
from app.database import Database
from app.ingest.images import images
from app.ingest.link import link
from app.worker import Works
from tests.make.accounts import REGISTRY, Desk, account, admitted, bearer, facility, key_for
from tests.make.instances import DICOM_PARTS, multipart

DOOR = f"/dicomweb/{REGISTRY}/studies"
WORK: tuple[Callable[[Works], Awaitable[int]], ...] = (images, link)


@dataclass(frozen=True, slots=True)
class Site:
    """A facility with an active participation and a registrar's key."""

    client: httpx.AsyncClient
    facility: int
    key: str
    works: Works

    async def send(
        self, body: bytes, media_type: str = DICOM_PARTS, path: str = DOOR, **headers: str
    ) -> httpx.Response:
        """Post a body to the door."""
        return await self.client.post(
            path,
            content=body,
            headers={**bearer(self.key), "Content-Type": media_type, **headers},
        )

    async def store(self, *objects: bytes) -> httpx.Response:
        """Post objects, a part each."""
        return await self.send(multipart(objects))

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Read something."""
        return await self.client.get(path, headers={**bearer(self.key), **headers})

    async def work(self) -> None:
        """Run the steps until nothing moves."""
        while sum([await step(self.works) for step in WORK]):
            pass

    async def studies(self) -> list[dict[str, Any]]:
        """The list of studies."""
        answer = await self.get(f"/v1/registries/{REGISTRY}/images")
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    async def archived(self, answer: httpx.Response) -> list[Dataset]:
        """The instances that a store response refers to, as the archive gives them back."""
        found = []
        for one in answer.json()["00081199"]["Value"]:
            url = one["00081190"]["Value"][0]
            got = await self.get(url, Accept="application/dicom")
            assert got.status_code == 200, got.text
            found.append(dcmread(BytesIO(got.content)))
        return found


async def open_site(client: httpx.AsyncClient, addresses: Any, works: Works, **bounds: Any) -> Site:
    """A facility that may send."""
    operator = Desk(client, await key_for(addresses, Role.OPERATOR))
    number = await facility(operator, await account(operator))
    await admitted(operator, number)
    key = await key_for(
        addresses, Role.REGISTRAR, registries=[REGISTRY], facilities=[number], **bounds
    )
    return Site(client, number, key, works)


async def rows(database: Database, statement: str, **values: Any) -> list[Any]:
    """Rows of a query as the worker sees them."""
    async with database.transaction() as session:
        return list((await session.execute(text(statement), values)).all())


async def findings(database: Database, answer: httpx.Response) -> list[tuple[int, str, str]]:
    """(row, place, code) of the findings of the submission a response names."""
    submission = answer.headers["Location"].rsplit("/", 1)[1]
    found = await rows(
        database,
        "SELECT f.row, f.place, f.code FROM findings f JOIN submissions s"
        " ON s.number = f.submission_number WHERE s.id = :id ORDER BY f.row, f.id",
        id=submission,
    )
    return [tuple(one) for one in found]


async def submission(database: Database, answer: httpx.Response) -> Any:
    """The submission's row."""
    found = await rows(
        database,
        "SELECT state, counts, entries FROM submissions WHERE id = :id",
        id=answer.headers["Location"].rsplit("/", 1)[1],
    )
    return found[0]


type_of_sites = AsyncIterator[Site]
