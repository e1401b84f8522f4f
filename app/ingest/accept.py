"""
Accept checked entries: cases, versions and the feed.

One batch is one transaction under the registry's lock. What is known of the batch's subjects and
cases is loaded with a few statements, `history` says what each entry does to them, and what comes
of it is written with a few more. Feed numbers are taken right before the versions that carry them
and held to the commit, so that number order is commit order.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from app.claim import Claim, ring, working
from app.ingest import ledger, posting
from app.ingest.checks import Row, Versions
from app.ingest.completing import complete
from app.ingest.findings import Found, keep_findings, of_flaw
from app.ingest.history import Event, History, Numbers, in_turn
from app.ingest.ledger import Batch
from app.ingest.lists import hold_against_lists
from app.ingest.lookups import look_up
from app.ingest.rooms import BATCH, Rooms, large_has_turn
from app.ingest.spelled import spelled
from app.ingest.turns import oldest
from app.locks import Lock, take
from app.models.base import now
from app.models.submission import Submission
from app.registries.findings import FindingCode, Severity, severity
from app.registries.lineage import now_called
from app.registries.values.given import Flaw
from app.vault import Vault, identities

_REMEDY = {
    FindingCode.UNKNOWN_CASE: "There is nothing under this key to withdraw.",
    FindingCode.WAITING_FOR_PARENT: "It is taken up when the case it follows up arrives.",
    FindingCode.SUPERSEDED: "Something sent later was accepted already; this changes nothing.",
    FindingCode.IDENTITY_CONFLICT: "The identifiers belong to different people: correct them here"
    " or where they were sent before.",
}


async def accept(rooms: Rooms) -> int:
    """Move what was checked on: many small submissions together, then a batch of a large one."""
    await rooms.catalogue.keep_current(rooms.database)
    small = await _work(rooms, await oldest(rooms, small=True))
    if small and not large_has_turn("accept"):
        return small
    return small + await _work(rooms, await oldest(rooms, small=False))


async def _work(rooms: Rooms, claimed: Claim[Submission]) -> int:
    if not claimed:
        return 0
    async with working(rooms.database, claimed, tries=rooms.settings.tries) as (session, ours):
        if not ours:
            return 0
        registry_id = ours[0].registry_id
        await take(session, Lock.ACCEPT, registry_id)
        definitions = Versions(rooms.catalogue, registry_id)
        batch = await ledger.load(session, registry_id, definitions, ours)
        found = await complete(session, rooms.vault, ours, batch)
        await _accept(session, rooms.vault, definitions, batch, found)
        finished = await _progress(session, ours, batch)
        await ring(session, "completed" if finished else "accepted")
        return max(len(batch.events), len(ours))


async def _accept(
    session: AsyncSession,
    vault: Vault,
    definitions: Versions,
    batch: Batch,
    found: list[Found],
) -> None:
    registry = batch.registry
    known = await identities.people(
        session, registry, [event.tokens for event in (*batch.events, *batch.waiting)]
    )
    most = len(batch.events) + len(batch.waiting)
    history = History(
        batch.cases,
        known,
        Numbers(await ledger.ids(session, "cases_id_seq", batch.unknown)),
        Numbers(await ledger.ids(session, "versions_id_seq", most)),
    )
    found += await hold_against_lists(session, vault, definitions, batch)
    standing = [event for event in batch.events if event.outcome is None]
    followers = in_turn(history, standing, batch.waiting)
    await _hold_against_cases(session, definitions, batch, [event for event, _ in followers], found)
    for event, case in followers:
        if event.outcome is None:
            history.apply(event, case)
    subjects = await identities.keep_people(session, vault, registry, history.people)
    moving = await ledger.moved(session, registry, history, subjects)
    history.settle(subjects, Numbers(await ledger.ids(session, "versions_id_seq", 2 * len(moving))))
    for union in history.people.unions:
        cases = [case.id for case in moving if case.loaded_under == union.merged]
        await identities.record(session, registry, union, cases)
    found += _said(batch)
    await look_up(session, vault, definitions, batch, history)
    await posting.forget_waiting(session, batch)
    await posting.write(session, batch, history)
    await keep_findings(session, found)


async def _hold_against_cases(
    session: AsyncSession,
    definitions: Versions,
    batch: Batch,
    followers: Sequence[Event],
    found: list[Found],
) -> None:
    """The rules that read the case a follow-up belongs to: only now is it certain which that is.

    The two are held against each other in the newer of their two versions.
    """
    asked = [
        event
        for event in followers
        if event.form.looks_at_parent and event.basis is not None and event.action == "submit"
    ]
    if not asked:
        return
    bases = [event.basis for event in asked if event.basis is not None]
    own = await ledger.elements_of_entries(session, [event.at for event in asked])
    above = await ledger.elements_of_versions(session, bases)
    spoken = await ledger.versions_spoken(session, batch, bases)
    by_form: dict[tuple[str, str], list[tuple[Event, str, str]]] = {}
    for event, basis in zip(asked, bases, strict=True):
        mine, its = batch.versions[event.at[0]], spoken[basis.id]
        key = (event.form.form.id, definitions.newer(mine, its))
        by_form.setdefault(key, []).append((event, its, above[basis.id]))
    for (form_id, version), held in by_form.items():
        registry = definitions[version]
        form = registry.form(form_id)
        if form is None or form.form.parent is None:
            continue  # a newer version that has no such form asks nothing of it
        sent = [(batch.versions[event.at[0]], own[event.at]) for event, _, _ in held]
        parent = form.form.parent
        # A sender is told of an element by the name that it has in the version that was sent.
        called = {
            mine: {now: was for was, now in now_called(registry.definition, form_id, mine).items()}
            for mine, _ in sent
        }
        rows = [
            Row(elements, batch.received[event.at[0]])
            for (event, _, _), elements in zip(
                held, spelled(registry.definition, form_id, sent), strict=True
            )
        ]
        parents = spelled(registry.definition, parent, [(its, text) for _, its, text in held])
        alone = await asyncio.to_thread(form.run, rows)
        beside = await asyncio.to_thread(form.run, rows, parents)
        for (event, _, _), (before, said), (after, now_said) in zip(
            held, alone, beside, strict=True
        ):
            names = called.get(batch.versions[event.at[0]], {})
            fresh = [
                replace(flaw, place=names.get(flaw.place, flaw.place))
                for flaw in now_said
                if flaw not in said
            ]
            found += [_finding(event, flaw) for flaw in fresh]
            if any(flaw.severity is Severity.REJECT for flaw in fresh):
                event.outcome = "rejected"
            elif before != after and batch.versions[event.at[0]] == version:
                event.patch = ledger.patch(after)


def _finding(event: Event, flaw: Flaw) -> Found:
    return of_flaw(*event.at, event.facility, event.form.form.id, flaw)


def _said(batch: Batch) -> list[Found]:
    """What senders are told about entries that did not simply go through."""
    found: list[Found] = []
    for event in (*batch.events, *batch.waiting):
        key = next(iter(event.form.form.key), "row")
        if event.outcome == "waiting" and not event.waited:
            place = next(iter(event.form.parent_key), "row")
            found.append(_of(event, place, FindingCode.WAITING_FOR_PARENT))
        elif event.outcome == "superseded":
            found.append(_of(event, key, FindingCode.SUPERSEDED))
        elif event.outcome == "rejected" and event.action == "withdraw":
            found.append(_of(event, key, FindingCode.UNKNOWN_CASE))
        if event.conflict:
            place = event.form.national or event.form.local or "row"
            found.append(_of(event, place, FindingCode.IDENTITY_CONFLICT))
    return found


def _of(event: Event, place: str, code: FindingCode) -> Found:
    return Found(
        *event.at, event.facility, event.form.form.id, place, code, severity(code), _REMEDY[code]
    )


async def _progress(session: AsyncSession, ours: Sequence[Submission], batch: Batch) -> bool:
    """Where the submissions are now; whether any is finished."""
    finished = []
    for submission in ours:
        submission.rows_accepted = min(submission.rows_accepted + BATCH, submission.entries or 0)
        if submission.rows_accepted == submission.entries:
            submission.state = "completed"
            submission.completed_at = now()
            finished.append(submission.number)
    await session.flush()
    released = {event.at[0] for event in batch.waiting if event.outcome != "waiting"}
    await posting.tally(session, sorted({*finished, *released}))
    return bool(finished)
