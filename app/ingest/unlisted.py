"""What a facility's cases call things that its list does not know, and what the list could say of them."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.ingest.identity import identities_of
from app.ingest.likeness import Suggestion, suggestions
from app.ingest.lookups import unsealed
from app.models.case import Case, Version
from app.registries.schema import Definition, Form
from app.vault import Vault


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A name that is not on the list, how many cases have it, and what the list could say."""

    name: str
    cases: int
    suggested: dict[str, list[Suggestion]]
    """Element of the list -> codes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a list does not know."""

    names: int
    cases: int


NOTHING = Waiting(0, 0)


async def entries_of(
    session: AsyncSession, vault: Vault, definition: Definition, facility: int, form: Form
) -> list[dict[str, object]]:
    """What is on a facility's list: the elements of each entry, by their keys' order."""
    rows = (
        await session.execute(
            select(Case.id, Version.elements)
            .join(
                Version, (Version.subject_id == Case.subject_id) & (Version.id == Case.version_id)
            )
            .where(
                Case.registry_id == definition.id,
                Case.facility_id == facility,
                Case.form == form.id,
                Case.state == "submitted",
            )
        )
    ).all()
    who = await identities_of(session, vault, definition, [row.id for row in rows])
    (key,) = form.key
    found = [{**row.elements, **who.get(row.id, {})} for row in rows]
    return sorted(found, key=lambda one: str(one.get(key, "")))


async def waiting(session: AsyncSession, registry_id: str, facility: int) -> dict[str, Waiting]:
    """How much the lists of a facility do not know, by list."""
    rows = await session.execute(_WAITING, {"registry": registry_id, "facility": facility})
    return {row.list_form: Waiting(row.names, row.cases) for row in rows}


async def unlisted(
    session: AsyncSession,
    vault: Vault,
    definition: Definition,
    facility: int,
    form: Form,
    limit: int,
) -> list[Unlisted]:
    """The names that a list does not know, those of the most cases first."""
    rows = (
        await session.execute(
            _UNLISTED,
            {
                "registry": definition.id,
                "facility": facility,
                "list": form.id,
                "limit": limit,
            },
        )
    ).all()
    known = await entries_of(session, vault, definition, facility, form) if rows else []
    called = {name: _called(definition, form, name, known) for name in taken_from(definition, form)}
    found = []
    for row in rows:
        name = unsealed(vault, definition.id, facility, form.id, bytes(row.sealed))
        of_elements = {element: suggestions(name, codes) for element, codes in called.items()}
        found.append(Unlisted(name, row.cases, of_elements))
    return found


def taken_from(definition: Definition, form: Form) -> list[str]:
    """The coded elements of a list that cases take from it."""
    taken = dict.fromkeys(
        told.element
        for case in definition.entry_forms
        for one in case.all_elements
        if (told := one.from_list) is not None and told.list == form.id
    )
    return [name for name in taken if form.by_id[name].value_set is not None]


def _called(
    definition: Definition, form: Form, name: str, known: list[dict[str, object]]
) -> dict[str, list[str]]:
    """What the codes of an element are called: by their labels, themselves, and on the facility's list."""
    values = definition.value_set(form.by_id[name])
    assert values is not None
    own: dict[str, list[str]] = defaultdict(list)
    for entry in known:
        own[str(entry.get(name))].append(str(entry[form.key[0]]))
    return {
        code: [values.labels[code], code.replace("-", " "), *own[code]] for code in values.allowed
    }


_WITHOUT = (
    " FROM lookups l JOIN cases c ON c.id = l.case_id AND c.state = 'submitted'"
    " WHERE l.registry_id = :registry AND l.facility_id = :facility AND l.given_by IS NULL"
)
_WAITING = text(
    "SELECT l.list_form, count(DISTINCT l.term) AS names, count(*) AS cases"
    + _WITHOUT
    + " GROUP BY l.list_form"
)
_UNLISTED = text(
    "SELECT t.sealed, found.cases FROM (SELECT l.term, count(*) AS cases"
    + _WITHOUT
    + " AND l.list_form = :list GROUP BY l.term ORDER BY count(*) DESC, l.term LIMIT :limit)"
    " AS found JOIN vault.terms t ON t.registry_id = :registry AND t.facility_id = :facility"
    " AND t.list_form = :list AND t.term = found.term ORDER BY found.cases DESC, found.term"
)
