"""A definition's folder: every complaint at once, each with its file and line."""

from pathlib import Path

import pytest

from app.errors import InvalidDefinition
from app.registries.load import assemble, canonical, load, read
from app.registries.schema import Definition
from tests.make.definitions import LISTED, SMALL, changed_copy, small


def complaints(folder: Path, **changed: str) -> list[str]:
    return read(small(folder, **changed))[1]


def test_the_small_definition_is_sound(visits: Definition) -> None:
    assert (visits.id, visits.first_case_form.id) == ("visits", "visit")
    assert [form.id for form in visits.follow_up_forms("visit")] == ["call"]
    assert visits.measure("smokers").numerator == "smokes = 'Y'"


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("registry", "title: Visits", "titel: Visits", "registry.yaml:3: `titel` is not known here; did you mean `title`?"),
        ("registry", "version: 1.0.0", "version: 1.0", "registry.yaml:2: `version` string should match pattern"),
        ("registry", "accept_from: 2025-01-01", "accept_from: 2025-02-30", "registry.yaml:5: `accept_from`"),
        ("registry", "steward: nobody", "steward: nobody\nsteward: me", "registry.yaml:5: `steward` is written twice"),
        ("registry", "steward: nobody", "steward: nobody\nrules: []", "registry.yaml:5: `rules` has a file of its own"),
        ("registry", "accept_from: 2025-01-01", "accept_from: 2025-01-01\naccept_until: 2024-01-01", "registry.yaml:6: is before `accept_from`"),
        ("registry", "channels: [json", "channels: [jason", "registry.yaml:6: `channels`"),
        ("registry", "id: visits", "id: [visits", "registry.yaml:2: not YAML"),
        ("elements_visit", "level: case", "level: cases", "elements/visit.yaml:3: `level`"),
        ("elements_visit", "key: [visit_id]", "key: [visit_ids]", "elements/visit.yaml:4: there is no element `visit_ids`; did you mean `visit_id`?"),
        ("elements_visit", "period: visit_date", "period: smokes", "elements/visit.yaml:5: the period element must be a date"),
        ("elements_visit", "period: visit_date\n", "", "elements/visit.yaml:1: a case form needs a `key` and a `period`"),
        ("elements_visit", "title: Pain, type: integer", "title: Pain, typ: integer", "elements/visit.yaml:12: `typ` is not known here; did you mean `type`?"),
        ("elements_visit", "title: Pain, type: integer", "title: Pain, type: int", "elements/visit.yaml:12: `type`"),
        ("elements_visit", "value_set: answer, required: true", "value_set: answers, required: true", "elements/visit.yaml:14: there is no value set `answers`; did you mean `answer`?"),
        ("elements_visit", "type: code, value_set: number", "type: code", "elements/visit.yaml:17: `kind` needs a `value_set`"),
        ("elements_visit", "title: Walks, type: boolean", "title: Walks, type: boolean, value_set: answer", "only codes have a value set"),
        ("elements_visit", "{low: 0, high: 10}", "{low: 10, high: 0}", "elements/visit.yaml:12: low is above high"),
        ("elements_visit", 'unknown: ["99"]', 'unknown: ["ninety"]', "`ninety` is not written as a value"),
        ("elements_visit", "id: walks,", "id: pain,", "elements/visit.yaml:18: `pain` is declared twice"),
        ("elements_visit", "id: walks,", "id: subject_id,", "`subject_id` is a word of our own"),
        ("elements_visit", "id: walks,", "id: walks_unknown,", "looks like a column of our own"),
        ("elements_visit", "id: walks,", "id: Walks,", "elements/visit.yaml:18: `id` string should match pattern"),
        ("elements_visit", "required_when: smokes = 'Y'", "required_when: smoke = 'Y'", "elements/visit.yaml:15: no element or column `smoke` can be seen here; did you mean `smokes`?"),
        ("elements_visit", "required_when: smokes = 'Y'", "required_when: smokes", "gives text, where boolean is needed"),
        ("elements_visit", "age_in_years(birth, visit_date)", "visit_date", "gives date, where a whole number is needed"),
        ("elements_visit", 'pattern: "[0-9]{5}([0-9]{4})?"', 'pattern: "[0-9"', "is not a regular expression"),
        ("elements_visit", ", pattern_says: Send 5 or 9 digits.", "", "say it in words as well"),
        ("elements_visit", "type: text, max_length: 12", "type: integer, pattern: x, pattern_says: x", "only a text has a pattern"),
        ("elements_visit", "type: boolean}", "type: boolean, scale: 2}", "only a decimal has a scale"),
        ("elements_call", "parent: visit", "parent: visits", "elements/call.yaml:4: there is no form `visits`; did you mean `visit`?"),
        ("elements_call", "parent: visit\n", "", "a follow-up form needs a `parent`"),
        ("elements_call", "id: visit_id", "id: visited_id", "elements/call.yaml:1: needs the element `visit_id` to name its case"),
        ("sets_all", "exclusive: [U]", "exclusive: [Z]", "value_sets/all.yaml:3: there is no code `Z`"),
        ("sets_all", "{code: N,", "{code: Y,", "value_sets/all.yaml:6: `Y` is declared twice"),
        ("sets_all", "{code: N,", '{code: "N;",', "a code has no blanks"),
        ("rules", "place: packs", "place: pack", "rules.yaml:2: there is no element `pack`"),
        ("rules", "form: call", "form: calls", "rules.yaml:3: there is no form of entries `calls`"),
        ("rules", "packs < 5", "packs < 'five'", "rules.yaml:2: `packs < 'five'` compares decimal with text"),
        ("rules", "visit_date <= received_on", "visit_date <= current_date", "rules.yaml:1: `current_date` is not allowed"),
        ("rules", "id: heavy-smoker", "id: not-tomorrow", "rules.yaml:2: `not-tomorrow` is declared twice"),
        ("rules", "parent_visit_date", "parent_birth", "no element or column `parent_birth`"),
        ("derived", ", aggregate: any", "", "derived.yaml:1: `called` needs an `aggregate`"),
        ("derived", "type: boolean, over", "type: integer, over", "derived.yaml:1: `any` gives a boolean"),
        ("derived", "over: subject", "over: case", "window functions belong in derived columns over `subject`"),
        ("derived", "id: next_visit", "id: pain", "there is a column `pain` already"),
        ("derived", "ORDER BY visit_date, case_token", "ORDER BY visit_date", "a window needs"),
        ("measures_all", "numerator: smokes = 'Y'", "numerator: note_ = 'Y'", "measures/all.yaml:6: no element or column `note_`"),
        ("measures_all", "numerator: smokes = 'Y'", "numerator: birth IS NULL", "no element or column `birth`"),
        ("measures_all", "  numerator: smokes = 'Y'\n", "", "measures/all.yaml:1: a proportion needs `numerator`"),
        ("measures_all", "scoring: proportion", "scoring: continuous-variable", "needs `observation`"),
        ("measures_all", "scoring: proportion", "scoring: proportion\n  observation: mass", "gives 2 decimals, `scale` keeps 0"),
        ("measures_all", "scoring: proportion", "scoring: proportion\n  bins: [1, 2]", "needs an `observation`"),
        ("measures_all", "scoring: proportion", "scoring: proportion\n  shown_when: {measure: smoker, at_least: 0.5}", "there is no measure `smoker`; did you mean `smokers`?"),
        ("measures_all", "smokes: N}", "smokes: X}", "measures/all.yaml:11: `smokes`: not-in-value-set"),
        ("measures_all", "smokes: N}", "shoe: 44}", "measures/all.yaml:11: `shoe`: unknown-element"),
        ("measures_all", "[{denominator: 2, numerator: 1}]", "[]", "says nothing of what is to be expected"),
        ("measures_all", "[{denominator: 2,", '[{stratum: "sex:F", denominator: 2,', "there is no stratifier for `sex:F`"),
        ("peers", "by: all", "by: volume", "peers.yaml:1: volume has `bands`"),
        ("peers", "by: all", "by: category", "`all` needs `groups`"),
    ],
)  # fmt: skip
def test_one_fault_is_one_complaint_with_file_and_line(
    tmp_path: Path, file: str, old: str, new: str, complaint: str
) -> None:
    assert SMALL[file].count(old) >= 1
    found = complaints(tmp_path, **{file: SMALL[file].replace(old, new, 1)})
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("form: visit", "form: call", "worklists.yaml:3: there is no form of cases `call`"),
        ("cases: walks", "cases: pain", "worklists.yaml:4: gives a whole number, where boolean is needed"),
        ("months: pain", "months: mass", "worklists.yaml:6: gives decimal, where a whole number is needed"),
        ("day: visit_date", "day: visits_date", "worklists.yaml:6: no element or column `visits_date`"),
        ("columns: [pain", "columns: [pains", "worklists.yaml:8: there is no column `pains`; did you mean `pain`?"),
        ("columns: [pain", "columns: [birth", "worklists.yaml:8: there is no column `birth`"),
        ("closed_when: called OR next_visit IS NOT NULL", "overdue_when: called", "`overdue_when` is not known here"),
        ("- id: to-call", "- id: To call", "worklists.yaml:1: `id`"),
    ],
)  # fmt: skip
def test_one_fault_of_a_worklist_is_one_complaint(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert complaints(tmp_path / "sound", worklists=LISTED) == []
    found = complaints(tmp_path / "unsound", worklists=LISTED.replace(old, new, 1))
    assert any(complaint in line for line in found), found


def test_every_complaint_is_made_at_once(tmp_path: Path) -> None:
    found = complaints(
        tmp_path,
        registry=SMALL["registry"].replace("steward: nobody", "steward: nobody\nstewart: me"),
        elements_visit=SMALL["elements_visit"]
        .replace("type: npi", "type: npy")
        .replace("value_set: number", "value_set: numbers"),
        rules=SMALL["rules"]
        .replace("packs < 5", "packs < 'x'")
        .replace("place: visit_date", "place: day"),
        measures_all=SMALL["measures_all"].replace("smokes = 'Y'", "smoke = 'Y'"),
    )
    files = [line.split(":")[0] for line in found]
    assert files == [
        "elements/visit.yaml", "elements/visit.yaml", "measures/all.yaml",
        "registry.yaml", "rules.yaml", "rules.yaml",
    ]  # fmt: skip


def test_what_rests_on_a_part_set_aside_is_not_complained_of(tmp_path: Path) -> None:
    found = complaints(
        tmp_path,
        elements_visit=SMALL["elements_visit"].replace(
            "id: smokes, source_name: Smokes, title: Smokes, type: code",
            "id: smokes, source_name: Smokes, title: Smokes, type: coded",
        ),
    )
    assert [line.split(":")[:2] for line in found] == [["elements/visit.yaml", "14"]]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "just words", "a: &a [*a]", "\x00", "a: b: c", "- - - -", "{", "id: 1\n" * 3, "? [a]\n: b", "!!python/object:os.system x: 1"],
)  # fmt: skip
@pytest.mark.parametrize(
    "file", ["registry", "elements_visit", "rules", "measures_all", "peers", "sets_all"]
)
def test_whatever_stands_in_a_file_is_a_complaint_and_no_crash(
    tmp_path: Path, file: str, text: str
) -> None:
    found = complaints(tmp_path, **{file: text})
    assert found or (file in ("rules", "peers", "measures_all") and text in ("", "[]"))


