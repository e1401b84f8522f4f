"""Definitions for tests: a changed copy of a packaged one, and a small one of its own."""

import shutil
from pathlib import Path

from app.commands.definitions import newest
from app.commands.definitions import packaged as shipped
from app.registries.load import PACKAGED
from app.registries.schema import Definition

ORIGINAL = "early-lung-cancer-detection"
COPY = "another-lung-registry"


def changed_copy(folder: Path) -> Path:
    """
    A copy of the lung registry under another id, for HOUNSFIELD_DEFINITIONS.

    One element is changed, CTDIvol may be up to 20 mGy and not 10, and one measure: category 3
    counts as a recall too.
    """
    made = folder / COPY
    version = made / newest(ORIGINAL).version
    shutil.copytree(PACKAGED / ORIGINAL / version.name, version)
    (version / "conversion.yaml").unlink()  # of an earlier version, which is not copied
    _replace(version / "registry.yaml", f"id: {ORIGINAL}", f"id: {COPY}")
    _replace(
        version / "registry.yaml",
        "title: Early Lung Cancer Detection Registry",
        "title: Another registry",
    )
    _replace(
        version / "elements" / "exam.yaml",
        "range: {hard: {low: 0.01, high: 10}}",
        "range: {hard: {low: 0.01, high: 20}}",
    )
    _replace(
        version / "measures" / "results.yaml",
        "  numerator: ct_exam_result_lung_rads = '0'\n",
        "  numerator: ct_exam_result_lung_rads IN ('0', '3')\n",
    )
    _replace(
        version / "measures" / "results.yaml",
        '        - {denominator: 8, numerator: 1}\n        - {stratum: "indication:annual"',
        '        - {denominator: 8, numerator: 2}\n        - {stratum: "indication:annual"',
    )
    return made


def packaged() -> list[Definition]:
    """The newest version of each packaged registry: what is measured."""
    return [newest(one) for one in sorted({one.id for one in shipped()})]


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} holds `{old}` {text.count(old)} times"
    path.write_text(text.replace(old, new))


def write_definition(folder: Path, **files: str) -> Path:
    """A definition's folder out of texts: `registry`, `rules`, `elements_visit`, `measures_all`, …"""
    for name, text in files.items():
        path = folder / _file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _file(name: str) -> str:
    parent, _, rest = name.partition("_")
    if parent in ("elements", "measures", "improvement") and rest:
        return f"{parent}/{rest}.yaml"
    return f"value_sets/{rest}.yaml" if parent == "sets" else f"{name}.yaml"


