"""Write a nation into a folder: files for every door, and beside them the truth."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

import orjson

from app.registries.load import canonical
from app.registries.schema import Definition
from app.simulation.doors import Doors, doors_of, flat
from app.simulation.drawn.courses import Courses
from app.simulation.entries import Elements, Entry, Expected
from app.simulation.instances import Scanner
from app.simulation.ledger import Ledger, Truth
from app.simulation.outbox import Outbox
from app.simulation.places import Places, settle
from app.simulation.plan import Plan
from app.simulation.screening import Screening

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and of how much."""


@dataclass(slots=True)
class Summary:
    """What was written."""

    folder: Path
    people: int = 0
    cases: int = 0
    entries: int = 0
    flawed: int = 0
    submissions: int = 0
    studies: int = 0
    instances: int = 0
    canaries: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    planted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Course(Protocol):
    """Subjects, one after another, and every entry about each."""

    @property
    def planted(self) -> Mapping[str, Mapping[str, int]]:
        """Form -> kind of flaw -> how often it was planted so far, where that is known."""

    def __iter__(self) -> Iterator[list[Entry]]: ...

    def beside(self, entry: Entry, case: Elements) -> Sequence[Expected]:
        """What is found in a follow-up only when its case is known."""


COURSES: Mapping[str, Callable[[Plan, Definition, Places, date], Course]] = {
    "drawn": Courses,
    "lung-screening": Screening,
}


def course_of(plan: Plan, definition: Definition, places: Places) -> Course:
    """The course that a definition's simulation profile names."""
    today = max(plan.until, datetime.now(UTC).date())
    return COURSES[definition.simulation.course](plan, definition, places, today)


def settled(course: Course, definition: Definition) -> Iterator[tuple[list[Entry], list[Truth]]]:
    """Subject by subject: the entries about each with their outcomes, and the truth in the end."""
    ledger = Ledger(definition, course.beside)
    for entries in course:
        yield entries, ledger.settle(entries)


def entries_of(plan: Plan, definition: Definition) -> Iterator[tuple[list[Entry], list[Truth]]]:
    """The entries of a plan's nation, subject by subject, and the truth about each."""
    return settled(course_of(plan, definition, settle(plan)), definition)


