"""
What was typed of a case and what was measured of it, brought together when either is accepted.

What was typed stays as it was typed; measured values stand where nothing was typed. Where both are and
differ by more than the element's `cross_check` lets them, the sender is told at the element, whichever
came last. An entry that came of images is a case if it is complete together with what was typed, and
otherwise a draft that waits for somebody. Nothing here brings back a case that was withdrawn, and nothing
replaces a draft that somebody is working on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.ingest import ledger
from app.ingest.arising import CHANNEL
from app.ingest.checks import FormAtWork, RegistryAtWork, Row, text_of
from app.ingest.findings import Found
from app.ingest.history import Event, Key
from app.ingest.ledger import Batch
from app.models.base import now
from app.models.submission import Submission
from app.registries.findings import FindingCode, Severity, severity
from app.registries.schema import Element
from app.registries.values import Canonical, Flaw, flaw
from app.vault import Vault, identities

Values = dict[str, Canonical]

_DIFFERS = (
    "This is not what the images of the exam say: {place}. Correct it, or leave it out: then what was"
    " measured is taken."
)
_DIFFERED = (
    "What was typed for this exam is not what its images say: {place}. What was typed stays."
)
_LACKS = "The images do not say this, so that the exam is kept as a draft: enter it by hand."
_NOBODY = (
    "The images do not say who this is, so that the exam is kept as a draft: enter it by hand."
)
_WITHDRAWN = "The case was withdrawn, and images do not bring it back. Submit it if it is to count."


@dataclass(slots=True)
class Halves:
    """A case while the batch goes on: its halves, and what there is of it."""

    typed: Values | None = None
    measured: Values | None = None
    drafted: bool = False
    """The draft in force came of images."""
    submitted: bool = False
    draft: bool = False
    withdrawn: bool = False
    who: dict[str, Any] = field(default_factory=dict)
    """The identifying elements of what was typed."""
    changed: bool = False


async def complete(
    session: AsyncSession,
    vault: Vault,
    definitions: Mapping[str, RegistryAtWork],
    ours: Sequence[Submission],
    batch: Batch,
) -> list[Found]:
    """Bring both halves together for each entry of a batch; what there is to say of it.

    Entries are changed in place: their elements, identity, digest and action, before history is made.
    """
    events = [one for one in batch.events if one.form.measured]
    if not events:
        return []
    of_images = {one.number for one in ours if one.channel == CHANNEL}
    received = {one.number: one.received_at.date() for one in ours}
    desk = _Desk(vault, batch.registry, definitions, batch.versions, received)
    halves = await _halves(session, vault, batch, events, of_images)
    own = await _entries(session, vault, batch.registry, events)
    # Rules are run on an engine of their own, and entries may depend on those before them.
    await asyncio.to_thread(_bring_together, desk, batch, events, of_images, halves, own)
    await _rewrite(session, desk.rewritten)
    await _keep(session, batch.registry, halves)
    return desk.found


def _bring_together(
    desk: "_Desk",
    batch: Batch,
    events: Sequence[Event],
    of_images: set[int],
    halves: dict[Key, Halves],
    own: dict[tuple[int, int], tuple[Values, dict[str, Any]]],
) -> None:
    for event in events:
        key = (event.facility, event.form.form.id, event.key)
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


class _Desk:
    """Where the entries of a batch are looked at one after the other."""

    def __init__(
        self,
        vault: Vault,
        registry: str,
        definitions: Mapping[str, RegistryAtWork],
        versions: Mapping[int, str],
        received: Mapping[int, date],
    ) -> None:
        self.vault, self.registry = vault, registry
        self.definitions, self.versions, self.received = definitions, versions, received
        self.found: list[Found] = []
        self.rewritten: list[tuple[Any, ...]] = []

    def withdraw(self, half: Halves) -> None:
        """Nobody's entry is in force any more; what was measured is still known."""
        if half.submitted or half.draft:
            half.typed, half.who, half.withdrawn = None, {}, True
            half.submitted = half.draft = half.drafted = False
            half.changed = True

    def typed(self, event: Event, half: Halves, values: Values, who: dict[str, Any]) -> None:
        """An entry that somebody sent: what it left out is taken from the images."""
        form = event.form
        typed = {name: one for name, one in values.items() if name not in form.computed}
        if half.measured is not None:
            self._compare(event, typed, half.measured, _DIFFERS)
        if event.action == "save":
            half.draft, half.drafted, half.changed = True, False, True
            return
        half.typed, half.who, half.changed = typed, who, True
        half.submitted, half.withdrawn = True, False
        half.draft = half.drafted = False
        if half.measured is None:
            return
        filled = {**half.measured, **typed}
        if filled == typed:
            return
        computed, flaws = self._check(event, filled, who)
        before = self._check(event, typed, who)[1]
        if any(one.severity is Severity.REJECT and one not in before for one in flaws):
            return  # it holds as it was typed, and does not beside what was measured
        self._rewrite(event, filled | computed, who)

    def measured(self, event: Event, half: Halves, values: Values, who: dict[str, Any]) -> None:
        """An entry that came of images: it leaves what was typed as it is."""
        form = event.form
        measured = {name: one for name, one in values.items() if name not in form.computed}
        half.measured, half.changed = measured, True
        if half.withdrawn:
            self._say(event, self._key_place(form), FindingCode.SUPERSEDED, _WITHDRAWN)
            event.outcome = "unchanged"
            return
        typed = half.typed or {}
        self._compare(event, typed, measured, _DIFFERED)
        if not half.submitted and not form.arises:
            event.outcome = "unchanged"  # it is known now, and waits for its case
            return
        whole, whose = {**measured, **typed}, half.who if half.typed is not None else who
        computed, flaws = self._check(event, whole, whose)
        lacking = [one for one in flaws if one.severity is Severity.REJECT]
        if lacking:
            for one in lacking:
                self._say(
                    event,
                    one.place,
                    one.code,
                    _LACKS if one.code is FindingCode.MISSING else one.remedy,
                )
            if half.submitted or (half.draft and not half.drafted):
                event.outcome = "unchanged"  # somebody's own stands, or is being worked on
                return
            half.draft = half.drafted = True
            self._rewrite(event, whole | computed, whose)
            return
        event.action = "submit"
        event.spares_draft = half.draft and not half.drafted
        half.submitted = True
        if not event.spares_draft:
            half.draft = half.drafted = False
        self._rewrite(event, whole | computed, whose)

    def _check(
        self, event: Event, values: Values, who: dict[str, Any]
    ) -> tuple[Values, list[Flaw]]:
        """What is computed of a whole entry, and every flaw it would have if it were submitted."""
        form, sent = event.form, {**values, **who}
        flaws = [one for one in form.check.check(sent).flaws if one.code is FindingCode.MISSING]
        people = [one for one in (form.local, form.national) if one is not None]
        if people and not any(one in sent for one in people):
            flaws.append(flaw(people[0], FindingCode.NO_IDENTITY, _NOBODY))
        row = Row(text_of(sent), self.received.get(event.at[0]))
        (answer,) = form.run([row])
        computed = {name: one for name, one in answer[0].items() if name not in form.identifying}
        return computed, [*flaws, *answer[1]]

    def _compare(
        self, event: Event, typed: Values, measured: Mapping[str, Canonical], remedy: str
    ) -> None:
        for element in event.form.measured:
            one, other = typed.get(element.id), measured.get(element.id)
            if element.cross_check is None or one is None or other is None:
                continue
            if str(one) in element.unknown or not differs(element, one, other):
                continue
            said = remedy.format(place=element.from_dicom[0].place)
            self._say(event, element.id, FindingCode.MEASURED_OTHERWISE, said)

    def _rewrite(self, event: Event, values: Values, who: dict[str, Any]) -> None:
        """The entry as it goes on, sealed and digested as every entry is."""
        written = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
        secret = orjson.dumps(who, option=orjson.OPT_SORT_KEYS)
        parts = (event.form.form.id.encode(), written, secret)
        event.digest = self.vault.digest(self.registry, b"\n".join(parts))
        identity = identities.seal(self.vault, self.registry, *event.at, secret)
        self.rewritten.append((*event.at, event.action, written.decode(), identity, event.digest))

    def _key_place(self, form: FormAtWork) -> str:
        return next(iter(form.form.key), "row")

    def _say(self, event: Event, place: str, code: FindingCode, remedy: str) -> None:
        weight = severity(code) if severity(code) is not Severity.REJECT else Severity.WARN
        self.found.append(
            Found(*event.at, event.facility, event.form.form.id, place, code, weight, remedy)
        )


