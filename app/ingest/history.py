"""
The history of cases: what each entry of a batch does to them. Pure: no database.

Entries are taken in the order of their submissions and rows, whatever batches they came in. An
entry opens a version of its case and closes those that were in force; nothing is rewritten. What
has to be written is gathered here and written by `accept`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.ingest.checks import FormAtWork
from app.vault.identities import People, Tokens

State = Literal["submitted", "draft", "withdrawn"]
Outcome = Literal[
    "accepted", "amended", "unchanged", "withdrawn", "saved", "waiting", "rejected", "superseded"
]
Key = tuple[int, str, str]
"""Facility, form, key token."""
Place = tuple[int, int]
"""Submission number and row."""


@dataclass(slots=True, eq=False)
class Event:
    """One checked entry whose turn it is."""

    at: Place
    facility: int
    form: FormAtWork
    action: str
    key: str
    parent: str | None
    digest: bytes | None
    tokens: Tokens
    waited: bool = False
    """It waited for its parent until now."""
    outcome: Outcome | None = None
    conflict: bool = False
    case: "Case | None" = None
    version: "Version | None" = None
    basis: "Version | None" = None
    """The version of its case that a follow-up was held against."""
    patch: str | None = None
    """Computed elements that needed the case, as JSON text."""
    spares_draft: bool = False
    """It came of images, and somebody is at work on a draft of the case."""


@dataclass(slots=True, eq=False)
class Version:
    """A version that exists (`known`), or that this batch opens."""

    id: int
    state: State
    known: bool = False
    case: "Case | None" = None
    event: Event | None = None
    copy_of: "Version | None" = None
    opened: int = 0
    """Its place among the batch's changes, from 1."""
    closed: int = 0
    subject: int = 0
    """For a known version, the subject it is kept under."""


@dataclass(slots=True, eq=False)
class Case:
    """A case as it stands while the batch goes on."""

    id: int
    facility: int
    form: str
    key: str
    subject: int = 0
    parent: "int | None" = None
    version: Version | None = None
    draft: Version | None = None
    digest: bytes | None = None
    at: Place = (0, 0)
    known: bool = False
    changed: bool = False
    loaded_under: int = 0
    """For a known case, the subject it had before this batch."""
    dated: Event | None = None
    """The entry that last said when it was."""

    @property
    def state(self) -> State | None:
        """That of the version in force; a draft counts while there is nothing else."""
        if self.version is not None:
            return self.version.state
        return "draft" if self.draft is not None else None

    @property
    def present(self) -> bool:
        """Whether it is there to be followed up."""
        return self.state in ("submitted", "draft") or self.draft is not None

    @property
    def basis(self) -> Version | None:
        """The version that follow-ups are held against."""
        if self.version is not None and self.version.state == "submitted":
            return self.version
        return self.draft


@dataclass(slots=True)
class Numbers:
    """Ids fetched ahead, handed out one by one."""

    left: list[int]

    def next(self) -> int:
        """The next id."""
        return self.left.pop()


