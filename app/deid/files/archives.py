"""
Objects inside zip archives, read in place: nothing is unpacked, so no name in one can lead anywhere.

An archive may be hostile. Members that share their bytes, that grow beyond proportion, or that
nest archive in archive are not followed; what a member really holds is read up to the size that it
declares, and its checksum is proven.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO

from app.deid.files.outcomes import Obstacle

MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
OBJECT_LIMIT = 4 << 30
"""Bytes one object may have, in an archive or not."""
NESTED_LIMIT = 512 << 20
"""Bytes of an archive inside an archive: it is held in memory while it is read."""
DEEPEST = 3
"""Archives within one another."""
GROWTH = 200
"""How many times its own size an archive may hold, once that is above `OBJECT_LIMIT`."""

_UTF8, _ENCRYPTED = 0x800, 0x1
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RecursionError)


class Unopened(Exception):
    """An archive or a member that is not read; `obstacle` says why."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle


def is_archive(head: bytes) -> bool:
    """Does a file begin like a zip archive?"""
    return head[:4] in MAGIC


class Archive:
    """An open archive: its members in the order of its directory, each by its number."""

    def __init__(self, source: Path | bytes) -> None:
        self._size = len(source) if isinstance(source, bytes) else source.stat().st_size
        stream: IO[bytes] = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        try:
            self._zip = zipfile.ZipFile(stream)
        except NotImplementedError:
            stream.close()
            raise Unopened(Obstacle.ARCHIVE_UNSUPPORTED) from None
        except _UNREADABLE:
            stream.close()
            raise Unopened(Obstacle.ARCHIVE_BROKEN) from None
        self._stream = stream
        self._members = self._zip.infolist()
        try:
            self._proportionate()
        except Unopened:
            self.close()
            raise

    def _proportionate(self) -> None:
        """Members may not share bytes, nor hold far more than the archive itself."""
        packed = sum(one.compress_size for one in self._members)
        held = sum(one.file_size for one in self._members)
        if packed > self._size or held > max(OBJECT_LIMIT, GROWTH * self._size):
            raise Unopened(Obstacle.ARCHIVE_TOO_LARGE)

    def members(self) -> Iterator[tuple[int, str, int]]:
        """(number, name, packed size) of every member that is a file."""
        for number, member in enumerate(self._members):
            if not member.is_dir():
                yield number, member.filename, member.compress_size

    def head(self, number: int, size: int) -> bytes:
        """The first bytes of a member."""
        return self._read(number, size)

    def read(self, number: int, limit: int = OBJECT_LIMIT) -> bytes:
        """A member's bytes, checksum proven. Raises `Unopened`."""
        if self._members[number].file_size > limit:
            raise Unopened(Obstacle.TOO_LARGE)
        return self._read(number, -1)

    def _read(self, number: int, size: int) -> bytes:
        member = self._members[number]
        if member.flag_bits & _ENCRYPTED:
            raise Unopened(Obstacle.ARCHIVE_ENCRYPTED)
        try:
            with self._zip.open(member) as stream:
                return stream.read(size)
        except (NotImplementedError, RuntimeError):
            raise Unopened(Obstacle.ARCHIVE_UNSUPPORTED) from None
        except _UNREADABLE:
            raise Unopened(Obstacle.ARCHIVE_BROKEN) from None

    def close(self) -> None:
        """Let the archive go."""
        with suppress(OSError):
            self._zip.close()
            self._stream.close()


def opened(path: Path, numbers: tuple[int, ...]) -> Archive:
    """The archive that is reached through these members, each but the file itself an archive."""
    archive = Archive(path)
    for number in numbers:
        try:
            inner = Archive(archive.read(number, NESTED_LIMIT))
        finally:
            archive.close()
        archive = inner
    return archive


def plain(name: str) -> str:
    """A member's name as a relative path that leads nowhere else, whatever it was."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unnamed"
