"""
Judge entries: what one entry says by itself, and what is written of it.

No database and no clock: entries as they were sent go in, rows and findings come out, so that it can
be done in any process. Nothing is repaired here and nothing is dropped. A finding names a place, never
what was found there: not a value, and not a column heading that we do not know.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeAlias

import orjson

from app.ingest.checks import FormAtWork, RegistryAtWork, Row, RulesAtWork, text_of
from app.ingest.findings import FINDINGS_OF_AN_ENTRY, Found, of_flaw
from app.ingest.formats.sent import ENTRY, Sent, opened
from app.registries.entries import rows_of
from app.registries.findings import FindingCode, Severity
from app.registries.values.given import Canonical, Flaw, flaw
from app.vault import Vault, identities
from app.vault.identities import Tokens

ACTIONS = ("save", "submit", "withdraw")
_REMEDY = {
    FindingCode.NOT_AN_ENTRY: 'Send one object with "form", "action" and "elements"; a row'
    " needs its quotes closed.",
    FindingCode.TOO_LARGE: "Send at most 1 MB for one entry.",
    FindingCode.TOO_MANY_CELLS: "This row has more cells than there are headings.",
    FindingCode.UNKNOWN_ELEMENT: "Nothing of that name belongs here; see the data dictionary.",
    FindingCode.DUPLICATE_ELEMENT: "Send this element once.",
    FindingCode.UNKNOWN_FORM: "Name one of the registry's forms.",
    FindingCode.ONLY_FROM_IMAGES: "Send the images themselves: nobody types these cases. Other forms are"
    " named in an entry's `form`, or in the column `_form`.",
    FindingCode.UNKNOWN_ACTION: "Say save, submit or withdraw.",
    FindingCode.UNKNOWN_FACILITY: "Name the facility by its six digits, or send with ?facility=.",
    FindingCode.OTHER_FACILITY: "This submission may not carry entries of that facility.",
    FindingCode.NOT_PARTICIPATING: "The facility's participation in this registry is not active.",
    FindingCode.NO_IDENTITY: "Send what tells who this is: the national or the local identifier.",
}


@dataclass(slots=True)
class Entry:
    """One entry on its way through the check."""

    number: int
    row: int
    facility: int | None
    form: FormAtWork | None = None
    action: str | None = None
    values: dict[str, Canonical] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    flawed: Sequence[str] = ()

    @property
    def rejected(self) -> bool:
        """Whether anything was found that an entry cannot have."""
        return any(one.severity is Severity.REJECT for one in self.flaws)

    def add(self, place: str, code: FindingCode, allowed: Sequence[str] = ()) -> None:
        """Something wrong that the definition does not speak of."""
        self.flaws.append(flaw(place, code, _REMEDY[code], allowed))


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the check needs to know of an entry's submission."""

    number: int
    facility: int | None
    facilities: frozenset[int]
    participating: frozenset[int]
    received_on: date
    of_images: bool = False
    """Whether its entries were made of what images say."""


def looked_at(registry: RegistryAtWork, delivery: Delivery, row: int, sent: Sent) -> Entry:
    """One entry by itself: its shape, form, action, facility, and each of its values."""
    entry = Entry(delivery.number, row, delivery.facility)
    if sent.flaw is not None or sent.elements is None:
        entry.add("row", sent.flaw or FindingCode.NOT_AN_ENTRY)
        return entry
    if own := [name for name in sent.repeated if name in ("form", "action", "elements")]:
        for name in own:
            entry.add(name, FindingCode.DUPLICATE_ELEMENT)
        return entry
    entry.form = registry.form(_word(sent.form) or registry.first)
    entry.action = _word(sent.action) or "submit"
    for stranger in sent.strangers:
        entry.add(stranger, FindingCode.UNKNOWN_ELEMENT)
    if entry.form is None:
        forms = [form.id for form in registry.definition.entry_forms]
        entry.add("_form", FindingCode.UNKNOWN_FORM, forms)
    if entry.action not in ACTIONS:
        entry.action = None
        entry.add("_action", FindingCode.UNKNOWN_ACTION, ACTIONS)
    if entry.form is None or entry.action is None:
        return entry
    if not (entry.form.form.typed or delivery.of_images or entry.action == "withdraw"):
        entry.add("_form", FindingCode.ONLY_FROM_IMAGES)
        return entry
    _values(registry, entry, sent)
    _facility(delivery, entry, entry.form)
    return entry


