from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from app.deid.deidentify import Deidentified, Withheld, deidentify
from app.deid.pixels import Reason
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import Trace, second_look
from tests.make.instances import ct, item, items, packed, sent

PROFILE = Profile()
KEYS = Keys.of(b"k" * 32)


def done(profile: Profile = PROFILE, **change: object) -> Dataset:
    outcome = deidentify(sent(**change), profile, KEYS)
    assert isinstance(outcome, Deidentified), outcome
    return dcmread(BytesIO(outcome.content))


def reason(source: bytes) -> Reason | None:
    outcome = deidentify(source, PROFILE, KEYS)
    return outcome.reason if isinstance(outcome, Withheld) else None


def test_useful_values_stay():
    read = done()
    assert read.StudyDescription == "CT CHEST W/O CONTRAST"
    assert read.SeriesDescription == "LUNG 1.0 B60f"
    assert read.Manufacturer == "SIEMENS"
    assert read.ManufacturerModelName == "SOMATOM Force"
    assert read.PatientSex == "F"
    assert read.PatientAge == "062Y"
    assert read.StudyTime == "101112.5"


@pytest.mark.parametrize(
    "name", ["SMITH^JOHN^^MR", "CT^TEST", "HEAD^CHEST", "PRIMARY^AXIAL", "NG^LI"]
)
def test_a_name_that_is_a_word_of_the_machine_costs_no_code_string(name):
    source = sent(PatientName=name, Modality="CT", BodyPartExamined="CHEST")
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    assert (read.Modality, read.BodyPartExamined) == ("CT", "CHEST")
    assert list(read.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert second_look(source, outcome.content) == frozenset()


def test_dates_move_together_and_are_no_longer_the_true_ones():
    one = done(SeriesDate="20240315", AcquisitionDateTime="20240311101112+0100")
    assert one.StudyDate != "20240311"
    assert int(one.SeriesDate) - int(one.StudyDate) in (4, 74, 73, 75, 76, 72)
    assert one.AcquisitionDateTime == f"{one.StudyDate}101112+0100"


def test_type_1_attributes_are_never_empty_and_type_2_are_there():
    made = ct(ContentDate="20240311", InstitutionName="Quillmark")
    made.VerifyingObserverSequence = items(
        item(
            VerifyingObserverName="A^B",
            VerifyingOrganization="Quillmark",
            VerificationDateTime="20240311",
            VerifyingObserverIdentificationCodeSequence=items(item(CodeValue="77")),
        )
    )
    made.SourceImageSequence = items(item(ReferencedFrameNumber="1"))
    made.SourceImageSequence[0].PurposeOfReferenceCodeSequence = items(
        item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Ottoline Quizzleberry")
    )
    source = packed(made).replace(
        b"\x08\x00\x23\x00DA\x08\x0020240311", b"\x08\x00\x23\x00DA\x08\x00nonsense"
    )
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    assert read.ContentDate == ""  # Type 2C in a CT image
    assert "InstitutionName" not in read  # Type 3 there
    observer = read.VerifyingObserverSequence[0]
    assert observer.VerifyingObserverName == "REMOVED"
    assert observer.VerifyingOrganization == "REMOVED"
    assert len(observer.VerifyingObserverIdentificationCodeSequence) == 0
    code = read.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0]
    assert code.CodeMeaning == "REMOVED"
    for keyword in ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
        assert keyword in read


def test_nobody_s_role_stays_without_somebody():
    """Type 1C: only beside ResponsiblePerson, which always goes (PS3.3 C.7.1.1)."""
    made = done(ResponsiblePerson="Quizzleberry^Ada", ResponsiblePersonRole="PARENT")
    assert "ResponsiblePerson" not in made
    assert "ResponsiblePersonRole" not in made


