"""
The object store: a local folder or S3, one way of writing for both.

An object is written whole or not at all: under its name only once all its bytes are there (a
local folder renames a finished file; S3 shows an object when its upload ends). Names are ours, and
each object is kept under the digest of its content, so writing it again changes nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from app.durable import settle
from app.errors import DiskFull, NotFound, Unavailable
from app.settings import Settings

PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Archived:
    """Where an object lies and what it is."""

    path: str
    size: int
    sha256: str


class Archive:
    """Put, get and delete objects by their path."""

    def __init__(self, settings: Settings) -> None:
        if settings.archive_url:
            self._store: ObjectStore = from_url(settings.archive_url)
            self._folder: Path | None = None
        else:
            self._folder = settings.data / "archive"
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(self._folder)

    async def put(self, path: str, content: bytes) -> Archived:
        """Write an object whole; when this returns it survives a power cut."""
        try:
            await obstore.put_async(self._store, path, content)
            if self._folder is not None:
                # The store renames, but does not wait for the disk.
                written = self._folder / path
                await asyncio.to_thread(settle, (written, written.parent))
        except (BaseError, OSError) as error:
            if DiskFull.is_behind(error):
                raise DiskFull("the archive") from error
            raise Unavailable("The archive cannot be written to.") from error
        return Archived(path, len(content), hashlib.sha256(content).hexdigest())

    async def get(self, path: str) -> bytes:
        """The whole of one object."""
        return b"".join([piece async for piece in self.pieces(path)])

    async def pieces(self, path: str) -> AsyncIterator[bytes]:
        """One object in pieces, so that a large one is never held whole."""
        try:
            found = await obstore.get_async(self._store, path)
            async for piece in found.stream(min_chunk_size=PIECE):
                yield bytes(piece)
        except (NotFoundError, FileNotFoundError):
            raise NotFound("This object is not in the archive.") from None
        except BaseError as error:
            raise Unavailable("The archive cannot be read.") from error

    async def delete(self, paths: Iterable[str]) -> None:
        """Remove objects; those already gone do not matter."""
        for path in paths:
            try:
                await obstore.delete_async(self._store, path)
            except (NotFoundError, FileNotFoundError):
                continue
            except BaseError as error:
                raise Unavailable("The archive cannot be written to.") from error

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """The paths of all objects below a prefix."""
        listing: Any = obstore.list(self._store, prefix=prefix or None)
        async for some in listing:
            for found in some:
                yield found["path"]
