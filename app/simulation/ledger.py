"""
What must become of each entry, and what must be known in the end: worked out entry by entry.

Kept apart from the service on purpose: it is the expectation that the service is held to.
"""

from dataclasses import dataclass, field

from app.registries.findings import FindingCode, Severity
from app.simulation.entries import Elements, Entry, Expected
from app.simulation.usual import late_follow_up


@dataclass(slots=True)
class Truth:
    """A case as it must stand when everything has been sent."""

    facility: int
    key: str
    state: str = "absent"
    subject: int = -1
    person: int = 0
    elements: Elements = field(default_factory=dict)
    follow_ups: dict[str, Elements] = field(default_factory=dict)
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


def settle_entries(entries: list[Entry]) -> list[Truth]:
    """Play one person's entries in the order of sending; sets outcome and findings of each."""
    cases: dict[tuple[int, str], Truth] = {}
    subjects = Subjects()
    for entry in sorted(entries, key=lambda one: one.wave):
        case = cases.get((entry.facility, entry.key))
        if case is None:
            case = cases[entry.facility, entry.key] = Truth(entry.facility, entry.key)
            case.person = entry.person
        if any(one.severity == Severity.REJECT for one in entry.findings):
            entry.outcome = "rejected"
        elif entry.follow_up is not None:
            _take_follow_up(case, entry)
        else:
            _take_exam(case, entry, subjects)
    for case in cases.values():
        case.subject = subjects.now(case.subject)
        for entry in case.waiting:
            _find(entry, "exam_unique_id", FindingCode.WAITING_FOR_PARENT, Severity.INFORMATION)
    return list(cases.values())


def _find(entry: Entry, place: str, code: FindingCode, severity: Severity) -> None:
    entry.findings = (*entry.findings, Expected(place, code.value, severity.value))


def _take_exam(case: Truth, entry: Entry, subjects: "Subjects") -> None:
    if entry.action == "withdraw":
        case.state, case.draft = "withdrawn", None
        entry.outcome = "withdrawn"
        return
    subject = case.subject
    if entry.action == "submit" or case.basis is None:
        subject, conflict = subjects.resolve(entry.facility, entry.elements)
        if conflict:
            place = "patient_ssn"
            _find(entry, place, FindingCode.IDENTITY_CONFLICT, Severity.WARN)
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
        _take_follow_up(case, waiting)


def _take_follow_up(case: Truth, entry: Entry) -> None:
    assert entry.follow_up is not None
    if case.basis is None:
        entry.outcome = "waiting"
        case.waiting.append(entry)
        return
    if entry.action == "withdraw":
        del case.follow_ups[entry.follow_up]
        entry.outcome = "withdrawn"
        return
    if late_follow_up(case.basis, entry.elements):
        _find(entry, "follow_up_date", FindingCode.RULE, Severity.WARN)
    known = case.follow_ups.get(entry.follow_up)
    entry.outcome = (
        "accepted" if known is None else "unchanged" if known == entry.elements else "amended"
    )
    case.follow_ups[entry.follow_up] = entry.elements


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

    def resolve(self, facility: int, elements: Elements) -> tuple[int, bool]:
        """The subject of these elements, and whether they contradict what was known."""
        number = elements.get("patient_ssn")
        number = None if number is None else number.replace("-", "")
        born = elements.get("patient_dob")
        pair = (number, born) if number is not None and born is not None else None
        local = (facility, elements["other_id"]) if "other_id" in elements else None
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
        else:
            subject = self._new()
        if pair:
            self._pairs.setdefault(pair, subject)
        if number is not None:
            self._numbers.setdefault(number, subject)
        if local:
            self._locals.setdefault(local, subject)
        return subject, conflict
