"""
Advisory locks of PostgreSQL: what is done by one at a time, across all processes and machines.

Every lock has its name in one list, so that no two meet by accident, and is one of something (a
registry, an idempotency key) where two of those need not wait for each other. All of them belong to
a transaction and end with it, whatever becomes of the process: one of a session would stay with its
pooled connection, for the next borrower to find.
"""

import hashlib
import json
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class Lock(StrEnum):
    """What is done by one at a time; in brackets what there is one of."""

    MIGRATE = "migrate"
    """Change the tables."""
    PUBLISH = "publish"
    """Publish definitions."""
    DECIDE = "decide"
    """Decide what was proposed [registry]."""
    NUMBER_FACILITIES = "number facilities"
    """Give a facility its number."""
    BEGIN_USE_CASE = "begin use case"
    """Begin a use case, which no other may be like."""
    SEAL = "seal"
    """Chain events of the audit into a block."""
    REPEAT = "repeat"
    """Look for the submission that an idempotency key made [sender, registry, key]."""
    RECEIVE = "receive"
    """Number submissions in the order of their commits [registry; its parts: facilities]."""
    CHOOSE = "choose"
    """Choose the submissions whose turn it is."""
    ACCEPT = "accept"
    """Change the history of cases [registry]."""
    TABULATE = "tabulate"
    """Change, or read unmoved, the benchmark tables [registry]."""
    REFRESH_LAKE = "refresh lake"
    """Write files of the lake [registry]."""
    REMIND = "remind"
    """Write the events of worklists [registry]."""
    ISSUE = "issue"
    """Begin a round of reports [registry]."""


_WAIT = text("SELECT pg_advisory_xact_lock(:key)")
_TRY = text("SELECT pg_try_advisory_xact_lock(:key)")
_PART = text("SELECT pg_advisory_xact_lock_shared(:whole), pg_advisory_xact_lock(:part)")


def key(lock: Lock, *of: str | int) -> int:
    """The number PostgreSQL knows it by: 64 bits, signed."""
    name = json.dumps([lock, *of]).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)


async def take(session: AsyncSession, lock: Lock, *of: str | int, wait: bool = True) -> bool:
    """Hold a lock until the transaction ends; without waiting, say whether it was free."""
    if wait:
        await session.execute(_WAIT, {"key": key(lock, *of)})
        return True
    return bool(await session.scalar(_TRY, {"key": key(lock, *of)}))


async def take_part(session: AsyncSession, lock: Lock, whole: str, part: int) -> None:
    """Hold a part of what `take(session, lock, whole)` holds: it waits for that part and the whole."""
    keys = {"whole": key(lock, whole), "part": key(lock, whole, part)}
    await session.execute(_PART, keys)
