"""
A simulated nation's history, written as `accept` leaves it, in an order that is nobody's.

What a nation knows in the end (`Truth`) is what is in force at the end. Before that every case and
follow-up may have been a draft, another reading, or withdrawn, and may have stood under another
subject until the two were found to be one person or not to be. All of it happens at random times:
follow-ups before their exams, this year's screens before those of years ago.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import copy_records
from app.ingest.checks import Row, at_work, text_of
from app.registries.schema import Definition, Form
from app.simulation.ledger import Truth
from app.simulation.plan import Plan, dice
from app.simulation.write import entries_of
from tests.oracles.counting import Cell, Count, Exam, Measure, add, cases_as_exams

AT_ONCE = 1_000
"""People whose entries are checked in one batch."""
RECENT = 500
"""Readings that another case may have had by mistake."""
COLUMNS = (
    "subject_id", "registry_id", "case_id", "parent_id", "facility_id", "form", "key_token", "state",
    "definition_version", "case_date", "elements", "submission_number", "row", "from_seq", "to_seq",
    "created_at",
)  # fmt: skip
FIRST_MOMENT = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(slots=True)
class Turn:
    """A version: from when, of what, as what."""

    at: float
    subject: int
    state: str
    elements: str
    day: date | None


@dataclass(slots=True)
class Chain:
    """A case or follow-up, and what was known of it; the next version closes the one before."""

    case: int
    parent: int | None
    facility: int
    form: str
    turns: list[Turn]


@dataclass
class Chronicle:
    """The history of a plan's nation. It is told anew, and the same, each time it is asked for."""

    plan: Plan
    definition: Definition
    transaction: int = 2_000
    """Feed numbers that are given out in one transaction, or some more."""
    wanted: dict[Cell, Count] = field(default_factory=dict)
    """What the oracle counts of all that is true in the end."""
    kinds: dict[str, int] = field(default_factory=dict)
    """How much of what happened."""

    def count(self, measures: list[Measure]) -> None:
        """Count the truth, person by person, with the oracle."""
        for truths in self._people():
            for exam in exams(self.plan, truths):
                add(self.wanted, exam, measures)

    async def write(self, session: AsyncSession) -> list[int]:
        """Write every version, and nothing of it into the feed yet; where transactions end.

        The session is the owner's: COPY is refused to whoever is held to rows.
        """
        ats = np.fromiter((turn.at for one in self._chains() for turn in one.turns), float)
        order = np.argsort(ats, kind="stable")
        numbers = np.empty(len(ats), np.int64)
        numbers[order] = np.arange(1, len(ats) + 1)
        # What happens at one moment is one transaction: the number of its first change says which.
        starts = np.r_[True, np.diff(ats[order]) > 0]
        firsts = np.maximum.accumulate(np.where(starts, np.arange(len(ats)), 0))
        transactions = firsts // self.transaction
        of_row = np.empty(len(ats), np.int64)
        of_row[order] = transactions
        rows = self._rows(iter(numbers.tolist()), iter(of_row.tolist()))
        while some := list(islice(rows, 20_000)):
            await copy_records(session, "versions", COLUMNS, some)
        ends = np.flatnonzero(np.diff(transactions)) + 1
        return [*ends.tolist(), len(ats)]

    async def tell(self, session: AsyncSession, upto: int) -> None:
        """Let the feed be at a number at which a transaction ended."""
        await session.execute(
            text(
                "INSERT INTO feeds (registry_id, feed_seq) VALUES (:id, :upto)"
                " ON CONFLICT (registry_id) DO UPDATE SET feed_seq = :upto"
            ),
            {"id": self.definition.id, "upto": upto},
        )

    async def open_cases(self, session: AsyncSession) -> None:
        """Write the cases whose versions are in force at the end of it all."""
        await session.execute(
            text(
                "INSERT INTO cases (id, registry_id, facility_id, form, key_token, subject_id, parent_id,"
                " state, case_date, submission_number, row, created_at, updated_at)"
                " OVERRIDING SYSTEM VALUE SELECT DISTINCT ON (case_id) case_id, registry_id, facility_id,"
                " form, key_token, subject_id, parent_id, state, case_date, submission_number, row, now(),"
                " now() FROM versions WHERE registry_id = :id AND to_seq IS NULL"
                " ORDER BY case_id, state = 'draft'"
            ),
            {"id": self.definition.id},
        )

    def _rows(self, numbers: Iterator[int], transactions: Iterator[int]) -> Iterator[tuple]:
        for chain in self._chains():
            own = [next(numbers) for _ in chain.turns]
            for turn, seq, closed in zip(chain.turns, own, [*own[1:], None], strict=True):
                yield (
                    turn.subject, self.definition.id, chain.case, chain.parent, chain.facility,
                    chain.form, f"{chain.case:016x}", turn.state, self.definition.version, turn.day,
                    turn.elements, seq, 1, seq, closed,
                    FIRST_MOMENT + timedelta(seconds=next(transactions)),
                )  # fmt: skip

    def _people(self) -> Iterator[list[Truth]]:
        for _, truths in entries_of(self.plan, self.definition):
            yield truths

    def _chains(self) -> Iterator[Chain]:
        """Every case and follow-up, with its versions in order."""
        teller = _Teller(self.plan, self.definition)
        people = self._people()
        while some := list(islice(people, AT_ONCE)):
            yield from teller.tell(some)
        self.kinds = teller.kinds


