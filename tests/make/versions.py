"""A small registry in two versions that are taken at the same time, and what converts the earlier one."""

from pathlib import Path

from tests.make.definitions import write_definition

REGISTRY = "visits"
OLD, NEW = "1.9.0", "1.10.0"

_ELEMENTS = """\
  - {id: visit_id, source_name: Visit_ID, title: Visit ID, type: text, max_length: 20, identifying: true, identity: accession}
  - {id: facility_id, source_name: Facility_ID, title: Facility ID, type: text, max_length: 6, identity: facility}
  - {id: person, source_name: Person, title: Person, type: text, identifying: true, identity: local_id, required: true}
"""
_FORM = "id: visit\ntitle: Visit\nlevel: case\nkey: [visit_id]\n"
_CALL = """\
id: call
title: Call
level: follow-up
parent: visit
key: [visit_id, call_date]
elements:
  - {id: visit_id, source_name: Visit_ID, title: Visit ID, type: text, max_length: 20, identifying: true, identity: accession}
  - {id: call_date, source_name: Call_Date, title: Call date, type: date, required: true}
"""


def _registry(version: str, since: str, until: str = "") -> str:
    ends = f"accept_until: {until}\n" if until else ""
    return (
        f"id: {REGISTRY}\nversion: {version}\ntitle: Visits\nsteward: nobody\n"
        f"accept_from: {since}\n{ends}channels: [json, delimited]\n"
    )


EARLIER = {
    "sets_all": """\
- {id: smoking, title: Smoking, codes: [{code: "1", label: Smokes}, {code: "2", label: Gave up}, {code: "3", label: Never}, {code: "9", label: Not told}]}
- {id: depth, title: Depth, codes: [{code: S, label: Shallow}, {code: D, label: Deep}]}
""",
    "elements_visit": _FORM
    + "period: visit_date\nelements:\n"
    + _ELEMENTS
    + """\
  - {id: visit_date, source_name: Visit_Date, title: Visit date, type: date, required: true}
  - {id: smoking, source_name: Smoking, title: Smoking, type: code, value_set: smoking, required: true}
  - {id: pounds, source_name: Pounds, title: Weight, type: decimal, scale: 1, unit: "[lb_av]", range: {hard: {low: 1, high: 999}}, unknown: ["999.0"]}
  - {id: remark, source_name: Remark, title: Remark, type: text, max_length: 20}
groups:
  - id: wounds
    title: Wounds
    at_most: 3
    elements:
      - {id: depth, source_name: Depth, title: Depth, type: code, value_set: depth, required: true}
""",
    "elements_call": _CALL
    + "  - {id: better, source_name: Better, title: Better, type: boolean, required: true}\n",
    "rules": "- {id: after, form: call, requires: call_date >= parent_visit_date, place: call_date, remedy: Not before.}\n",
}
"""The texts of the earlier version; it measures nothing any more."""

