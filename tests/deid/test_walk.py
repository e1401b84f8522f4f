import random
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RawDataStorage,
)

from app.deid.beginning import names, read
from app.deid.deidentify import Deidentified, Withheld, deidentify
from app.deid.flat import Unreadable, flat
from app.deid.pixels import Reason
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look
from app.deid.walk import Malformed
from app.deid.write import write
from tests.make.instances import ROOT, ct, item, items, packed, sent

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


def nested(syntax: str) -> bytes:
    made = ct()
    inner = item(ReferencedSOPInstanceUID=f"{ROOT}.5", SourceImageSequence=items(item(KVP="1")))
    made.ReferencedImageSequence = items(inner, item())
    made.file_meta.TransferSyntaxUID = syntax
    return packed(made)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_read_is_written_as_pydicom_reads_it(syntax):
    source = nested(syntax)
    again = dcmread(BytesIO(write(read(source))))
    assert again == dcmread(BytesIO(source))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_undefined_lengths_are_the_same_as_defined_ones(syntax):
    made = dcmread(BytesIO(nested(syntax)))
    made["ReferencedImageSequence"].is_undefined_length = True
    for one in made.ReferencedImageSequence:
        one.is_undefined_length_sequence_item = True
    source = packed(made)
    assert dcmread(BytesIO(write(read(source)))) == dcmread(BytesIO(nested(syntax)))


def test_a_sequence_sent_as_un_is_read_as_what_it_is():
    made = ct()
    inner = struct.pack("<HHL", 0x0008, 0x1155, 10) + b"1.2.3.4.5\0"
    body = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    source = packed(made)
    element = struct.pack("<HH2sHL", 0x0008, 0x1140, b"UN", 0, len(body)) + body
    at = source.index(struct.pack("<HH", 0x0010, 0x0010))
    parsed = read(source[:at] + element + source[at:])
    (only,) = parsed.dataset[0x00081140].value
    assert bytes(only[0x00081155].value) == b"1.2.3.4.5\0"


def test_an_object_without_preamble_or_meta_is_read():
    made = ct()
    explicit = packed(made)
    bare = explicit[explicit.index(b"\x08\x00\x05\x00CS") :]
    assert read(bare).dataset.keys() == read(explicit).dataset.keys()
    assert read(explicit[128:][4:]).dataset.keys() == read(explicit).dataset.keys()


def test_a_deflated_bomb_is_refused():
    made = ct()
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    source = packed(made)
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = engine.compress(bytes(200 << 20)) + engine.flush()
    start = 144 + int.from_bytes(source[140:144], "little")
    with pytest.raises(Malformed, match="too-large"):
        read(source[:start] + bomb)


def test_deep_nesting_is_refused_and_does_not_overflow():
    deep = b""
    for _ in range(500):
        inner = struct.pack("<HHL", 0xFFFE, 0xE000, len(deep)) + deep
        deep = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, len(inner)) + inner
    source = sent()
    at = source.index(struct.pack("<HH", 0x0010, 0x0010))
    with pytest.raises(Malformed, match="nested-too-deep"):
        read(source[:at] + deep + source[at:])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_mutated_objects_never_crash_the_walker_and_outputs_are_readable(seed):
    chance = random.Random(seed)
    source = bytearray(nested(chance.choice(SYNTAXES)))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(132, len(source))
        kind = chance.randrange(3)
        if kind == 0:
            source[at] = chance.randrange(256)
        elif kind == 1:
            del source[at : at + chance.randrange(1, 9)]
        else:
            source[at:at] = chance.randbytes(chance.randrange(1, 9))
    outcome = deidentify(bytes(source), Profile(), Keys.of(b"k" * 32))
    assert isinstance(outcome, (Withheld, Deidentified))
    if isinstance(outcome, Deidentified):
        dcmread(BytesIO(outcome.content))
        outcome.json()


def test_the_beginning_of_an_object_tells_what_it_is_called():
    source = sent(3, 7)
    for head in (source, source[:1200], source[:-10]):
        named = names(head)
        assert named is not None
        assert named.sop_instance_uid == f"{ROOT}.7.1.3"
    assert names(b"Ottoline Quizzleberry") is None
    assert names(b"") is None


