import warnings
from io import BytesIO
from itertools import product
from pathlib import Path

import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from app.deid.deidentify import Deidentified, deidentify
from app.deid.flat import Unreadable, flat
from app.deid.profile import Profile
from app.deid.spellings import common
from app.deid.uids import Keys
from app.deid.verify import Trace, second_look
from app.deid.vocabulary import vocabulary
from tests.make.instances import ct, packed, sent

PROFILE, KEYS = Profile(), Keys.of(b"k" * 32)
BUNDLED = sorted(
    path
    for path in (Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm")
    if "truncated" not in path.name and path.name != "no_meta.dcm"
)
# The name, and the bytes in which somebody could have written it.
SPELLINGS = {
    "Quizzleberry^Ottoline": [
        text.encode(codec)
        for text, codec in product(
            (
                "Quizzleberry",
                "QUIZZLEBERRY",
                "ottoline quizzleberry",
                "Q.U.I.Z.Z.L.E.B.E.R.R.Y",
                "seen by ottoline",
            ),
            ("ascii",),
        )
    ]
    + [
        f"Ottoline {case}".encode(codec)
        for case in ("q", "Q")
        for codec in ("utf-16-le", "utf-16-be")
    ],
    "Müllerbach^Jörg": [
        text.encode(codec)
        for text in ("Müllerbach", "MÜLLERBACH", "müllerbach")
        for codec in ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "iso8859-15", "gb18030")
    ]
    + [b"Mullerbach"],
    "Żółkiewniak^Ōtsu": [
        "Żółkiewniak".encode(codec) for codec in ("utf-8", "utf-16-le", "gb18030")
    ],
    "Златоверхова^Инна": [
        "Златоверхова".encode(codec)
        for codec in ("utf-8", "iso8859-5", "cp1251", "utf-16-be", "gb18030")
    ],
    "欧阳^锦绣": ["锦绣".encode(codec) for codec in ("utf-8", "gb18030", "utf-16-le", "utf-16-be")],
    "Yamada^Tarou=山田^太郎": [
        "山田".encode(codec)
        for codec in ("utf-8", "iso2022_jp", "shift_jis", "euc_jp", "utf-16-le", "utf-16-be")
    ],
    "Hong^Gildong=洪^吉洞=홍^길동": [
        "길동".encode(codec) for codec in ("utf-8", "euc_kr", "utf-16-le")
    ],
    "Li^Wu": [b"Li Wu", b"WU, LI", b"li^wu", b"Wu_Li", "Wu Li".encode("utf-16-le")],
    "Lee^Ann": [b"chest lee", b"ANN"],
}
PLANTED = [(name, raw) for name, raws in SPELLINGS.items() for raw in raws]


def cleaned(source: bytes) -> bytes:
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified), outcome
    return outcome.content


def with_bytes(output: bytes, raw: bytes) -> bytes:
    """The output, and in one of its texts these bytes."""
    leaking = dcmread(BytesIO(output))
    leaking.add_new(0x00204000, "LT", "x" * (len(raw) + 4))
    changed = packed(leaking)
    assert changed.count(b"x" * (len(raw) + 4)) == 1
    return changed.replace(b"x" * (len(raw) + 4), b"  " + raw + b"  ")


@pytest.mark.parametrize(("name", "raw"), PLANTED)
def test_a_name_is_seen_in_every_character_set_case_and_order(name, raw):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = sent(1, 1, SpecificCharacterSet="ISO_IR 192", PatientName=name)
    output = cleaned(source)
    assert second_look(source, output) == frozenset()
    assert Trace.NAME in second_look(source, with_bytes(output, raw), decode=False)


@pytest.mark.parametrize(
    "text",
    ["00773-0015A", "773-0015a", "007730015A", "0077 3001 5A", "MRN:00773-0015A"],
)
def test_a_number_is_seen_with_and_without_its_punctuation(text):
    source = sent(1, 1, PatientID="00773-0015A")
    found = second_look(source, with_bytes(cleaned(source), text.encode()), decode=False)
    assert found & {Trace.IDENTIFIER, Trace.PATTERN}