def _values(registry: RegistryAtWork, entry: Entry, sent: Sent) -> None:
    assert entry.form is not None
    assert sent.elements is not None
    checked = entry.form.check.check(sent.elements, draft=entry.action != "submit")
    entry.values = checked.values
    entry.flawed = checked.flawed
    flaws = checked.flaws
    if entry.action == "withdraw":
        flaws = [one for one in flaws if one.place in entry.form.key_elements]
    entry.flaws += flaws
    for name in sent.repeated:
        place = entry.form.check.place_of(name) or "row"
        if not any(
            one.place == place and one.code is FindingCode.DUPLICATE_ELEMENT for one in entry.flaws
        ):
            entry.add(place, FindingCode.DUPLICATE_ELEMENT)


def _facility(delivery: Delivery, entry: Entry, form: FormAtWork) -> None:
    """Whose entry it is: the facility it names, or else the one the submission was sent for."""
    place = form.facility or "row"
    named = entry.values.get(form.facility) if form.facility else None
    wrong = any(one.place == place for one in entry.flaws if one.code is not FindingCode.MISSING)
    if named is None and not wrong:
        if delivery.facility is None:
            entry.flaws = [one for one in entry.flaws if one.place != place]
            entry.add(place, FindingCode.UNKNOWN_FACILITY)
            return
        entry.facility = delivery.facility
        if form.facility:
            entry.values[form.facility] = str(delivery.facility)
            entry.flaws = [one for one in entry.flaws if one.place != place]
            entry.flawed = [one for one in entry.flawed if one != place]
    elif named is not None:
        number = int(str(named)) if str(named).isdecimal() and len(str(named)) < 10 else -1
        if number not in delivery.facilities:
            entry.add(place, FindingCode.OTHER_FACILITY)
            return
        entry.facility = number
    if entry.facility is not None and entry.facility not in delivery.participating:
        entry.add(place, FindingCode.NOT_PARTICIPATING)


def says_who(entry: Entry, form: FormAtWork) -> bool:
    """Whether a form that speaks of a person says which; a draft may, if it has a key, wait."""
    keyed = bool(form.form.key or form.form.otherwise_key)
    if form.form.of_facility or (keyed and entry.action != "submit"):
        return True
    if keyed and form.national is None and form.local is None:
        return True
    return any(one is not None and one in entry.values for one in (form.national, form.local))


def _word(value: object) -> str | None:
    if value is None:
        return None
    word = value.strip().lower() if isinstance(value, str) else "?"
    return word[:100] or None


def apply_rules(entries: Sequence[Entry], received: Sequence[date]) -> None:
    """The rules across elements: one statement per form over all of its entries."""
    by_form: dict[int, tuple[FormAtWork, list[tuple[Entry, date]]]] = {}
    for entry, day in zip(entries, received, strict=True):
        if entry.form is not None and entry.action in ("save", "submit"):
            by_form.setdefault(id(entry.form), (entry.form, []))[1].append((entry, day))
    for form, members in by_form.values():
        if form.rules.flaws or form.rules.computed:
            rows = [
                Row(text_of(entry.values), day, draft=entry.action == "save", flawed=entry.flawed)
                for entry, day in members
            ]
            for (entry, _), (computed, broken) in zip(members, form.run(rows), strict=True):
                entry.values.update(computed)
                entry.flaws += broken
        for path, rules in form.groups:
            if not rules.idle:
                _apply_to_rows(path, rules, members)
    for entry in entries:
        one = entry.form
        if one is not None and entry.action and not entry.rejected and not says_who(entry, one):
            entry.add(one.local or one.national or "row", FindingCode.NO_IDENTITY)


def _apply_to_rows(path: str, rules: RulesAtWork, members: Sequence[tuple[Entry, date]]) -> None:
    """The rules of a group's rows, over the rows of all entries."""
    found = [(entry, day, one) for entry, day in members for one in rows_of(entry.values, path)]
    rows = [
        Row(
            text_of(one.around | one.row),
            day,
            draft=entry.action == "save",
            flawed=one.known(entry.flawed),
        )
        for entry, day, one in found
    ]
    for (entry, _, one), (computed, broken) in zip(found, rules.run(rows), strict=True):
        one.row.update(computed)
        entry.flaws += [replace(each, place=one.place + each.place) for each in broken]


def tried(registry: RegistryAtWork, sent: Sent, on: date) -> Entry:
    """An entry as the check would find it if it were sent on a day, by whichever facility it names."""
    entry = Entry(0, 1, None, registry.form(sent.form), _word(sent.action) or "submit")
    if entry.action not in ACTIONS:
        entry.action = None
        entry.add("_action", FindingCode.UNKNOWN_ACTION, ACTIONS)
    elif entry.form is not None:
        _values(registry, entry, sent)
        apply_rules([entry], [on])
    return entry


