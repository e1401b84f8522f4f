import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from app.deid import beginning
from app.deid import deidentify as at_work
from app.deid.deidentify import Deidentified, Outcome, deidentify
from app.deid.memory import Memories, Memory, Stretch, read
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.walk import Dataset, Fragments, Malformed
from tests.make.instances import ROOT, ct, item, items, packed

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
PROFILES = (
    Profile(),
    Profile.of({"options": ["clean_pixel_data", "retain_longitudinal_full_dates"]}),
)
KEYS = (Keys.of(b"k" * 32), Keys.of(b"k" * 32, "elsewhere"))
PEOPLE = (
    *("Quizzleberry^Ottoline", "Quizzleberry^Ottilie", "Head^Chester", "Hand^Chest^R"),
    *("Li^Ax", "=山田^太郎"),
)
DESCRIPTIONS = (
    *("CT CHEST", "CT HEAD OTTOLINE", "MRN-1 FOLLOW UP", "R HAND AX", "LI RADS", "no. 7 hand"),
    *("CHEST 2 VIEWS", "yamada", "hand of Chester"),
)


def sent(chance: random.Random) -> bytes:
    """One slice of one of a few patients: much as in the last one, something always different."""
    who, number = chance.randrange(len(PEOPLE)), chance.randrange(1, 9)
    made = ct(
        number,
        study=who + 1,
        PatientName=PEOPLE[who],
        PatientID=f"MRN-{who}",
        StudyID=chance.choice(["7", "471100"]),
        StudyDescription=chance.choice(DESCRIPTIONS),
        ProtocolName=chance.choice(DESCRIPTIONS),
        BodyPartExamined=chance.choice(["CHEST", "HAND"]),
        Exposure=chance.choice(["471100", "12"]),
        SpecificCharacterSet=chance.choice(["ISO_IR 100", "ISO_IR 192", None])
        if PEOPLE[who].isascii()
        else "ISO_IR 192",
        ImageComments=chance.choice(["Ottilie", "seen by Dr. Quill", ""]),
        SOPClassUID=chance.choice(["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"]),
    )
    about = item(CodeMeaning=chance.choice(DESCRIPTIONS), StudyDate=f"2024010{number}")
    inner = item(ReferencedSOPInstanceUID=f"{ROOT}.5.{who}", SourceImageSequence=items(item()))
    inner.PurposeOfReferenceCodeSequence = items(*[about] * chance.randrange(2))
    made.ReferencedImageSequence = items(*[inner] * chance.randrange(3))
    for group, creator in ((0x0019, "SIEMENS CT VA0  COAD"), (0x0029, "NOBODY KNOWS")):
        block = made.private_block(group, creator, create=True)
        for offset in range(0x90, 0x90 + chance.randrange(6)):
            block.add_new(offset, "DS", str(chance.randrange(3)))
    if chance.random() < 0.2:
        made["ReferencedImageSequence"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = chance.choice(SYNTAXES[:2] * 3 + SYNTAXES)
    source = bytearray(packed(made))
    if chance.random() < 0.3:
        at = chance.randrange(150, len(source))
        source[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
    return bytes(source)


def plain(dataset: Dataset) -> object:
    """What a dataset says, comparable."""
    return {
        tag: (vr, [plain(one) for one in value])
        if isinstance(value, list)
        else (vr, [bytes(part) for part in value.parts])
        if isinstance(value, Fragments)
        else (vr, bytes(value))
        for tag, (vr, value) in dataset.items()
    }


def said(outcome: Outcome) -> object:
    """An outcome with everything that leaves, comparable."""
    if not isinstance(outcome, Deidentified):
        return outcome.reason
    return outcome.content, outcome.report, outcome.original, outcome.json(), plain(outcome.dataset)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_remembered_reads_as_what_is_read_for_the_first_time(seed):
    chance, memories = random.Random(seed), Memories()
    for _ in range(12):
        source = sent(chance)
        try:
            expected = beginning.read(source)
        except Malformed as error:
            with pytest.raises(Malformed, match=f"^{error.reason}$"):
                read(source, memories)
            continue
        found, stretches = read(source, memories)
        assert plain(found.dataset) == plain(expected.dataset)
        assert list(found.dataset) == list(expected.dataset)
        assert (found.transfer_syntax, found.explicit, found.little) == (
            expected.transfer_syntax,
            expected.explicit,
            expected.little,
        )
        assert [tag for stretch in stretches for tag in stretch.elements] == list(found.dataset)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_what_came_before_changes_no_output(seed):
    chance, warm = random.Random(seed), Memories()
    for _ in range(10):
        source, profile, keys = sent(chance), chance.choice(PROFILES), chance.choice(KEYS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(at_work, "_MEMORIES", Memories())
            alone = said(deidentify(source, profile, keys))
            patch.setattr(at_work, "_MEMORIES", warm)
            assert said(deidentify(source, profile, keys)) == alone


def test_an_element_that_stands_twice_counts_as_its_last():
    source = packed(ct())
    at = source.index(b"\x10\x00\x10\x00PN")
    name = source[at : at + 8 + int.from_bytes(source[at + 6 : at + 8], "little")]
    twice = source[:at] + name.replace(b"Ottoline", b"Ottilie ") + source[at:]
    memories = Memories()
    for _ in range(3):
        found, _ = read(twice, memories)
        assert plain(found.dataset) == plain(beginning.read(twice).dataset)
        assert plain(found.dataset) == plain(beginning.read(source).dataset)


def test_slices_of_a_series_are_met_in_long_stretches():
    memories, counts = Memories(), []
    for number in range(1, 6):
        found, stretches = read(packed(ct(number)), memories)
        counts.append(len(stretches))
    assert counts[0] == len(found.dataset)
    assert counts[-1] < len(found.dataset) / 2


def test_a_memory_forgets_and_keeps_no_object_alive():
    memory = Memory(most=10_000)
    for number in range(1000):
        memory.put(Stretch({}, number.to_bytes(50, "big")))
    kept = [number for number in range(1000) if memory.get(number.to_bytes(50, "big"))]
    assert 1 <= len(kept) <= 20
    assert max(kept) == 999
    source = packed(ct(PixelData=bytes(200_000), Rows=250, Columns=400))
    memories = Memories()
    read(source, memories)
    assert all(len(raw) <= 1 << 16 for raw in memories.of(True, True)._young)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"PatientName": "Roe^Jane"}, {"PatientName": "Young^Rosa"}),
        ({"StudyID": "7"}, {"StudyID": "471100"}),
        ({"PatientID": "M-1"}, {"PatientID": "FOLLOWUP22"}),
    ],
)
def test_what_says_nothing_of_one_patient_is_asked_again_for_another(first, then):
    said = {"StudyDescription": "CHEST YOUNG", "Exposure": "471100", "ProtocolName": "FOLLOW UP 22"}
    profile, keys = PROFILES[0], KEYS[0]
    one, two = (
        packed(ct(**{"PatientName": "Roe^Jane", "StudyID": "7", **said, **who}))
        for who in (first, then)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work, "_MEMORIES", Memories())
        alone = deidentify(two, profile, keys)
        patch.setattr(at_work, "_MEMORIES", Memories())
        kept = [deidentify(source, profile, keys) for source in (one, one, two, two, one)]
    assert kept[2].content == kept[3].content == alone.content
    assert kept[0].content == kept[1].content == kept[4].content
    lost = [tag for tag in kept[0].dataset if kept[0].dataset[tag] != alone.dataset.get(tag)]
    assert 0x00081030 in lost or 0x00181152 in lost or 0x00181030 in lost
