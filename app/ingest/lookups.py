"""
Values that a facility's own list gives where a case left them out.

Looked up when a case is accepted, by the key that its entry names, in the list as it stands at the end
of the batch: what a list says later is brought to the cases of before by `relist`. What an element was
called by may identify, and so may be sealed: it is kept in the vault for the facility's own eyes, under
the token by which the list would have it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import ring
from app.ingest import ledger
from app.ingest.checks import RegistryAtWork, Versions
from app.ingest.history import Event, History, Key
from app.ingest.ledger import Batch
from app.ingest.lists import key_on_list
from app.ingest.spelled import spelled
from app.registries.schema import Form
from app.vault import Vault, identities
from app.vault.room import TERM


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a list that is in force: its version, and what it says as JSON text."""

    version: int
    spoken: str
    """The definition's version it was sent in."""
    elements: str


@dataclass(frozen=True, slots=True)
class Sought:
    """What a case left out that one list may say."""

    event: Event
    list_form: str
    key: Key
    """Of the list's entry."""
    name: str
    """What the case calls it."""
    elements: tuple[str, ...]


async def look_up(
    session: AsyncSession, vault: Vault, definitions: Versions, batch: Batch, history: History
) -> None:
    """Give the cases that this batch opens what lists say; mark the terms of which lists say otherwise."""
    opened = [
        one.event
        for one in history.opened
        if one.event is not None and one.state == "submitted" and one.event.form.looked_up
    ]
    if opened:
        sought = await _sought(session, vault, definitions, batch, opened)
        listed = await _listed(session, batch, history, {one.key for one in sought})
        for one in sought:
            if (said := listed.get(one.key)) is not None:
                registry = definitions[batch.versions[one.event.at[0]]]
                told = said_of(registry, one.event.form.form, one.list_form, one.elements, said)
                if told:
                    one.event.patch = ledger.patch(orjson.loads(one.event.patch or "{}") | told)
        await _keep(session, vault, batch.registry, opened, sought, listed)
    changed = [
        case
        for case in history.cases.values()
        if case.changed and _level(definitions, batch, case.form) == "facility-list"
    ]
    if changed:
        marked = await session.execute(
            _MARK,
            {
                "registry": batch.registry,
                "facilities": [one.facility for one in changed],
                "lists": [one.form for one in changed],
                "terms": [one.key for one in changed],
            },
        )
        if marked.all():
            await ring(session, "changed")


def said_of(
    registry: RegistryAtWork, form: Form, list_form: str, elements: Iterable[str], said: Listed
) -> dict[str, Any]:
    """What an entry of a list gives the elements of a case, in the case's own version."""
    taken = {name: form.by_id[name].from_list for name in elements if name in form.by_id}
    (text_of,) = spelled(registry.definition, list_form, [(said.spoken, said.elements)])
    row = orjson.loads(text_of)
    return {
        name: row[one.element]
        for name, one in taken.items()
        if one is not None and one.list == list_form and row.get(one.element) is not None
    }


def unsealed(vault: Vault, registry: str, facility: int, list_form: str, sealed: bytes) -> str:
    """What a facility calls something, for its own eyes."""
    return vault.sealer(TERM, registry).open(sealed, _context(facility, list_form)).decode()


def _context(facility: int, list_form: str) -> bytes:
    return f"{facility}/{list_form}".encode()


def _level(definitions: Versions, batch: Batch, form_id: str) -> str | None:
    for version in set(batch.versions.values()):
        if (form := definitions[version].form(form_id)) is not None:
            return form.form.level
    return None


async def _sought(
    session: AsyncSession,
    vault: Vault,
    definitions: Versions,
    batch: Batch,
    opened: Sequence[Event],
) -> list[Sought]:
    """What the entries of some cases left out and have a name for."""
    entries = await ledger.whole_entries(session, [one.at for one in opened])
    found: list[Sought] = []
    for event in opened:
        elements, sealed = entries[event.at]
        values = orjson.loads(elements)
        who = identities.unseal(vault, batch.registry, *event.at, sealed) if sealed else {}
        registry = definitions[batch.versions[event.at[0]]]
        by_list: dict[str, list[str]] = {}
        for element in event.form.looked_up:
            assert element.from_list is not None
            if element.id not in values:
                by_list.setdefault(element.from_list.list, []).append(element.id)
        for list_form, names in by_list.items():
            told = event.form.form.by_id[names[0]].from_list
            assert told is not None
            name = values.get(told.by) or who.get(told.by)
            if name is not None:
                key = key_on_list(vault, registry, event.facility, list_form, str(name))
                found.append(Sought(event, list_form, key, str(name), tuple(names)))
    return found