MEMBERS = (
    "submission_number bigint, row int, facility_id int, form text, action text, state text,"
    " elements text, identity bytea, digest bytea, key_token text, parent_token text,"
    " person_token text, national_token text, local_token text"
)

Judged: TypeAlias = tuple[list[tuple[Any, ...]], list[Found]]
"""What is written of each entry, as a row of `MEMBERS`, and every finding."""


def judge(
    vault: Vault,
    registry: RegistryAtWork,
    deliveries: Mapping[int, Delivery],
    rows: Sequence[tuple[int, int, bytes]],
) -> Judged:
    """What is written of each entry, and every finding."""
    unseal = vault.sealer(ENTRY, registry.definition.id).open
    entries: list[Entry] = []
    received: list[date] = []
    with _uncollected():
        for number, row, sealed in rows:
            content = unseal(sealed, f"{number}/{row}".encode())
            delivery = deliveries[number]
            sent = (
                opened(content)
                if content[:1] in b"01"
                else Sent(flaw=FindingCode(content.decode()))
            )
            entries.append(looked_at(registry, delivery, row, sent))
            received.append(delivery.received_on)
        apply_rules(entries, received)
        records = [_record(vault, registry.definition.id, entry) for entry in entries]
        found = [
            of_flaw(entry.number, entry.row, entry.facility, form, one)
            for entry in entries
            if entry.flaws
            for form in [entry.form.form.id if entry.form else None]
            for one in _bounded(registry, entry)
        ]
    return records, found


def _bounded(registry: RegistryAtWork, entry: Entry) -> Iterator[Flaw]:
    """The findings of an entry: those that stop it first, and not without end."""
    ordered = sorted(entry.flaws, key=lambda one: one.severity is not Severity.REJECT)
    yield from ordered[:FINDINGS_OF_AN_ENTRY]


def _record(vault: Vault, registry: str, entry: Entry) -> tuple[Any, ...]:
    form, values = entry.form, entry.values
    if entry.rejected or form is None or entry.facility is None:
        name = form.form.id if form else None
        return (
            entry.number, entry.row, entry.facility, name, entry.action, "rejected",
            *(None,) * 8,
        )  # fmt: skip
    known = _tokens(vault, registry, entry.facility, form, values)
    key, parent = _keys(vault, registry, entry.facility, form, values, known)
    public: str | None = None
    identity = digest = None
    if entry.action != "withdraw":
        shown = values.copy()
        private = {one: shown.pop(one) for one in form.identifying if one in shown}
        written = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)
        secret = orjson.dumps(private, option=orjson.OPT_SORT_KEYS)
        if private or not form.form.of_facility:  # what is about nobody may have nothing to hide
            identity = identities.seal(vault, registry, entry.number, entry.row, secret)
        digest = vault.digest(registry, b"\n".join((form.form.id.encode(), written, secret)))
        public = written.decode()
    return (
        entry.number, entry.row, entry.facility, form.form.id, entry.action, "checked",
        public, identity, digest, key, parent, known.person, known.national, known.local,
    )  # fmt: skip


def _tokens(
    vault: Vault, registry: str, facility: int, form: FormAtWork, values: dict[str, Canonical]
) -> Tokens:
    def given(element: str | None) -> str | None:
        value = values.get(element) if element is not None else None
        return str(value) if value is not None else None

    if form.form.of_facility:
        # Nobody's record: it hangs on a subject that stands for the facility itself.
        return Tokens(local=vault.subject_token(registry, "facility", str(facility)))
    return identities.tokens(
        vault,
        registry,
        facility,
        national=given(form.national),
        birth_date=given(form.birth_date),
        local=given(form.local),
    )


def _keys(
    vault: Vault,
    registry: str,
    facility: int,
    form: FormAtWork,
    values: dict[str, Canonical],
    known: Tokens,
) -> tuple[str, str | None]:
    """The entry's own key token, and that of the case it follows up."""
    if not form.form.key and not form.form.otherwise_key:
        parts = [form.form.id, known.local or known.person or known.national or ""]
        return vault.case_token(registry, facility, *parts), None
    key = vault.case_token(registry, facility, *form.key(values))
    if form.form.parent is None:
        return key, None
    parent = [str(values.get(one, "")) for one in form.parent_key]
    return key, vault.case_token(registry, facility, *parent)


@contextmanager
def _uncollected() -> Iterator[None]:
    """A stretch of work that makes thousands of objects and no cycles among them.

    Looking for cycles at every 700th object costs a quarter of the time, and finds none.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