def simulate(
    plan: Plan,
    definition: Definition,
    folder: Path,
    progress: Progress = lambda doing, done, whole: None,
) -> Summary:
    """Write the nation of a plan into a new folder."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    plan = fitted(plan, definition)
    places = settle(plan)
    summary = Summary(folder)
    outbox = Outbox(plan, places, Doors(definition), folder)
    with (
        (folder / "truth.ndjson").open("wb") as truth,
        (folder / "answer_key.ndjson").open("wb") as answers,
        (folder / "canaries.txt").open("w", encoding="ascii") as canaries,
    ):
        wing = _Images(plan, definition, places, folder, canaries, summary)
        kinds = _identities(definition)
        course = course_of(plan, definition, places)
        for entries, cases in settled(course, definition):
            summary.people += 1
            summary.cases += len(cases)
            _write_canaries(entries, kinds, plan.since, canaries, summary)
            for entry in entries:
                if not definition.form(entry.form).typed:
                    continue  # its images are sent in its place
                _answer(entry, outbox.put(entry).name, answers)
                summary.entries += 1
                summary.flawed += any(one.severity == "reject" for one in entry.findings)
                summary.outcomes[entry.outcome] += 1
            for case in cases:
                wing.scan(case)
                _tell(case, places, truth)
            if summary.people % 500 == 0:
                progress("simulating", summary.cases, plan.cases)
        progress("simulating", plan.cases, plan.cases)
    ordered = outbox.submissions()
    for number, _ in enumerate(outbox.close(), 1):
        progress("writing files", number, len(ordered))
    with (folder / "submissions.ndjson").open("wb") as file:
        for submission in ordered:
            file.write(_line(submission.as_document()))
    summary.submissions = len(ordered)
    summary.planted = course.planted
    _write_nation(plan, places, definition, folder, summary)
    return summary


def fitted(plan: Plan, definition: Definition) -> Plan:
    """The plan with the doors that the registry has, and without images where it takes none."""
    doors = plan.doors or doors_of(definition)
    case = definition.first_case_form
    seen = "dicomweb" in definition.channels and case.period is not None
    linked = seen and all(case.with_identity(one) for one in ("accession", "local_id"))
    if not case.typed:  # every case is a study, and its first image says what all of them do
        return replace(plan, doors=doors, studies=plan.cases, instances=1)
    return replace(plan, doors=doors, studies=plan.studies if linked else 0)


def remove(folder: Path) -> None:
    """Take a nation away again; only a folder that holds one."""
    if (folder / "nation.json").exists():
        shutil.rmtree(folder)


def _line(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _answer(entry: Entry, submission: str, answers: BinaryIO) -> None:
    for finding in entry.findings:
        answers.write(
            _line(
                {
                    "submission": submission,
                    "row": entry.row,
                    "form": entry.form,
                    "place": finding.place,
                    "code": finding.code,
                    "severity": finding.severity,
                }
            )
        )


def _tell(case: Truth, places: Places, truth: BinaryIO) -> None:
    facility = places.facilities[case.facility]
    truth.write(
        _line(
            {
                "facility": facility.number,
                "key": case.key,
                "state": case.state,
                "subject": case.name,
                "elements": case.elements,
                "form": case.form,
                "follow_ups": list(case.follow_ups.values()),
                "follow_up_forms": [form for form, _ in case.follow_ups],
                "draft": case.draft is not None,
                "waiting": len(case.waiting),
            }
        )
    )


_KINDS = {
    "national_id": "national identifier",
    "local_id": "local identifier",
    "birth_date": "birth date",
    "accession": "exam identifier",
}


def _identities(definition: Definition) -> dict[str, str]:
    """The elements that identify somebody, and what kind of identity each is."""
    return {
        one.id: _KINDS.get(one.identity or "", "name")
        for form in definition.forms
        for elements in (form.elements, *(its[-1].elements for its in form.group_paths.values()))
        for one in elements
        if one.identifying and (one.type == "text" or one.identity == "birth_date")
    }


def _write_canaries(
    entries: list[Entry],
    kinds: Mapping[str, str],
    since: date,
    canaries: TextIO,
    summary: Summary,
) -> None:
    """Every identity these entries carry, flawed ones too, once each.

    A birth date from `since` on is also the day of others' exams: to find it would tell nothing.
    """
    found = {
        (kind, value)
        for entry in entries
        for element, value in flat(entry.elements).items()
        if (kind := kinds.get(element.rpartition(".")[2])) is not None
        and isinstance(value, str)
        and len(value) > 7
        and value.isascii()
        and (kind != "birth date" or value < since.isoformat())
    }
    for kind, value in sorted(found):
        canaries.write(f"{kind}\t{value}\n")
    summary.canaries += len(found)


class _Images:
    """Chooses whose CT is sent as well, and has it scanned."""

    def __init__(
        self,
        plan: Plan,
        definition: Definition,
        places: Places,
        folder: Path,
        canaries: TextIO,
        summary: Summary,
    ) -> None:
        self._form = definition.first_case_form
        self._plan, self._places = plan, places
        self._folder, self._canaries, self._summary = folder, canaries, summary
        self._scanner = Scanner(definition, self._form, plan.seed, plan.instances)
        self._every = max(plan.cases // (plan.studies + 1), 1)
        self._seen = 0
        self._index = (folder / "images.ndjson") if plan.studies else None

    def scan(self, case: Truth) -> None:
        """Scan this case if its turn has come and it is one that the registry holds."""
        self._seen += 1
        done = self._summary.studies
        if (
            done >= self._plan.studies
            or case.state != "submitted"
            or case.form != self._form.id
            or not self._scanner.knows(case.elements)
        ):
            return
        if self._seen < done * self._every:
            return
        facility = self._places.facilities[case.facility]
        folder = self._folder / "images" / str(facility.number)
        paths, planted = self._scanner.scan(done, facility, case.elements, folder)
        for kind, value in planted:
            self._canaries.write(f"{kind}\t{value}\n")
        self._summary.canaries += len(planted)
        self._summary.studies += 1
        self._summary.instances += len(paths)
        assert self._index is not None
        with self._index.open("ab") as file:
            file.write(
                _line(
                    {
                        "facility": facility.number,
                        "key": case.key,
                        "paths": [str(path.relative_to(self._folder)) for path in paths],
                    }
                )
            )


def _write_nation(
    plan: Plan, places: Places, definition: Definition, folder: Path, summary: Summary
) -> None:
    document = {
        "plan": asdict(plan),
        "definition": {
            "registry": definition.id,
            "version": definition.version,
            "digest": definition.digest,
        },
        "people": summary.people,
        "cases": summary.cases,
        "entries": summary.entries,
        "submissions": summary.submissions,
        "outcomes": dict(sorted(summary.outcomes.items())),
        "planted": summary.planted,
        **places.as_document(),
    }
    (folder / "definition.json").write_bytes(orjson.dumps(canonical(definition)))
    (folder / "nation.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