LATER = {
    "sets_all": """\
- {id: smoking, title: Smoking, codes: [{code: current, label: Smokes}, {code: former, label: Gave up}, {code: never, label: Never}]}
- {id: site, title: Site, codes: [{code: clinic, label: Clinic}, {code: home, label: Home}]}
- {id: depth, title: Depth, codes: [{code: shallow, label: Shallow}, {code: deep, label: Deep}]}
""",
    "elements_visit": _FORM
    + "period: seen_on\nelements:\n"
    + _ELEMENTS.replace("id: person", "id: patient")
    + """\
  - {id: seen_on, source_name: Seen_On, title: Seen on, type: date, required: true}
  - {id: smoking_status, source_name: Smoking_Status, title: Smoking, type: code, value_set: smoking}
  - {id: kilograms, source_name: Kilograms, title: Weight, type: decimal, scale: 2, unit: kg, range: {hard: {low: 0.1, high: 500}}}
  - {id: site, source_name: Site, title: Site, type: code, value_set: site, required: true}
groups:
  - id: wounds
    title: Wounds
    at_most: 3
    elements:
      - {id: how_deep, source_name: How_Deep, title: How deep, type: code, value_set: depth, required: true}
""",
    "elements_call": _CALL.replace("call_date", "called_on")
    + "  - {id: improved, source_name: Improved, title: Improved, type: boolean, required: true}\n",
    "rules": "- {id: after, form: call, requires: called_on >= parent_seen_on, place: called_on, remedy: Not before.}\n",
    "derived": """\
- {id: deep_wounds, form: visit, type: integer, over: group, group: wounds, expression: how_deep, filter: how_deep = 'deep', aggregate: count}
- {id: improved_later, form: visit, type: boolean, over: follow_up, expression: improved, aggregate: any}
""",
    "conversion": f"""\
- converts: {OLD}
  elements:
    - {{form: visit, element: seen_on, was: visit_date}}
    - form: visit
      element: smoking_status
      was: smoking
      codes: {{"1": current, "2": former, "3": never, "9": }}
    - form: visit
      element: kilograms
      expression: CASE WHEN NOT pounds_unknown THEN divide(pounds * 45359237, 100000000, 2) END
    - {{form: visit, element: site, default: clinic}}
    - {{form: visit, group: wounds, element: how_deep, was: depth, codes: {{S: shallow, D: deep}}}}
    - {{form: call, element: improved, was: better}}
    - {{form: visit, element: patient, was: person}}
    - {{form: call, element: called_on, was: call_date}}
  left:
    - {{form: visit, element: remark, because: Nothing was counted by it.}}
""",
    "measures_all": """\
- id: smokers
  title: Smokers
  description: Visits of smokers.
  form: visit
  scoring: proportion
  denominator: smoking_status IS NOT NULL
  numerator: smoking_status = 'current'
  stratifiers:
    - {id: site, title: Site, expression: site}
  examples:
    - title: Two visits
      cases:
        - {subject: a, elements: {seen_on: 2025-07-02, site: clinic, smoking_status: current}}
        - {subject: b, elements: {seen_on: 2025-07-02, site: clinic, smoking_status: never}}
      expect: [{denominator: 2, numerator: 1}, {stratum: "site:clinic", denominator: 2, numerator: 1}]
- id: weight
  title: Weight
  description: Mean weight.
  form: visit
  scoring: continuous-variable
  scale: 2
  observation: kilograms
  examples:
    - title: Two visits
      cases:
        - {subject: a, elements: {seen_on: 2025-07-02, site: clinic, kilograms: "80.00"}}
        - {subject: b, elements: {seen_on: 2025-07-02, site: clinic, kilograms: "60.50"}}
      expect: [{denominator: 2, observations: 2, sum: "140.50"}]
- id: deep
  title: Deep wounds
  description: Visits with a deep wound.
  form: visit
  scoring: proportion
  numerator: deep_wounds > 0
  examples:
    - title: Two visits
      cases:
        - {subject: a, elements: {seen_on: 2025-07-02, site: clinic, wounds: [{how_deep: deep}]}}
        - {subject: b, elements: {seen_on: 2025-07-02, site: clinic, wounds: [{how_deep: shallow}]}}
      expect: [{denominator: 2, numerator: 1}]
- id: improved
  title: Improved
  description: Visits after which a call told of improvement.
  form: visit
  scoring: proportion
  numerator: improved_later
  examples:
    - title: A call that told of improvement
      cases:
        - subject: a
          elements: {seen_on: 2025-07-02, site: clinic}
          follow_ups: [{form: call, elements: {call_date: 2025-07-09, improved: true}}]
      expect: [{denominator: 1, numerator: 1}]
""",
    "peers": "- {id: all, title: All, by: all}\n",
}
"""The texts of the later version, its conversion among them."""


def earlier(folder: Path, *, until: str = "", since: str = "2025-01-01", **changed: str) -> Path:
    """The earlier version in a folder, with the last day or second at which it is taken."""
    texts = EARLIER | {"registry": _registry(OLD, since, until)} | changed
    return write_definition(folder, **texts)


def later(folder: Path, *, since: str = "2025-06-01", **changed: str) -> Path:
    """The later version in a folder beside the earlier one's."""
    return write_definition(folder, **(LATER | {"registry": _registry(NEW, since)} | changed))


def both(folder: Path, *, until: str = "") -> Path:
    """A folder for HOUNSFIELD_DEFINITIONS with both versions."""
    earlier(folder / REGISTRY / OLD, until=until)
    later(folder / REGISTRY / NEW)
    return folder
