"""
Issue the reports of a period: compose, set, keep with digests, and write down what was sent.

A round (`ReportIssue`) has a row for each facility, which is its own job: it is claimed, made and
marked in one transaction after its bytes lie in the archive. Whatever kills a process loses the one
report it was at, which is claimed again when its lease ends. Objects are named by their digest, so a
second try writes the same names. Nothing issued is altered: a correction is another number.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit
from app.archive import Archive
from app.benchmarks.periods import Period, period
from app.claim import claim, working
from app.database import EVERYTHING, Database
from app.errors import Conflict, NotFound, Unprocessable
from app.locks import Lock, take
from app.models.base import now
from app.models.report import IssuedReport, ReportIssue
from app.registries.schema import Definition
from app.reports.changed import differences
from app.reports.compose import compose
from app.reports.composition import Composition, Issue
from app.reports.paper import pdf


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a round has come: facilities by what became of their report."""

    waiting: int = 0
    issued: int = 0
    unchanged: int = 0
    held: int = 0

    @property
    def all(self) -> int:
        return self.waiting + self.issued + self.unchanged + self.held


async def begin(
    database: Database,
    definition: Definition,
    over: Period,
    *,
    today: datetime,
    reason: str | None = None,
    facilities: Collection[int] | None = None,
) -> ReportIssue | None:
    """The round that is open, or a new one; None when everybody already has this period's report.

    Without a reason it is for those who have no report of the period yet; with one, for those who
    have. Raises Unprocessable for a period that has not ended, Conflict for another round while one
    is open, NotFound for a facility that takes no part.
    """
    if today.date() <= over.end:
        raise Unprocessable(
            f"{over.label} has not ended: its report would not stay true for a day."
        )
    async with database.transaction(EVERYTHING) as session:
        await take(session, Lock.ISSUE, definition.id)
        unfinished = await session.scalar(
            select(ReportIssue).where(
                ReportIssue.registry_id == definition.id,
                ReportIssue.period == over.label,
                ReportIssue.ended_at.is_(None),
            )
        )
        if unfinished is not None:
            if not await _goes_on(session, unfinished, reason, facilities):
                raise Conflict(
                    f"Issuing {over.label} was begun otherwise and is not complete. Run `hounsfield issue`"
                    " for it without --again and --facility first."
                )
            return unfinished
        chosen = await _chosen(session, definition.id, over.label, reason, facilities)
        if not chosen:
            return None
        begun = ReportIssue(registry_id=definition.id, period=over.label, reason=reason)
        session.add(begun)
        await session.flush()
        await session.execute(
            insert(IssuedReport),
            [
                {
                    "report_issue_id": begun.id,
                    "registry_id": definition.id,
                    "facility_id": facility,
                    "period": over.label,
                    "state": "waiting",
                    "reason": reason,
                    "named": facilities is not None,
                }
                for facility in sorted(chosen)
            ],
        )
        return begun


async def _goes_on(
    session: AsyncSession,
    unfinished: ReportIssue,
    reason: str | None,
    facilities: Collection[int] | None,
) -> bool:
    """Whether what is asked for is to go on with a round that was begun."""
    if reason not in (None, unfinished.reason):
        return False
    if facilities is None:
        return True
    found = await session.scalars(
        select(IssuedReport.facility_id).where(IssuedReport.report_issue_id == unfinished.id)
    )
    return set(found) == set(facilities)


async def _chosen(
    session: AsyncSession,
    registry_id: str,
    label: str,
    reason: str | None,
    facilities: Collection[int] | None,
) -> set[int]:
    taking_part = await access.participating(session, registry_id)
    if facilities is not None and not taking_part.issuperset(facilities):
        missing = ", ".join(map(str, sorted(set(facilities) - taking_part)))
        raise NotFound(f"No active participation in {registry_id}: {missing}.")
    found = await session.scalars(
        select(IssuedReport.facility_id).where(
            IssuedReport.registry_id == registry_id,
            IssuedReport.period == label,
            IssuedReport.state == "issued",
        )
    )
    have = set(found)
    wanted = set(facilities) if facilities is not None else set(taking_part)
    return wanted - have if reason is None else wanted & have


