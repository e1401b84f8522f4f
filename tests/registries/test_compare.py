"""What a new version breaks, and what would make cases incomparable."""

from pathlib import Path

import pytest

from app.registries.compare import compare, incomparable
from app.registries.load import load
from app.registries.schema import Definition
from tests.make.definitions import SMALL, small


def changed(folder: Path, file: str, old: str, new: str) -> Definition:
    assert old in SMALL[file]
    texts = {file: SMALL[file].replace(old, new, 1)}
    texts.setdefault("registry", SMALL["registry"])
    texts["registry"] = texts["registry"].replace("version: 1.0.0", "version: 1.1.0")
    return load(small(folder, **texts))


def test_a_version_breaks_nothing_of_itself(visits: Definition) -> None:
    assert compare(visits, visits) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "weight", "place"),
    [
        ("elements_visit", "type: integer, range", "type: decimal, range", "refused", "visit.pain"),
        ("elements_visit", "unit: kg", "unit: g", "refused", "visit.mass"),
        ("elements_visit", "scale: 2", "scale: 1", "refused", "visit.mass"),
        ("elements_visit", 'unknown: ["99"]', "unknown: []", "refused", "visit.pain"),
        ("elements_visit", "title: Note, type: text", "title: Note, identifying: true, type: text", "refused", "visit.note"),
        ("elements_call", "key: [visit_id, call_id]", "key: [visit_id]", "refused", "call.key"),
        ("elements_call", "otherwise_key: [visit_id, call_date]", "otherwise_key: [visit_id]", "refused", "call.otherwise_key"),
        ("measures_all", "scoring: proportion", "scoring: proportion\n  improvement: increase", "refused", "measure smokers"),
        ("elements_visit", "{low: 0, high: 10}", "{low: 0, high: 9}", "breaks", "visit.pain"),
        ("elements_visit", "title: Kind, type: code", "title: Kind, required: true, type: code", "breaks", "visit.kind"),
        ("elements_visit", "max_length: 12", "max_length: 11", "breaks", "visit.note"),
        ("elements_visit", "required_when: smokes = 'Y', ", "required_when: smokes <> 'N', ", "breaks", "visit.packs"),
        ("sets_all", '    - {code: "2022", label: Year}\n', "", "breaks", "visit.kind"),
        ("rules", "packs < 5, severity: warn", "packs < 5, severity: reject", "breaks", "rule heavy-smoker"),
        ("sets_all", "label: Year}", "label: Jahr}", "changed", "visit.kind"),
        ("elements_visit", "scale: 2", "scale: 3", "changed", "visit.mass"),
        ("measures_all", "numerator: smokes = 'Y'", "numerator: smokes IN ('Y', 'R')", "changed", "measure smokers"),
        ("sets_all", '{code: "2022", label: Year}', '{code: "2022", label: Year}\n    - {code: "2023", label: Next}', "new", "visit.kind"),
    ],
)  # fmt: skip
def test_each_change_has_its_weight(
    tmp_path: Path, visits: Definition, file: str, old: str, new: str, weight: str, place: str
) -> None:
    found = compare(visits, changed(tmp_path, file, old, new))
    assert (weight, place) in [(one.weight, one.place) for one in found]
    assert found[0].weight == weight
    reasons = incomparable(visits, changed(tmp_path, file, old, new))
    assert bool(reasons) == (weight == "refused")


def test_another_registry_is_not_a_version(visits: Definition, tmp_path: Path) -> None:
    other = load(small(tmp_path, registry=SMALL["registry"].replace("id: visits", "id: stays")))
    assert incomparable(visits, other) == ["id: stays is another registry than visits."]