BUNDLED = sorted(
    path
    for path in (Path(pydicom.__file__).parent / "data").rglob("*")
    if path.is_file() and path.suffix not in (".py", ".pyc", ".json", ".txt", ".md", ".icc")
)


@pytest.mark.filterwarnings("ignore")
def test_every_bundled_object_gives_an_output_or_a_reason_and_none_leaks():
    profile, keys = Profile(), Keys.of(b"k" * 32)
    reasons: dict[Reason | None, int] = {}
    for path in BUNDLED:
        source = path.read_bytes()
        outcome = deidentify(source, profile, keys)
        if isinstance(outcome, Withheld):
            reasons[outcome.reason] = reasons.get(outcome.reason, 0) + 1
            continue
        reasons[None] = reasons.get(None, 0) + 1
        assert second_look(source, outcome.content) == frozenset(), path.name
        before = dcmread(path, force=True)
        after = dcmread(BytesIO(outcome.content))
        assert "SOPClassUID" not in before or after.SOPClassUID == before.SOPClassUID
        blanked = any(
            (place, action) == ("7FE00010", "clean") for place, action, _ in outcome.report.places
        )
        compressed = after.file_meta.TransferSyntaxUID.is_compressed
        if "PixelData" in before and not compressed and not blanked:
            assert before.PixelData.startswith(after.PixelData[: len(before.PixelData)][:-2])
    assert len(BUNDLED) > 150
    assert reasons[None] >= 100
    assert set(reasons) <= {None, *Reason}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    "tail",
    [
        b"\n",
        b"  \r\n",
        b"Quizzleberry^Ottoline, MRN-7730015",
        b"\0" * 300,
        b"\1\2\3\4\5\6\7\x08\x09",
    ],
)
def test_what_follows_the_pixels_and_is_no_element_costs_nothing_and_goes(syntax, tail):
    made = ct()
    made.file_meta.TransferSyntaxUID = syntax
    source = packed(made)
    profile, keys = Profile(), Keys.of(b"k" * 32)
    plain, followed = (deidentify(one, profile, keys) for one in (source, source + tail))
    assert isinstance(plain, Deidentified)
    assert isinstance(followed, Deidentified)
    assert followed.content == plain.content
    assert second_look(source + tail, followed.content) == frozenset()
    assert read(source + tail).dataset.items() >= read(source).dataset.items()


def test_what_ends_inside_its_pixels_or_before_them_is_refused():
    source = packed(ct())
    for cut in (len(source) - 1, len(source) - 513, len(source) - 520):
        with pytest.raises(Malformed):
            read(source[:cut])


def test_the_second_look_forgives_a_tail_behind_the_pixels_and_none_inside_a_sequence():
    icon = item(Rows=1, Columns=1, BitsAllocated=8, PixelData=b"\1\0")
    made = ct(PixelData=None)
    made.IconImageSequence = items(icon)
    source = packed(made)
    assert flat(source, whole=False).values
    with pytest.raises(Unreadable):
        flat(source + b"\1\2\3\4\5\6\7\x08\x09", whole=False)
    with pytest.raises(Unreadable):
        flat(packed(ct()) + b"Quizzleberry^Ottoline")


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("tail", [b"Smith", b"Quizzleberry^Ottoline", "Jörg Müllerbach".encode()])
def test_text_behind_an_object_without_pixels_costs_nothing_and_goes(syntax, tail):
    made = ct(PixelData=None)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = RawDataStorage
    made.RequestAttributesSequence = items(item(RequestedProcedureID="7"))
    made.RequestAttributesSequence[0].is_undefined_length_sequence_item = True
    made["RequestAttributesSequence"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = syntax
    source = packed(made)
    profile, keys = Profile(), Keys.of(b"k" * 32)
    plain, followed = (deidentify(one, profile, keys) for one in (source, source + tail))
    assert isinstance(plain, Deidentified)
    assert isinstance(followed, Deidentified)
    assert followed.content == plain.content
    assert second_look(source + tail, followed.content) == frozenset()


def test_an_object_that_ends_inside_an_element_is_no_object_with_a_tail():
    made = ct(PixelData=None, PresentationLUTShape="IDENTITY")
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    source = packed(made)
    for cut in range(1, 16):
        with pytest.raises(Malformed):
            read(source[:-cut])
