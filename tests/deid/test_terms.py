from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import MRImageStorage

from app.deid import codes, terms
from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.vocabulary import vocabulary
from tests.make.instances import ct, item, items, packed

KEYS = Keys.of(b"k" * 32)


def done(made: Dataset) -> Dataset:
    outcome = deidentify(packed(made), Profile(), KEYS)
    assert isinstance(outcome, Deidentified)
    return dcmread(BytesIO(outcome.content))


@pytest.mark.parametrize(
    "value",
    ["MONOCHROME2", "HFS", "CSA MPR", "HEAD_FIRST", "CHESTABDPELVIS", "MFSPLIT", "T2W", "HELIX"],
)
def test_terms_of_the_standard_and_of_machines_are_terms(value):
    assert terms.is_term(value)


@pytest.mark.parametrize("value", ["HUMPHREY", "YOUNGBLOOD", "THEODORA", "AXIAL HUMPHREY"])
def test_words_nobody_knows_are_no_terms(value):
    assert not terms.is_term(value)


def test_every_enumerated_value_is_a_code_string_of_its_attribute():
    for tag, values in terms._enumerated().items():
        assert all(terms.is_enumerated(tag, value) for value in values)
        assert not terms.is_enumerated(tag, "HUMPHREY")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("syngo CT VB20A", "syngo CT VB20A"),
        ("for Humphrey", "for "),
        ("GrowCut", "GrowCut"),
        ("*tfl3d1_16ns", "*tfl3d1_16ns"),
        ("Philips Thackeray", "Philips "),
        ("McDonald", ""),
    ],
)
def test_technical_text_keeps_versions_and_known_words(said, left):
    assert terms.only_terms(said) == left


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("SIEMENS", "SIEMENS"),
        ("Quamex Imaging", "Quamex Imaging"),
        ("Vexalon Medizintechnik VX", "Vexalon Medizintechnik VX"),
        ("Lumvex 278", "Lumvex 278"),
        ("SIEMENS Thackeray", "SIEMENS"),
        ("Vexalon of Alejandro", "Vexalon of"),
        ("GE MEDICAL SYSTEMS", "GE MEDICAL SYSTEMS"),
        ("Leica Biosystems", "Leica Biosystems"),
        ("Vexalon", "Vexalon"),
        ("Kwabena Asantewaa", None),
        ("Oakeshott bench", None),
    ],
)
def test_an_unknown_maker_stays_and_people_go(said, left):
    assert (done(ct(Manufacturer=said)).Manufacturer or None) == left


def test_a_coil_is_called_by_words_we_know_and_numbers():
    def left(said: str) -> str | None:
        made = ct(SOPClassUID=MRImageStorage, Modality="MR", ReceiveCoilName=said)
        made.file_meta.MediaStorageSOPClassUID = MRImageStorage
        return done(made).get("ReceiveCoilName") or None

    assert left("HeadNeck_20") == "HeadNeck_20"
    assert left("Gallaghan") is None


def test_a_stranger_in_a_code_string_goes_and_the_other_values_keep_their_places():
    made = ct(ImageType=["ORIGINAL", "PRIMARY", "HUMPHREY", "MFSPLIT"], ScanOptions="HUMPHREY")
    made.PatientOrientation = ["HUMPHREY", "P"]
    read = done(made)
    assert list(read.ImageType) == ["ORIGINAL", "PRIMARY", "", "MFSPLIT"]
    assert "ScanOptions" not in read
    assert not read.get("PatientOrientation")


def test_numbers_that_are_the_own_one_or_a_day_go_from_numbers_too():
    made = ct(PatientID="773-00-1599", KVP="773001599", Exposure="19610704", TableHeight="123456.5")
    made.InstanceNumber = "19610704"
    safe = made.private_block(0x0019, "GEMS_ACQU_01", create=True)
    safe.add_new(0x23, "DS", "39.37")
    safe.add_new(0x24, "DS", "7730015")
    read = done(made)
    assert read.get("KVP") is None
    assert "Exposure" not in read
    assert read.InstanceNumber is None
    assert read.TableHeight == 123456.5
    assert [hex(one.tag) for one in read if one.tag.is_private] == ["0x190010", "0x191023"]