@pytest.mark.parametrize(
    ("name", "said", "stays"),
    [
        ("Temple^Ada", {"BodyPartExamined": "TEMPLE", "EthnicGroup": "Temple"}, set()),
        ("Sharp^Ada", {"ConvolutionKernel": "SHARP"}, set()),
        ("Head^Ada", {"BodyPartExamined": "HEAD"}, {"BodyPartExamined"}),
    ],
)
def test_an_own_name_goes_from_codes_and_technical_text_unless_a_part_of_the_body_is_meant(
    name, said, stays
):
    made = done(PatientName=name, **said)
    assert {keyword for keyword in said if made.get(keyword)} == stays
    others = done(PatientName="Quizzleberry^Ada", **said)
    assert {keyword: others.get(keyword) for keyword in said} == said


def test_an_age_is_made_from_the_birth_date_where_none_was_sent():
    assert done(PatientAge=None).PatientAge == "062Y"
    assert done(PatientAge=None, PatientBirthDate="19200101").PatientAge == "089Y"


def test_safe_private_attributes_stay_in_a_proper_block_and_all_others_go():
    made = ct()
    safe = made.private_block(0x0019, "GEMS_ACQU_01", create=True)
    safe.add_new(0x23, "DS", "39.37")
    safe.add_new(0x24, "LO", "Quizzleberry")
    safe.add_new(0x99, "LO", "unlisted")
    other = made.private_block(0x0019, "UNLISTED MAKER", create=True)
    other.add_new(0x23, "DS", "12.5")
    outcome = deidentify(packed(made), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    assert [hex(one.tag) for one in read if one.tag.is_private] == ["0x190010", "0x191023"]
    without = Profile.of({"options": ["clean_pixel_data"]})
    outcome = deidentify(packed(made), without, KEYS)
    assert isinstance(outcome, Deidentified)
    assert not any(one.tag.is_private for one in dcmread(BytesIO(outcome.content)))


@pytest.mark.parametrize(
    ("vr", "value", "stays"),
    [("FD", 0.9375, True), ("DS", "0.9", False), ("DS", "0.937500", False)],
)
def test_what_declares_no_vr_stays_when_it_is_what_readers_take_it_for(
    vr: str, value: object, stays: bool
) -> None:
    made = ct()
    made.private_block(0x01F1, "ELSCINT1", create=True).add_new(0x26, vr, value)
    for syntax, there in ((ImplicitVRLittleEndian, stays), (ExplicitVRLittleEndian, True)):
        made.file_meta.TransferSyntaxUID = syntax
        source = packed(made)
        outcome = deidentify(source, PROFILE, KEYS)
        assert isinstance(outcome, Deidentified)
        assert ((0x01F1, 0x1026) in dcmread(BytesIO(outcome.content))) is there
        assert second_look(source, outcome.content) == frozenset()


def content(kind: str, code: str, meaning: str, **value: object) -> Dataset:
    name = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning=meaning)
    return item(ValueType=kind, ConceptNameCodeSequence=items(name), **value)


def test_structured_content_is_cleaned_item_by_item():
    made = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR", PixelData=None)
    made.ContentSequence = items(
        content("TEXT", "121071", "Finding", TextValue="nodule of Ottoline Quizzleberry"),
        content("PNAME", "121008", "Person Observer Name", PersonName="Thistlewood^Erasmus"),
        content("TEXT", "121022", "Accession Number", TextValue="ACC-1"),
        content("DATE", "121110", "Patient Presentation", Date="20240311"),
        content("NUM", "113830", "Mean CTDIvol"),
        content("UIDREF", "112040", "Tracking Unique Identifier", UID="1.2.3.4.5.6.7.8.9"),
    )
    outcome = deidentify(packed(made), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    told = {one.ConceptNameCodeSequence[0].CodeValue: one for one in read.ContentSequence}
    assert told["121071"].TextValue == "nodule of"
    assert "121022" not in told
    assert told["121110"].Date == read.StudyDate
    assert "113830" in told
    assert told["112040"].UID.startswith("2.25.")
    assert "Thistlewood" not in str(read)
    assert second_look(packed(made), outcome.content) == frozenset()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({"BurnedInAnnotation": "YES"}, Reason.BURNED_IN),
        ({"Modality": "US"}, None),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"}, None),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, None),
        ({"ConversionType": "WSD"}, None),
        ({"PhotometricInterpretation": "RGB"}, None),
        ({"Modality": "US", "PixelData": None}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1", "PixelData": None}, Reason.ENCAPSULATED),
        ({"EncapsulatedDocument": b"%PDF"}, Reason.ENCAPSULATED),
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, Reason.NOT_AN_INSTANCE),
        ({"Rows": 17}, Reason.WRONG_LENGTH),
        ({"SOPInstanceUID": ""}, None),
        ({"SeriesInstanceUID": None}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.39.1", "StudyInstanceUID": None}, None),
    ],
)
def test_doubtful_objects_give_a_reason_instead_of_an_output(change, expected):
    source = sent(**change)
    assert reason(source) is expected


