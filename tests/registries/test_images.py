"""What may be asked of images: complaints with file and line."""

from pathlib import Path

import pytest

from app.commands.definitions import read_all
from app.registries.compare import compare
from app.registries.dictionary.markdown import markdown
from app.registries.load import PACKAGED, load, read
from tests.make.definitions import SMALL, small

IMAGES = """\
- id: slices
  form: visit
  sop_classes: [1.2.840.10008.5.1.4.1.1.2]
"""
READ = (
    SMALL["elements_visit"]
    .replace(
        "max_length: 20, identifying: true, identity: accession}",
        "max_length: 20, identifying: true, identity: accession, from_dicom: [{attribute: AccessionNumber}]}",
    )
    .replace(
        "type: date, required: true}",
        "type: date, required: true, from_dicom: [{attribute: StudyDate}]}",
    )
)


def with_element(element: str) -> str:
    return READ + f"  - {{id: more, source_name: More, title: More, {element}}}\n"


def test_a_definition_that_reads_images_is_sound(tmp_path: Path) -> None:
    folder = small(
        tmp_path,
        images=IMAGES,
        elements_visit=with_element(
            "type: decimal, scale: 1, unit: kg, cross_check: {relative: 0.1},"
            " from_dicom: [{attribute: PatientWeight, unit: kg}, {content: [DCM 1, DCM 2]}]"
        ),
    )
    definition, said = read(folder)
    assert said == []
    assert definition is not None
    assert definition.form("visit").by_id["more"].from_dicom[1].place == "DCM 1 > DCM 2"


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ("type: codes, value_set: answer, from_dicom: [{attribute: A}]", "type codes is not read"),
        ("type: text, identifying: true, from_dicom: [{content: [DCM 1]}]", "attributes alone"),
        ("type: date, from_dicom: [{content: [DCM 1]}]", "are shifted"),
        ("type: text, from_dicom: [{attribute: A, take: sum}]", "only numbers have a sum"),
        ("type: decimal, from_dicom: [{content: [DCM 1], take: count}]", "a count is an integer"),
        ("type: text, from_dicom: [{age_on: StudyDate}]", "an age is an integer"),
        ("type: text, from_dicom: [{attribute: A, codes: {X: Y}}]", "only a code has codes"),
        (
            "type: code, value_set: answer, from_dicom: [{attribute: A, otherwise: W}]",
            "no code `W`",
        ),
        ("type: code, value_set: answer, from_dicom: [{attribute: A, mixed: Y}]", "`take: only`"),
        ("type: text, cross_check: {}", "needs `from_dicom`"),
        ("type: text, cross_check: {absolute: 1}, from_dicom: [{attribute: A}]", "tolerance"),
        ("type: decimal, from_dicom: [{content: [DCM 1], unit: kg}]", "is told its unit"),
        (
            "type: integer, from_dicom: [{attribute: A}, {attribute: B, take: max}]",
            "the same `take`",
        ),
        ("type: text, from_dicom: [{attribute: A, content: [DCM 1]}]", "has one of"),
        ("type: text, from_dicom: [{content: [113811]}]", "pattern"),
        ('type: integer, computed: "1", from_dicom: [{attribute: A}]', "known without images"),
    ],
)
def test_what_cannot_be_read_is_complained_of_where_it_stands(
    tmp_path: Path, element: str, message: str
) -> None:
    folder = small(tmp_path, images=IMAGES, elements_visit=with_element(element))
    _, said = read(folder)
    line = len(with_element(element).splitlines())
    assert any(one.startswith(f"elements/visit.yaml:{line}: ") and message in one for one in said)


@pytest.mark.parametrize(
    ("images", "elements", "message"),
    [
        (IMAGES.replace("visit", "call"), READ, "images.yaml:2: there is no form of cases `call`"),
        (IMAGES, SMALL["elements_visit"], "images.yaml:2: the key of `visit` cannot be read"),
        (IMAGES.split("  sop")[0], READ, "needs `sop_classes` or `modalities`"),
        (
            IMAGES + IMAGES.replace("slices", "more") + "  makes_cases: false\n",
            READ,
            "images.yaml:7: `slices` says otherwise",
        ),
        ("", READ, "no images speak of `visit`"),
    ],
)
def test_sources_must_lead_to_a_case(
    tmp_path: Path, images: str, elements: str, message: str
) -> None:
    _, said = read(small(tmp_path, images=images, elements_visit=elements))
    assert any(message in one for one in said), said


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ("type: text, from_dicom: [{attribute: PatientName}]", "PatientName: de-identification"),
        ("type: text, from_dicom: [{attribute: InstitutionName}]", "InstitutionName: de-ident"),
        ("type: text, from_dicom: [{attribute: PatientAddress}]", "PatientAddress: de-ident"),
        ("type: date, from_dicom: [{attribute: PatientBirthDate}]", "PatientBirthDate: identifies"),
        ("type: text, from_dicom: [{attribute: NoSuchThing}]", "NoSuchThing: no such attribute"),
        ("type: text, identifying: true, from_dicom: [{attribute: NoSuch}]", "NoSuch: no such"),
        ("type: text, identifying: true, from_dicom: [{attribute: PatientName}]", None),
        ("type: text, from_dicom: [{attribute: Manufacturer}]", None),
    ],
)
def test_an_attribute_that_de_identification_takes_away_is_never_a_source(
    tmp_path: Path, element: str, message: str | None
) -> None:
    small(tmp_path / "one", images=IMAGES, elements_visit=with_element(element))
    definitions, said = read_all(tmp_path)
    if message is None:
        assert (said, len(definitions)) == ([], 1)
    else:
        assert (definitions, len(said)) == ([], 1)
        assert message in said[0]


def test_a_new_version_says_what_becomes_of_images(tmp_path: Path) -> None:
    old = load(small(tmp_path / "a", images=IMAGES, elements_visit=READ))
    images = IMAGES.replace("id: slices", "id: scans")
    elements = READ.replace("AccessionNumber", "StudyID")
    new = load(small(tmp_path / "b", images=images, elements_visit=elements))
    assert [(one.weight, one.place) for one in compare(old, new)] == [
        ("breaks", "images slices"),
        ("changed", "visit.visit_id"),
        ("new", "images scans"),
    ]
    assert compare(old, old) == []


def test_the_dictionary_says_where_elements_are_read() -> None:
    page = markdown(load(PACKAGED / "dose-index" / "1.1.0"))
    assert "| Dose report of a CT | `exam` | 1.2.840.10008.5.1.4.1.1.88.67, " in page
    assert "| `exam.patient_weight` | PatientWeight | first |" in page
    assert "(DCM 113811 > DCM 113813) | sum |" in page
