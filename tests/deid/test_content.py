from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from tests.make.instances import ct, item, items, packed

KEYS = Keys.of(b"k" * 32)
OTHER = "1.2.826.0.1.3680043.10.999.77"


def coded(value: str, scheme: str, meaning: str) -> Any:
    return items(item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning))


def number(code: str, scheme: str, value: str, unit: str) -> Dataset:
    measured = item(NumericValue=value)
    measured.MeasurementUnitsCodeSequence = coded(unit, "UCUM", unit)
    return item(
        ValueType="NUM",
        RelationshipType="CONTAINS",
        ConceptNameCodeSequence=coded(code, scheme, "Subject Age"),
        MeasuredValueSequence=items(measured),
    )


def reported(*content: Dataset, profile: Profile | None = None) -> Dataset:
    made = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR", PixelData=None)
    made.ValueType = "CONTAINER"
    made.ConceptNameCodeSequence = coded("126000", "DCM", "Imaging Measurement Report")
    made.ContentSequence = items(*content)
    outcome = deidentify(packed(made), profile or Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    return dcmread(BytesIO(outcome.content))


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("62", "a", "62"),
        ("89", "a", "89"),
        ("93", "a", "89"),
        ("1200", "mo", "1068"),
        ("400", "furlong", "89"),
    ],
)
def test_an_age_as_a_number_is_capped_in_its_unit(value, unit, expected):
    read = reported(number("121033", "DCM", value, unit), number("30525-0", "LN", value, unit))
    told = [str(one.MeasuredValueSequence[0].NumericValue) for one in read.ContentSequence]
    assert told == [expected, expected]


def test_ages_go_where_traits_are_not_retained():
    basic = Profile.of({"options": ["clean_pixel_data", "clean_structured_content"]})
    read = reported(
        number("121033", "DCM", "62", "a"),
        number("30525-0", "LN", "62", "a"),
        number("118538004", "SCT", "3.5", "kg"),
        profile=basic,
    )
    assert [one.ConceptNameCodeSequence[0].CodeValue for one in read.ContentSequence] == [
        "118538004"
    ]


def test_references_stay_with_their_uids_replaced_whatever_their_concept():
    def reference(code: str, kind: str) -> Dataset:
        pointed = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2")
        pointed.ReferencedSOPInstanceUID = OTHER
        return item(
            ValueType=kind,
            RelationshipType="INFERRED FROM",
            ConceptNameCodeSequence=coded(code, "DCM", "Source of Measurement"),
            ReferencedSOPSequence=items(pointed),
        )

    read = reported(
        reference("121112", "IMAGE"), reference("121112", "WAVEFORM"), reference("121080", "IMAGE")
    )
    told = {one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in read.ContentSequence}
    assert len(read.ContentSequence) == 3
    assert len(told) == 1
    assert told != {OTHER}


def test_what_holds_a_report_together_stays_when_somebody_is_called_so():
    made = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR", PixelData=None)
    made.PatientName = "CONTAINS^NUM^POLYLINE"
    made.ContentSequence = items(number("118538004", "SCT", "3.5", "kg"))
    outcome = deidentify(packed(made), Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    one = dcmread(BytesIO(outcome.content)).ContentSequence[0]
    assert (one.ValueType, one.RelationshipType) == ("NUM", "CONTAINS")
    assert one.ConceptNameCodeSequence[0].CodeValue == "118538004"
