"""Part two subjects that were merged by mistake: what moved moves back, through the feed."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import ring
from app.ingest import ledger, posting
from app.ingest.history import History, Numbers
from app.vault import identities
from app.vault.identities import People


async def unmerge(session: AsyncSession, merge_id: int) -> int:
    """Undo one merge; how many cases moved back. A merge that is undone already moves none."""
    registry_id = await session.scalar(
        text("SELECT registry_id FROM vault.merges WHERE id = :id"), {"id": merge_id}
    )
    if registry_id is None:
        return 0
    await ledger.lock(session, registry_id)
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
    await ring(session, "accepted")
    return len(cases)
