"""
What must become of each entry, and what must be known in the end: worked out entry by entry.

Kept apart from the service on purpose: it is the expectation that the service is held to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.registries.findings import FindingCode, Severity
from app.registries.schema import Definition, Element, Form
from app.simulation.entries import Elements, Entry, Expected


@dataclass(slots=True)
class Truth:
    """A case as it must stand when everything has been sent."""

    facility: int
    form: str
    key: str
    state: str = "absent"
    subject: int = -1
    person: int = 0
    elements: Elements = field(default_factory=dict)
    follow_ups: dict[tuple[str, str], Elements] = field(default_factory=dict)
    """(form, key) -> elements."""
    draft: Elements | None = None
    waiting: list[Entry] = field(default_factory=list)

    @property
    def basis(self) -> Elements | None:
        """What a follow-up is held against: the exam as submitted, or else its draft."""
        return self.elements if self.state == "submitted" else self.draft

    @property
    def name(self) -> str:
        """The subject's name in this nation."""
        return f"{self.person}.{self.subject}"


Beside = Callable[[Entry, Elements], Sequence[Expected]]
"""What is found in a follow-up only when its case is known."""


class Ledger:
    """Plays entries in the order of sending; sets outcome and findings of each."""

    def __init__(self, definition: Definition, beside: Beside) -> None:
        self._forms = {form.id: _Roles(definition, form) for form in definition.entry_forms}
        self._beside = beside

    def settle(self, entries: list[Entry]) -> list[Truth]:
        """One person's entries, and how that person's cases must stand in the end."""
        cases: dict[tuple[int, str, str], Truth] = {}
        subjects = Subjects()
        for entry in sorted(entries, key=lambda one: one.wave):
            of = self._forms[entry.form]
            case_form = of.form.parent or entry.form
            at = (entry.facility, case_form, entry.key)
            case = cases.get(at)
            if case is None:
                case = cases[at] = Truth(entry.facility, case_form, entry.key, person=entry.person)
            if any(one.severity == Severity.REJECT for one in entry.findings):
                entry.outcome = "rejected"
            elif entry.follow_up is not None:
                self._take_follow_up(case, entry)
            else:
                self._take_case(case, entry, subjects)
        for case in cases.values():
            case.subject = subjects.now(case.subject)
            for entry in case.waiting:
                place = self._forms[entry.form].parent_key
                _find(entry, place, FindingCode.WAITING_FOR_PARENT, Severity.INFORMATION)
        return list(cases.values())

    def _take_case(self, case: Truth, entry: Entry, subjects: "Subjects") -> None:
        if entry.action == "withdraw":
            case.state, case.draft = "withdrawn", None
            entry.outcome = "withdrawn"
            return
        subject = case.subject
        if entry.action == "submit" or case.basis is None:
            of = self._forms[entry.form]
            subject, conflict = subjects.resolve(of.identity(entry), subject)
            if conflict:
                _find(entry, of.conflict, FindingCode.IDENTITY_CONFLICT, Severity.WARN)
        if entry.action == "save":
            if case.basis is None:
                case.subject = subject
            case.draft = entry.elements
            entry.outcome = "saved"
        elif case.state == "submitted" and case.elements == entry.elements:
            case.draft = None
            entry.outcome = "unchanged"
        else:
            entry.outcome = "amended" if case.state == "submitted" else "accepted"
            case.state, case.elements, case.draft = "submitted", entry.elements, None
            case.subject = subject
        released, case.waiting = case.waiting, []
        for waiting in released:
            self._take_follow_up(case, waiting)

    def _take_follow_up(self, case: Truth, entry: Entry) -> None:
        assert entry.follow_up is not None
        if case.basis is None:
            entry.outcome = "waiting"
            case.waiting.append(entry)
            return
        at = (entry.form, entry.follow_up)
        if entry.action == "withdraw":
            del case.follow_ups[at]
            entry.outcome = "withdrawn"
            return
        found = tuple(self._beside(entry, case.basis))
        entry.findings = (*entry.findings, *found)
        if any(one.severity == Severity.REJECT for one in found):
            entry.outcome = "rejected"
            return
        known = case.follow_ups.get(at)
        entry.outcome = (
            "accepted" if known is None else "unchanged" if known == entry.elements else "amended"
        )
        case.follow_ups[at] = entry.elements