def test_a_folder_without_a_registry_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        load(tmp_path)
    assert "registry.yaml:1: there is no registry.yaml" in refused.value.complaints[0]


def test_codes_keep_the_spelling_of_their_author(tmp_path: Path) -> None:
    """YAML would read 010 as 8, 1.10 as 1.1 and NO as false."""
    sets = SMALL["sets_all"].replace(
        '{code: "1", label: One}',
        "{code: 010, label: a}\n    - {code: 1.10, label: b}\n    - {code: NO, label: c}\n    - {code: 1e3, label: d}",
    )
    definition = load(small(tmp_path, sets_all=sets))
    assert definition.value_sets["number"].allowed == ("010", "1.10", "NO", "1e3", "1.0", "2022")


def test_the_canonical_document_makes_the_same_definition(visits: Definition) -> None:
    again = assemble(canonical(visits))
    assert again == visits
    assert again.digest == visits.digest
    assert [one.id for one in again.form("visit").all_elements] == [
        one.id for one in visits.form("visit").all_elements
    ]


def test_the_end_of_the_window_is_no_part_of_the_digest(tmp_path: Path, visits: Definition) -> None:
    ended = load(small(tmp_path, registry=SMALL["registry"] + "accept_until: 2030-01-01\n"))
    assert ended.digest == visits.digest
    assert ended.accept_until is not None


