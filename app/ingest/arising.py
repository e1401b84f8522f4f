"""
Cases that arise from images: what an object says of a case becomes an entry like any other.

An object is heard before it is archived, and what it said is kept, sealed and without who it is about,
in the transaction that archives it. In the same transaction all that was said of the case so far is put together and sent as an
entry of a submission of the facility's own (channel `images`), which goes the way of every entry: a
crash or a second delivery changes nothing, for what was said already is not said again.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import ring
from app.deid import beginning
from app.deid.json_model import json_model
from app.deid.outcome import Deidentified
from app.ingest.checks import FormAtWork, at_work
from app.ingest.content import Unmanageable
from app.ingest.findings import Found, keep_findings, of_flaw
from app.ingest.formats.sent import packed
from app.ingest.measured import Doubt, Heard, composed, hear, sources
from app.ingest.read import keep_entries, sealed
from app.ingest.receive import begun, in_order
from app.ingest.rooms import Rooms
from app.models.base import now
from app.models.image import Instance
from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition
from app.registries.values.given import Flaw, flaw
from app.vault import Vault

CHANNEL: Final = "images"
"""The channel of submissions that were made here."""
MEASUREMENT: Final = "measurement"
"""The purpose under which it is sealed what an object said."""

UNMANAGEABLE = (
    "Its content tree has more items or more levels than any report of this kind: it was not read. "
    "Export it again, or enter the case by hand."
)
_DOUBTS = {
    FindingCode.NOT_A_NUMBER: "The object gives no number here: {place}. Type the value.",
    FindingCode.UNKNOWN_UNIT: "The unit here is none of this element's: {place}. Type the value.",
    FindingCode.MISSING: (
        "The report has no content: no case can be made of it. Send it again, or enter the case by "
        "hand."
    ),
}
_NO_KEY = "The object does not say this: no case can be made of it. Enter the case by hand."
_OVERLAPPING = (
    "Reports of this exam share some irradiation events and not others: their totals may count some "
    "twice. Look at the values, and type those that are wrong."
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one object says: of each case, and what could not be used."""

    form: str
    heard: list[Heard]
    doubts: list[Doubt]


@dataclass(frozen=True, slots=True)
class Arisen:
    """An object that was archived, and what it says."""

    row: Instance
    said: list[Said]


async def listened(definition: Definition, source: bytes, made: Deidentified) -> list[Said] | None:
    """As `listen`, beside the loop; most objects of most registries say nothing of cases."""
    if not sources(definition, made.sop_class_uid, made.modality):
        return []
    return await asyncio.to_thread(listen, definition, source, made)


def listen(definition: Definition, source: bytes, made: Deidentified) -> list[Said] | None:
    """What an object says of cases; None when its content cannot be read.

    `source` are its bytes as they were received, which `made` was made of.
    """
    candidates = sources(definition, made.sop_class_uid, made.modality)
    instance = beginning.read(source)
    sent = json_model(instance.dataset, instance.little)
    # As everybody else reads them, so that the images' tokens are the case's.
    for tag, value in (
        ("00080050", made.original.accession_number),
        ("00100020", made.original.patient_id),
    ):
        sent[tag] = {"vr": "LO", "Value": [value] if value else []}
    archived = made.json()
    said: list[Said] = []
    try:
        for one in candidates:
            heard, doubts = hear(definition, one, sent, archived)
            if heard or doubts:
                said.append(Said(one.form, heard, doubts))
    except Unmanageable:
        return None
    return said


async def arise(session: AsyncSession, rooms: Rooms, arisen: Sequence[Arisen]) -> int:
    """Keep what the objects of a batch said, and send the entries that come of it; how many."""
    vault = rooms.vault
    names = {one.row.registry_id for one in arisen}
    definitions = {name: rooms.catalogue.in_force(name) for name in names}
    touched: dict[tuple[str, int, str], dict[tuple[str, str], dict[str, str]]] = defaultdict(dict)
    found: list[Found] = []
    delivered: dict[tuple[str, int], str] = {}
    for one in arisen:
        row, definition = one.row, definitions[one.row.registry_id]
        for said in one.said:
            fresh = not said.heard
            for heard in said.heard:
                kept = await _keep(session, vault, definition, row, said.form, heard, found)
                if kept is not None:
                    key, who = kept
                    sender = await _sender(session, row, delivered)
                    cases = touched[row.registry_id, row.facility_id, sender]
                    cases[said.form, key] = cases.get((said.form, key), {}) | who
                    fresh = True
            if fresh:
                found += [_of(row, said.form, doubt) for doubt in said.doubts]
    count = 0
    for (registry, facility, sender), cases in sorted(touched.items()):
        await in_order(session, registry, [facility])
        count += await _send(session, vault, definitions[registry], facility, sender, cases, found)
    await keep_findings(session, found)
    if count:
        await ring(session, "read")
    return count


def _of(row: Instance, form: str, doubt: Doubt) -> Found:
    return Found(
        row.submission_number,
        row.row,
        row.facility_id,
        form,
        doubt.element,
        doubt.code,
        Severity.WARN,
        _DOUBTS[doubt.code].format(place=doubt.place),
    )


async def _sender(
    session: AsyncSession, row: Instance, delivered: dict[tuple[str, int], str]
) -> str:
    """Who delivered an object: the entries that come of it are that sender's."""
    place = (row.registry_id, row.submission_number)
    if place not in delivered:
        delivered[place] = await session.scalar(
            text("SELECT sender FROM submissions WHERE number = :number"),
            {"number": row.submission_number},
        )
    return delivered[place]