SMALL = {
    "registry": """\
id: visits
version: 1.0.0
title: Visits
steward: nobody
accept_from: 2025-01-01
channels: [json, delimited]
""",
    "sets_all": """\
- id: answer
  title: Answer
  exclusive: [U]
  codes:
    - {code: Y, label: "Yes"}
    - {code: N, label: "No"}
    - {code: U, label: Unknown}
    - {code: R, label: Retired, retired: true}
- id: number
  title: Number
  codes:
    - {code: "1", label: One}
    - {code: "1.0", label: One point naught}
    - {code: "2022", label: Year}
""",
    "elements_visit": """\
id: visit
title: Visit
level: case
key: [visit_id]
period: visit_date
elements:
  - {id: visit_id, source_name: Visit_ID, title: Visit ID, type: text, max_length: 20, identifying: true, identity: accession}
  - {id: facility_id, source_name: Facility_ID, title: Facility ID, type: text, max_length: 6, identity: facility}
  - {id: visit_date, source_name: Visit_Date, title: Visit date, type: date, required: true}
  - {id: birth, source_name: Birth, title: Birth, type: date, identifying: true, identity: birth_date}
  - {id: age, source_name: Age, title: Age, type: integer, computed: "age_in_years(birth, visit_date)", range: {soft: {high: 90}, hard: {low: 18}}}
  - {id: pain, source_name: Pain, title: Pain, type: integer, range: {soft: {low: 1, high: 8}, hard: {low: 0, high: 10}}, unknown: ["99"]}
  - {id: mass, source_name: Mass, title: Mass, type: decimal, scale: 2, unit: kg, range: {soft: {low: 30, high: 200}, hard: {low: 0.01, high: 500}}, unknown: ["999"]}
  - {id: smokes, source_name: Smokes, title: Smokes, type: code, value_set: answer, required: true}
  - {id: packs, source_name: Packs, title: Packs a day, type: decimal, scale: 1, required_when: smokes = 'Y', relevant_when: smokes = 'Y'}
  - {id: reasons, source_name: Reasons, title: Reasons, type: codes, value_set: answer}
  - {id: kind, source_name: Kind, title: Kind, type: code, value_set: number}
  - {id: walks, source_name: Walks, title: Walks, type: boolean}
  - {id: doctor, source_name: Doctor_NPI, title: Doctor, type: npi}
  - {id: note, source_name: Note, title: Note, type: text, max_length: 12}
  - {id: zip, source_name: ZIP, title: ZIP code, type: text, strip: "-", max_length: 9, pattern: "[0-9]{5}([0-9]{4})?", pattern_says: Send 5 or 9 digits.}
""",
    "elements_call": """\
id: call
title: Call
level: follow-up
parent: visit
key: [visit_id, call_id]
otherwise_key: [visit_id, call_date]
elements:
  - {id: visit_id, source_name: Visit_ID, title: Visit ID, type: text, max_length: 20, identifying: true, identity: accession, required: true}
  - {id: call_id, source_name: Call_ID, title: Call ID, type: text, max_length: 20, identifying: true}
  - {id: call_date, source_name: Call_Date, title: Call date, type: date, required: true}
  - {id: better, source_name: Better, title: Better, type: code, value_set: answer}
""",
    "rules": """\
- {id: not-tomorrow, form: visit, requires: visit_date <= received_on, place: visit_date, remedy: Not in the future.}
- {id: heavy-smoker, form: visit, requires: packs < 5, severity: warn, place: packs, remedy: Make sure.}
- {id: call-after-visit, form: call, requires: call_date >= parent_visit_date, place: call_date, remedy: After the visit.}
""",
    "derived": """\
- {id: called, form: visit, type: boolean, over: follow_up, expression: better IS NOT NULL, aggregate: any}
- {id: next_visit, form: visit, type: date, over: subject, expression: "lead(visit_date) OVER (PARTITION BY subject_id ORDER BY visit_date, case_token)"}
""",
    "measures_all": """\
- id: smokers
  title: Smokers
  description: Visits of smokers.
  form: visit
  scoring: proportion
  numerator: smokes = 'Y'
  examples:
    - title: One of two
      cases:
        - {subject: a, elements: {visit_date: 2025-01-02, smokes: Y}}
        - {subject: b, elements: {visit_date: 2025-01-02, smokes: N}}
      expect: [{denominator: 2, numerator: 1}]
""",
    "peers": """\
- {id: all, title: All, by: all}
""",
}
"""A whole small definition, text by text; a test changes one text of it."""

LISTED = """\
- id: to-call
  title: To call
  form: visit
  cases: walks
  closed_when: called OR next_visit IS NOT NULL
  due: {day: visit_date, months: pain, days: "1"}
  overdue: {day: visit_date, months: pain * 200}
  columns: [pain, smokes]
  description: Visits of people who walk, until they were called or came again.
"""
"""A worklist of it."""


def small(folder: Path, **changed: str) -> Path:
    """The small definition in a folder, some of its texts changed."""
    return write_definition(folder, **(SMALL | changed))


def sent_folder(**changed: str) -> dict[str, dict[str, str]]:
    """The same as it is published by the wire."""
    return {"files": {_file(name): text for name, text in (SMALL | changed).items()}}
