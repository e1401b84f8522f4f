import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.database import EVERYTHING, Database
from app.errors import NotFound, TooLarge
from app.settings import Settings
from app.vault import Vault
from app.vault.quarantine import INLINE, ORPHAN_AFTER, Quarantine
from app.vault.sealing import FRAME, BrokenSeal

REGISTRY = "early-lung-cancer-detection"
SECRET = b"a very secret name "


async def pieces(body: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def body(size: int) -> bytes:
    return (SECRET * (size // len(SECRET) + 1))[:size]


def files(settings: Settings) -> list[Path]:
    return [path for path in (settings.data / "quarantine").rglob("*") if path.is_file()]


@pytest.fixture
def quarantine(settings: Settings) -> Quarantine:
    return Quarantine(settings, Vault(settings))


SIZES = [
    0, 1, INLINE, INLINE + 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 17,
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1_000_003, 77_777])
async def test_what_comes_in_comes_out_and_nothing_of_it_lies_readable(
    quarantine: Quarantine, settings: Settings, worker: Database, size: int, piece: int
) -> None:
    stored = await quarantine.store(pieces(body(size), piece), 10_000_000)
    assert stored.size == size
    assert (stored.content is None) == (size > INLINE)
    async with worker.transaction(EVERYTHING) as session:
        await quarantine.keep(session, stored, REGISTRY, 100000)
    async with worker.transaction(EVERYTHING) as session:
        assert await quarantine.read(session, stored.id) == body(size)
        assert b"".join([one async for one in quarantine.pieces(session, stored.id)]) == body(size)
        row = await session.scalar(
            text("SELECT row_to_json(q)::text FROM vault.quarantine q WHERE id = :id"),
            {"id": stored.id},
        )
    assert SECRET.strip().hex() not in row
    for path in files(settings):
        assert SECRET.strip() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    async with worker.transaction(EVERYTHING) as session:
        await quarantine.destroy(session, [stored.id])
    assert files(settings) == []


async def test_the_limit_leaves_nothing_behind(quarantine: Quarantine, settings: Settings) -> None:
    with pytest.raises(TooLarge):
        await quarantine.store(pieces(body(3_000_000)), 2_999_999)
    assert files(settings) == []
    await quarantine.forget(await quarantine.store(pieces(body(3_000_000)), 3_000_000))
    assert files(settings) == []


async def test_a_sender_who_breaks_off_leaves_nothing_behind(
    quarantine: Quarantine, settings: Settings
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield body(2_000_000)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await quarantine.store(broken(), 10_000_000)
    assert files(settings) == []


@pytest.mark.parametrize("how", ["cut", "frame cut", "swapped", "flipped", "another's"])
async def test_an_altered_object_does_not_open(
    quarantine: Quarantine, settings: Settings, worker: Database, how: str
) -> None:
    stored = await quarantine.store(pieces(body(3 * FRAME)), 10_000_000)
    other = await quarantine.store(pieces(body(3 * FRAME)), 10_000_000)
    async with worker.transaction(EVERYTHING) as session:
        await quarantine.keep(session, stored, REGISTRY, 100000)
        await quarantine.keep(session, other, REGISTRY, 100000)
    assert stored.path is not None
    assert other.path is not None
    file, theirs = (settings.data / "quarantine" / path for path in (stored.path, other.path))
    content = bytearray(file.read_bytes())
    frame = 4 + FRAME + 16
    if how == "cut":
        content = content[:-5]
    elif how == "frame cut":
        content = content[: 2 * frame]
    elif how == "swapped":
        content[:frame], content[frame : 2 * frame] = content[frame : 2 * frame], content[:frame]
    elif how == "flipped":
        content[frame + 100] ^= 1
    else:
        content = bytearray(theirs.read_bytes())
    file.write_bytes(content)
    async with worker.transaction(EVERYTHING) as session:
        with pytest.raises(BrokenSeal):
            await quarantine.read(session, stored.id)
        await quarantine.destroy(session, [stored.id, other.id])


async def test_what_is_destroyed_is_gone_with_the_commit_and_not_before(
    quarantine: Quarantine, settings: Settings, worker: Database
) -> None:
    stored = await quarantine.store(pieces(body(FRAME)), 10_000_000)
    async with worker.transaction(EVERYTHING) as session:
        await quarantine.keep(session, stored, REGISTRY, 100000)
    with pytest.raises(ConnectionError):
        async with worker.transaction(EVERYTHING) as session:
            await quarantine.destroy(session, [stored.id])
            raise ConnectionError
    async with worker.transaction(EVERYTHING) as session:
        assert len(await quarantine.read(session, stored.id)) == FRAME
        await quarantine.destroy(session, [stored.id])
        assert len(files(settings)) == 1
    assert files(settings) == []
    async with worker.transaction(EVERYTHING) as session:
        with pytest.raises(NotFound):
            [one async for one in quarantine.pieces(session, stored.id)]
        key = await session.scalar(
            text("SELECT wrapped_key FROM vault.quarantine WHERE id = :id"), {"id": stored.id}
        )
    assert key == b""


async def test_objects_end_at_their_date_and_orphans_are_swept(
    quarantine: Quarantine, settings: Settings, worker: Database
) -> None:
    kept = await quarantine.store(pieces(body(FRAME)), 10_000_000)
    over = await quarantine.store(pieces(body(FRAME)), 10_000_000)
    orphan = await quarantine.store(pieces(body(FRAME)), 10_000_000)
    fresh = await quarantine.store(pieces(body(FRAME)), 10_000_000)
    async with worker.transaction(EVERYTHING) as session:
        for one in kept, over:
            await quarantine.keep(session, one, REGISTRY, 100000)
        await session.execute(
            text("UPDATE vault.quarantine SET expires_at = now() - interval '1 s' WHERE id = :id"),
            {"id": over.id},
        )
    async with worker.transaction(EVERYTHING) as session:
        assert await quarantine.expire(session) == 1
    for one in kept, orphan:
        assert one.path is not None
        past = time.time() - ORPHAN_AFTER - 10
        os.utime(settings.data / "quarantine" / one.path, (past, past))
    async with worker.transaction(EVERYTHING) as session:
        assert await quarantine.sweep(session) == 1
    left = {str(path.relative_to(settings.data / "quarantine")) for path in files(settings)}
    assert left == {kept.path, fresh.path}