async def issue_next(
    database: Database,
    archive: Archive,
    definition: Definition,
    issue_id: int,
    *,
    at: datetime,
    lease_seconds: float,
    tries: int,
) -> bool:
    """Make the next report of a round; False when no row is free to be taken."""
    claimed = await claim(
        database,
        IssuedReport,
        IssuedReport.state == "waiting",
        IssuedReport.report_issue_id == issue_id,
        order_by=[IssuedReport.id],
        lease_seconds=lease_seconds,
        tries=tries,
        limit=1,
    )
    if not claimed:
        return False
    async with working(database, claimed, tries=tries) as (session, rows):
        for row in rows:
            await _make(session, archive, definition, row, at)
    return True


async def _make(
    session: AsyncSession, archive: Archive, definition: Definition, row: IssuedReport, at: datetime
) -> None:
    """Make one report and mark its row, or find that a correction would say the same."""
    before = await latest(session, row.facility_id, row.registry_id, row.period)
    number = 1 if before is None or before.number is None else before.number + 1
    composed = await compose(
        session,
        definition,
        row.facility_id,
        period(row.period),
        at=at,
        issue=Issue(
            number=number,
            supersedes=None if before is None else before.number,
            reason=row.reason,
        ),
    )
    if before is not None and not row.named:
        said = await as_issued(archive, before)
        if not differences(said, composed):
            row.state = "unchanged"
            return
    await _keep(archive, row, composed)
    row.number, row.supersedes = number, None if before is None else before.number
    row.definition_version = composed.methods.definition_version
    row.feed_number = composed.methods.feed_number
    row.snapshot_on = composed.methods.snapshot_on
    row.state, row.issued_at = "issued", at
    await audit.record(
        session,
        None,
        "issue",
        "report",
        row.id,
        facility_id=row.facility_id,
        registry_id=row.registry_id,
        details={"period": row.period, "number": number, "pdf_sha256": row.pdf_sha256},
    )


async def _keep(archive: Archive, row: IssuedReport, composed: Composition) -> None:
    """The bytes, each under its digest; they are on disk before the row says so."""
    folder = f"reports/{row.registry_id}/{row.period}/{row.facility_id}"
    content, paper = composed.model_dump_json().encode(), pdf(composed)
    row.composition_sha256 = hashlib.sha256(content).hexdigest()
    row.pdf_sha256 = hashlib.sha256(paper).hexdigest()
    row.composition_path = f"{folder}/{row.composition_sha256}.json"
    row.pdf_path, row.pdf_size = f"{folder}/{row.pdf_sha256}.pdf", len(paper)
    await archive.put(row.composition_path, content)
    await archive.put(row.pdf_path, paper)


async def latest(
    session: AsyncSession,
    facility_id: int,
    registry_id: str,
    label: str,
    number: int | None = None,
) -> IssuedReport | None:
    """The newest issue of a report, or one by its number."""
    query = select(IssuedReport).where(
        IssuedReport.facility_id == facility_id,
        IssuedReport.registry_id == registry_id,
        IssuedReport.period == label,
        IssuedReport.state == "issued",
    )
    if number is not None:
        query = query.where(IssuedReport.number == number)
    return await session.scalar(query.order_by(IssuedReport.number.desc()).limit(1))


async def as_issued(archive: Archive, row: IssuedReport) -> Composition:
    """The composition of an issued report, from its own bytes."""
    assert row.composition_path is not None
    return Composition.model_validate_json(await archive.get(row.composition_path))


async def progress(session: AsyncSession, issue_id: int) -> Progress:
    """How many reports of a round are in which state."""
    found = await session.execute(
        select(IssuedReport.state, func.count())
        .where(IssuedReport.report_issue_id == issue_id)
        .group_by(IssuedReport.state)
    )
    return Progress(**{str(state): int(count) for state, count in found})


async def end(database: Database, issue_id: int) -> Progress:
    """Close a round in which nothing waits any more."""
    async with database.transaction(EVERYTHING) as session:
        found = await progress(session, issue_id)
        row = await session.get(ReportIssue, issue_id, with_for_update=True)
        assert row is not None
        if not found.waiting and row.ended_at is None:
            row.ended_at = now()
        return found
