"""Value sets that are imported: from FHIR, from CSV, from another definition; nothing lost, each fault with its line."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.registries.load import load, read
from app.registries.questionnaire import questionnaire
from app.registries.schema import Definition
from tests.make.definitions import SMALL, small

SNOMED, OURS = "http://snomed.info/sct", "https://example.org/codes"
ASKED = SMALL["elements_visit"] + (
    "  - {id: site, source_name: Site, title: Site, type: code, value_set: sites}\n"
)
Coding = tuple[str, str, str | None]


def importing(folder: Path, asks: str, **files: str) -> Path:
    """The small definition with an element whose value set is imported, and files beside it."""
    made = small(folder, elements_visit=ASKED, sets_sites=f"- id: sites\n  import: {asks}\n")
    for name, content in files.items():
        (made / "value_sets" / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return made


def as_value_set(codings: list[Coding]) -> Any:
    return {
        "resourceType": "ValueSet", "url": "https://example.org/vs", "version": "2", "title": "Sites",
        "compose": {"include": [
            {"concept": [{"code": code, "display": display}]} | ({"system": system} if system else {})
            for code, display, system in codings
        ]},
    }  # fmt: skip


def as_expansion(codings: list[Coding]) -> Any:
    contains = [
        {"code": code, "display": display} | ({"system": system} if system else {})
        for code, display, system in codings
    ]
    # The first is a heading's child, and the heading no code.
    within = [{"display": "Heading", "abstract": True, "contains": contains[:1]}, *contains[1:]]
    expansion = {"total": len(contains), "contains": within}
    return {"resourceType": "ValueSet", "name": "Sites", "expansion": expansion}


def as_code_system(codings: list[Coding]) -> Any:
    """One system, each concept within the one before."""
    concept: list[Any] = []
    for code, display, _ in reversed(codings):
        concept = [{"code": code, "display": display} | ({"concept": concept} if concept else {})]
    return {"resourceType": "CodeSystem", "url": OURS, "title": "Sites", "concept": concept}


def as_table(codings: list[Coding]) -> str:
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(("code", "label", "system"))
    rows.writerows(codings)
    return written.getvalue()


WORDS = st.text(
    st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\u2028\u2029\ufeff"),
    min_size=1,
    max_size=30,
).filter(lambda one: one == one.strip())
CODES = st.text(
    st.characters(categories=("L", "N"), include_characters=".-/_"), min_size=1, max_size=20
)
CODINGS = st.lists(
    st.tuples(CODES, WORDS, st.sampled_from([SNOMED, OURS, None])),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one[0],
)


def told(definition: Definition) -> list[Coding]:
    """What the FHIR Questionnaire offers for the element: code, display, system."""
    document = questionnaire(definition, "visit", "https://example.org")
    items = [each for one in document["item"] for each in one.get("item", [one])]
    (site,) = (one for one in items if one["linkId"] == "site")
    found = [one["valueCoding"] for one in site["answerOption"]]
    own = f"urn:hounsfield:{definition.id}:sites"
    return [
        (one["code"], one["display"], None if one["system"] == own else one["system"])
        for one in found
    ]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(codings=CODINGS, escaped=st.booleans())
def test_what_is_imported_is_what_the_questionnaire_offers(
    codings: list[Coding], escaped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one_system: list[Coding] = [(code, display, OURS) for code, display, _ in codings]
    for made, expected in (
        (as_value_set(codings), codings),
        (as_expansion(codings), codings),
        (as_code_system(one_system), one_system),
    ):
        text = json.dumps(made, indent=1, ensure_ascii=escaped).replace(
            "/", "\\/" if escaped else "/"
        )
        folder = importing(tmp_path_factory.mktemp("fhir"), "{file: sites.json}", sites_json=text)
        definition, complaints = read(folder, (), sound=True)
        assert (definition is not None, complaints) == (True, [])
        assert definition is not None
        assert told(definition) == expected
    table = "- id: sites\n  title: Sites\n  import: {file: sites.csv}\n"
    folder = importing(tmp_path_factory.mktemp("csv"), "{}", sites_csv=as_table(codings))
    (folder / "value_sets" / "sites.yaml").write_text(table)
    assert told(load(folder, (), sound=True)) == codings


VALUE_SET = json.dumps(as_value_set([("a", "A", SNOMED), ("b", "B", OURS)]), indent=1)
EXPANSION = json.dumps(as_expansion([("a", "A", SNOMED), ("b", "B", OURS)]), indent=1)


def test_what_a_file_says_of_itself_is_taken_where_the_definition_says_nothing(
    tmp_path: Path,
) -> None:
    folder = importing(tmp_path, "{file: sites.json}", sites_json=VALUE_SET)
    first = load(folder, ())
    assert first.value_sets["sites"].title == "Sites"
    assert first.value_sets["sites"].reference == "https://example.org/vs|2"
    sets = folder / "value_sets" / "sites.yaml"
    sets.write_text(sets.read_text() + "  title: Ours\n  exclusive: [b]\n")
    own = load(folder, ())
    assert (own.value_sets["sites"].title, own.value_sets["sites"].exclusive) == ("Ours", ("b",))


def test_a_changed_list_is_another_definition_and_another_layout_is_not(tmp_path: Path) -> None:
    digests = [
        load(importing(tmp_path / name, "{file: sites.json}", sites_json=text), ()).digest
        for name, text in (
            ("a", VALUE_SET),
            ("b", json.dumps(json.loads(VALUE_SET))),
            ("c", VALUE_SET.replace('"B"', '"Bee"')),
        )
    ]
    assert digests[0] == digests[1] != digests[2]


def test_codes_kept_for_old_data_are_retired(tmp_path: Path) -> None:
    system = {
        "resourceType": "CodeSystem", "url": OURS, "title": "Sites",
        "concept": [
            {"code": "a", "display": "A", "definition": "What A means."},
            {"code": "b", "display": "B", "property": [{"code": "inactive", "valueBoolean": True}]},
            {"code": "c", "display": "C", "property": [{"code": "status", "valueCode": "retired"}]},
        ],
    }  # fmt: skip
    folder = importing(tmp_path, "{file: sites.json}", sites_json=json.dumps(system))
    sites = load(folder, ()).value_sets["sites"]
    assert sites.allowed == ("a",)
    assert sites.codes[0].meaning == "A: What A means."


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"code": "b"', '"code": "a"', "sites.json:19: `a` is declared twice"),
        ('"code": "b"', '"code": "b;c"', "sites.json:19: `b;c`: a code has no blanks"),
        ('"code": "b"', '"code": ""', "sites.json:18: has no `code`"),
        ('"display": "B"', '"definition": "B"', "sites.json:18: `b` has no `display`"),
        ('"total": 2', '"total": 900', "sites.json:5: is a page of 3 of 900 codes"),
        ('"total": 2,', '"total": 2', "sites.json:6: not JSON"),
        ('"ValueSet"', '"ConceptMap"', "sites.json:1: is neither a FHIR ValueSet nor a CodeSystem"),
    ],
)  # fmt: skip
def test_one_fault_of_an_expansion_is_complained_of_at_its_line(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert EXPANSION.count(old) == 1
    text = EXPANSION.replace(old, new)
    folder = importing(tmp_path, "{file: sites.json}", sites_json=text)
    found = read(folder, ())[1]
    assert [one for one in found if one.startswith(f"value_sets/{complaint}")] == found


@pytest.mark.parametrize(
    ("compose", "complaint"),
    [
        ({"include": [{"system": SNOMED, "filter": []}]}, "names no codes one by one"),
        ({"include": [{"valueSet": ["x"]}]}, "names no codes one by one"),
        ({"include": [], "exclude": [{"system": SNOMED}]}, "leaves codes out"),
        ({}, "lists no codes"),
    ],
)
def test_what_is_no_list_of_codes_is_not_taken_for_one(
    tmp_path: Path, compose: Any, complaint: str
) -> None:
    text = json.dumps({"resourceType": "ValueSet", "title": "T", "compose": compose})
    found = read(importing(tmp_path, "{file: sites.json}", sites_json=text), ())[1]
    assert any(complaint in one for one in found), found


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("code,label\na,A\nb\n", "sites.csv:3: has 1 fields, the heading has 2"),
        ("code,label\na,A\nb,\n", "sites.csv:3: has no `label`"),
        ("code,label\na,A\na,B\n", "sites.csv:3: `a` is declared twice"),
        ('code,label\na,"A\nA"\nb,B,C\n', "sites.csv:4: has 3 fields"),
        ("code;label;colour\na;A;red\n", "sites.csv:1: `colour` is no column"),
        ("code;name\na;A\n", "sites.csv:1: needs the columns `code` and `label`"),
        ("code,label,retired\na,A,false\nb,B,maybe\n", "sites.csv:3: `retired`"),
        ("code,label\n", "sites.csv:1: lists no codes"),
    ],
)
def test_one_fault_of_a_table_is_complained_of_at_its_line(
    tmp_path: Path, table: str, complaint: str
) -> None:
    folder = importing(tmp_path, "{file: sites.csv}\n  title: Sites", sites_csv=table)
    found = read(folder, ())[1]
    assert any(one.startswith(f"value_sets/{complaint}") for one in found), found


@pytest.mark.parametrize(
    ("asks", "complaint"),
    [
        ("{file: ../rules.yaml}", "name a .json or .csv file that lies beside it"),
        ("{file: none.json}", "there is no file value_sets/none.json"),
        ("sites.json", "`import` names a `file`"),
        ("{registry: visits, value_set: answer}", "`import` names a `file`"),
        ("{registry: nowhere, version: 1.0.0, value_set: x}", "there is no definition of nowhere"),
        ("{value_set: nowhere}", "there is no value set `nowhere` there"),
        ("{file: sites.json}\n  codes: [{code: a, label: A}]", "has `codes` of its own or an"),
    ],
)
def test_an_import_of_nothing_is_one_complaint_where_it_is_asked(
    tmp_path: Path, asks: str, complaint: str
) -> None:
    folder = importing(tmp_path, asks, sites_json=VALUE_SET)
    (found,) = (one for one in read(folder)[1] if "title" not in one)
    assert found.startswith("value_sets/sites.yaml:2: ")
    assert complaint in found


def test_a_value_set_of_another_definition_is_taken_with_what_it_imports(tmp_path: Path) -> None:
    small(
        tmp_path / "others" / "1.0.0",
        registry=SMALL["registry"].replace("id: visits", "id: others"),
        sets_all=SMALL["sets_all"] + "- {id: places, import: {file: places.json}}\n",
    )
    (tmp_path / "others" / "1.0.0" / "value_sets" / "places.json").write_text(VALUE_SET)
    asks = "{registry: others, version: 1.0.0, value_set: places}"
    definition = load(importing(tmp_path / "visits" / "1.0.0", asks))
    assert told(definition) == [("a", "A", SNOMED), ("b", "B", OURS)]


def test_two_value_sets_that_import_each_other_are_complained_of(tmp_path: Path) -> None:
    for one, other in (("here", "there"), ("there", "here")):
        small(
            tmp_path / one / "1.0.0",
            registry=SMALL["registry"].replace("id: visits", f"id: {one}"),
            sets_all=SMALL["sets_all"]
            + f"- {{id: places, title: P, import: {{registry: {other}, version: 1.0.0, value_set: places}}}}\n",
        )
    found = read(tmp_path / "here" / "1.0.0")[1]
    assert found == ["value_sets/all.yaml:15: `places` imports itself"]
