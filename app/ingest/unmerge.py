"""Part two subjects that were merged by mistake: what moved moves back, through the feed."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import audit
from app.claim import ring
from app.errors import Conflict, NotFound
from app.ingest import ledger, posting
from app.ingest.history import History, Numbers
from app.locks import Lock, take
from app.models.submission import Submission
from app.models.vault import Merge
from app.vault import identities
from app.vault.identities import People


async def merges(session: AsyncSession, registry_id: str) -> list[tuple[Merge, UUID | None]]:
    """The merges of a registry, the latest first, each with the id of the submission it came from."""
    rows = await session.execute(
        select(Merge, Submission.id)
        .outerjoin(Submission, Submission.number == Merge.submission_number)
        .where(Merge.registry_id == registry_id)
        .order_by(Merge.id.desc())
    )
    return [(merge, submission) for merge, submission in rows]


async def unmerge(session: AsyncSession, merge_id: int) -> int:
    """Undo one merge; how many cases moved back. A merge that is undone already moves none."""
    registry_id = await session.scalar(select(Merge.registry_id).where(Merge.id == merge_id))
    if registry_id is None:
        raise NotFound("There is no merge with this id.")
    await take(session, Lock.ACCEPT, registry_id)
    later = await session.scalar(_LATER, {"id": merge_id})
    if later is not None:
        raise Conflict(f"Its subject was merged again later: undo merge {later} first.")
    undone = await identities.unrecord(session, merge_id)
    if undone is None:
        return 0
    union, ids = undone
    cases = await ledger.cases_of(session, registry_id, ids, union.surviving)
    for case in cases:
        case.subject = union.merged
    history = History(
        {(case.facility, case.form, case.key): case for case in cases},
        People(),
        Numbers([]),
        Numbers([]),
    )
    history.settle({}, Numbers(await ledger.ids(session, "versions_id_seq", 2 * len(cases))))
    await posting.write(session, ledger.Batch(registry_id, [], [], history.cases, {}), history)
    await audit.record(
        session,
        None,
        "unmerge",
        "merge",
        merge_id,
        registry_id=registry_id,
        details={"subject": union.merged, "out_of": union.surviving, "cases": len(cases)},
    )
    await ring(session, "accepted")
    return len(cases)


# The surviving subject is gone into another: what moved is there, and would not be found.
_LATER = text(
    "SELECT later.id FROM vault.merges this JOIN vault.merges later"
    " ON later.registry_id = this.registry_id"
    " AND later.merged_subject_id = this.surviving_subject_id AND later.undone_at IS NULL"
    " WHERE this.id = :id AND this.undone_at IS NULL ORDER BY later.id DESC LIMIT 1"
)