def exams(plan: Plan, truths: list[Truth]) -> list[Exam]:
    """A person's exams as the registry must hold them in the end, for the oracle."""
    return cases_as_exams(
        {
            "facility": plan.number(one.facility),
            "key": one.key,
            "subject": one.name,
            "elements": one.elements,
            "follow_ups": list(one.follow_ups.values()),
        }
        for one in truths
        if one.state == "submitted"
    )


class _Teller:
    """Makes histories of what is true in the end."""

    def __init__(self, plan: Plan, definition: Definition) -> None:
        self.plan, self.definition = plan, definition
        self.rng = dice("chronicle", plan.seed)
        self.exam = definition.first_case_form
        self.follow_up = definition.follow_up_forms(self.exam.id)[0]
        self.readings: dict[str, deque[tuple[str, date | None]]] = {
            one.id: deque(maxlen=RECENT) for one in (self.exam, self.follow_up)
        }
        self.strangers: deque[int] = deque([1], maxlen=RECENT)
        self.cases = self.subjects = 1
        self.kinds = dict.fromkeys(
            ("exams", "follow_ups", "drafts", "amended", "withdrawn", "moved", "late"), 0
        )

    def tell(self, people: list[list[Truth]]) -> Iterator[Chain]:
        cases = [case for truths in people for case in truths]
        told = iter(self._kept(self.exam, [case.elements for case in cases]))
        above = {id(case): next(told) for case in cases}
        follow_ups = [(case, one) for case in cases for one in case.follow_ups.values()]
        beneath = self._kept(
            self.follow_up,
            [one for _, one in follow_ups],
            [above[id(case)][0] for case, _ in follow_ups],
        )
        of_case: dict[int, list[tuple[str, date | None]]] = {id(case): [] for case in cases}
        for (case, _), kept in zip(follow_ups, beneath, strict=True):
            of_case[id(case)].append(kept)
        for truths in people:
            numbers: dict[int, int] = {}
            for case in truths:
                if case.subject not in numbers:
                    self.subjects += 1
                    numbers[case.subject] = self.subjects
                yield from self._case(
                    case, numbers[case.subject], above[id(case)], of_case[id(case)]
                )
            self.strangers.extend(numbers.values())

    def _kept(
        self, form: Form, sent: list[dict[str, Any]], parents: list[str] | None = None
    ) -> list[tuple[str, date | None]]:
        """Entries as they are kept: computed elements worked out, nothing identifying; and the day."""
        work = at_work(self.definition).form(form.id)
        assert work is not None
        values = [work.check.check(one, draft=True).values for one in sent]
        rows = [Row(text_of(one), date(2026, 10, 1), draft=True) for one in values]
        kept = []
        for one, (computed, _) in zip(values, work.run(rows, parents), strict=True):
            whole = {
                name: value
                for name, value in (one | computed).items()
                if name not in work.identifying
            }
            assert form.period is not None
            day = whole.get(form.period)
            kept.append((text_of(whole), date.fromisoformat(str(day)) if day else None))
        return kept

    def _case(
        self,
        case: Truth,
        subject: int,
        kept: tuple[str, date | None],
        follow_ups: list[tuple[str, date | None]],
    ) -> Iterator[Chain]:
        rng, facility = self.rng, self.plan.number(case.facility)
        if case.state == "absent":
            if case.draft is not None:
                self.kinds["drafts"] += 1
                yield self._chain(self.exam, facility, None, subject, None, "draft", kept)
            return
        # Under somebody else until a moment, and everything that hangs on it too.
        stranger = moment = None
        if rng.random() < 0.12:
            self.subjects += 1
            stranger = rng.choice(self.strangers) if rng.random() < 0.5 else self.subjects
            moment = rng.random()
            self.kinds["moved"] += 1
        before = (stranger, moment) if stranger is not None and moment is not None else None
        whole = self._chain(self.exam, facility, None, subject, before, case.state, kept)
        self.kinds["exams"] += 1
        yield whole
        for one in follow_ups:
            its = self._chain(
                self.follow_up, facility, whole.case, subject, before, "submitted", one
            )
            self.kinds["follow_ups"] += 1
            self.kinds["late"] += its.turns[0].at < whole.turns[0].at
            yield its
        if rng.random() < 0.05 and self.readings[self.follow_up.id]:
            wrong = rng.choice(self.readings[self.follow_up.id])
            yield self._chain(
                self.follow_up, facility, whole.case, subject, before, "withdrawn", wrong
            )
        if rng.random() < 0.01:  # a correction that is still being written
            yield Chain(
                whole.case, None, facility, self.exam.id,
                [Turn(2.0 + rng.random(), subject, "draft", "{}", None)],
            )  # fmt: skip

    def _chain(
        self,
        form: Form,
        facility: int,
        parent: int | None,
        subject: int,
        before: tuple[int, float] | None,
        state: str,
        kept: tuple[str, date | None],
    ) -> Chain:
        """What was known of a case from its first version to the last, which is `state` and `kept`."""
        rng, readings = self.rng, self.readings[form.id]
        self.cases += 1
        last = ("withdrawn", "{}", None) if state == "withdrawn" else (state, *kept)
        known: list[tuple[str, str, date | None]] = [last]
        if state == "withdrawn":
            self.kinds["withdrawn"] += 1
            known.insert(0, ("submitted", *kept))
        while readings and rng.random() < 0.3:
            kind = rng.choices(("submitted", "withdrawn", "draft"), (6, 2, 1))[0]
            other = rng.choice(readings)
            self.kinds["amended"] += kind == "submitted"
            known.insert(0, (kind, *(("{}", None) if kind == "withdrawn" else other)))
        readings.append(kept)
        ats = sorted(rng.random() for _ in known)
        turns = [Turn(at, subject, *one) for at, one in zip(ats, known, strict=True)]
        if before is not None:
            turns = _moved(turns, *before)
        return Chain(self.cases, parent, facility, form.id, turns)


def _moved(turns: list[Turn], stranger: int, moment: float) -> list[Turn]:
    """The same versions, those before a moment under another subject; a copy is opened then."""
    earlier = [turn for turn in turns if turn.at < moment]
    for turn in earlier:
        turn.subject, own = stranger, turn.subject
    if not earlier:
        return turns
    held = earlier[-1]
    copy = Turn(moment, own, held.state, held.elements, held.day)
    return [*earlier, copy, *turns[len(earlier) :]]