async def _listed(
    session: AsyncSession, batch: Batch, history: History, wanted: set[Key]
) -> dict[Key, Listed]:
    """The entries of lists under some keys, as they are after this batch."""
    found = await listed_in_force(session, batch.registry, wanted)
    fresh: dict[Key, Event] = {}
    for key in wanted:
        case = history.cases.get(key)
        if case is None or (case.version is not None and case.version.known):
            continue
        found.pop(key, None)
        if case.version is not None and case.version.state == "submitted" and case.version.event:
            fresh[key] = case.version.event
    elements = await ledger.elements_of_entries(session, [one.at for one in fresh.values()])
    for key, event in fresh.items():
        version = history.cases[key].version
        assert version is not None
        spoken = batch.versions[event.at[0]]
        found[key] = Listed(version.id, spoken, elements[event.at])
    return found


async def listed_in_force(
    session: AsyncSession, registry: str, wanted: Iterable[Key]
) -> dict[Key, Listed]:
    """The entries of lists that are in force under some keys."""
    keys = list(wanted)
    if not keys:
        return {}
    rows = await session.execute(
        _LISTED,
        {
            "registry": registry,
            "facilities": [key[0] for key in keys],
            "forms": [key[1] for key in keys],
            "keys": [key[2] for key in keys],
        },
    )
    return {
        (row.facility_id, row.form, row.key_token): Listed(
            row.id, row.definition_version, row.elements
        )
        for row in rows
    }


async def _keep(
    session: AsyncSession,
    vault: Vault,
    registry: str,
    opened: Sequence[Event],
    sought: Sequence[Sought],
    listed: Mapping[Key, Listed],
) -> None:
    """Write down which cases take what from lists, and what they call it."""
    last = {one.id: event for event in opened if (one := event.case) is not None}
    await session.execute(_FORGET, {"cases": list(last)})
    standing = [one for one in sought if one.event.case and last[one.event.case.id] is one.event]
    if not standing:
        return
    await session.execute(
        _TAKE,
        {
            "registry": registry,
            "cases": [one.event.case.id for one in standing if one.event.case],
            "lists": [one.list_form for one in standing],
            "facilities": [one.event.facility for one in standing],
            "terms": [one.key[2] for one in standing],
            "elements": [" ".join(one.elements) for one in standing],
            "versions": [
                said.version if (said := listed.get(one.key)) else None for one in standing
            ],
        },
    )
    names = {one.key: one.name for one in standing}
    seal = vault.sealer(TERM, registry).seal
    await session.execute(
        _NAME,
        {
            "registry": registry,
            "facilities": [key[0] for key in names],
            "lists": [key[1] for key in names],
            "terms": [key[2] for key in names],
            "sealed": [
                seal(name.encode(), _context(key[0], key[1])) for key, name in names.items()
            ],
        },
    )


_LISTED = text(
    "SELECT c.facility_id, c.form, c.key_token, v.id, v.definition_version,"
    " v.elements::text AS elements FROM cases c JOIN unnest(CAST(:facilities AS int[]),"
    " CAST(:forms AS text[]), CAST(:keys AS text[])) AS w (facility, form, key)"
    " ON c.registry_id = :registry AND c.facility_id = w.facility AND c.form = w.form"
    " AND c.key_token = w.key JOIN versions v ON v.subject_id = c.subject_id AND v.id = c.version_id"
    " WHERE c.state = 'submitted'"
)
_FORGET = text("DELETE FROM lookups WHERE case_id = ANY(CAST(:cases AS bigint[]))")
_TAKE = text(
    "INSERT INTO lookups (case_id, list_form, registry_id, facility_id, term, elements, given_by)"
    " SELECT w.id, w.list, :registry, w.facility, w.term, string_to_array(w.elements, ' '), w.version"
    " FROM unnest(CAST(:cases AS bigint[]), CAST(:lists AS text[]), CAST(:facilities AS int[]),"
    " CAST(:terms AS text[]), CAST(:elements AS text[]), CAST(:versions AS bigint[]))"
    " AS w (id, list, facility, term, elements, version)"
)
_NAME = text(
    "INSERT INTO vault.terms (registry_id, facility_id, list_form, term, sealed, created_at, state)"
    " SELECT :registry, w.facility, w.list, w.term, w.sealed, now(), 'settled'"
    " FROM unnest(CAST(:facilities AS int[]), CAST(:lists AS text[]), CAST(:terms AS text[]),"
    " CAST(:sealed AS bytea[])) AS w (facility, list, term, sealed)"
    " ON CONFLICT (registry_id, facility_id, list_form, term) DO NOTHING"
)
_MARK = text(
    "UPDATE vault.terms t SET state = 'changed', not_before = now(), tries = 0"
    " FROM unnest(CAST(:facilities AS int[]), CAST(:lists AS text[]), CAST(:terms AS text[]))"
    " AS w (facility, list, term) WHERE t.registry_id = :registry AND t.facility_id = w.facility"
    " AND t.list_form = w.list AND t.term = w.term RETURNING t.term"
)
