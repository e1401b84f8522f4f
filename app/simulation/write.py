"""Write a nation into a folder: files for every door, and beside them the truth."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import orjson

from app.registries.schema import Definition
from app.simulation.courses import Population
from app.simulation.doors import Doors
from app.simulation.entries import Entry, Writer
from app.simulation.flaws import Flaws
from app.simulation.instances import Scanner
from app.simulation.ledger import Truth, settle_entries
from app.simulation.outbox import Outbox
from app.simulation.places import Places, settle
from app.simulation.plan import Plan
from app.simulation.reporting import Reporting

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


def entries_of(plan: Plan, definition: Definition) -> Iterator[tuple[list[Entry], list[Truth]]]:
    """Person by person: the entries about them with their outcomes, and the truth in the end."""
    places = settle(plan)
    writer = Writer(definition, plan.seed)
    reporting = Reporting(plan, writer, Flaws(definition, places))
    remaining = plan.cases
    for rng, course in Population(plan, places).courses():
        entries = reporting.report(rng, course[:remaining])
        yield entries, settle_entries(entries)
        remaining -= len(course)
        if remaining <= 0:
            return


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
    places = settle(plan)
    summary = Summary(folder)
    outbox = Outbox(plan, places, Doors(definition), folder)
    with (
        (folder / "truth.ndjson").open("wb") as truth,
        (folder / "answer_key.ndjson").open("wb") as answers,
        (folder / "canaries.txt").open("w", encoding="ascii") as canaries,
    ):
        wing = _Images(plan, places, folder, canaries, summary)
        for entries, cases in entries_of(plan, definition):
            summary.people += 1
            summary.cases += len(cases)
            _write_canaries(entries, canaries, summary)
            for entry in entries:
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
    _write_nation(plan, places, definition, folder, summary)
    return summary


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
                "follow_ups": list(case.follow_ups.values()),
                "draft": case.draft is not None,
                "waiting": len(case.waiting),
            }
        )
    )


_IDENTITIES = {
    "patient_first_name": "name",
    "patient_last_name": "name",
    "patient_middle_name": "name",
    "patient_ssn": "national identifier",
    "patient_dob": "birth date",
    "other_id": "local identifier",
    "exam_unique_id": "exam identifier",
    "follow_up_unique_id": "follow-up identifier",
}


def _write_canaries(entries: list[Entry], canaries: TextIO, summary: Summary) -> None:
    """Every identity these entries carry, flawed ones too, once each."""
    found = {
        (kind, value)
        for entry in entries
        for element, kind in _IDENTITIES.items()
        if isinstance(value := entry.elements.get(element), str) and len(value) > 7
    }
    for kind, value in sorted(found):
        canaries.write(f"{kind}\t{value}\n")
    summary.canaries += len(found)


class _Images:
    """Chooses whose CT is sent as well, and has it scanned."""

    def __init__(
        self, plan: Plan, places: Places, folder: Path, canaries: TextIO, summary: Summary
    ) -> None:
        self._plan, self._places = plan, places
        self._folder, self._canaries, self._summary = folder, canaries, summary
        self._scanner = Scanner(plan.seed, plan.instances)
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
            or "other_id" not in case.elements
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
        **places.as_document(),
    }
    (folder / "nation.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