async def _keep(
    session: AsyncSession,
    vault: Vault,
    definition: Definition,
    row: Instance,
    form_id: str,
    heard: Heard,
    found: list[Found],
) -> tuple[str, dict[str, str]] | None:
    """Keep what an object said of one case; None if that was known.

    The case's key token and who it is about, which is not kept: the entry that is made now carries it.
    """
    form = _form(definition, form_id)
    order = [one.id for one in definition.images]
    elements = composed(form.form, order, [heard]).elements
    checked = form.check.check(elements, draft=True)
    wrong = {one.place for one in checked.flaws if one.severity is Severity.REJECT}
    own = form.form.key
    if form.form.otherwise_key and any(one not in checked.values for one in own):
        own = form.form.otherwise_key
    lacking = [one for one in own if one in wrong or one not in checked.values]
    lacking = [one for one in lacking if one != form.facility]
    if lacking:
        found.append(
            Found(
                row.submission_number, row.row, row.facility_id, form_id, lacking[0],
                FindingCode.MISSING, Severity.WARN, _NO_KEY,
            )
        )  # fmt: skip
        return None
    values = checked.values
    if form.facility is not None:
        values = {**values, form.facility: str(row.facility_id)}
    key = vault.case_token(definition.id, row.facility_id, *form.key(values))
    public = {name: one for name, one in heard.elements.items() if name not in form.identifying}
    content = orjson.dumps(asdict(replace(heard, elements=public)))
    same = orjson.dumps(
        [heard.source, heard.elements, heard.events, heard.replaces], option=orjson.OPT_SORT_KEYS
    )
    kept = await session.scalar(
        _KEEP,
        {
            "registry": definition.id,
            "facility": row.facility_id,
            "form": form_id,
            "key": key,
            "fingerprint": vault.digest(definition.id, same),
            "study": row.study_id,
            "sealed": vault.sealer(MEASUREMENT, definition.id).seal(
                content, _context(row.facility_id, form_id, key)
            ),
            "now": now(),
        },
    )
    if row.study_id is not None:
        await session.execute(_NAME_CASE, {"study": row.study_id, "key": key})
    if kept is None:
        return None
    return key, {name: one for name, one in elements.items() if name in form.identifying}


async def _send(
    session: AsyncSession,
    vault: Vault,
    definition: Definition,
    facility: int,
    sender: str,
    cases: Mapping[tuple[str, str], dict[str, str]],
    found: list[Found],
) -> int:
    """One submission with an entry for each case that something new was said of."""
    order = [one.id for one in definition.images]
    entries: list[dict[str, Any]] = []
    told: list[tuple[int, str, Flaw]] = []
    for (form_id, key), who in cases.items():
        heard = await _heard(session, vault, definition.id, facility, form_id, key)
        form = _form(definition, form_id)
        whole = await asyncio.to_thread(composed, form.form, order, heard)
        elements, left_out = _usable(form, whole.elements | who)
        # Whether it is a case or a draft is decided when it is accepted, beside what was typed.
        entries.append({"form": form_id, "action": "save", "elements": elements})
        if whole.overlapping:
            left_out = [*left_out, flaw("row", FindingCode.OVERLAPPING, _OVERLAPPING)]
        told += [(len(entries), form_id, one) for one in left_out]
    submission = begun(
        definition,
        [facility],
        sender,
        kind="entries",
        channel=CHANNEL,
        media_type="application/dicom",
        digest=hashlib.sha256(orjson.dumps(entries)).digest(),
        size=0,
    )
    submission.state, submission.entries = "read", len(entries)
    session.add(submission)
    await session.flush()
    await keep_entries(session, list(sealed(vault, submission, [packed(one) for one in entries])))
    submission.rows_read = len(entries)
    await session.flush()
    found += [
        of_flaw(submission.number, row, facility, form, replace(one, severity=Severity.WARN))
        for row, form, one in told
    ]
    return len(entries)


def _usable(form: FormAtWork, elements: dict[str, str]) -> tuple[dict[str, str], list[Flaw]]:
    """The elements without those that cannot be, and what is wrong with these.

    A header with a height in the wrong unit must not take the doses along that stand beside it.
    """
    wrong = [
        one
        for one in form.check.check(elements, draft=True).flaws
        if one.severity is Severity.REJECT and one.place in elements
    ]
    places = {one.place for one in wrong}
    return {name: one for name, one in elements.items() if name not in places}, wrong


async def _heard(
    session: AsyncSession, vault: Vault, registry: str, facility: int, form: str, key: str
) -> list[Heard]:
    """All that was said of a case so far, in the order it came."""
    rows: Iterable[Any] = await session.scalars(
        _ALL, {"registry": registry, "facility": facility, "form": form, "key": key}
    )
    unseal = vault.sealer(MEASUREMENT, registry).open
    context = _context(facility, form, key)
    return [Heard(**orjson.loads(unseal(bytes(one), context))) for one in rows]


def _form(definition: Definition, form_id: str) -> FormAtWork:
    form = at_work(definition).form(form_id)
    assert form is not None
    return form


def _context(facility: int, form: str, key: str) -> bytes:
    return f"{facility}/{form}/{key}".encode()


_KEEP = text(
    "INSERT INTO vault.measurements"
    " (registry_id, facility_id, form, key_token, fingerprint, study_id, sealed, created_at)"
    " VALUES (:registry, :facility, :form, :key, :fingerprint, :study, :sealed, :now)"
    " ON CONFLICT (registry_id, facility_id, form, key_token, fingerprint) DO NOTHING RETURNING id"
)
_ALL = text(
    "SELECT sealed FROM vault.measurements WHERE registry_id = :registry"
    " AND facility_id = :facility AND form = :form AND key_token = :key ORDER BY id"
)
# A study without an accession number finds its case by the key that was made of what else it says.
_NAME_CASE = text(
    "UPDATE studies SET accession_token = :key WHERE id = :study AND accession_token IS NULL"
)