def test_the_own_number_among_numbers_goes_and_the_others_stay():
    made = ct(PatientID="7730015", KVP="120", WindowCenter=["40", "7730015"])
    made.Exposure = "7730015"
    read = done(made)
    assert read.KVP == 120
    assert "7730015" not in str(read)
    assert read.WindowCenter == 40


@pytest.mark.parametrize(
    ("scheme", "value", "stays"),
    [
        ("SCT", "39607008", True),
        ("SCT", "410668003", True),
        ("SCT", "21171496", False),  # its last digit checks nothing
        ("DCM", "113100", True),
        ("LN", "30525-0", True),
        ("UCUM", "mm2/s", True),
        ("UCUM", "{Humphrey}", False),
        ("SRT", "T-D3000", True),
        ("SRT", "Humphrey", False),
        ("RADLEX", "RID1301", True),
    ],
)
def test_a_code_is_what_codes_of_its_scheme_look_like(scheme, value, stays):
    assert codes.is_code(scheme, value) is stays


@pytest.mark.parametrize(
    ("said", "left"),
    [("HISPANIC", "HISPANIC"), ("African American", "African American"), ("Thackeray", None)],
)
def test_a_trait_is_words_we_know(said, left):
    assert done(ct(EthnicGroup=said)).get("EthnicGroup") == left


def test_public_codes_stay_and_a_name_behind_their_meaning_goes():
    made = ct()
    made.AnatomicRegionSequence = items(
        item(
            CodeValue="51185008",
            CodingSchemeDesignator="SCT",
            CodeMeaning="Chest of Thackeray",
        ),
        item(CodeValue="21171496", CodingSchemeDesignator="SCT", CodeMeaning="Lung"),
        item(CodeValue="LUNG7", CodingSchemeDesignator="99LOCAL", CodeMeaning="Lung Thackeray"),
    )
    one, two, three = done(made).AnatomicRegionSequence
    assert (one.CodeValue, one.CodeMeaning) == ("51185008", "Chest of")
    assert (two.CodeValue, two.CodeMeaning) == ("REMOVED", "Lung")
    assert "Thackeray" not in str(three)


def test_a_public_scheme_keeps_its_designator_and_the_form_of_its_codes():
    assert {"UCUM", "RADLEX", "SCPECG", "LOINC"} <= codes.PUBLIC_SCHEMES
    assert codes.is_code("RADLEX", "RPID16")
    assert codes.is_code("SCT", "102538003")
    assert codes.is_code("SCT", "102538009"), "mistyped in the digit that checks the others"
    assert not codes.is_code("SCT", "51198794"), "a number that is no concept's"


@pytest.mark.parametrize("said", ["^99m^Technetium", "Lead II", "microvolt", "PA X-Ray view 2"])
def test_a_meaning_nothing_speaks_against_stays_as_it_is(said):
    assert codes.meaning(said) == said


@pytest.mark.parametrize(
    "number",
    ["+34 659 785 113", "076/471284", "192.168.171.130", "651.248.452-27", "4522 Old Mill Ave."],
)
def test_numbers_of_people_go_from_behind_the_meaning_of_a_public_code(number):
    assert codes.meaning(f"Chest CT {number}").strip() == "Chest CT"


def test_a_name_goes_from_a_product_with_the_digits_written_to_it():
    assert terms.product("Aquilion Smith01").strip() == "Aquilion"
    assert terms.product("Vexalon VX4000") == "Vexalon VX4000"


def test_words_of_medicine_are_known_by_how_they_are_made():
    made = "peribronchial cardiohepatic sialolithiasis osteochondroplasty".split()  # noqa: SIM905
    assert all(map(vocabulary().joined, made))
    people = "overstreet prendergast featherstonehaugh castellanos quartermaine".split()  # noqa: SIM905
    assert not any(map(vocabulary().joined, people))
