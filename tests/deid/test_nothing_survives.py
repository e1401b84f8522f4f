from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look
from tests.deid.hiding import hide, remaining

PROFILE = Profile()
KEYS = Keys.of(b"k" * 32, "registry facility")
SEEDS = st.integers(0, 2**32)


def done(source: bytes, keys: Keys = KEYS) -> Deidentified:
    outcome = deidentify(source, PROFILE, keys)
    assert isinstance(outcome, Deidentified), outcome
    return outcome


def uids(dataset: Dataset) -> set[str]:
    found = set()
    for element in dataset.iterall():
        if element.VR == "UI" and element.value:
            values = [element.value] if isinstance(element.value, str) else element.value
            found |= {str(uid) for uid in values}
    return found


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_nothing_planted_survives_anywhere_in_the_bytes(seed):
    hidden = hide(seed)
    output = done(hidden.source).content
    assert remaining(output, hidden) == set()


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_second_look_agrees_and_finds_every_object_that_was_not_treated(seed):
    hidden = hide(seed)
    assert second_look(hidden.source, done(hidden.source).content) == frozenset()
    assert second_look(hidden.source, hidden.source) != frozenset()


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_output_is_valid_and_the_image_is_untouched(seed):
    hidden = hide(seed)
    output = done(hidden.source).content
    read = dcmread(BytesIO(output))
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert read.file_meta.TransferSyntaxUID == hidden.dataset.file_meta.TransferSyntaxUID
    assert output[:128] == bytes(128)
    assert read.PixelData == hidden.dataset.PixelData[:512]
    for keyword in ("Rows", "Columns", "KVP", "ImagePositionPatient", "SOPClassUID", "Modality"):
        assert read[keyword].value == hidden.dataset[keyword].value
    assert read.PatientIdentityRemoved == "YES"
    assert read.BurnedInAnnotation == "NO"
    assert read.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [code.CodeValue for code in read.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101", "113103", "113104", "113105", "113107", "113108", "113111"]
    for element in read.iterall():
        element.value  # noqa: B018 - decodes, under its character set


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_two_runs_are_equal_and_another_key_shares_nothing(seed):
    source = hide(seed).source
    first, second = done(source), done(source)
    assert first.content == second.content
    other = done(source, Keys.of(b"k" * 32, "another facility"))
    assert other.patient_pseudonym != first.patient_pseudonym
    ours = {uid for uid in uids(dcmread(BytesIO(first.content))) if uid.startswith("2.25.")}
    theirs = {uid for uid in uids(dcmread(BytesIO(other.content))) if uid.startswith("2.25.")}
    assert ours
    assert not ours & theirs


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_uids_stay_consistent_across_references(seed):
    hidden = hide(seed)
    before, after = hidden.dataset, dcmread(BytesIO(done(hidden.source).content))
    mapping: dict[str, str] = {}

    def walk(old: Dataset, new: Dataset) -> None:
        for element in new:
            if element.tag not in old:
                continue
            if element.VR == "UI" and element.value:
                assert mapping.setdefault(str(old[element.tag].value), str(element.value)) == str(
                    element.value
                )
            elif element.VR == "SQ" and len(element.value) == len(old[element.tag].value):
                for one, two in zip(old[element.tag].value, element.value, strict=True):
                    walk(one, two)

    walk(before, after)
    replaced = [uid for uid in mapping if not uid.startswith("1.2.840.10008.")]
    assert len({mapping[uid] for uid in replaced}) == len(replaced)
    assert all(mapping[uid].startswith("2.25.") and len(mapping[uid]) <= 64 for uid in replaced)


@given(st.lists(st.text("ABC 0-^", max_size=6), min_size=2, max_size=6, unique=True))
@settings(max_examples=30, deadline=None)
def test_two_patients_never_share_a_pseudonym(ids):
    from tests.make.instances import sent

    trimmed = {one.strip() for one in ids}
    made = {
        done(sent(1, 1, PatientID=one, PatientName=f"N{place}^X")).patient_pseudonym
        for place, one in enumerate(ids)
        if one.strip()
    }
    assert len(made) == len(trimmed - {""})


def test_patients_without_an_id_are_told_apart_by_name_and_birth_date_else_by_study():
    from tests.make.instances import sent

    def pseudonym(**change: str) -> str:
        return done(sent(1, 1, PatientID="", **change)).patient_pseudonym

    one = pseudonym(PatientName="A^B", PatientBirthDate="19600101")
    assert pseudonym(PatientName="A^B", PatientBirthDate="19600102") != one
    assert pseudonym(PatientName="A^C", PatientBirthDate="19600101") != one
    assert pseudonym(PatientName="A^B", PatientBirthDate="19600101") == one
    nobody = {
        done(sent(1, study, PatientID="", PatientName="")).patient_pseudonym for study in (1, 2)
    }
    assert len(nobody) == 2


def test_the_same_id_of_another_issuer_is_another_patient():
    from tests.make.instances import sent

    first = done(sent(1, 1, IssuerOfPatientID="A")).patient_pseudonym
    assert done(sent(1, 1, IssuerOfPatientID="B")).patient_pseudonym != first


@pytest.mark.soak
def test_nothing_survives_in_thousands_of_objects():
    for seed in range(5_000):
        hidden = hide(seed)
        output = done(hidden.source).content
        assert remaining(output, hidden) == set(), seed
        assert second_look(hidden.source, output) == frozenset(), seed
