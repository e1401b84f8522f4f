"""
Bring what was typed of cases and what was measured of them together, before either is accepted.

Only here is the order of a case's entries certain, and only under the registry's lock can neither undo
the other. `halves` says what comes of each entry; here is what it reads and writes, a handful of
statements for a batch of any size. Entries of forms that no image speaks of are not looked at.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.ingest import ledger
from app.ingest.arising import CHANNEL
from app.ingest.checks import text_of
from app.ingest.findings import Found
from app.ingest.halves import Desk, Halves, Values
from app.ingest.history import Event, Key, Version
from app.ingest.ledger import Batch
from app.models.base import now
from app.models.submission import Submission
from app.vault import Vault, identities


async def complete(
    session: AsyncSession, vault: Vault, ours: Sequence[Submission], batch: Batch
) -> list[Found]:
    """Bring both halves together for each entry of a batch; what there is to say of it.

    Entries are changed in place: their elements, identity, digest and action, before history is made.
    """
    events = [one for one in batch.events if one.form.measured]
    if not events:
        return []
    of_images = {one.number for one in ours if one.channel == CHANNEL}
    known = await _known(session, batch.registry, events)
    spoken_of = {*known, *(_key(one) for one in events if one.at[0] in of_images)}
    events = [one for one in events if _key(one) in spoken_of]
    if not events:
        return []
    received = {one.number: one.received_at.date() for one in ours}
    desk = Desk(vault, batch.registry, received)
    halves = await _halves(session, vault, batch, events, known, of_images)
    own = await _entries(session, vault, batch.registry, events)
    # Rules are run on an engine of their own, and entries may depend on those before them.
    await asyncio.to_thread(_bring_together, desk, batch, events, of_images, halves, own)
    await _rewrite(session, desk.rewritten)
    await _keep(session, batch.registry, halves)
    return desk.found


def _key(event: Event) -> Key:
    return event.facility, event.form.form.id, event.key


def _bring_together(
    desk: Desk,
    batch: Batch,
    events: Sequence[Event],
    of_images: set[int],
    halves: dict[Key, Halves],
    own: dict[tuple[int, int], tuple[Values, dict[str, Any]]],
) -> None:
    for event in events:
        key = _key(event)
        case = batch.cases.get(key)
        if case is not None and event.at < case.at:
            continue  # superseded
        half = halves[key]
        values, who = own.get(event.at, ({}, {}))
        if event.action == "withdraw":
            desk.withdraw(half)
        elif event.at[0] in of_images:
            desk.measured(event, half, values, who)
        else:
            desk.typed(event, half, values, who)


async def _known(session: AsyncSession, registry: str, events: Sequence[Event]) -> dict[Key, Any]:
    """The cases that images have spoken of before."""
    keys = list(dict.fromkeys(map(_key, events)))
    rows = await session.execute(
        _HALVES,
        {
            "registry": registry,
            "facilities": [key[0] for key in keys],
            "forms": [key[1] for key in keys],
            "keys": [key[2] for key in keys],
        },
    )
    return {(row.facility_id, row.form, row.key_token): row for row in rows}


async def _halves(
    session: AsyncSession,
    vault: Vault,
    batch: Batch,
    events: Sequence[Event],
    known: Mapping[Key, Any],
    of_images: set[int],
) -> dict[Key, Halves]:
    halves: dict[Key, Halves] = {}
    for key in dict.fromkeys(map(_key, events)):
        half, case, row = Halves(), batch.cases.get(key), known.get(key)
        if row is not None:
            half.typed, half.measured, half.drafted = row.typed, row.measured, row.drafted
        if case is not None:
            half.submitted = case.version is not None and case.version.state == "submitted"
            half.draft = case.draft is not None
            half.withdrawn = case.state == "withdrawn" and not half.draft
        halves[key] = half
    await _typed_before(session, vault, batch, halves, known, events, of_images)
    return halves


async def _typed_before(
    session: AsyncSession,
    vault: Vault,
    batch: Batch,
    halves: dict[Key, Halves],
    known: Mapping[Key, Any],
    events: Sequence[Event],
    of_images: set[int],
) -> None:
    """The typed half of cases that images speak of now: whose it is, and, the first time, what it says."""
    versions = {
        key: case.version
        for one in events
        if one.at[0] in of_images
        for key in [_key(one)]
        for case in [batch.cases.get(key)]
        if case is not None and case.version is not None and halves[key].submitted
        and (key not in known or halves[key].typed is not None)
    }  # fmt: skip
    if not versions:
        return
    elements = await ledger.elements_of_versions(
        session, [version for key, version in versions.items() if key not in known]
    )
    sealed = await session.execute(
        _IDENTITIES,
        {
            "ids": [version.id for version in versions.values()],
            "subjects": [version.subject for version in versions.values()],
        },
    )
    who = {
        row.id: identities.unseal(
            vault, batch.registry, row.submission_number, row.row, bytes(row.sealed)
        )
        for row in sealed
    }
    computed = {one.form.form.id: one.form.computed for one in events}
    looked_up = await _looked_up(session, versions)
    for key, version in versions.items():
        half = halves[key]
        half.who = who.get(version.id, {})
        if version.id in elements:
            values: Values = orjson.loads(elements[version.id])
            half.typed = {
                name: value
                for name, value in values.items()
                if name not in computed[key[1]] and name not in looked_up.get(key, ())
            }
            half.changed = True


async def _looked_up(
    session: AsyncSession, versions: Mapping[Key, Version]
) -> dict[Key, list[str]]:
    """The elements of cases that nobody sent: lists gave them."""
    cases = {one.case.id: key for key, one in versions.items() if one.case is not None}
    rows = await session.execute(_LOOKED_UP, {"cases": list(cases)})
    found: dict[Key, list[str]] = {}
    for case, names in rows:
        found.setdefault(cases[case], []).extend(names)
    return found


async def _entries(
    session: AsyncSession, vault: Vault, registry: str, events: Sequence[Event]
) -> dict[tuple[int, int], tuple[Values, dict[str, Any]]]:
    """The elements of entries, and those that identify."""
    wanted = [one.at for one in events if one.action != "withdraw"]
    return {
        at: (
            orjson.loads(elements),
            identities.unseal(vault, registry, *at, sealed) if sealed is not None else {},
        )
        for at, (elements, sealed) in (await ledger.whole_entries(session, wanted)).items()
    }


async def _rewrite(session: AsyncSession, rewritten: Sequence[tuple[Any, ...]]) -> None:
    if rewritten:
        names = ("numbers", "rows", "actions", "elements", "identities", "digests")
        columns = dict(zip(names, map(list, zip(*rewritten, strict=True)), strict=True))
        await session.execute(_REWRITE, columns)


async def _keep(session: AsyncSession, registry: str, halves: Mapping[Key, Halves]) -> None:
    kept = [
        (key, half) for key, half in halves.items() if half.changed and half.measured is not None
    ]
    if not kept:
        return
    await session.execute(
        _KEEP,
        {
            "registry": registry,
            "facilities": [key[0] for key, _ in kept],
            "forms": [key[1] for key, _ in kept],
            "keys": [key[2] for key, _ in kept],
            "typed": [None if half.typed is None else text_of(half.typed) for _, half in kept],
            "measured": [text_of(half.measured or {}) for _, half in kept],
            "drafted": [half.drafted for _, half in kept],
            "now": now(),
        },
    )


_HALVES = text(
    "SELECT m.facility_id, m.form, m.key_token, m.typed, m.measured, m.drafted FROM measured_cases m"
    " JOIN unnest(CAST(:facilities AS int[]), CAST(:forms AS text[]), CAST(:keys AS text[]))"
    " AS w (facility, form, key) ON m.registry_id = :registry AND m.facility_id = w.facility"
    " AND m.form = w.form AND m.key_token = w.key"
)
_IDENTITIES = text(
    "SELECT v.id, v.submission_number, v.row, i.sealed FROM versions v"
    " JOIN unnest(CAST(:ids AS bigint[]), CAST(:subjects AS bigint[])) AS w (id, subject)"
    " ON v.id = w.id AND v.subject_id = w.subject JOIN vault.identities i ON i.version_id = v.id"
)
_LOOKED_UP = text(
    "SELECT case_id, elements FROM lookups WHERE case_id = ANY(CAST(:cases AS bigint[]))"
)
_REWRITE = text(
    "UPDATE entries e SET action = w.action, elements = CAST(w.elements AS jsonb),"
    " identity = w.identity, digest = w.digest"
    " FROM unnest(CAST(:numbers AS bigint[]), CAST(:rows AS int[]), CAST(:actions AS text[]),"
    " CAST(:elements AS text[]), CAST(:identities AS bytea[]), CAST(:digests AS bytea[]))"
    " AS w (number, row, action, elements, identity, digest)"
    " WHERE e.submission_number = w.number AND e.row = w.row"
)
_KEEP = text(
    "INSERT INTO measured_cases"
    " (registry_id, facility_id, form, key_token, typed, measured, drafted, measured_at)"
    " SELECT :registry, w.facility, w.form, w.key, CAST(w.typed AS jsonb), CAST(w.measured AS jsonb),"
    " w.drafted, :now FROM unnest(CAST(:facilities AS int[]), CAST(:forms AS text[]),"
    " CAST(:keys AS text[]), CAST(:typed AS text[]), CAST(:measured AS text[]),"
    " CAST(:drafted AS boolean[])) AS w (facility, form, key, typed, measured, drafted)"
    " ON CONFLICT (registry_id, facility_id, form, key_token) DO UPDATE SET typed = excluded.typed,"
    " measured = excluded.measured, drafted = excluded.drafted, measured_at = excluded.measured_at"
)
