"""
Count measures from the truth, naively: case by case in plain Python.

No code is shared with the product: no DuckDB, no SQL text, no window functions. A measure is a
function from a case and what is known of its subject to one of the outcomes below.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

OUTSIDE, EXCLUDED, EXCEPTED, MET, NOT_MET = "outside", "excluded", "excepted", "met", "not met"
"""Outside: of the initial population, and not of the denominator."""


@dataclass
class FollowUp:
    """A follow-up as the registry must know it in the end."""

    told: dict[str, Any]
    on: date

    def __getitem__(self, element: str) -> Any:
        return self.told.get(element)


@dataclass
class Exam:
    """An exam as the registry must know it in the end."""

    facility: int
    key: str
    subject: str
    told: dict[str, Any]
    on: date
    born: date
    follow_ups: list[FollowUp]
    earlier: list["Exam"] = field(default_factory=list)
    later: list["Exam"] = field(default_factory=list)

    def __getitem__(self, element: str) -> Any:
        return self.told.get(element)

    @property
    def age(self) -> int:
        """Birthdays had by the day of the exam; one on 29 February is had on 1 March otherwise."""
        had = (self.on.month, self.on.day) >= (self.born.month, self.born.day)
        return self.on.year - self.born.year - (0 if had else 1)

    def number(self, element: str, unknown: Iterable[int] = ()) -> Decimal | None:
        """A number, unless it was not sent or says that it is not known."""
        told = self.told.get(element)
        if told is None or Decimal(told) in [Decimal(one) for one in unknown]:
            return None
        return Decimal(told)


@dataclass
class Count:
    """What a facility counts in a month, for one measure and stratum."""

    initial_population: int = 0
    denominator: int = 0
    numerator: int = 0
    exclusions: int = 0
    exceptions: int = 0
    observations: int = 0
    sum: Decimal = Decimal(0)
    sum_of_squares: Decimal = Decimal(0)
    values: list[Decimal] = field(default_factory=list)


Outcome = str | Decimal | None
"""One of the words above, an observation, or None for a case the measure does not speak of."""


@dataclass(frozen=True)
class Measure:
    """A measure as a function, and the strata its cases fall into."""

    id: str
    outcome: Callable[[Exam], Outcome]
    strata: dict[str, Callable[[Exam], str | None]] = field(default_factory=dict)
    case_mix: Callable[[Exam], tuple[str, ...]] | None = None
    """What the patient brings: a level of each factor."""


Cell = tuple[int, str, str, str, str]
"""Facility, month, measure, stratifier, stratum; the last two are empty for the total."""


def count(exams: Iterable[Exam], measures: Iterable[Measure]) -> dict[Cell, Count]:
    """Every cell that is not all zeros."""
    cells: dict[Cell, Count] = {}
    listed = list(measures)
    for exam in exams:
        add(cells, exam, listed)
    return cells


def add(cells: dict[Cell, Count], exam: Exam, measures: Iterable[Measure]) -> None:
    """Count one exam of which the subject's others are known."""
    month = exam.on.strftime("%Y-%m")
    for measure in measures:
        outcome = measure.outcome(exam)
        if outcome is None:
            continue
        strata = [("", "")]
        for stratifier, fall_into in measure.strata.items():
            stratum = fall_into(exam)
            if stratum is not None:
                strata.append((stratifier, stratum))
        for stratifier, stratum in strata:
            cell = (exam.facility, month, measure.id, stratifier, stratum)
            _add(cells.setdefault(cell, Count()), outcome)
        if measure.case_mix is not None and outcome in (MET, NOT_MET):
            levels = "/".join(measure.case_mix(exam))
            its = cells.setdefault((exam.facility, month, measure.id, "case_mix", levels), Count())
            its.denominator += 1
            its.numerator += outcome == MET


def _add(cell: Count, outcome: Outcome) -> None:
    cell.initial_population += 1
    if outcome == OUTSIDE:
        return
    if outcome == EXCLUDED:
        cell.exclusions += 1
    elif outcome == EXCEPTED:
        cell.exceptions += 1
    elif isinstance(outcome, Decimal):
        cell.denominator += 1
        cell.observations += 1
        cell.sum += outcome
        cell.sum_of_squares += outcome * outcome
        cell.values.append(outcome)
    else:
        cell.denominator += 1
        cell.numerator += outcome == MET


def exams_of(truth: Path) -> list[Exam]:
    """The exams that the registry must hold as submitted, each with its subject's others."""
    return cases_as_exams(_submitted(truth))


def cases_as_exams(cases: Iterable[dict[str, Any]]) -> list[Exam]:
    """Submitted cases as the truth writes them, each with its subject's others."""
    exams = [_exam(case) for case in cases]
    by_subject: dict[str, list[Exam]] = defaultdict(list)
    for exam in exams:
        by_subject[exam.subject].append(exam)
    for known in by_subject.values():
        known.sort(key=lambda exam: exam.on)
        for place, exam in enumerate(known):
            exam.earlier, exam.later = known[:place], known[place + 1 :]
    return exams


def _submitted(truth: Path) -> Iterator[dict[str, Any]]:
    with truth.open() as lines:
        for line in lines:
            case = json.loads(line)
            if case["state"] == "submitted":
                yield case


def _exam(case: dict[str, Any]) -> Exam:
    told = case["elements"]
    return Exam(
        facility=case["facility"],
        key=case["key"],
        subject=case["subject"],
        told=told,
        on=date.fromisoformat(told["exam_date"]),
        born=date.fromisoformat(told["patient_dob"]),
        follow_ups=[
            FollowUp(one, date.fromisoformat(one["follow_up_date"])) for one in case["follow_ups"]
        ],
    )
