"""
De-identify, verify and archive received instances.

An instance's row is its job. What leaves here is `archived` under its new UIDs, its original bytes
destroyed; `held` when something may identify somebody (the bytes stay in quarantine until their
end date); `refused` when it is no usable instance; `unchanged` when it was archived before. A
submission is completed when none of its instances waits any longer.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.archive import Archive
from app.claim import claim, ring, working
from app.deid.deidentify import Deidentified, Outcome, Withheld, deidentify
from app.deid.pixels import Reason, has_pixels
from app.deid.profile import Profile
from app.deid.uids import Keys, digest
from app.deid.verify import second_look
from app.ingest.arising import UNMANAGEABLE, Arisen, arise, listened
from app.ingest.findings import Found, keep_findings
from app.ingest.rooms import Rooms
from app.ingest.studies import Places, keep_series, keep_study
from app.ingest.withheld import WITHHELD
from app.models.base import now
from app.models.image import Instance, Series
from app.models.submission import Finding, Submission
from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition
from app.vault import Vault

TOGETHER: Final = 32
BYTES_TOGETHER: Final = 64 << 20
"""Bytes of instances worked on in one transaction; a larger one is worked on by itself."""

STOPS = Severity.REJECT
NO_PATIENT_ID = (
    "PatientID is empty. The images have a pseudonym of their own, apart from the patient's others."
)
UIDS = {
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00080018: "SOPInstanceUID",
}
NO_UID = (
    "One was made from what else the object says; it may not stand beside the others of its study. "
    "Send it with its own."
)
NO_ACCESSION = "AccessionNumber is empty: these images cannot be linked to a case."
OTHER_CONTENT = "Another instance with this SOPInstanceUID was archived before. UIDs are used once."
OTHER_PATIENT = "Another patient's instances were archived under this StudyInstanceUID before."


class ImageRooms(Rooms, Protocol):
    """What this step is given: the archive too."""

    @property
    def archive(self) -> Archive:
        """De-identified objects."""


@dataclass(slots=True)
class _Batch:
    """What became of the instances of one transaction."""

    found: list[Found] = field(default_factory=list)
    destroy: list[UUID] = field(default_factory=list)
    series: set[tuple[int, str]] = field(default_factory=set)
    """Facility and UID of series that were looked at value by value already."""
    before: dict[tuple[str, int, str], str | None] = field(default_factory=dict)
    """Registry, facility and UID of instances archived before, and what they were."""
    places: Places = field(default_factory=dict)
    """Rows of studies and series that this transaction has seen to."""
    puts: list[tuple[str, bytes]] = field(default_factory=list)
    arisen: list[Arisen] = field(default_factory=list)
    """What archived objects say of cases."""

    def say(
        self, row: Instance, place: str, code: FindingCode, remedy: str, severity: Severity = STOPS
    ) -> None:
        """Note a finding at an instance."""
        self.found.append(
            Found(
                row.submission_number, row.row, row.facility_id, None, place, code, severity, remedy
            )
        )


async def images(rooms: ImageRooms) -> int:
    """Move received instances on: some small ones together, or one large one."""
    claimed = await claim(
        rooms.database,
        Instance,
        Instance.state == "received",
        order_by=[Instance.submission_number, Instance.row],
        lease_seconds=rooms.settings.lease_seconds * 2,
        tries=rooms.settings.tries,
        limit=TOGETHER,
        weight=lambda row: row.size or 1,
        most=BYTES_TOGETHER,
    )
    if not claimed:
        async with rooms.database.transaction() as session:
            return await _complete(session)
    async with working(rooms.database, claimed, tries=rooms.settings.tries) as (session, ours):
        await _work(session, rooms, ours)
        await _complete(session, {row.submission_number for row in ours})
        await ring(session, "archived")
    return len(claimed.rows)


async def _work(session: AsyncSession, rooms: ImageRooms, ours: Sequence[Instance]) -> None:
    batch = _Batch()
    outcomes = await _treated(session, rooms, batch, ours)
    batch.series = await _seen(session, outcomes)
    batch.before = await _before(session, outcomes)
    for row, source, profile, outcome in outcomes:
        if isinstance(outcome, Deidentified):
            outcome = (
                await _verified(batch, row, source, profile, outcome)
                if outcome.study_instance_uid
                else Withheld(Reason.MISSING_UID)  # a palette is of nobody's case
            )
        if isinstance(outcome, Withheld):
            _withhold(batch, row, outcome.reason)
            continue
        said = await listened(rooms.catalogue.in_force(row.registry_id), source, outcome)
        if said is None:
            row.state = "held"
            batch.say(row, "instance", FindingCode.UNREADABLE, UNMANAGEABLE)
            continue
        await _archive(session, rooms.vault, batch, row, outcome)
        if said and row.state == "archived":
            batch.arisen.append(Arisen(row, said))
    await asyncio.gather(*(rooms.archive.put(path, content) for path, content in batch.puts))
    await session.flush()
    await keep_findings(session, batch.found)
    await rooms.quarantine.destroy(session, batch.destroy)
    if batch.arisen:
        await arise(session, rooms, batch.arisen)


async def _treated(
    session: AsyncSession, rooms: ImageRooms, batch: _Batch, ours: Sequence[Instance]
) -> list[tuple[Instance, bytes, Profile, Outcome]]:
    bytes_of = await rooms.quarantine.read_all(
        session, [row.quarantine_id for row in ours if row.quarantine_id is not None]
    )
    outcomes: list[tuple[Instance, bytes, Profile, Outcome]] = []
    for row in ours:
        source = bytes_of.pop(row.quarantine_id, None) if row.quarantine_id else None
        if source is None:
            _withhold(batch, row, Reason.TRUNCATED)
            continue
        profile = profile_of(rooms.catalogue.in_force(row.registry_id))
        keys = keys_of(rooms.vault, row.registry_id, row.facility_id)
        outcome = await asyncio.to_thread(deidentify, source, profile, keys)
        outcomes.append((row, source, profile, outcome))
    return outcomes


async def _before(
    session: AsyncSession, outcomes: Sequence[tuple[Instance, bytes, Profile, Outcome]]
) -> dict[tuple[str, int, str], str | None]:
    uids = [one[3].sop_instance_uid for one in outcomes if isinstance(one[3], Deidentified)]
    rows = await session.execute(
        select(
            Instance.registry_id, Instance.facility_id, Instance.sop_instance_uid, Instance.sha256
        ).where(Instance.sop_instance_uid.in_(uids), Instance.state == "archived")
    )
    return {(registry, facility, uid or ""): sha for registry, facility, uid, sha in rows}


async def _seen(
    session: AsyncSession, outcomes: Sequence[tuple[Instance, bytes, Profile, Outcome]]
) -> set[tuple[int, str]]:
    uids = [one[3].series_instance_uid for one in outcomes if isinstance(one[3], Deidentified)]
    rows = await session.execute(
        select(Series.facility_id, Series.series_instance_uid).where(
            Series.series_instance_uid.in_(uids)
        )
    )
    return {(facility, uid) for facility, uid in rows}


async def _verified(
    batch: _Batch, row: Instance, source: bytes, profile: Profile, outcome: Deidentified
) -> Outcome:
    """The second look: raw bytes of all, every value of the first of a series and of no images."""
    series = (row.facility_id, outcome.series_instance_uid)
    traces = await asyncio.to_thread(
        second_look,
        source,
        outcome.content,
        decode=series not in batch.series or not has_pixels(outcome.dataset),
        staying=profile.staying,
    )
    if traces:
        return Withheld(Reason.IDENTIFIER_REMAINS)
    batch.series.add(series)
    return outcome


def _withhold(batch: _Batch, row: Instance, reason: Reason) -> None:
    code, remedy = WITHHELD[reason]
    batch.say(row, "instance", code, remedy)
    row.state = "held" if reason.holds else "refused"


async def _archive(
    session: AsyncSession, vault: Vault, batch: _Batch, row: Instance, made: Deidentified
) -> None:
    sha256 = digest(made.content)
    known = (row.registry_id, row.facility_id, made.sop_instance_uid)
    if known in batch.before:
        if batch.before[known] == sha256:
            row.state = "unchanged"
            batch.destroy += [row.quarantine_id] if row.quarantine_id else []
        else:
            row.state = "refused"
            batch.say(row, "SOPInstanceUID", FindingCode.DUPLICATE_INSTANCE, OTHER_CONTENT)
        return
    study_id, pseudonym = await keep_study(session, vault, batch.places, row, made)
    if pseudonym != made.patient_pseudonym:
        row.state = "held"
        batch.say(row, "PatientID", FindingCode.PATIENT_MISMATCH, OTHER_PATIENT)
        return
    path = (
        f"images/{row.registry_id}/{row.facility_id}/{made.study_instance_uid}"
        f"/{made.series_instance_uid}/{made.sop_instance_uid}.{sha256[:16]}.dcm"
    )
    batch.puts.append((path, made.content))
    batch.before[known] = sha256
    row.study_id = study_id
    row.series_id = await keep_series(session, batch.places, row, study_id, made)
    row.sop_class_uid = made.sop_class_uid
    row.sop_instance_uid = made.sop_instance_uid
    row.transfer_syntax_uid = made.transfer_syntax_uid
    row.path, row.size, row.sha256 = path, len(made.content), sha256
    row.metadata_json = made.json()
    row.state, row.archived_at = "archived", now()
    batch.destroy += [row.quarantine_id] if row.quarantine_id else []
    for tag, place in UIDS.items():
        if tag in made.made:
            batch.say(row, place, FindingCode.MISSING, NO_UID, Severity.WARN)
    if not made.original.patient_id:
        batch.say(row, "PatientID", FindingCode.MISSING, NO_PATIENT_ID, Severity.WARN)
    if not made.original.accession_number:
        batch.say(row, "AccessionNumber", FindingCode.MISSING, NO_ACCESSION, Severity.WARN)


async def _complete(session: AsyncSession, numbers: set[int] | None = None) -> int:
    """End the submissions none of whose instances waits; how many.

    Their rows are locked first, in order: of two workers with the last two instances, the second
    counts when the first has committed.
    """
    turn = [Submission.kind == "instances", Submission.state == "received"]
    if numbers is not None:
        turn.append(Submission.number.in_(numbers))
    waiting = select(Instance.id).where(
        Instance.submission_number == Submission.number, Instance.state == "received"
    )
    if numbers is None:
        turn.append(~waiting.exists())
    candidates = (
        await session.scalars(
            select(Submission)
            .where(*turn)
            .order_by(Submission.number)
            .limit(1_000)
            .with_for_update(skip_locked=numbers is None)
        )
    ).all()
    ended = 0
    for submission in candidates:
        states = await session.execute(
            select(Instance.state, func.count())
            .where(Instance.submission_number == submission.number)
            .group_by(Instance.state)
        )
        counted: dict[str, int] = {row[0]: row[1] for row in states}
        if counted.get("received"):
            continue
        warned = await session.scalar(
            select(func.count()).where(
                Finding.submission_number == submission.number, Finding.severity == Severity.WARN
            )
        )
        await session.execute(
            update(Submission)
            .where(Submission.id == submission.id)
            .values(
                state="completed",
                completed_at=now(),
                counts=counts(counted) | {"warnings": warned or 0},
            )
            .execution_options(synchronize_session=False)
        )
        ended += 1
    if ended:
        await ring(session, "completed")
    return ended


def counts(states: dict[str, int]) -> dict[str, Any]:
    """A submission's counts from its instances' states; accepted + rejected = entries."""
    archived, unchanged = states.get("archived", 0), states.get("unchanged", 0)
    held, refused = states.get("held", 0), states.get("refused", 0)
    return {
        "entries": sum(states.values()),
        "accepted": archived + unchanged,
        "rejected": held + refused,
        "waiting": 0,
        "archived": archived,
        "unchanged": unchanged,
        "held": held,
        "refused": refused,
    }


def profile_of(definition: Definition) -> Profile:
    """The de-identification profile of a definition, made once for each text."""
    return _profile(json.dumps(definition.deid, sort_keys=True, default=str))


@lru_cache(maxsize=64)
def _profile(document: str) -> Profile:
    return Profile.of(json.loads(document))


@lru_cache(maxsize=4096)
def keys_of(vault: Vault, registry: str, facility: int) -> Keys:
    """The keys of a facility's images in a registry."""
    return Keys.of(vault.pseudonym_key(registry, facility, "images"))