@dataclass(slots=True)
class History:
    """The cases that a batch touches, and what it changes."""

    cases: dict[Key, Case]
    people: People
    case_ids: Numbers
    version_ids: Numbers
    opened: list[Version] = field(default_factory=list)
    closed: list[Version] = field(default_factory=list)
    changes: int = 0

    def apply(self, event: Event, parent: Case | None = None) -> None:
        """What one entry does. A follow-up brings the case it belongs to."""
        case = self.cases.get((event.facility, event.form.form.id, event.key))
        if case is not None and event.at < case.at:
            event.case, event.outcome = case, "superseded"
            return
        if event.action == "withdraw":
            self._withdraw(event, case)
            return
        subject = self._subject(event, case, parent)
        if case is None:
            case = Case(
                self.case_ids.next(), event.facility, event.form.form.id, event.key, subject
            )
            self.cases[event.facility, case.form, case.key] = case
        event.case, case.at, case.changed = case, event.at, True
        if parent is not None:
            case.parent = parent.id
        if event.action == "save":
            case.draft = self._open(case, "draft", event, [case.draft])
            event.outcome = "saved"
            if case.version is None:
                case.dated = event
            return
        if case.state == "submitted" and case.digest == event.digest:
            if case.draft is not None and not event.spares_draft:
                self.changes += 1
                self._close([case.draft])
                case.draft = None
            event.outcome, event.version = "unchanged", case.version
            return
        event.outcome = "amended" if case.state == "submitted" else "accepted"
        if event.spares_draft:
            case.version = self._open(case, "submitted", event, [case.version])
        else:
            case.version = self._open(case, "submitted", event, [case.version, case.draft])
            case.draft = None
        case.digest, case.subject, case.dated = event.digest, subject, event

    def _withdraw(self, event: Event, case: Case | None) -> None:
        if case is None or case.state is None:
            event.outcome = "rejected"
            return
        event.case = case
        case.at, case.changed = event.at, True
        if case.state == "withdrawn" and case.draft is None:
            event.outcome, event.version = "unchanged", case.version
            return
        case.version = self._open(case, "withdrawn", event, [case.version, case.draft])
        case.draft = case.digest = None
        event.outcome = "withdrawn"

    def _subject(self, event: Event, case: Case | None, parent: Case | None) -> int:
        if parent is not None:
            return parent.subject
        if case is not None and event.action == "save":
            return case.subject
        known = case.subject if case is not None else None
        subject, event.conflict = self.people.resolve(event.tokens, *event.at, known)
        return subject

    def _open(
        self, case: Case, state: State, event: Event, replaced: Sequence[Version | None]
    ) -> Version:
        self.changes += 1
        version = Version(
            self.version_ids.next(), state, case=case, event=event, opened=self.changes
        )
        event.version = version
        self.opened.append(version)
        self._close(replaced)
        return version

    def _close(self, versions: Iterable[Version | None]) -> None:
        for version in versions:
            if version is not None:
                version.closed = self.changes
                if version.known:
                    self.closed.append(version)

    def settle(self, subjects: dict[int, int], ids: Numbers) -> None:
        """Give every case its lasting subject, and move what stays in force along with it.

        `subjects` are the lasting numbers of new ones; `ids` is enough for two versions a case.
        """
        cases = list(self.cases.values())
        by_id = {case.id: case for case in cases}
        for case in cases:
            case.subject = self.people.now(subjects.get(case.subject, case.subject))
        for case in cases:
            above = by_id.get(case.parent) if case.parent is not None else None
            if above is not None:
                case.subject = above.subject
            for version in (case.version, case.draft):
                if version is None or not version.known or version.subject == case.subject:
                    continue
                self.changes += 1
                self._close([version])
                moved = Version(
                    ids.next(), version.state, case=case, copy_of=version, opened=self.changes
                )
                self.opened.append(moved)
                case.changed = True
                if version is case.version:
                    case.version = moved
                else:
                    case.draft = moved
        for version in self.opened:
            assert version.case is not None
            version.subject = version.case.subject


def in_turn(
    history: History, events: Sequence[Event], waiting: Sequence[Event]
) -> list[tuple[Event, Case]]:
    """Apply what stands by itself; the follow-ups that found their case, in their turn, with it.

    A follow-up without its case is `waiting`. It has its turn when its case arrives: those of this
    batch and those that have waited since earlier ones alike.
    """
    patient: dict[tuple[int, str, str | None], list[Event]] = {}
    for event in waiting:
        patient.setdefault(_awaited(event), []).append(event)
    found: list[tuple[Event, Case]] = []
    for event in events:
        if event.outcome is not None:
            continue  # settled before it came to its case
        if event.form.form.parent is None:
            history.apply(event)
            if event.case is not None and event.case.present:
                key = (event.facility, event.form.form.id, event.key)
                for follower in sorted(patient.pop(key, ()), key=lambda one: one.at):
                    _found(found, follower, event.case)
            continue
        awaited = _awaited(event)
        case = history.cases.get((event.facility, awaited[1], event.parent or ""))
        # What waits is taken up after what waits before it: a withdrawal must not pass it by.
        behind = any(one.key == event.key for one in patient.get(awaited, ()))
        if event.action == "withdraw" and case is not None and not behind:
            found.append((event, case))
        elif case is not None and case.present:
            _found(found, event, case)
        elif event.action == "withdraw" and not behind:
            event.outcome = "rejected"
        else:
            event.outcome = "waiting"
            patient.setdefault(awaited, []).append(event)
    return found


def _awaited(event: Event) -> tuple[int, str, str | None]:
    return event.facility, event.form.form.parent or "", event.parent


def _found(found: list[tuple[Event, Case]], event: Event, case: Case) -> None:
    event.basis = case.basis
    event.outcome = None
    found.append((event, case))
