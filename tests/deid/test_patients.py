from io import BytesIO

from pydicom import Dataset, dcmread

from app.deid.deidentify import Deidentified, deidentify
from app.deid.patients import BIRTH_DATE, ISSUER, PATIENT_ID, PATIENT_NAME, who
from app.deid.profile import METHOD, Profile
from app.deid.uids import Keys
from tests.make.instances import ct, packed

KEYS = Keys.of(b"k" * 32)


def person(name: str = "", number: str = "", issuer: str = "", born: str = "") -> tuple[str, ...]:
    said = {PATIENT_NAME: name, PATIENT_ID: number, ISSUER: issuer, BIRTH_DATE: born}
    return who(said, "1.2.3")


def done(profile: Profile | None = None, **change: object) -> Dataset:
    outcome = deidentify(packed(ct(**change)), profile or Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    return dcmread(BytesIO(outcome.content))


def test_a_number_and_its_issuer_are_the_patient_whatever_the_name():
    assert person("A^B", "7", "X") == person("C^D", " 7 ", "X", "19700101")
    assert person(number="7", issuer="X") != person(number="7", issuer="Y")


def test_without_a_number_two_spellings_of_a_name_are_one_patient():
    assert person("DOE^JOHN^^", born="19700101") == person("Doe^John", born="19700101")
    assert person("DOE^JOHN", born="19700101") != person("DOE^JOHN", born="19700102")


def test_an_empty_name_tells_nobody_apart():
    assert person("^^^^") == person("") == ("study", "1.2.3", "")


def test_patients_without_number_and_name_are_as_many_as_their_studies():
    empty = {"PatientID": "", "PatientName": ""}
    one, two = done(**empty), done(study=2, **empty)
    assert one.PatientID
    assert one.PatientID != two.PatientID
    assert one.PatientID == done(number=2, series=3, **empty).PatientID


def test_the_method_names_the_rules_and_the_policy_in_force():
    assert list(done().DeidentificationMethod) == [METHOD, f"Policy 1 {Profile().digest[:12]}"]
    other = Profile.of({"version": "2026.1"})
    assert done(other).DeidentificationMethod[1] == f"Policy 2026.1 {other.digest[:12]}"


def test_the_codes_and_the_temporal_mark_are_those_of_the_options():
    for dates, mark in (
        ("retain_longitudinal_full_dates", "UNMODIFIED"),
        ("retain_longitudinal_modified_dates", "MODIFIED"),
        ("retain_uids", "REMOVED"),
    ):
        profile = Profile.of({"options": ["clean_pixel_data", dates]})
        read = done(profile)
        assert read.LongitudinalTemporalInformationModified == mark
        assert [one.CodeValue for one in read.DeidentificationMethodCodeSequence] == [
            code for code, _ in profile.codes
        ]
        assert read.BurnedInAnnotation == "NO"
        assert read.PatientIdentityRemoved == "YES"


def test_attributes_of_type_2_that_were_not_sent_are_there_and_empty():
    read = done(PatientSex=None, StudyID=None, AccessionNumber=None, StudyTime=None)
    for keyword in ("PatientSex", "StudyID", "AccessionNumber", "StudyTime"):
        assert read[keyword].value in ("", None), keyword


def test_an_object_that_is_about_no_patient_is_given_none():
    palette = ct(
        SOPClassUID="1.2.840.10008.5.1.4.39.1",
        **dict.fromkeys(
            ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PixelData")
        ),
    )
    outcome = deidentify(packed(palette), Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    assert "PatientName" not in read
    assert read.PatientIdentityRemoved == "YES"
