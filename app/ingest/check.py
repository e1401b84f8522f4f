"""
Check each entry against its registry's definition.

Nothing is repaired here and nothing is dropped. An entry leaves as `checked` or `rejected`, with
findings that tell the sender where to look. A finding names a place, never what was found there:
not a value, and not a column heading that we do not know.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import access
from app.claim import Claim, claim, ring, working
from app.database import copy_records, driver_connection, staging
from app.ingest.checks import FormAtWork, RegistryAtWork, Row, at_work, text_of
from app.ingest.findings import FINDINGS_OF_AN_ENTRY, Found, keep_findings, of_flaw
from app.ingest.formats.sent import Sent, opened
from app.ingest.read import ENTRY
from app.ingest.rooms import BATCH, Rooms, large_has_turn, uncollected
from app.models.submission import Submission
from app.registries.findings import FindingCode, Severity, severity
from app.registries.values import Canonical, Flaw, flaw
from app.vault import Vault, identities
from app.vault.identities import Tokens

CHUNK = 2_500
"""Entries that are looked at together: to plan the statement of their rules takes as long as some
thousand of them do."""
AHEAD = 2
"""Chunks that are looked at at once: the engine works on one while another is taken apart."""
ACTIONS = ("save", "submit", "withdraw")
_REMEDY = {
    FindingCode.NOT_AN_ENTRY: 'Send one object with "form", "action" and "elements"; a row'
    " needs its quotes closed.",
    FindingCode.TOO_LARGE: "Send at most 1 MB for one entry.",
    FindingCode.TOO_MANY_CELLS: "This row has more cells than there are headings.",
    FindingCode.UNKNOWN_ELEMENT: "Nothing of that name belongs here; see the data dictionary.",
    FindingCode.DUPLICATE_ELEMENT: "Send this element once.",
    FindingCode.UNKNOWN_FORM: "Name one of the registry's forms.",
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
        element = entry.form.check.element_of(name)
        place = element or "row"
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
    if form.form.level == "facility-period" or (keyed and entry.action != "submit"):
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
        if not form.rules.flaws and not form.rules.computed:
            continue
        rows = [
            Row(text_of(entry.values), day, draft=entry.action == "save", flawed=entry.flawed)
            for entry, day in members
        ]
        for (entry, _), (computed, broken) in zip(members, form.run(rows), strict=True):
            entry.values.update(computed)
            entry.flaws += broken
    for entry in entries:
        one = entry.form
        if one is not None and entry.action and not entry.rejected and not says_who(entry, one):
            entry.add(one.local or one.national or "row", FindingCode.NO_IDENTITY)


async def check(rooms: Rooms) -> int:
    """Move what was read on: many small submissions together, then a batch of a large one."""
    await rooms.catalogue.keep_current(rooms.database)
    small = await _step(rooms, small=True)
    if small and not large_has_turn("check"):
        return small
    return small + await _step(rooms, small=False)


async def _step(rooms: Rooms, *, small: bool) -> int:
    left = Submission.entries - Submission.rows_checked
    claimed = await claim(
        rooms.database,
        Submission,
        Submission.kind == "entries",
        Submission.state == "read",
        left <= BATCH if small else left > BATCH,
        order_by=[Submission.number],
        lease_seconds=rooms.settings.lease_seconds,
        tries=rooms.settings.tries,
        limit=1_000 if small else 1,
        weight=lambda submission: min(1 + (submission.entries or 0), BATCH),
        most=BATCH,
    )
    return await _work(rooms, claimed) if claimed else 0


async def _work(rooms: Rooms, claimed: Claim[Submission]) -> int:
    async with working(rooms.database, claimed, tries=rooms.settings.tries) as (session, ours):
        moved = 0
        for registry_id, version in sorted(
            {(one.registry_id, one.definition_version) for one in ours}
        ):
            some = [
                one
                for one in ours
                if (one.registry_id, one.definition_version) == (registry_id, version)
            ]
            definition = rooms.catalogue.registry(registry_id, version=version)
            moved += await _check(session, rooms.vault, at_work(definition), some)
        await ring(session, "checked")
        return max(moved, len(ours))


async def _check(
    session: AsyncSession, vault: Vault, registry: RegistryAtWork, ours: Sequence[Submission]
) -> int:
    participating = await access.participating(session, registry.definition.id)
    deliveries = {
        one.number: Delivery(
            one.number,
            one.facility_id,
            frozenset(one.facility_ids),
            participating,
            one.received_at.date(),
        )
        for one in ours
    }
    rows = await _rows(session, ours)
    found: list[Found] = []

    def judged(start: int) -> asyncio.Task[_Judged]:
        chunk = rows[start : start + CHUNK]
        return asyncio.create_task(asyncio.to_thread(_judge, vault, registry, deliveries, chunk))

    starts = deque(range(0, len(rows), CHUNK))
    judging = deque(judged(starts.popleft()) for _ in range(min(AHEAD, len(starts))))
    try:
        while judging:
            records, some = await judging[0]
            judging.popleft()
            if starts:
                judging.append(judged(starts.popleft()))
            found += some
            # PostgreSQL writes one chunk while the next are looked at.
            await _write(session, records)
    finally:
        await asyncio.gather(*judging, return_exceptions=True)
    await keep_findings(session, found)
    for submission in ours:
        submission.rows_checked = min(submission.rows_checked + BATCH, submission.entries or 0)
        if submission.rows_checked == submission.entries:
            submission.state = "checked"
            if submission.policy == "whole-file":
                await _all_or_nothing(session, submission)
    return len(rows)


_Judged: TypeAlias = tuple[list[tuple[Any, ...]], list[Found]]


def _judge(
    vault: Vault,
    registry: RegistryAtWork,
    deliveries: dict[int, Delivery],
    rows: Sequence[tuple[int, int, bytes]],
) -> _Judged:
    """What is written of each entry, and every finding."""
    unseal = vault.sealer(ENTRY, registry.definition.id).open
    entries: list[Entry] = []
    received: list[date] = []
    with uncollected():
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

    if form.form.level == "facility-period":
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


async def _rows(
    session: AsyncSession, ours: Sequence[Submission]
) -> Sequence[tuple[int, int, bytes]]:
    driver = await driver_connection(session)
    rows: Sequence[tuple[int, int, bytes]] = await driver.fetch(
        "SELECT e.submission_number, e.row, e.sealed FROM entries e"
        " JOIN unnest($1::bigint[], $2::int[]) AS s (number, done)"
        " ON e.submission_number = s.number AND e.row > s.done AND e.row <= s.done + $3"
        " ORDER BY e.submission_number, e.row",
        [one.number for one in ours],
        [one.rows_checked for one in ours],
        BATCH,
    )
    return rows


_MEMBERS = (
    "submission_number bigint, row int, facility_id int, form text, action text, state text,"
    " elements text, identity bytea, digest bytea, key_token text, parent_token text,"
    " person_token text, national_token text, local_token text"
)


async def _write(session: AsyncSession, records: Sequence[tuple[Any, ...]]) -> None:
    await staging(session, "checking", _MEMBERS)
    names = [column.split()[0] for column in _MEMBERS.split(", ")]
    await copy_records(session, "checking", names, records)
    await session.execute(
        text(
            "UPDATE entries e SET facility_id = c.facility_id, form = c.form, action = c.action,"
            " state = c.state,"
            " outcome = CASE WHEN c.state = 'rejected' THEN 'rejected' END,"
            " sealed = NULL, elements = c.elements::jsonb, identity = c.identity,"
            " digest = c.digest, key_token = c.key_token, parent_token = c.parent_token,"
            " person_token = c.person_token, national_token = c.national_token,"
            " local_token = c.local_token"
            " FROM checking c"
            " WHERE e.submission_number = c.submission_number AND e.row = c.row"
        )
    )
    await session.execute(text("DELETE FROM checking"))


async def _all_or_nothing(session: AsyncSession, submission: Submission) -> None:
    """A registry that takes a file whole or not at all: one rejected entry rejects the others."""
    any_rejected = await session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM entries"
            " WHERE submission_number = :number AND state = 'rejected')"
        ),
        {"number": submission.number},
    )
    if not any_rejected:
        return
    await session.execute(
        text(
            "UPDATE entries SET state = 'rejected', outcome = 'rejected', elements = NULL,"
            " identity = NULL WHERE submission_number = :number AND state = 'checked'"
        ),
        {"number": submission.number},
    )
    code = FindingCode.WHOLE_FILE
    remedy = (
        "This registry takes a file whole: correct the entries that have findings, send it again."
    )
    await keep_findings(
        session,
        [
            Found(
                submission.number,
                0,
                submission.facility_id,
                None,
                "submission",
                code,
                severity(code),
                remedy,
            )
        ],
    )
