"""Issuing a period's reports: once, with digests, resumable, and never altered."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select, text

from app import access
from app.api.v1.keys import NewKey, create_key
from app.archive import Archive
from app.benchmarks.compare import compare
from app.benchmarks.periods import period
from app.commands.definitions import newest
from app.database import EVERYTHING, Database, Role, Scope
from app.errors import Conflict, NotFound, Unprocessable
from app.models import AuditEvent, IssuedReport
from app.postgres import Addresses
from app.registries.schema import Definition
from app.reports import issue, paper
from app.reports.composition import Composition
from app.reports.issue import Progress
from app.settings import Settings
from perf.bench.feedback import Place, plant, plant_cases
from tests.make.definitions import ORIGINAL

LARGE, TINY, NEW = 200001, 200002, 200003
OVER = period("2026Q3")
ENDED = datetime(2026, 11, 20, 8, tzinfo=UTC)
LATER = datetime(2026, 12, 1, 8, tzinfo=UTC)
WHOLE = newest(ORIGINAL)
DEFINITION: Definition = WHOLE.model_copy(
    update={
        "digest": "a few measures",  # what is remembered of a definition goes by it
        "measures": tuple(
            one
            for one in WHOLE.measures
            if one.id in ("ctdivol", "recall_rate", "follow_up_reporting_rate", "ppv1", "screens")
        ),
    }
)
EMPTIED = (
    "issued_reports, report_issues, cells, generations, feeds, snapshots, snapshot_spreads,"
    " snapshot_members, participations, facilities, corporate_accounts, cases, versions CASCADE"
)


@pytest_asyncio.fixture
async def nation(
    database: Addresses, worker: Database, settings: Settings
) -> AsyncIterator[Archive]:
    """A large, a tiny and a new facility among peers, with the snapshot of a day after the period."""
    owner = Database(database.owner, Role.OWNER, pool=1)
    async with owner.transaction(EVERYTHING) as session:
        await session.execute(text(f"TRUNCATE {EMPTIED}"))
    await owner.close()
    peers = [Place(100000 + one, f"Peer {one}", 110.0 + one, date(2025, 1, 1)) for one in range(9)]
    own = [
        Place(LARGE, "Large", 260, date(2025, 1, 1), 0.4),
        Place(TINY, "Tiny", 1.2, date(2025, 1, 1)),
        Place(NEW, "New", 90, date(2026, 7, 1)),
    ]
    async with worker.transaction(EVERYTHING) as session:
        await plant(session, DEFINITION, [*peers, *own], date(2026, 9, 1))
        await plant_cases(session, DEFINITION, LARGE, date(2026, 7, 1), 92, 60)
    async with worker.transaction(EVERYTHING) as session:
        await compare(session, DEFINITION, ENDED.date())
    yield Archive(settings)


async def begun(worker: Database, **other: object) -> int:
    given: dict[str, object] = {"today": ENDED, "facilities": {LARGE, TINY, NEW}}
    found = await issue.begin(worker, DEFINITION, OVER, **(given | other))  # type: ignore[arg-type]
    assert found is not None
    return found.id


async def work(
    worker: Database, archive: Archive, issue_id: int, at: datetime = ENDED, most: int = 100
) -> Progress:
    for _ in range(most):
        if not await issue.issue_next(
            worker, archive, DEFINITION, issue_id, at=at, lease_seconds=30, tries=3
        ):
            break
    return await issue.end(worker, issue_id)


async def rows(worker: Database) -> list[IssuedReport]:
    async with worker.transaction(EVERYTHING) as session:
        found = await session.scalars(select(IssuedReport).order_by(IssuedReport.id))
        return list(found)


async def a_late_case(worker: Database, facility: int) -> None:
    """More cases of the period than were there when it was issued."""
    async with worker.transaction(EVERYTHING) as session:
        await session.execute(
            text(
                "UPDATE cells SET counts = (SELECT array_agg(n + 2 * (n > 0)::int ORDER BY place)"
                " FROM unnest(counts) WITH ORDINALITY AS each(n, place))"
                " WHERE facility_id = :facility AND month = '2026-08-01' AND stratifier = ''"
            ),
            {"facility": facility},
        )


async def test_every_facility_gets_its_report_once_with_the_digests_of_its_bytes(
    nation: Archive, worker: Database
) -> None:
    issue_id = await begun(worker)
    assert await work(worker, nation, issue_id) == Progress(issued=3)
    found = await rows(worker)
    assert [(one.facility_id, one.number, one.supersedes) for one in found] == [
        (LARGE, 1, None),
        (TINY, 1, None),
        (NEW, 1, None),
    ]
    for one in found:
        assert one.pdf_path is not None
        assert one.composition_path is not None
        content = await nation.get(one.composition_path)
        sent = await nation.get(one.pdf_path)
        assert hashlib.sha256(content).hexdigest() == one.composition_sha256
        assert hashlib.sha256(sent).hexdigest() == one.pdf_sha256
        assert len(sent) == one.pdf_size
        composed = Composition.model_validate_json(content)
        assert composed.facility.id == one.facility_id
        assert paper.pdf(composed) == sent, "what was sent can be set again from what was composed"
    async with worker.transaction(EVERYTHING) as session:
        events = list(
            await session.scalars(select(AuditEvent).where(AuditEvent.record_type == "report"))
        )
    assert {one.facility_id for one in events} >= {LARGE, TINY, NEW}
    assert await issue.begin(worker, DEFINITION, OVER, today=LATER, facilities={LARGE}) is None


async def test_each_of_the_three_is_told_what_is_true_of_it(
    nation: Archive, worker: Database
) -> None:
    await work(worker, nation, await begun(worker))
    told = {one.facility_id: await issue.as_issued(nation, one) for one in await rows(worker)}
    large, tiny, new = (told[one] for one in (LARGE, TINY, NEW))
    shown = large.measure("recall_rate")
    assert shown is not None
    assert shown.run is not None
    assert shown.funnel is not None
    assert shown.change is not None
    hidden = tiny.measure("recall_rate")
    assert hidden is not None
    assert hidden.result.withheld is not None
    assert hidden.result.withheld.reason == "too-few-cases"
    assert "it takes 10" in hidden.says
    assert hidden.says.removeprefix("Not shown. ") in [one.says for one in tiny.not_shown]
    assert tiny.summary.changed == ("No rate can be shown, so that no change can be told.",)
    first = new.measure("recall_rate")
    assert first is not None
    assert first.result.rate is not None
    assert first.change is None
    assert first.run is not None
    assert first.run.says == "There is no trend yet: these are this facility's first results."
    assert new.summary.changed == ("There is no year before to compare with, and no trend yet.",)


async def test_a_measure_too_early_to_judge_is_told_of_an_earlier_period(
    nation: Archive, worker: Database
) -> None:
    await work(worker, nation, await begun(worker, facilities={LARGE}))
    told = await issue.as_issued(nation, (await rows(worker))[0])
    early = told.measure("ppv1")
    assert early is not None
    assert early.result.rate is None
    assert early.latest is not None
    assert early.latest.period == "2025Q3"
    assert early.latest.rate is not None
    reasons = {one.measure_id: one.says for one in told.not_shown if one.what == "own result"}
    assert reasons["ppv1"] == "Its outcomes are known from 1 October 2027 on."


async def test_what_was_left_undone_is_done_by_the_next_run_and_nothing_twice(
    nation: Archive, worker: Database
) -> None:
    issue_id = await begun(worker)
    assert await work(worker, nation, issue_id, most=1) == Progress(issued=1, waiting=2)
    before = [(one.pdf_sha256, one.issued_at) for one in await rows(worker) if one.number]
    resumed = await issue.begin(worker, DEFINITION, OVER, today=LATER)
    assert resumed is not None
    assert resumed.id == issue_id
    assert await work(worker, nation, issue_id, LATER) == Progress(issued=3)
    assert before == [(one.pdf_sha256, one.issued_at) for one in await rows(worker)][:1]


async def test_a_correction_is_the_next_number_and_leaves_the_first_as_it_was(
    nation: Archive, worker: Database
) -> None:
    await work(worker, nation, await begun(worker))
    first = {one.facility_id: one for one in await rows(worker)}
    await a_late_case(worker, LARGE)
    again = await begun(worker, reason="Cases of August came late.", facilities=None, today=LATER)
    assert await work(worker, nation, again, LATER) == Progress(issued=1, unchanged=2)
    second = [one for one in await rows(worker) if one.report_issue_id == again and one.number]
    assert [(one.facility_id, one.number, one.supersedes, one.reason) for one in second] == [
        (LARGE, 2, 1, "Cases of August came late.")
    ]
    was = first[LARGE]
    assert was.pdf_path is not None
    kept = await nation.get(was.pdf_path)
    assert hashlib.sha256(kept).hexdigest() == was.pdf_sha256
    said = await issue.as_issued(nation, second[0])
    assert said.issue is not None
    assert (said.issue.number, said.issue.supersedes) == (2, 1)


async def test_a_facility_that_is_named_is_issued_anew_though_nothing_changed(
    nation: Archive, worker: Database
) -> None:
    await work(worker, nation, await begun(worker))
    again = await begun(worker, reason="Sent to the wrong address.", facilities={TINY}, today=LATER)
    assert await work(worker, nation, again, LATER) == Progress(issued=1)


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"today": datetime(2026, 9, 30, 23, tzinfo=UTC)}, Unprocessable),
        ({"facilities": {999999}}, NotFound),
    ],
)
async def test_what_cannot_be_issued_is_refused(
    nation: Archive, worker: Database, other: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await begun(worker, **other)


async def test_no_other_round_begins_while_one_is_open(nation: Archive, worker: Database) -> None:
    await begun(worker, facilities={TINY})
    with pytest.raises(Conflict):
        await begun(worker, facilities={LARGE})
    with pytest.raises(Conflict):
        await begun(worker, reason="x", facilities=None)


async def test_one_report_that_cannot_be_made_is_held_and_the_others_go_on(
    nation: Archive, worker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = issue.compose

    async def compose(*given: object, **other: object) -> Composition:
        if given[2] == TINY:
            raise RuntimeError
        return await real(*given, **other)  # type: ignore[arg-type]

    monkeypatch.setattr(issue, "compose", compose)
    issue_id = await begun(worker)
    for _ in range(20):
        async with worker.transaction(EVERYTHING) as session:  # nobody waits for pauses here
            await session.execute(text("UPDATE issued_reports SET not_before = now()"))
        try:
            if not await issue.issue_next(
                worker, nation, DEFINITION, issue_id, at=ENDED, lease_seconds=30, tries=2
            ):
                break
        except RuntimeError:
            continue
    assert await issue.end(worker, issue_id) == Progress(issued=2, held=1)


async def test_a_facility_sees_its_own_issued_reports_and_no_other(
    nation: Archive, worker: Database, web: Database
) -> None:
    await work(worker, nation, await begun(worker))
    async with web.transaction(Scope(facilities=frozenset({TINY}))) as session:
        seen = list(await session.scalars(select(IssuedReport.facility_id)))
    assert seen == [TINY]


async def test_the_wire_serves_what_was_sent_and_says_what_has_changed_since(
    nation: Archive, worker: Database, web: Database, client: httpx.AsyncClient
) -> None:
    await work(worker, nation, await begun(worker, facilities={LARGE}))
    async with web.transaction(EVERYTHING) as session:
        body = {"role": access.Role.DASHBOARD, "label": "tests", "facilities": [LARGE]}
        _, secret = await create_key(session, None, NewKey.model_validate(body))
    headers = {"Authorization": f"Bearer {secret.text}"}
    address = f"/v1/facilities/{LARGE}/reports"
    (listed,) = (await client.get(address, headers=headers)).json()
    assert (listed["number"], listed["period"], listed["reason"]) == (1, "2026Q3", None)
    issued = f"{address}/{DEFINITION.id}/2026Q3/issued"
    sent = await client.get(f"{issued}?format=pdf", headers=headers)
    assert hashlib.sha256(sent.content).hexdigest() == listed["pdf_sha256"]
    await a_late_case(worker, LARGE)
    told = (await client.get(issued, headers=headers)).json()
    moved = {(one["measure_id"], one["figure"]) for one in told["changed"]}
    assert ("recall_rate", "rate") in moved
    assert told["composition"]["facility"]["id"] == LARGE
    assert not told["superseded"]
    page = (await client.get(f"{issued}?format=html", headers=headers)).text
    assert "Changed since issued" in page
    again = await client.get(f"{issued}?format=pdf", headers=headers)
    assert again.content == sent.content, "what was sent stays as it was"
    assert (await client.get(f"{issued}?number=2", headers=headers)).status_code == 404
    chart = await client.get(
        f"{address}/{DEFINITION.id}/2026Q3/charts/recall_rate/funnel.vl.json", headers=headers
    )
    assert chart.headers["content-type"] == "application/vnd.vegalite.v6+json"
    assert chart.json()["layer"]
