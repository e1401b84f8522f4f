"""
A facility's own lists: whether what entries take from them is on them.

It is asked when an entry is accepted, and not when it is checked: only then is it certain what came
before it, so that one file may bring a list and what refers to it.
"""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.ingest import ledger
from app.ingest.checks import FormAtWork, RegistryAtWork, Versions
from app.ingest.findings import Found, of_flaw
from app.ingest.history import Event, Key
from app.ingest.ledger import Batch
from app.registries.entries import rows_of
from app.registries.findings import FindingCode
from app.registries.schema import Element
from app.registries.values.given import flaw
from app.vault import Vault


async def hold_against_lists(
    session: AsyncSession,
    vault: Vault,
    definitions: Versions,
    batch: Batch,
) -> list[Found]:
    """Findings for what is on no list of its facility; entries that cannot have that are rejected."""
    asking = [one for one in batch.events if one.form.listed and one.action == "submit"]
    if not asking:
        return []
    elements = await ledger.elements_of_entries(session, [event.at for event in asking])
    asked: dict[int, list[tuple[str, Element, Key]]] = {}
    for event in asking:
        registry = definitions[batch.versions[event.at[0]]]
        values = orjson.loads(elements[event.at])
        asked[id(event)] = [
            (
                place,
                element,
                key_on_list(vault, registry, event.facility, element.list or "", str(value)),
            )
            for place, element, value in _taken(event.form, values)
        ]
    wanted = {key for some in asked.values() for _, _, key in some}
    listed = await ledger.submitted(session, batch.registry, wanted)
    found: list[Found] = []
    for event in batch.events:
        if event.form.form.level == "facility-list":
            _change(listed, event)
        for place, element, key in asked.get(id(event), ()):
            if key in listed:
                continue
            says = f"Add it to the facility's own list `{element.list}` first, or correct it."
            warn = element.unlisted == "warn"
            told = flaw(place, FindingCode.NOT_ON_LIST, says, warn=warn)
            found.append(of_flaw(*event.at, event.facility, event.form.form.id, told))
            if not warn:
                event.outcome = "rejected"
    return found


def _taken(form: FormAtWork, values: dict[str, Any]) -> Iterator[tuple[str, Element, object]]:
    """What an entry takes from lists: its place, the element, and the code."""
    for path, element in form.listed:
        rows = [("", values)]
        if path is not None:
            rows = [(one.place, one.row) for one in rows_of(values, path)]
        for place, row in rows:
            if (value := row.get(element.id)) is not None:
                yield place + element.id, element, value


def key_on_list(
    vault: Vault, registry: RegistryAtWork, facility: int, list_form: str, value: str
) -> Key:
    """The key under which a list would have it, spelled as the list spells its own."""
    form = registry.form(list_form)
    assert form is not None
    (name,) = form.form.key
    own = form.check.check({name: value}, draft=True).values
    token = vault.case_token(registry.definition.id, facility, *form.key(own or {name: value}))
    return facility, form.form.id, token


def _change(listed: set[Key], event: Event) -> None:
    """What an entry of a list does to it, for whatever comes after."""
    key = (event.facility, event.form.form.id, event.key)
    if event.action == "submit":
        listed.add(key)
    elif event.action == "withdraw":
        listed.discard(key)
