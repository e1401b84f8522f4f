"""A use case as a file: what does not hold together is told with its line, and nothing is typed twice."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands.definitions import newest
from app.commands.use_case import app as commands
from app.errors import InvalidUseCase
from app.evaluations.use_cases.document import UseCaseDocument
from app.evaluations.use_cases.read import examples, read_use_case
from app.evaluations.use_cases.soundness import Definitions, told_of
from app.registries.reference import NoSuchElement, element_named
from tests.evaluations.writing import COVID, NODULES, packaged

TEXT = examples()[NODULES].read_text()
LUNG = "early-lung-cancer-detection"


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return packaged()


def complaints(tmp_path: Path, text: str, definitions: Definitions) -> list[str]:
    file = tmp_path / "case.yaml"
    file.write_text(text)
    with pytest.raises(InvalidUseCase) as refused:
        read_use_case(file, definitions)
    return list(refused.value.complaints)


@pytest.mark.parametrize("name", [NODULES, COVID])
def test_a_shipped_example_is_sound_and_refers_to_the_newest_definition(
    name: str, definitions: Definitions
) -> None:
    document = read_use_case(examples()[name], definitions)
    references = list(document.references())
    assert len(references) >= 6
    assert {one.version for one in references} == {
        newest(one.registry).version for one in references
    }


def test_what_an_element_is_comes_from_its_definition(definitions: Definitions) -> None:
    document = read_use_case(examples()[NODULES], definitions)
    outputs = {one.id: one for one in document.technical_specification.outputs}
    size = told_of(outputs["size"], definitions)
    assert size is not None
    assert (size.label, size.data_type, size.unit) == ("Mean diameter", "decimal", "mm")
    assert (size.form, size.radelement) == ("highest_risk_nodule", "RDE1302")
    density = told_of(outputs["density"], definitions)
    assert density is not None
    element = newest(LUNG).form("highest_risk_nodule").by_id["hr_nodule_density"]
    value_set = newest(LUNG).value_set(element)
    assert value_set is not None
    assert [one.code for one in density.codes] == list(value_set.allowed)
    assert told_of(outputs["presence"], definitions) is None


@pytest.mark.parametrize(
    ("old", "new", "line_of", "says"),
    [
        ("title: Detection", "titel: Detection", "title: Detection", "`titel` is not known here; did you mean `title`?"),
        ("  license: Apache-2.0\n", "", "overview:", "`license` is missing"),
        ("modality: CT", "modality: XT", "modality: CT", "`modality` should be 'CR'"),
        ("ages: {low: 18}", "ages: {low: 18, high: 2}", "ages:", "the lowest age is above the highest"),
        ("1.12.0/hr_nodule_size}", "1.12.0/hr_nodule_sise}", "{id: size", "this version of the registry has no such element; did you mean `hr_nodule_size`?"),
        ("1.12.0/smoking_status", "9.9.9/smoking_status", "{id: smoking", "there is no such version of such a registry"),
        ("1.12.0/nodule_count", "1.12.0/exam_date", "{id: plurality", "several forms ask it: write exam.exam_date, nodule_exam.exam_date"),
        ("1.12.0/nodule_count", "1.12.0/patient_last_name", "{id: plurality", "it identifies people"),
        ("1.12.0/nodule_count", "1.12.0/hr_nodule_density", "      element: early-lung-cancer-detection/1.12.0/hr_nodule_density", "the same `element` stands above"),
        ("/1.12.0/nodule_count", "/nodule_count", "{id: plurality", "`element` string should match pattern"),
        ("nodule_count}", "nodule_count, unit: mm}", "{id: plurality", "the definition says it: leave `unit` out"),
        ("nodule_count}", "nodule_count, radelement: RDE1306}", "{id: plurality", "it is one of these and no second: `element`, `radelement`"),
        ("      label: Volume of the nodule\n", "", "    - id: volume", "`label` is missing: a RadElement is told here"),
        ("data_type: decimal\n      unit: mm3", "data_type: text\n      unit: mm3", "unit: mm3", "a `unit` belongs to an integer or a decimal"),
        ("data_type: decimal\n      unit: mm3", "data_type: code", "    - id: volume", "`values` belong to a `code` or `codes`"),
        ("RDE1717.3", "RDE1718.3", "RDE1717.3", "the code is another RadElement's"),
        ("RDE1717.3", "RDE1717.2", "RDE1717.3", "the code stands above"),
    ],
)  # fmt: skip
def test_one_slip_is_one_complaint_on_its_line(
    tmp_path: Path, definitions: Definitions, old: str, new: str, line_of: str, says: str
) -> None:
    assert old in TEXT
    line = TEXT[: TEXT.index(line_of)].count("\n") + 1
    found = complaints(tmp_path, TEXT.replace(old, new, 1), definitions)
    # A heading that is misspelt is missing too.
    assert len(found) == (2 if "titel" in new else 1), found
    assert any(one.startswith(f"case.yaml:{line}: ") and says in one for one in found), found


def test_importances_are_looked_through(tmp_path: Path, definitions: Definitions) -> None:
    found = complaints(
        tmp_path, TEXT.replace("importance: primary", "importance: secondary"), definitions
    )
    assert [re.sub(r"^.*?:\d+: ", "", one) for one in found] == [
        "at least one of them is primary",
        "at least one primary input is a `study`",
        "at least one of them is primary",
    ]


@pytest.mark.parametrize("text", ["", "- a\n", "title: [", "just words"])
def test_what_is_no_use_case_is_told_so(
    tmp_path: Path, definitions: Definitions, text: str
) -> None:
    (found,) = complaints(tmp_path, text, definitions)
    assert re.match(r"case\.yaml:\d+: ", found)


def test_elements_in_rows_of_groups_are_found_by_their_path() -> None:
    printing = newest("medical-3d-printing")
    form = next(one for one in printing.forms if one.groups)
    group = form.groups[0]
    inner = group.groups[0].elements[0]
    path = f"{form.id}.{group.id}.{group.groups[0].id}.{inner.id}"
    assert element_named(printing, path) == (form.id, inner)
    with pytest.raises(NoSuchElement):
        element_named(printing, f"{form.id}.{inner.id}x")


def test_a_document_is_the_same_after_it_was_kept(definitions: Definitions) -> None:
    document = read_use_case(examples()[COVID], definitions)
    kept = document.model_dump(mode="json", exclude_defaults=True)
    assert UseCaseDocument.model_validate(kept) == document


def test_the_command_says_where_each_slip_is(tmp_path: Path) -> None:
    runner, good, bad = CliRunner(), tmp_path / "good.yaml", tmp_path / "bad.yaml"
    assert runner.invoke(commands, ["new", str(good), "--example", NODULES]).exit_code == 0
    assert runner.invoke(commands, ["new", str(good)]).exit_code == 1, "nothing is written over"
    bad.write_text(TEXT.replace("nodule_count", "nodule_counts"))
    told = runner.invoke(commands, ["check", str(good)])
    assert told.exit_code == 0
    assert "sound. 4 inputs, 7 outputs" in told.output
    refused = runner.invoke(commands, ["check", str(good), str(bad)])
    assert isinstance(refused.exception, InvalidUseCase)
    (complaint,) = refused.exception.complaints
    line = TEXT[: TEXT.index("nodule_count")].count("\n") + 1
    assert complaint.startswith(f"{bad}:{line}: this version of the registry has no such element")
