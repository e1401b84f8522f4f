from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look
from tests.make.instances import ROOT, ct, packed

PROFILE, KEYS = Profile(), Keys.of(b"k" * 32)
UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def output(made: Dataset) -> Dataset:
    source = packed(made) if "SOPInstanceUID" in made else unnamed(made)
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    assert second_look(source, outcome.content) == frozenset()
    return dcmread(BytesIO(outcome.content))


def unnamed(made: Dataset) -> bytes:
    """Without file meta information, which would name the instance."""
    buffer = BytesIO()
    del made.file_meta
    made.save_as(buffer, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize("lost", UIDS)
def test_an_object_without_a_uid_gets_one_that_is_the_same_in_every_run(lost):
    one, two = output(ct(**{lost: None})), output(ct(**{lost: None}))
    assert one[lost].value.startswith("2.25.")
    assert one == two
    others = [uid for uid in UIDS if uid != lost]
    assert [one[uid].value for uid in others] == [output(ct())[uid].value for uid in others]


def test_objects_of_one_study_and_series_that_do_not_name_it_stay_together():
    first, second = (output(ct(number, StudyInstanceUID=None)) for number in (1, 2))
    assert first.StudyInstanceUID == second.StudyInstanceUID
    bare = {"StudyInstanceUID": None, "SeriesInstanceUID": None}
    first, second = (output(ct(number, **bare)) for number in (1, 2))
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


@pytest.mark.parametrize(
    "change",
    [
        {"PatientID": "MRN-7730016"},
        {"AccessionNumber": "ACC-000077"},
        {"StudyDate": "20240312"},
        {"PatientID": None, "PatientName": "Other^Person"},
    ],
)
def test_studies_that_differ_in_patient_day_or_number_are_two_without_their_names(change):
    bare = {"StudyInstanceUID": None, "SeriesInstanceUID": None}
    one, two = output(ct(**bare)), output(ct(**bare, **change))
    assert one.StudyInstanceUID != two.StudyInstanceUID
    assert one.SeriesInstanceUID != two.SeriesInstanceUID


def test_objects_that_say_nothing_of_their_study_are_each_a_patient_and_a_study_alone():
    lost = ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    lost += ("StudyID", "AccessionNumber", "StudyDate", "StudyTime")
    one, two = (output(ct(number, **dict.fromkeys(lost))) for number in (1, 2))
    assert one.PatientID != two.PatientID
    assert one.StudyInstanceUID != two.StudyInstanceUID


def test_file_meta_information_names_what_the_dataset_does_not():
    made = ct(SOPInstanceUID=None, SOPClassUID=None)
    made.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.1.1.1"
    buffer = BytesIO()
    made.save_as(buffer, implicit_vr=False, little_endian=True, enforce_file_format=False)
    outcome = deidentify(buffer.getvalue(), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    whole = deidentify(packed(ct()), PROFILE, KEYS)
    assert isinstance(whole, Deidentified)
    assert outcome.content == whole.content


@pytest.mark.parametrize(
    ("modality", "expected"),
    [
        ("CT", "1.2.840.10008.5.1.4.1.1.2"),
        ("US", "1.2.840.10008.5.1.4.1.1.6.1"),
        ("ZZ", "1.2.840.10008.5.1.4.1.1.7"),
    ],
)
def test_a_picture_without_a_class_gets_that_of_its_modality(modality, expected):
    made = ct(SOPClassUID=None, SOPInstanceUID=None, Modality=modality)
    read = output(made)
    assert read.SOPClassUID == read.file_meta.MediaStorageSOPClassUID == expected
    assert ("ConversionType" in read) is expected.endswith(".1.7")


@pytest.mark.parametrize(
    "uid", ["QUIZZLEBERRY.1.2", f"{ROOT}." + "9" * 70, "1.2.840.10008.20240311.1"]
)
def test_a_uid_that_is_not_well_formed_or_not_the_standards_is_replaced_like_any_other(uid):
    one, two = (ct(number) for number in (1, 2))
    one["StudyInstanceUID"]._value = two["StudyInstanceUID"]._value = uid
    first, second = output(one), output(two)
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.StudyInstanceUID.startswith("2.25.")


def test_of_several_uids_where_one_may_be_the_first_counts():
    made = ct()
    made.SeriesInstanceUID = [f"{ROOT}.1.1", f"{ROOT}.7"]
    assert output(made).SeriesInstanceUID == output(ct()).SeriesInstanceUID
