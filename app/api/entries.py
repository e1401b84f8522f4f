"""Entries that the service writes out for an asker: they go in by the door of every submission."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
from fastapi import Request

from app.api.dependencies import Asker, Quarantine, ScopedTransactions, SettingsInForce
from app.api.wire import traceparent
from app.ingest import formats
from app.ingest.receive import receive
from app.models.submission import Submission
from app.registries.schema import Definition


async def send(
    request: Request,
    transactions: ScopedTransactions,
    settings: SettingsInForce,
    quarantine: Quarantine,
    definition: Definition,
    asker: Asker,
    entries: Sequence[Mapping[str, Any]],
    *,
    facility: int | None,
    idempotency_key: str | None = None,
) -> tuple[Submission, bool]:
    """Take entries in as a submission of JSON; the earlier one and True if this key brought the same."""
    body = orjson.dumps({"entries": list(entries)})
    quarantined = await quarantine.store(_once(body), settings.submission_limit)
    replayed = True
    try:
        async with transactions.begin() as session:
            submission, replayed = await receive(
                session,
                quarantine,
                definition,
                asker,
                quarantined,
                formats.door(formats.JSON),
                facility=facility,
                idempotency_key=idempotency_key,
                traceparent=traceparent(request.headers),
            )
    finally:
        if replayed:
            await quarantine.forget(quarantined)
    return submission, replayed


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