@pytest.mark.parametrize("text", ["8827341", "0008827341", "88-27341", "id8827341x"])
def test_leading_zeros_do_not_hide_a_number(text):
    source = sent(1, 1, PatientID="008827341")
    found = second_look(source, with_bytes(cleaned(source), text.encode()), decode=False)
    assert Trace.IDENTIFIER in found


@pytest.mark.parametrize(
    "text",
    [
        "19610704",
        "1961-07-04",
        "1961/07/04",
        "1961.07.04",
        "04.07.1961",
        "07/04/1961",
        "04/07/1961",
        "04071961",
        "07041961",
        "4 July 1961",
        "4-Jul-61",
        "04JUL1961",
        "July 4th, 1961",
        "jul 4 61",
        "1961-Jul-04",
    ],
)
def test_a_birth_date_is_seen_in_every_order_and_with_months(text):
    source = sent(1, 1, PatientBirthDate="19610704")
    output = cleaned(source)
    assert second_look(source, output) == frozenset()
    assert Trace.DATE in second_look(source, with_bytes(output, text.encode()), decode=False)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
    ],
)
@pytest.mark.parametrize("where", ["nested", "unknown", "private", "padding", "meta", "uid"])
def test_an_identifier_is_seen_wherever_it_lies_in_every_syntax(syntax, where):
    made = ct(1, 1)
    made.PatientName, made.FrameOfReferenceUID = "Quizzleberry^Ottoline", "1.2.3.4.5.6.7.8"
    made.file_meta.TransferSyntaxUID = syntax
    source = packed(made)
    leaking = dcmread(BytesIO(cleaned(source)))
    secret = b"Quizzleberry"
    if where == "nested":
        inner, deeper = Dataset(), Dataset()
        deeper.TextValue = "for Quizzleberry"
        inner.ContentSequence = [deeper]
        leaking.ContentSequence = [inner]
    elif where == "unknown":
        leaking.add_new(0x0018EEEE, "UN", secret)
    elif where == "private":
        leaking.add_new(0x00291001, "OB", secret)
    elif where == "padding":
        leaking.PixelData += bytes(1 << 17) + secret
    elif where == "meta":
        leaking.file_meta.SourceApplicationEntityTitle = "QUIZZLEBERRY"
    else:
        leaking.SynchronizationFrameOfReferenceUID = "1.2.3.4.5.6.7.8"
    found = second_look(source, packed(leaking), decode=False)
    assert found == {Trace.UID if where == "uid" else Trace.NAME}


@pytest.mark.parametrize("at", ["head", "tail"])
def test_a_comment_in_a_compressed_frame_is_seen(at):
    source = sent(1, 1, PatientName="Quizzleberry^Ottoline")
    leaking = dcmread(BytesIO(cleaned(source)))
    frame = b"\xff\xd8\xff\xfe\x00\x0eQuizzleberry" if at == "head" else b"\xff\xd8"
    frame += b"\x11\x22\x33\x44" * 20_000
    frame += b"\xff\xd9Quizzleberry" if at == "tail" else b"\xff\xd9"
    from pydicom.encaps import encapsulate

    leaking.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    leaking["PixelData"].VR = "OB"
    leaking["PixelData"].is_undefined_length = True
    leaking.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert Trace.NAME in second_look(source, packed(leaking), decode=False)


