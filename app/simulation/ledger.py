"""
What must become of each entry, and what must be known in the end: worked out entry by entry.

Kept apart from the service on purpose: it is the expectation that the service is held to.
"""

from dataclasses import dataclass, field
from typing import Any

from app.registries.findings import FindingCode, Severity
from app.simulation.entries import Elements, Entry, Expected
from app.simulation.usual import late_follow_up


@dataclass(slots=True)
class Truth:
    """A case as it must stand when everything has been sent."""

    facility: int
    key: str
    state: str = "absent"
    subject: str = ""
    elements: Elements = field(default_factory=dict)
    follow_ups: dict[str, Elements] = field(default_factory=dict)
    draft: Elements | None = None
    waiting: list[Entry] = field(default_factory=list)


def settle_entries(entries: list[Entry]) -> list[Truth]:
    """Play one person's entries in the order of sending; sets outcome and findings of each."""
    cases: dict[tuple[int, str], Truth] = {}
    tokens = _Subjects()
    for entry in sorted(entries, key=lambda one: one.wave):
        case = cases.get((entry.facility, entry.key))
        if case is None:
            case = cases[entry.facility, entry.key] = Truth(entry.facility, entry.key)
        if any(one.severity == Severity.REJECT for one in entry.findings):
            entry.outcome = "rejected"
        elif entry.follow_up is not None:
            _take_follow_up(case, entry)
        else:
            _take_exam(case, entry, tokens)
    for case in cases.values():
        if case.elements:
            case.subject = f"{entries[0].person}.{tokens.of(case.facility, case.elements)}"
    return list(cases.values())


def _take_exam(case: Truth, entry: Entry, tokens: "_Subjects") -> None:
    match entry.action:
        case "save":
            case.draft = entry.elements
            entry.outcome = "saved"
        case "withdraw":
            case.state = "withdrawn"
            entry.outcome = "withdrawn"
        case _:
            if tokens.join(entry.facility, entry.elements):
                entry.findings = (
                    *entry.findings,
                    Expected(
                        "patient_dob", FindingCode.IDENTITY_CONFLICT.value, Severity.WARN.value
                    ),
                )
            if case.state == "submitted":
                same = case.elements == entry.elements
                entry.outcome = "unchanged" if same else "amended"
            else:
                entry.outcome = "accepted"
            case.state = "submitted"
            case.elements = entry.elements
            case.draft = None
            for waiting in case.waiting:
                _take_follow_up(case, waiting)
            case.waiting.clear()


def _take_follow_up(case: Truth, entry: Entry) -> None:
    assert entry.follow_up is not None
    if case.state != "submitted":
        entry.outcome = "waiting"
        case.waiting.append(entry)
        return
    if entry.action == "submit" and late_follow_up(case.elements, entry.elements):
        entry.findings = (
            *entry.findings,
            Expected("follow_up_date", FindingCode.RULE.value, Severity.WARN.value),
        )
    if entry.action == "withdraw":
        case.follow_ups.pop(entry.follow_up, None)
        entry.outcome = "withdrawn"
    elif entry.follow_up not in case.follow_ups:
        case.follow_ups[entry.follow_up] = entry.elements
        entry.outcome = "accepted"
    elif case.follow_ups[entry.follow_up] == entry.elements:
        entry.outcome = "unchanged"
    else:
        case.follow_ups[entry.follow_up] = entry.elements
        entry.outcome = "amended"


class _Subjects:
    """Which of one person's identities a registry can know to be the same subject.

    National identifier and birth date agree: the same, at any facility. A local identifier is the
    same within its facility, and becomes one with the national identifier it was once sent with.
    """

    def __init__(self) -> None:
        self._births: dict[str, str] = {}
        self._subject_of: dict[tuple[str, ...], int] = {}
        self._root: list[int] = []

    def _find(self, subject: int) -> int:
        while self._root[subject] != subject:
            subject = self._root[subject]
        return subject

    @staticmethod
    def _tokens(facility: int, elements: Elements) -> list[tuple[str, ...]]:
        tokens: list[tuple[str, ...]] = []
        national: Any = elements.get("patient_ssn")
        if national is not None and "patient_dob" in elements:
            tokens.append(("national", national.replace("-", ""), elements["patient_dob"]))
        if "other_id" in elements:
            tokens.append(("local", str(facility), elements["other_id"]))
        return tokens

    def join(self, facility: int, elements: Elements) -> bool:
        """Take an identity in; says whether it clashes with one known before."""
        tokens = self._tokens(facility, elements)
        national: Any = elements.get("patient_ssn")
        clash = False
        if national is not None:
            number = national.replace("-", "")
            known = self._births.setdefault(number, elements["patient_dob"])
            clash = known != elements["patient_dob"]
        known_subjects = [
            self._find(self._subject_of[one]) for one in tokens if one in self._subject_of
        ]
        if known_subjects:
            subject = known_subjects[0]
            for other in known_subjects[1:]:
                self._root[other] = subject
        else:
            subject = len(self._root)
            self._root.append(subject)
        for token in tokens:
            self._subject_of[token] = subject
        return clash

    def of(self, facility: int, elements: Elements) -> str:
        """A name for the subject of these elements, unique within the person."""
        tokens = self._tokens(facility, elements)
        return (
            str(self._find(self._subject_of[tokens[0]]))
            if tokens and tokens[0] in self._subject_of
            else "?"
        )
