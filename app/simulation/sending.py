"""
Register a nation and send what it wrote, as its facilities' software would: over HTTP alone.

Facilities of one organisation send one after another, in the order that the truth supposes;
organisations send at the same time. A request that fails on the way is repeated with the same
Idempotency-Key, so that a service that goes down and comes back loses and doubles nothing.
"""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.registries.load import assemble
from app.registries.schema import Definition

Told = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and of how much."""

SIGNED_ON = "2021-12-01"
_RETRIES = 120
_PAUSE = 0.5


@dataclass(slots=True)
class Keys:
    """The keys of a registered nation. Accounts are known by their place in it."""

    operator: str
    facilities: dict[int, str] = field(default_factory=dict)
    accounts: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Nation:
    """A simulated nation, read back from its folder."""

    folder: Path
    document: dict[str, Any]
    submissions: list[dict[str, Any]]
    images: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "Nation":
        """The nation that a simulation wrote."""
        return cls(
            folder,
            orjson.loads((folder / "nation.json").read_bytes()),
            list(read_lines(folder / "submissions.ndjson")),
            list(read_lines(folder / "images.ndjson")),
        )

    @cached_property
    def definition(self) -> Definition:
        """The definition whose forms were filled, as it would be published."""
        return assemble(orjson.loads((self.folder / "definition.json").read_bytes()))

    @property
    def facilities(self) -> list[dict[str, Any]]:
        """The facilities, as the simulation made them."""
        facilities: list[dict[str, Any]] = self.document["facilities"]
        return facilities


def read_lines(path: Path) -> Iterable[dict[str, Any]]:
    """The documents of an NDJSON file; none when there is no file."""
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield orjson.loads(line)


class Office:
    """Where a nation deals with a registry: registers, sends, asks."""

    def __init__(self, client: httpx.AsyncClient, registry: str, keys: Keys) -> None:
        self._client = client
        self.registry = registry
        self.keys = keys

    async def register(self, nation: Nation, told: Told = lambda *_: None) -> None:
        """Open accounts and facilities, take their participations to active, make their keys."""
        accounts = nation.document["corporate_accounts"]
        whole = len(nation.facilities)
        done = 0
        for account in accounts:
            made = await self._post("/v1/corporate-accounts", _address(account))
            members = [nation.facilities[place] for place in account["facilities"]]
            for facility in members:
                await self._register_facility(facility, made["id"])
                done += 1
                told("registering facilities", done, whole)
            key = await self._key(
                role="corporate-administrator",
                label="demo account",
                corporate_account_id=made["id"],
            )
            self.keys.accounts[account["place"]] = key
            for physician in nation.document["physicians"]:
                if physician["corporate_account"] == account["place"]:
                    await self._register_physician(physician, made["id"], members)

    async def _register_facility(self, facility: dict[str, Any], account: int) -> None:
        number = facility["number"]
        await self._post(
            "/v1/facilities",
            _address(facility)
            | {
                "id": number,
                "corporate_account_id": account,
                "category": facility["category"],
                "location": facility["location"],
                "npi": facility["npi"],
                "annual_exams": facility["annual_exams"],
            },
        )
        participation = await self._post(
            "/v1/participations", {"facility_id": number, "registry_id": self.registry}
        )
        steps = f"/v1/participations/{participation['id']}/transitions"
        signature = {"signed_by": "A. Director", "on": SIGNED_ON}
        await self._post(steps, {"state": "agreement-signed", **signature})
        await self._post(steps, {"state": "fee-settled"})
        await self._post(steps, {"state": "active"})
        self.keys.facilities[number] = await self._key(
            role="registrar", label="demo registrar", facilities=[number]
        )

    async def _register_physician(
        self, physician: dict[str, Any], account: int, members: list[dict[str, Any]]
    ) -> None:
        await self._post(
            "/v1/physicians",
            {
                "corporate_account_id": account,
                "npi": physician["npi"],
                "tin": physician["tin"],
                "first_name": physician["first_name"],
                "last_name": physician["last_name"],
                "facilities": [facility["number"] for facility in members],
            },
        )

    async def _key(self, **wanted: Any) -> str:
        made = await self._post("/v1/keys", {"registries": [self.registry], **wanted})
        return str(made["key"])

    async def _post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(path, json=document, headers=bearer(self.keys.operator))
        if answer.status_code != 201:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:500]}")
        made: dict[str, Any] = answer.json()
        return made

    async def send_all(
        self,
        nation: Nation,
        *,
        drained: Callable[[], Awaitable[object]],
        told: Told = lambda *_: None,
        lanes: int = 6,
    ) -> dict[str, str]:
        """Send every submission, wave by wave; returns name → the id the service gave it.

        `drained` is awaited after each wave: what organisations far apart say of one person is
        then taken in an order that is known.
        """
        answered: dict[str, str] = {}
        gate = asyncio.Semaphore(lanes)
        whole = len(nation.submissions)
        accounts = {one["number"]: one["corporate_account"] for one in nation.facilities}

        async def lane(submissions: list[dict[str, Any]]) -> None:
            async with gate:
                for submission in submissions:
                    answer = await self.send(nation.folder, submission)
                    answered[submission["submission"]] = answer["id"]
                    told("sending entries", len(answered), whole)

        waves: dict[int, dict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for submission in nation.submissions:
            account = accounts[submission["facilities"][0]]
            waves[submission["wave"]][account].append(submission)
        for wave in sorted(waves):
            async with asyncio.TaskGroup() as senders:
                for submissions in waves[wave].values():
                    senders.create_task(lane(submissions))
            await drained()
        return answered

    async def send(self, folder: Path, submission: Mapping[str, Any]) -> dict[str, Any]:
        """Send one submission through its door; safe to repeat."""
        one = submission["corporate_account"] is None
        number = submission["facilities"][0]
        keys = self.keys
        key = keys.facilities[number] if one else keys.accounts[submission["corporate_account"]]
        body = await asyncio.to_thread((folder / submission["path"]).read_bytes)
        answer = await self._patiently(
            "POST",
            f"/v1/registries/{self.registry}/submissions",
            params={"facility": number} if one else None,
            content=body,
            headers={
                **bearer(key),
                "Content-Type": submission["media_type"],
                "Idempotency-Key": submission["submission"],
            },
        )
        if answer.status_code not in (200, 201, 202):
            raise RuntimeError(
                f"{submission['submission']} answered {answer.status_code}: {answer.text[:500]}"
            )
        made: dict[str, Any] = answer.json()
        return made

    async def send_images(
        self, nation: Nation, told: Told = lambda *_: None
    ) -> list[httpx.Response]:
        """Send every CT study over STOW-RS."""
        answers: list[httpx.Response] = []
        for study in nation.images:
            parts = [(nation.folder / path).read_bytes() for path in study["paths"]]
            answers.append(await self.store(parts, self.keys.facilities[study["facility"]]))
            told("sending CT studies", len(answers), len(nation.images))
        return answers

    async def store(self, instances: Iterable[bytes], key: str) -> httpx.Response:
        """Store instances (PS3.18 10.5), as one multipart body."""
        boundary = uuid.uuid4().hex
        body = b"".join(
            b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (boundary.encode(), instance)
            for instance in instances
        )
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        return await self._patiently(
            "POST",
            f"/dicomweb/{self.registry}/studies",
            content=body + f"--{boundary}--\r\n".encode(),
            headers={
                **bearer(key),
                "Content-Type": kind,
                "Accept": "application/dicom+json",
            },
        )

    async def drained(
        self,
        told: Told = lambda *_: None,
        caught_up: Callable[[], Awaitable[bool]] | None = None,
        seconds: float = 900,
    ) -> None:
        """Wait until nothing waits for a station any more; `caught_up` may ask for more than that."""
        deadline = asyncio.get_running_loop().time() + seconds
        most = 1
        while asyncio.get_running_loop().time() < deadline:
            answer = await self.get("/metrics", self.keys.operator)
            waiting = sum(
                int(float(line.rpartition(" ")[2]))
                for line in answer.text.splitlines()
                if line.startswith("hounsfield_waiting_rows{") and 'state="held"' not in line
            )
            most = max(most, waiting)
            told("waiting for the pipeline", most - waiting, most)
            if not waiting and (caught_up is None or await caught_up()):
                return
            await asyncio.sleep(0.2)
        raise RuntimeError("the pipeline did not finish in time")

    async def get(
        self, path: str, key: str, accept: str = "*/*", **parameters: Any
    ) -> httpx.Response:
        """Ask for something with a key."""
        return await self._patiently(
            "GET", path, params=parameters or None, headers=bearer(key) | {"Accept": accept}
        )

    async def pages(
        self, path: str, key: str, member: str = "items"
    ) -> AsyncIterator[dict[str, Any]]:
        """Every document of a paged listing, or of a member of its pages, by its `next` links (RFC 8288)."""
        following: str | None = path
        while following is not None:
            answer = await self.get(following, key)
            answer.raise_for_status()
            listed = answer.json()
            for one in listed if isinstance(listed, list) else listed[member]:
                yield one
            following = answer.links.get("next", {}).get("url")

    async def _patiently(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A request, repeated while nobody answers or the service says "not now"."""
        for attempt in range(_RETRIES):
            try:
                answer = await self._client.request(method, path, **request)
            except httpx.TransportError:
                if attempt == _RETRIES - 1:
                    raise
            else:
                if answer.status_code not in (502, 503, 504) or attempt == _RETRIES - 1:
                    return answer
            await asyncio.sleep(_PAUSE)
        raise AssertionError("unreachable")


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


def _address(place: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": place["name"],
        "street_1": place["street_1"],
        "city": place["city"],
        "state": place["state"],
        "postal_code": place["postal_code"],
        "country": "US",
        "phone": place["phone"],
    }