@pytest.mark.parametrize(
    "change",
    [
        {"PatientName": "Head^Brain"},
        {"PatientName": "Siemens^Anna"},
        {"PatientName": "Long^Field", "SeriesDescription": "LONG AXIS FIELD MAP"},
        {"PatientName": "Anonymous^Patient", "StudyDescription": "PATIENT CHEST"},
        {"PatientID": "1", "SeriesDescription": "T1 AX 1 MM"},
        {"PatientID": "12", "SliceThickness": "12"},
        {"PatientID": "CHEST", "BodyPartExamined": "CHEST"},
        {"StationName": "CT1", "InstitutionName": "Radiology"},
        {"AccessionNumber": "100", "KVP": "100"},
        {"PatientName": "Li^Ax", "SeriesDescription": "AX T2"},
        {"InstitutionName": "GE MEDICAL", "Manufacturer": "GE MEDICAL SYSTEMS"},
        {"PatientBirthDate": "19610704", "StudyDate": "19610704"},
    ],
)
def test_common_words_and_short_numbers_hold_nothing_back(change):
    source = sent(1, 1, **change)
    assert second_look(source, cleaned(source)) == frozenset()


def test_what_the_first_look_keeps_for_everybody_the_second_does_not_take_for_a_name():
    core = {word for word in vocabulary().core if len(word) > 2 and word.isascii()}
    assert core - common() == set()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_the_flat_row_has_every_text_that_pydicom_reads(path):
    source = path.read_bytes()
    try:
        values = flat(source)
    except Unreadable:
        pytest.fail("unreadable")
    said = [values.body[start:stop].strip(b"\0 ") for _, _, start, stop in values.values]
    for element in dcmread(BytesIO(source), force=True).iterall():
        if element.VR in ("UI", "DA", "CS") and element.value:
            many = [element.value] if isinstance(element.value, str) else element.value
            assert "\\".join(map(str, many)).encode() in said


def test_what_cannot_be_read_is_not_cleared():
    source = sent()
    output = cleaned(source)
    assert second_look(source, output[:-40]) == {Trace.UNREADABLE}
    assert second_look(b"nothing of the kind", output) == {Trace.UNREADABLE}


@pytest.mark.parametrize(
    ("option", "stays"),
    [
        (
            "retain_device_identity",
            {
                "DeviceSerialNumber": "SER998877",
                "StationName": "CTAWP7781",
                "DetectorID": "DET55447",
                "DeviceUID": "1.2.826.0.1.3680043.10.998.5",
                "DateOfLastCalibration": "20240311",
            },
        ),
        (
            "retain_institution_identity",
            {
                "InstitutionName": "Riverside Hospital of Quillmark",
                "InstitutionAddress": "1 Mossy Way, Quillmark",
                "InstitutionalDepartmentName": "Cardiac Unit Quillmark",
            },
        ),
        ("retain_longitudinal_full_dates", {"StudyDate": "20240311", "ContentDate": "20240311"}),
        ("retain_uids", {"StudyInstanceUID": "1.2.826.0.1.3680043.10.999.1"}),
    ],
)
def test_what_an_option_lets_stay_holds_nothing_back(option, stays):
    profile = Profile.of({"options": ["clean_pixel_data", option]})
    source = sent(1, 1, **stays)
    outcome = deidentify(source, profile, KEYS)
    assert isinstance(outcome, Deidentified)
    read = dcmread(BytesIO(outcome.content))
    assert {keyword: str(read.get(keyword)) for keyword in stays} == stays
    assert second_look(source, outcome.content, staying=profile.staying) == frozenset()
    assert second_look(source, outcome.content) != frozenset()


def test_an_option_lets_nothing_else_stay():
    profile = Profile.of({"options": ["clean_pixel_data", "retain_longitudinal_full_dates"]})
    source = sent(1, 1)
    outcome = deidentify(source, profile, KEYS)
    assert isinstance(outcome, Deidentified)
    for text, trace in ((b"19610704", Trace.DATE), (b"MRN-7730015", Trace.IDENTIFIER)):
        found = second_look(source, with_bytes(outcome.content, text), staying=profile.staying)
        assert trace in found, text
    named = b"Riverside Hospital of Quillmark"
    device = Profile.of({"options": ["clean_pixel_data", "retain_device_identity"]})
    found = second_look(source, with_bytes(outcome.content, named), staying=device.staying)
    assert Trace.IDENTIFIER in found
