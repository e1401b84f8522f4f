from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.uid import UID_dictionary

from app.deid import iods
from app.deid.actions import Action
from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import NOT_LISTED, Profile
from app.deid.uids import Keys
from tests.make.instances import ct, item, items, packed

CT = "1.2.840.10008.5.1.4.1.1.2"
KEYS = Keys.of(b"k" * 32)


def tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    assert found is not None
    return found


def test_every_current_storage_sop_class_has_a_kind_of_its_own():
    without = [
        uid
        for uid, (name, what, _, retired, _) in UID_dictionary.items()
        if what == "SOP Class" and name.endswith("Storage") and not retired
        if "DICOS" not in name and "Eddy" not in name and "Directory" not in name
        if iods.kind_of(uid).family == "general"
    ]
    assert without == []


def test_a_kind_belongs_to_one_family_and_lists_what_its_own_definition_types():
    for kind in iods.kinds():
        for known in kind.types or {}:
            assert known in kind.allowed, (kind.iod, hex(known))
    assert sum(map(len, iods.sop_classes().values())) > 180


@pytest.mark.parametrize("uid", ["1.3.12.2.1107.5.9.1", "", "nonsense"])
def test_an_unknown_class_gets_what_any_image_has_and_nothing_special(uid):
    kind = iods.kind_of(uid)
    assert (kind.family, kind.types) == ("general", None)
    assert tag("Rows") in kind.allowed
    assert tag("PixelSpacing") in kind.allowed
    assert tag("KVP") not in kind.allowed
    assert tag("ContourData") not in kind.allowed


def test_types_are_those_of_the_definition_at_their_place():
    kind = iods.kind_of(CT)
    assert kind.type_of(tag("ImageType")) == "1"
    assert kind.type_of(tag("PatientName")) == "2"
    assert kind.type_of(tag("SeriesDescription")) == "3"
    assert kind.type_of(tag("ReferencedSOPInstanceUID"), tag("SourceImageSequence")) == "1"
    assert kind.type_of(tag("Rows"), 0x00990099) == iods.UNKNOWN


def test_what_its_family_does_not_list_goes_whatever_it_is():
    level = Profile().policy(CT).level()
    for keyword in ("ContourData", "PulserNotes", "TransducerFrequency", "IndicationLabel"):
        assert level[tag(keyword)][:2] == (Action.REMOVE, NOT_LISTED), keyword
    for keyword in ("KVP", "Exposure", "SliceThickness", "ConvolutionKernel", "Rows", "CTDIvol"):
        assert level[tag(keyword)].action is not Action.REMOVE, keyword


def test_an_object_loses_what_its_family_does_not_list_at_every_depth():
    made = ct(KVP="120", RepetitionTime="500")
    made.SourceImageSequence = items(item(ReferencedFrameNumber="1", DeadTimeFactor="3"))
    outcome = deidentify(packed(made), Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    assert read.KVP == 120
    assert "RepetitionTime" not in read
    assert read.SourceImageSequence[0].ReferencedFrameNumber == 1
    assert "DeadTimeFactor" not in read.SourceImageSequence[0]


def test_no_kind_keeps_what_no_list_and_no_row_of_the_table_names():
    profile = Profile()
    for kind in iods.kinds():
        for one in DicomDictionary:
            made = profile.decide(one, kind.type_of(one), listed=one in kind.allowed)
            if made.action is Action.REMOVE or made.rule.startswith("table"):
                continue
            assert one in kind.allowed, (kind.iod, hex(one))


def test_a_type_1_attribute_of_any_kind_is_neither_removed_nor_emptied():
    profile = Profile()
    for kind in iods.kinds():
        for one, needed in (kind.types or {}).items():
            made = profile.decide(one, needed, listed=True)
            if needed != "1" or one not in DicomDictionary:
                continue
            assert made.action not in (Action.REMOVE, Action.EMPTY) or DicomDictionary[one][0] in (
                "OB",
                "OW",
                "OB or OW",
                "SQ",
            ), (kind.iod, hex(one), made)
