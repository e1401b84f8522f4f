"""
Relist: what a list says now is brought to the cases that took from it before.

A term whose entry on the facility's list was added, altered or withdrawn is a row whose turn it is. Some
thousand of its cases at a time get a version with what the list says now, through the feed as every
version, until none has anything else: whatever crashes, a case is moved once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import claim, ring, working
from app.ingest import ledger, posting
from app.ingest.checks import Versions
from app.ingest.lookups import Listed, listed_in_force, said_of
from app.ingest.rooms import BATCH, Rooms
from app.locks import Lock, take
from app.models.vault import Term

CHANGED = "changed"
SETTLED = "settled"


class Moving(NamedTuple):
    """A case's version that a list speaks of otherwise, the elements it had from it, and what they are now."""

    subject_id: int
    version_id: int
    names: str
    told: str


async def relist(rooms: Rooms) -> int:
    """Bring what lists say now to some cases; how many were looked at."""
    await rooms.catalogue.keep_current(rooms.database)
    claimed = await claim(
        rooms.database,
        Term,
        Term.state == CHANGED,
        order_by=[Term.not_before],
        lease_seconds=rooms.settings.lease_seconds,
        tries=rooms.settings.tries,
        limit=1,
    )
    if not claimed:
        return 0
    registry = claimed.rows[0].registry_id

    async def alone(session: AsyncSession) -> None:
        # Before the row: whoever accepts has this lock when it marks the row.
        await take(session, Lock.ACCEPT, registry)

    async with working(rooms.database, claimed, tries=rooms.settings.tries, first=alone) as (
        session,
        ours,
    ):
        return sum([await _relist(session, rooms, one) for one in ours])


async def _relist(session: AsyncSession, rooms: Rooms, term: Term) -> int:
    registry = term.registry_id
    key = (term.facility_id, term.list_form, term.term)
    said = (await listed_in_force(session, registry, [key])).get(key)
    given_by = said.version if said else None
    behind: Sequence[Any] = (
        await session.execute(
            _BEHIND,
            {
                "registry": registry,
                "facility": term.facility_id,
                "list": term.list_form,
                "term": term.term,
                "given_by": given_by,
                "batch": BATCH,
            },
        )
    ).all()
    definitions = Versions(rooms.catalogue, registry)
    moving = [one for row in behind if (one := _moved(definitions, term, row, said)) is not None]
    if moving:
        await _move(session, registry, moving)
        await ring(session, "accepted")
    await session.execute(
        _FOLLOWED,
        {
            "cases": [row.case_id for row in behind],
            "list": term.list_form,
            "given_by": given_by,
        },
    )
    if len(behind) < BATCH:
        term.state = SETTLED
    return max(len(behind), 1)


def _moved(definitions: Versions, term: Term, row: Any, said: Listed | None) -> Moving | None:
    """A case as the list has it now; None where that changes nothing."""
    registry = definitions[row.definition_version]
    form = registry.form(row.form)
    assert form is not None
    had = {name: one for name, one in orjson.loads(row.elements).items() if name in row.names}
    told = said_of(registry, form.form, term.list_form, row.names, said) if said else {}
    if told == had:
        return None
    return Moving(row.subject_id, row.version_id, " ".join(row.names), orjson.dumps(told).decode())


async def _move(session: AsyncSession, registry: str, moving: Sequence[Moving]) -> None:
    """Open a version of each case in the place of the one in force."""
    fresh = await ledger.ids(session, "versions_id_seq", len(moving))
    base = await posting.numbered(session, registry, len(moving))
    places = {
        "subjects": [one.subject_id for one in moving],
        "olds": [one.version_id for one in moving],
        "news": fresh[::-1],
        "numbers": [base + place for place in range(1, len(moving) + 1)],
    }
    changes = {"names": [one.names for one in moving], "told": [one.told for one in moving]}
    await session.execute(_OPEN, places | changes)
    for statement in _CLOSE, _POINT, _IDENTITIES:
        await session.execute(statement, places)


# A case that is withdrawn, or a draft again, takes what the list says when it is submitted.
_BEHIND = text(
    "SELECT l.case_id, l.elements AS names, c.form, c.subject_id, c.version_id, v.definition_version,"
    " v.elements::text AS elements FROM lookups l JOIN cases c ON c.id = l.case_id"
    " JOIN versions v ON v.subject_id = c.subject_id AND v.id = c.version_id"
    " WHERE l.registry_id = :registry AND l.facility_id = :facility AND l.list_form = :list"
    " AND l.term = :term AND l.given_by IS DISTINCT FROM CAST(:given_by AS bigint)"
    " AND c.state = 'submitted' ORDER BY l.case_id LIMIT :batch"
)
_FOLLOWED = text(
    "UPDATE lookups SET given_by = CAST(:given_by AS bigint)"
    " WHERE list_form = :list AND case_id = ANY(CAST(:cases AS bigint[]))"
)
_MOVES = (
    "unnest(CAST(:subjects AS bigint[]), CAST(:olds AS bigint[]), CAST(:news AS bigint[]),"
    " CAST(:numbers AS bigint[])) AS w (subject, old, new, number)"
)
_OPEN = text(
    posting.INTO_VERSIONS
    + " SELECT v.subject_id, w.new, v.registry_id, v.case_id, v.parent_id, v.facility_id, v.form,"
    " v.key_token, v.state, v.definition_version, v.case_date,"
    " (v.elements - string_to_array(w.names, ' ')) || w.told::jsonb, v.digest, v.submission_number, v.row, w.number, NULL"
    " FROM versions v JOIN unnest(CAST(:subjects AS bigint[]), CAST(:olds AS bigint[]),"
    " CAST(:news AS bigint[]), CAST(:numbers AS bigint[]), CAST(:names AS text[]),"
    " CAST(:told AS text[])) AS w (subject, old, new, number, names, told) ON v.subject_id = w.subject AND v.id = w.old"
    " ORDER BY w.number"
)
_CLOSE = text(
    f"UPDATE versions v SET to_seq = w.number FROM {_MOVES}"
    " WHERE v.subject_id = w.subject AND v.id = w.old"
)
_POINT = text(
    f"UPDATE cases c SET version_id = w.new, updated_at = now() FROM {_MOVES}"
    " WHERE c.version_id = w.old AND c.subject_id = w.subject"
)
_IDENTITIES = text(
    "INSERT INTO vault.identities (version_id, case_id, registry_id, facility_id, sealed)"
    f" SELECT w.new, i.case_id, i.registry_id, i.facility_id, i.sealed FROM {_MOVES}"
    " JOIN vault.identities i ON i.version_id = w.old"
)