def test_an_overlay_in_the_pixels_is_cleared_with_the_bits_it_is_drawn_in():
    made = ct()
    made.add_new(0x60000010, "US", 16)
    made.add_new(0x60000102, "US", 12)
    outcome = deidentify(packed(made), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    before = np.frombuffer(made.PixelData, "<u2")
    after = np.frombuffer(dcmread(BytesIO(outcome.content)).PixelData, "<u2")
    assert (before >> 12).any()
    assert (after == before & 0x0FFF).all()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"", Reason.NOT_DICOM),
        (b"Ottoline Quizzleberry, born 1961", Reason.NOT_DICOM),
        (b"\0" * 128 + b"DICM", Reason.NOT_DICOM),
        (sent()[:-1], Reason.TRUNCATED),
        (sent()[:300], Reason.TRUNCATED),
    ],
)
def test_what_is_no_instance_is_refused(source, expected):
    assert reason(source) is expected


def test_the_report_lists_every_attribute_and_no_value():
    outcome = deidentify(sent(), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    said = repr(outcome.report)
    assert ("00100010", "patient-name", "table E.1-1, pseudonym") in outcome.report.places
    assert sum(outcome.report.actions.values()) == len(outcome.report.places)
    for secret in ("Quizzleberry", "7730015", "19610704", "Quillmark"):
        assert secret not in said
        assert secret not in repr(outcome)


@pytest.mark.parametrize(
    ("leak", "trace"),
    [
        ({"ImageComments": "QUIZZLEBERRY"}, Trace.NAME),
        ({"ImageComments": "ottoline quizzleberry"}, Trace.NAME),
        ({"ImageComments": "MRN-7730015"}, Trace.IDENTIFIER),
        ({"ImageComments": "07/04/1961"}, Trace.DATE),
        ({"ImageComments": "call 614-555-0117"}, Trace.PATTERN),
        ({"OperatorsName": "Somebody^Else"}, Trace.NAME),
        ({"StorageMediaFileSetUID": "1.2.826.0.1.3680043.10.999.1"}, Trace.UID),
        ({"PatientIdentityRemoved": "NO"}, Trace.MARKER),
    ],
)
def test_the_second_look_sees_what_the_first_would_have_missed(leak, trace):
    source = sent()
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    leaking = dcmread(BytesIO(outcome.content))
    for keyword, value in leak.items():
        setattr(leaking, keyword, value)
    assert trace in second_look(source, packed(leaking))
    assert second_look(source, outcome.content) == frozenset()


def test_the_second_look_sees_identifiers_in_pixels_preamble_and_deflated_bytes():
    source = sent()
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    leaking = dcmread(BytesIO(outcome.content))
    leaking.PixelData = b"Quizzleberry".ljust(512, b"\0")
    assert Trace.NAME in second_look(source, packed(leaking))
    leaking = dcmread(BytesIO(outcome.content))
    leaking.preamble = b"x" * 128
    assert Trace.LEFT_OVER in second_look(source, packed(leaking))
    leaking = dcmread(BytesIO(outcome.content))
    leaking.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    leaking.ImageComments = "Quizzleberry"
    assert Trace.NAME in second_look(source, packed(leaking), decode=False)
