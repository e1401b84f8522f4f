from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.database import Database
from app.errors import Conflict, NotFound
from app.ingest import held as holding
from app.ingest.accept import accept
from app.ingest.expire import expire
from app.ingest.images import images
from app.postgres import Addresses
from app.worker import Works
from tests.ingest.holding import STEPS, days_go_by, held_at
from tests.ingest.imaging import Site, findings, open_site, rows, submission
from tests.ingest.landing import Landing, exam, follow_up
from tests.make.instances import sent

DAYS = 30
AUDITED = (
    "SELECT record_type, facility_id, details FROM audit_events"
    " WHERE action = 'retry' AND record_id = :id"
)


@pytest_asyncio.fixture
async def site(client: httpx.AsyncClient, database: Addresses, works: Works) -> Site:
    return await open_site(client, database, works)


async def retry(works: Works, id: UUID) -> str:
    async with works.database.transaction() as session:
        return await holding.retry(session, id, DAYS)


async def listed(works: Works) -> dict[UUID, holding.Held]:
    async with works.database.transaction() as session:
        return {one.id: one for one in await holding.held(session, DAYS)}


@pytest.mark.parametrize("step", STEPS)
async def test_a_held_submission_goes_on_where_it_stopped(landing: Landing, step: Any) -> None:
    held = await held_at(landing, step, [exam(), follow_up()])
    one = (await listed(landing.works))[held.id]
    assert (one.kind, one.facility_id, one.why) == (
        "submission",
        landing.facilities[0],
        step.__name__,
    )
    assert one.since is not None
    assert (one.until - held.received_at).days == DAYS
    state = await retry(landing.works, held.id)
    again = await landing.told(held)
    assert (again.state, again.submission.tries, again.submission.completed_at) == (state, 0, None)
    assert held.id not in await listed(landing.works)
    await landing.run()
    told = await landing.told(held)
    assert (told.state, told.outcomes, told.findings) == ("completed", ["accepted"] * 2, [])
    assert await landing.rows(AUDITED, id=str(held.id)) == [
        ("submission", landing.facilities[0], {"state": state})
    ]


async def test_what_was_sent_later_and_accepted_meanwhile_stands(landing: Landing) -> None:
    held = await held_at(landing, accept, [exam(ct_exam_result_lung_rads="4A")])
    assert (await landing.land([exam()])).outcomes == ["accepted"]
    await retry(landing.works, held.id)
    await landing.run()
    late = await landing.told(held)
    assert late.outcomes == ["superseded"]
    assert late.findings == [(1, "exam_unique_id", "superseded")]


async def test_what_fails_again_is_held_again(landing: Landing) -> None:
    held = await held_at(landing, accept, [exam()])
    await retry(landing.works, held.id)
    await landing.rows(
        "UPDATE submissions SET tries = 99 WHERE number = :n RETURNING 1", n=held.number
    )
    await landing.run()
    told = await landing.told(held)
    assert (told.state, told.findings) == ("held", [(0, "submission", "held")])


async def test_only_what_is_held_and_kept_can_be_tried_again(landing: Landing) -> None:
    done = await landing.land([exam()])
    with pytest.raises(Conflict, match="completed"):
        await retry(landing.works, done.submission.id)
    with pytest.raises(NotFound):
        await retry(landing.works, uuid4())
    held = await held_at(landing, accept, [exam(exam_unique_id="A-2")])
    await days_go_by(landing, held)
    assert held.id not in await listed(landing.works)
    with pytest.raises(Conflict, match="end date"):
        await retry(landing.works, held.id)
    await expire(landing.works)
    with pytest.raises(Conflict, match="completed"):
        await retry(landing.works, held.id)


async def test_a_body_that_is_gone_cannot_be_read_again(landing: Landing) -> None:
    held = await held_at(landing, STEPS[0], [exam()])
    async with landing.works.database.transaction() as session:
        assert held.quarantine_id is not None
        await landing.works.quarantine.destroy(session, [held.quarantine_id])
    with pytest.raises(Conflict, match="end date"):
        await retry(landing.works, held.id)


async def test_held_instances_are_tried_again_one_or_all_of_a_delivery(
    site: Site, worker: Database
) -> None:
    answer = await site.store(sent(1, 70), sent(2, 70), sent(3, 70))
    delivery = UUID(answer.headers["Location"].rsplit("/", 1)[1])
    waiting = (
        "FROM instances i JOIN submissions s ON s.number = i.submission_number WHERE s.id = :id"
    )
    async with worker.transaction() as session:
        await session.execute(
            text(f"UPDATE instances SET tries = 99 WHERE id IN (SELECT i.id {waiting})"),
            {"id": delivery},
        )
    await images(site.works)
    await site.work()
    assert (await submission(worker, answer))[1]["held"] == 3
    ids = [
        one.id for one in await rows(worker, f"SELECT i.id {waiting} ORDER BY i.row", id=delivery)
    ]
    held = await listed(site.works)
    assert [held[id].why for id in ids] == ["held"] * 3
    assert held[ids[0]].kind == "instance"

    assert await retry(site.works, ids[1]) == "received"
    assert (await submission(worker, answer))[0] == "received", "it is counted anew"
    await site.work()
    state, counts, _ = await submission(worker, answer)
    assert (state, counts["archived"], counts["held"]) == ("completed", 1, 2)
    assert [one[0] for one in await findings(worker, answer)] == [1, 3]

    await retry(site.works, delivery)
    await site.work()
    state, counts, _ = await submission(worker, answer)
    assert (state, counts["archived"], counts["held"]) == ("completed", 3, 0)
    assert await findings(worker, answer) == []
    assert [tuple(one) for one in await rows(worker, AUDITED, id=str(delivery))] == [
        ("submission", site.facility, {"state": "received", "instances": 2})
    ]
    with pytest.raises(Conflict):
        await retry(site.works, ids[1])


async def test_an_instance_kept_back_for_what_it_shows_is_judged_anew(
    site: Site, worker: Database
) -> None:
    answer = await site.store(sent(1, 71, BurnedInAnnotation="YES"))
    await site.work()
    (found,) = await rows(
        worker,
        "SELECT i.id FROM instances i JOIN submissions s ON s.number = i.submission_number"
        " WHERE s.id = :id",
        id=answer.headers["Location"].rsplit("/", 1)[1],
    )
    assert (await listed(site.works))[found.id].why == "burned-in-text"
    await retry(site.works, found.id)
    await site.work()
    assert await findings(worker, answer) == [(1, "instance", "burned-in-text")], "said once"
