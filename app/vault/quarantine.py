"""
Quarantine: received bytes, encrypted, until the step that needs them has succeeded.

Each object has a key of its own, wrapped by the vault's. To destroy an object is to drop that key
in the step's own transaction: from the commit on nobody can read the bytes, wherever a copy of
them lies. The file itself goes right after, or with the next sweep. What a step could not use
stays until its end date.
"""

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import obstore
from obstore.store import from_url
from sqlalchemy import event, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.durable import settle
from app.errors import NotFound, TooLarge
from app.models.base import now
from app.models.vault import QuarantineObject
from app.settings import Settings
from app.vault import sealing
from app.vault.room import QUARANTINE, Vault
from app.vault.sealing import Framing

INLINE = 64 * 1024
"""Objects up to this size lie in their row and are written with it: one fsync instead of three."""

PIECE = 1024 * 1024
ORPHAN_AFTER = 3600.0
"""Seconds after which bytes without a row are left over from a request that died."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Bytes that are safe, and not yet anybody's: `keep` gives them a row."""

    id: UUID
    size: int
    sha256: bytes
    wrapped_key: bytes = field(repr=False)
    path: str | None = None
    content: bytes | None = field(default=None, repr=False)


class Shelf(Protocol):
    """Where large objects lie."""

    async def write(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Write an object; when this returns it survives a power cut."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        """The object in pieces."""

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; those already gone do not matter."""

    def list(self) -> AsyncIterator[tuple[str, float]]:
        """Each object's path and when it was last written."""


class Quarantine:
    """Take received bytes in, hand them to the step that needs them, destroy them."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._vault = vault
        self._days = settings.quarantine_days
        self._shelf: Shelf = (
            _Bucket(settings.quarantine_url)
            if settings.quarantine_url
            else _Folder(settings.data / "quarantine")
        )

    async def store(self, stream: AsyncIterator[bytes], limit: int) -> Quarantined:
        """Encrypt a body as it arrives. No session is open; `TooLarge` leaves nothing behind."""
        id = uuid4()
        key = secrets.token_bytes(32)
        wrapped = self._vault.sealer(QUARANTINE, "").seal(key, id.bytes)
        body = _Measured(stream, limit)
        head = bytearray()
        async for piece in body:
            head += piece
            if len(head) > INLINE:
                break
        framing = Framing(key, id.bytes)
        if len(head) <= INLINE:
            content = framing.seal(bytes(head), last=True)
            return Quarantined(id, body.size, body.digest(), wrapped, content=content)
        path = f"{id.hex[:2]}/{id.hex}"
        try:
            await self._shelf.write(path, _sealed(head, body, framing))
        except BaseException:
            await self._shelf.delete([path])
            raise
        return Quarantined(id, body.size, body.digest(), wrapped, path=path)

    async def forget(self, quarantined: Quarantined) -> None:
        """Remove bytes that never got a row: a replay, or a request that was refused."""
        if quarantined.path is not None:
            await self._shelf.delete([quarantined.path])

    async def keep(
        self,
        session: AsyncSession,
        quarantined: Quarantined,
        registry: str,
        facility: int | None,
    ) -> None:
        """Give stored bytes their row, in the transaction that receives them."""
        received = now()
        session.add(
            QuarantineObject(
                id=quarantined.id,
                registry_id=registry,
                facility_id=facility,
                path=quarantined.path,
                content=quarantined.content,
                wrapped_key=quarantined.wrapped_key,
                sha256=quarantined.sha256,
                size=quarantined.size,
                received_at=received,
                expires_at=received + timedelta(days=self._days),
            )
        )
        await session.flush()

    async def read(self, session: AsyncSession, id: UUID) -> bytes:
        """The whole of one object."""
        return (await self.read_all(session, [id]))[id]

    async def read_all(self, session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Several objects, with one query; one that is destroyed is missing from the answer."""
        found: dict[UUID, bytes] = {}
        for row in await self._rows(session, ids):
            found[row.id] = b"".join([piece async for piece in self._open(row)])
        return found

    async def pieces(self, session: AsyncSession, id: UUID) -> AsyncIterator[bytes]:
        """One object in pieces, for a body too large to hold."""
        rows = await self._rows(session, [id])
        if not rows:
            raise NotFound("These quarantined bytes were destroyed.")
        async for piece in self._open(rows[0]):
            yield piece

    async def destroy(self, session: AsyncSession, ids: Sequence[UUID]) -> None:
        """Make objects unreadable with this transaction's commit, and remove their files after."""
        if not ids:
            return
        paths = await session.scalars(
            update(QuarantineObject)
            .where(QuarantineObject.id.in_(ids), QuarantineObject.destroyed_at.is_(None))
            .values(wrapped_key=b"", content=None, destroyed_at=now())
            .returning(QuarantineObject.path)
            .execution_options(synchronize_session=False)
        )
        files = [path for path in paths if path is not None]
        if files and isinstance(self._shelf, _Folder):
            folder = self._shelf

            @event.listens_for(session.sync_session, "after_commit", once=True)
            def remove(_: Any) -> None:
                folder.unlink(files)

    async def expire(self, session: AsyncSession) -> int:
        """Destroy what has reached its end date; how many."""
        ids = (
            await session.scalars(
                select(QuarantineObject.id)
                .where(
                    QuarantineObject.expires_at < now(),
                    QuarantineObject.destroyed_at.is_(None),
                )
                .limit(1_000)
                .with_for_update(skip_locked=True)
            )
        ).all()
        await self.destroy(session, ids)
        return len(ids)

    async def sweep(self, session: AsyncSession) -> int:
        """Remove files that no living row knows: left by a request or a step that died. How many."""
        old = [
            path
            async for path, written in self._shelf.list()
            if written < time.time() - ORPHAN_AFTER
        ]
        living = set(
            await session.scalars(
                text(
                    "SELECT path FROM vault.quarantine"
                    " WHERE path = ANY(:paths) AND destroyed_at IS NULL"
                ),
                {"paths": old},
            )
        )
        orphans = [path for path in old if path not in living]
        await self._shelf.delete(orphans)
        return len(orphans)

    async def _rows(self, session: AsyncSession, ids: Sequence[UUID]) -> Sequence[QuarantineObject]:
        return (
            await session.scalars(
                select(QuarantineObject)
                .where(
                    QuarantineObject.id.in_(ids),
                    QuarantineObject.destroyed_at.is_(None),
                )
                .execution_options(populate_existing=True)
            )
        ).all()

    async def _open(self, row: QuarantineObject) -> AsyncIterator[bytes]:
        key = self._vault.sealer(QUARANTINE, "").open(row.wrapped_key, row.id.bytes)
        framing = Framing(key, row.id.bytes)
        if row.content is not None:
            for plain in sealing.frames(iter([row.content]), framing):
                yield plain
        elif row.path is not None:
            async for plain in sealing.frames_arriving(self._shelf.read(row.path), framing):
                yield plain


class _Measured:
    """A body on its way: counted, digested, and stopped at the limit."""

    def __init__(self, stream: AsyncIterator[bytes], limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    def digest(self) -> bytes:
        return self._hash.digest()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._stream.__anext__()
        self.size += len(piece)
        if self.size > self._limit:
            raise TooLarge(self._limit)
        self._hash.update(piece)
        return piece


async def _sealed(
    head: bytearray, body: AsyncIterator[bytes], framing: Framing
) -> AsyncIterator[bytes]:
    buffer = head
    async for piece in body:
        buffer += piece
        while len(buffer) > sealing.FRAME:
            yield framing.seal(bytes(buffer[: sealing.FRAME]), last=False)
            del buffer[: sealing.FRAME]
    yield framing.seal(bytes(buffer), last=True)


class _Folder:
    """A local folder, readable by its owner alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        target = self._root / path
        handle = await asyncio.to_thread(self._create, target)
        try:
            waiting = bytearray()
            async for piece in pieces:
                waiting += piece
                if len(waiting) >= PIECE:
                    await asyncio.to_thread(_write, handle, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(_write, handle, bytes(waiting), sync=True)
        finally:
            os.close(handle)
        await asyncio.to_thread(settle, [target.parent])

    async def read(self, path: str) -> AsyncIterator[bytes]:
        with await asyncio.to_thread((self._root / path).open, "rb") as handle:
            while piece := await asyncio.to_thread(handle.read, PIECE):
                yield piece

    async def delete(self, paths: Sequence[str]) -> None:
        await asyncio.to_thread(self.unlink, paths)

    def unlink(self, paths: Sequence[str]) -> None:
        for path in paths:
            (self._root / path).unlink(missing_ok=True)

    async def list(self) -> AsyncIterator[tuple[str, float]]:
        for found in await asyncio.to_thread(lambda: [*self._walk()]):
            yield found

    def _create(self, target: Path) -> int:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not target.parent.exists():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            settle([self._root])
        return os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _walk(self) -> Iterator[tuple[str, float]]:
        for file in self._root.glob("??/*"):
            try:
                yield str(file.relative_to(self._root)), file.stat().st_mtime
            except FileNotFoundError:
                continue


class _Bucket:
    """An S3 bucket, or anything else obstore opens by its address."""

    def __init__(self, url: str) -> None:
        self._store = from_url(url)

    async def write(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        async with obstore.open_writer_async(self._store, path) as writer:
            async for piece in pieces:
                await writer.write(piece)

    async def read(self, path: str) -> AsyncIterator[bytes]:
        answer = await obstore.get_async(self._store, path)
        async for piece in answer.stream(min_chunk_size=PIECE):
            yield bytes(piece)

    async def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            try:
                await obstore.delete_async(self._store, path)
            except FileNotFoundError:
                continue

    async def list(self) -> AsyncIterator[tuple[str, float]]:
        async for page in obstore.list(self._store):
            for item in page:
                yield item["path"], item["last_modified"].timestamp()


def _write(handle: int, data: bytes, *, sync: bool = False) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    if sync:
        os.fsync(handle)