def differs(element: Element, typed: Canonical, measured: Canonical) -> bool:
    """Whether what was typed is further from what was measured than the element lets it be."""
    assert element.cross_check is not None
    if element.type not in ("integer", "decimal"):
        return typed != measured
    one, other = Decimal(str(typed)), Decimal(str(measured))
    room = max(element.cross_check.absolute, element.cross_check.relative * abs(other))
    return abs(one - other) > room


# --- what is read and written: a handful of statements for a batch of any size ---------------------


async def _halves(
    session: AsyncSession,
    vault: Vault,
    batch: Batch,
    events: Sequence[Event],
    of_images: set[int],
) -> dict[Key, Halves]:
    keys = list(dict.fromkeys((one.facility, one.form.form.id, one.key) for one in events))
    rows = await session.execute(
        _HALVES,
        {
            "registry": batch.registry,
            "facilities": [key[0] for key in keys],
            "forms": [key[1] for key in keys],
            "keys": [key[2] for key in keys],
        },
    )
    known = {(row.facility_id, row.form, row.key_token): row for row in rows}
    halves: dict[Key, Halves] = {}
    for key in keys:
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
        for key in [(one.facility, one.form.form.id, one.key)]
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
    for key, version in versions.items():
        half = halves[key]
        half.who = who.get(version.id, {})
        if version.id in elements:
            values: Values = orjson.loads(elements[version.id])
            half.typed = {
                name: value for name, value in values.items() if name not in computed[key[1]]
            }
            half.changed = True


async def _entries(
    session: AsyncSession, vault: Vault, registry: str, events: Sequence[Event]
) -> dict[tuple[int, int], tuple[Values, dict[str, Any]]]:
    """The elements of entries, and those that identify."""
    wanted = [one.at for one in events if one.action != "withdraw"]
    rows = await session.execute(
        _ENTRIES, {"numbers": [at[0] for at in wanted], "rows": [at[1] for at in wanted]}
    )
    return {
        (row.submission_number, row.row): (
            orjson.loads(row.elements),
            identities.unseal(vault, registry, row.submission_number, row.row, bytes(row.identity))
            if row.identity is not None
            else {},
        )
        for row in rows
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
_ENTRIES = text(
    "SELECT e.submission_number, e.row, e.elements::text AS elements, e.identity FROM entries e"
    " JOIN unnest(CAST(:numbers AS bigint[]), CAST(:rows AS int[])) AS w (number, row)"
    " ON e.submission_number = w.number AND e.row = w.row"
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