class _Roles:
    """The elements of a form that say who and which."""

    def __init__(self, definition: Definition, form: Form) -> None:
        self.form = form
        self._national = _id(form.with_identity("national_id"))
        self._local = _id(form.with_identity("local_id"))
        self._born = _id(form.with_identity("birth_date"))
        self.conflict = self._national or self._local or "row"
        parent = definition.form(form.parent).key if form.parent is not None else ()
        self.parent_key = next(iter(parent), "row")

    def identity(self, entry: Entry) -> "Identity":
        """Who an entry says that it is about."""
        if self.form.of_facility:
            return Identity(entry.facility, local="the facility itself")
        given = entry.elements.get
        number = given(self._national) if self._national else None
        local = given(self._local) if self._local else None
        return Identity(
            entry.facility,
            number=None if number is None else str(number).replace("-", ""),
            born=given(self._born) if self._born else None,
            local=None if local is None else str(local),
        )


def _id(element: Element | None) -> str | None:
    return element.id if element is not None else None


def _find(entry: Entry, place: str, code: FindingCode, severity: Severity) -> None:
    entry.findings = (*entry.findings, Expected(place, code.value, severity.value))


@dataclass(frozen=True, slots=True)
class Identity:
    """What one entry says of whom it is about."""

    facility: int
    number: str | None = None
    born: str | None = None
    local: str | None = None


class Subjects:
    """Which of one person's identities a registry can know to be the same subject.

    National identifier and birth date agree: the same, at any facility. A local identifier is the
    same within its facility, and becomes one with the pair that it is sent with. A subject has one
    such pair: what contradicts it is kept apart and said to be a conflict.
    """

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], int] = {}
        self._numbers: dict[str, int] = {}
        self._locals: dict[tuple[int, str], int] = {}
        self._pair_of: dict[int, tuple[str, str]] = {}
        self._now: list[int] = []

    def now(self, subject: int) -> int:
        """The subject that stands for this one after every merge."""
        while subject >= 0 and self._now[subject] != subject:
            subject = self._now[subject]
        return subject

    def _new(self) -> int:
        self._now.append(len(self._now))
        return len(self._now) - 1

    def resolve(self, given: Identity, known: int = -1) -> tuple[int, bool]:
        """The subject of an entry, and whether it contradicts what was known.

        `known` is the subject that the case has already: it stays if nothing is said about who.
        """
        number, born = given.number, given.born
        pair = (number, born) if number is not None and born is not None else None
        local = (given.facility, given.local) if given.local is not None else None
        by_pair = self._pairs.get(pair) if pair else None
        by_local = self._locals.get(local) if local else None
        by_pair = None if by_pair is None else self.now(by_pair)
        by_local = None if by_local is None else self.now(by_local)
        conflict = False
        if by_pair is not None:
            subject = by_pair
            if by_local is not None and by_local != by_pair:
                if by_local in self._pair_of:
                    conflict = True
                else:
                    self._now[by_local] = by_pair
        elif pair is not None:
            other = self._numbers.get(pair[0])
            conflict = other is not None and self.now(other) in self._pair_of
            if by_local is not None and by_local not in self._pair_of:
                subject = by_local
            else:
                conflict = conflict or by_local is not None
                subject = self._new()
            self._pair_of[subject] = pair
        elif by_local is not None:
            subject = by_local
        elif known >= 0:
            subject = self.now(known)
        else:
            subject = self._new()
        if pair:
            self._pairs.setdefault(pair, subject)
        if number is not None:
            self._numbers.setdefault(number, subject)
        if local:
            self._locals.setdefault(local, subject)
        return subject, conflict
