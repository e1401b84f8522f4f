"""The door of entries: the bytes of a request, or entries that the service writes out for who asks."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Query, Request, Response

from app.api.dependencies import (
    LARGEST_INTEGER,
    Asker,
    Quarantine,
    SettingsInForce,
    Transactions,
)
from app.api.submitted import Shown
from app.api.wire import traceparent
from app.ingest import formats
from app.ingest.formats import Door
from app.ingest.receive import receive, sent_for
from app.registries.schema import Definition, Policy

FacilitySentFor = Annotated[
    int | None,
    Query(
        ge=1,
        le=LARGEST_INTEGER,
        description="For a key that has several facilities.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="The same key and body again give the first answer.",
    ),
]
Preferred = Annotated[
    str | None,
    Header(max_length=1000, description="`wait=N`: answer when it is done."),
]


@dataclass(frozen=True, slots=True)
class EntryDoor:
    """Where the entries of a request go in, whoever wrote them; its reply says where they are."""

    request: Request
    response: Response
    asker: Asker
    settings: SettingsInForce
    quarantine: Quarantine
    transactions: Transactions

    async def admit(self, definition: Definition, facility: int | None) -> None:
        """Refuse who may not send, before all of it is sent."""
        async with self.transactions.begin() as session:
            await sent_for(session, definition, self.asker, facility)

    async def write(
        self,
        definition: Definition,
        entries: Sequence[Mapping[str, Any]],
        *,
        facility: int | None,
        idempotency_key: str | None = None,
    ) -> Shown:
        """Send entries that the service itself wrote."""
        body = orjson.dumps({"entries": list(entries)})
        return await self.take(
            definition,
            formats.door(formats.JSON),
            once(body),
            facility=facility,
            idempotency_key=idempotency_key,
        )

    async def take(
        self,
        definition: Definition,
        door: Door,
        pieces: AsyncIterator[bytes],
        *,
        facility: int | None,
        idempotency_key: str | None = None,
        version: str | None = None,
        policy: Policy | None = None,
        taking: Callable[[], Definition] | None = None,
    ) -> Shown:
        """Keep a body and receive it, or find what this key brought before: see `receive`."""
        quarantined = await self.quarantine.store(pieces, self.settings.submission_limit)
        replayed = True
        try:
            async with self.transactions.begin() as session:
                submission, replayed = await receive(
                    session,
                    self.quarantine,
                    definition,
                    self.asker,
                    quarantined,
                    door,
                    facility=facility,
                    idempotency_key=idempotency_key,
                    traceparent=traceparent(self.request.headers),
                    version=version,
                    policy=policy,
                    taking=taking,
                )
                shown = Shown.of(submission)
        finally:
            if replayed:
                await self.quarantine.forget(quarantined)
        if replayed:
            self.response.headers["Idempotency-Replayed"] = "true"
        self.response.headers["Location"] = f"/v1/submissions/{shown.id}"
        return shown


async def entry_door(
    request: Request,
    response: Response,
    asker: Asker,
    settings: SettingsInForce,
    quarantine: Quarantine,
    transactions: Transactions,
) -> EntryDoor:
    """The door of this request."""
    return EntryDoor(request, response, asker, settings, quarantine, transactions)


Entries = Annotated[EntryDoor, Depends(entry_door, scope="function")]


async def once(body: bytes) -> AsyncIterator[bytes]:
    """A body that is held whole, as a stream."""
    yield body