def test_layout_and_comments_are_no_part_of_the_digest(tmp_path: Path, visits: Definition) -> None:
    spaced = load(
        small(tmp_path, rules="# checks\n\n" + SMALL["rules"].replace(", place", ",  place"))
    )
    assert spaced.digest == visits.digest
    changed = small(tmp_path / "x", rules=SMALL["rules"].replace("packs < 5", "packs < 6"))
    assert load(changed).digest != visits.digest


def test_a_renamed_copy_of_the_packaged_folder_is_a_registry_of_its_own(tmp_path: Path) -> None:
    definition = load(changed_copy(tmp_path) / "1.12.0")
    assert definition.id == "another-lung-registry"
    limits = definition.element("exam", "ctdivol").range
    assert limits is not None
    assert limits.hard is not None
    assert limits.hard.high == 20


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("peers", "- {id: all, title: All, by: all}\n- {id: size, title: S, by: volume, bands: [{id: low, title: L, belo: 5}, {id: high, title: H}]}\n", "peers.yaml:2: `belo` is not known here; did you mean `below`?"),
        ("images", "- {id: ct, form: visit, makes_cases: false, modalities: [CT], where: [{attribute: Modality, says: [CT], not: x}]}\n", "images.yaml:1: `not` is not known here"),
    ],
)  # fmt: skip
def test_any_part_of_a_list_is_set_aside_alone(
    tmp_path: Path, file: str, text: str, complaint: str
) -> None:
    """Lists are found in the schema, so that a new kind of part needs no word here."""
    definition, found = read(small(tmp_path, **{file: text}))
    assert [one for one in found if "from_dicom" not in one] == [complaint]
    assert definition is not None
    (*_, last) = getattr(definition, file)
    assert last.id in ("size", "ct")


def test_what_is_wrong_at_the_top_does_not_keep_the_rest_from_being_read(tmp_path: Path) -> None:
    definition, found = read(
        small(
            tmp_path,
            registry=SMALL["registry"].replace("steward: nobody", "steward: [a]\npolicy: any"),
            rules=SMALL["rules"].replace("packs < 5", "pack < 5"),
        )
    )
    assert definition is not None
    assert len(found) == 3
    assert [one.partition(": ")[0] for one in found] == [
        "registry.yaml:4", "registry.yaml:5", "rules.yaml:2",
    ]  # fmt: skip
