"""Comments, tails, tables and spare bits: what a frame carries beside its picture."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from app.deid.boxes import Box
from app.deid.deidentify import Deidentified, deidentify
from app.deid.encapsulated import encapsulated, frames_of, without_remarks, without_tails
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.walk import Fragments
from tests.deid.pixels.scenes import scene
from tests.make.instances import ct, packed

NAME = b"Quizzleberry^Ottoline 19610704"
JPEG, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"
PICTURE = np.random.default_rng(1).integers(0, 255, (16, 16), np.uint8)
JPEG_FRAME = bytes(imagecodecs.jpeg8_encode(PICTURE))
FRAME_2000 = bytes(imagecodecs.jpeg2k_encode(PICTURE, level=0, codecformat="j2k", reversible=True))
LS_FRAME = bytes(imagecodecs.jpegls_encode(PICTURE))
PROFILE, KEYS = Profile(), Keys.of(b"k" * 32)


DECODERS: dict[bytes, Callable[[bytes], Any]] = {
    JPEG_FRAME: imagecodecs.jpeg8_decode,
    FRAME_2000: imagecodecs.jpeg2k_decode,
    LS_FRAME: imagecodecs.jpegls_decode,
}


def fragments(*parts: bytes, table: bytes = b"") -> Fragments:
    return Fragments(tuple(memoryview(part) for part in (table, *parts)))


def joined(some: Fragments) -> bytes:
    return b"".join(some.parts)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


@pytest.mark.parametrize(
    "hidden",
    [
        segment(0xFE, NAME),
        segment(0xE1, b"Exif\0\0" + NAME),
        segment(0xE0, b"JFIF\0" + bytes(9) + NAME),
        segment(0xED, b"Photoshop 3.0\0" + NAME),
        segment(0xEE, b"Adobe" + bytes(7) + NAME),
    ],
)
def test_words_in_the_header_of_a_jpeg_go_and_its_picture_stays(hidden: bytes) -> None:
    source = fragments(JPEG_FRAME[:2] + hidden + JPEG_FRAME[2:])
    cleaned = without_remarks(source)
    assert b"Quizzleberry" not in joined(cleaned)
    assert len(joined(cleaned)) == len(joined(source))
    assert (imagecodecs.jpeg8_decode(joined(cleaned)) == imagecodecs.jpeg8_decode(JPEG_FRAME)).all()


def test_a_comment_of_jpeg_2000_goes_unless_it_names_an_encoder() -> None:
    end_of_size = 4 + struct.unpack(">H", FRAME_2000[4:6])[0]
    for words, stays in ((NAME, False), (b"Created by OpenJPEG version 2.5.4", True)):
        comment = struct.pack(">HHH", 0xFF64, len(words) + 4, 1) + words
        source = fragments(FRAME_2000[:end_of_size] + comment + FRAME_2000[end_of_size:])
        cleaned = without_remarks(source)
        assert (words in joined(cleaned)) is stays
        assert (cleaned is source) is stays
        assert (imagecodecs.jpeg2k_decode(joined(cleaned)) == PICTURE).all()


@pytest.mark.parametrize("frame", [JPEG_FRAME, FRAME_2000])
def test_what_follows_the_end_of_an_image_goes(frame: bytes) -> None:
    assert NAME not in joined(without_remarks(fragments(frame + NAME)))
    bare = fragments(frame + b"\0" * (len(frame) & 1))
    assert without_remarks(bare) is bare


def tiled(comment: bytes) -> bytes:
    """The JPEG 2000 frame with a comment in the header of its tile (15444-1 A.4.2)."""
    at = FRAME_2000.index(b"\xff\x90")
    (size,) = struct.unpack_from(">L", FRAME_2000, at + 6)
    said = struct.pack(">HHH", 0xFF64, len(comment) + 4, 1) + comment
    tile = FRAME_2000[at : at + 6] + struct.pack(">L", size + len(said))
    return FRAME_2000[:at] + tile + FRAME_2000[at + 10 : at + 12] + said + FRAME_2000[at + 12 :]


@pytest.mark.parametrize(
    ("frame", "same"),
    [
        (JPEG_FRAME[:-2] + segment(0xFE, NAME) + JPEG_FRAME[-2:], JPEG_FRAME),  # behind a scan
        (JPEG_FRAME + NAME + JPEG_FRAME[-2:], JPEG_FRAME),  # an end behind the end
        (FRAME_2000 + NAME + b"\xff\xd9", FRAME_2000),
        (tiled(NAME), FRAME_2000),
        (LS_FRAME[:2] + segment(0xFE, NAME) + LS_FRAME[2:] + NAME, LS_FRAME),
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 3, 0.5, -1, -20])
def test_words_go_wherever_they_stand_in_a_frame_and_wherever_it_is_cut(
    frame: bytes, same: bytes, cut: float
) -> None:
    at = frame.index(NAME) + cut if isinstance(cut, int) else round(len(frame) * cut)
    for parts in ((frame,), (frame[: int(at)], frame[int(at) :])):
        source = fragments(*parts)
        cleaned = without_remarks(source)
        assert not any(word in joined(cleaned) for word in (b"Quizzle", b"Ottoline", b"19610704"))
        assert [len(part) for part in cleaned.parts] == [len(part) for part in source.parts]
        told = [DECODERS[same](joined(one)) for one in (cleaned, fragments(same))]
        assert (told[0] == told[1]).all()


@given(st.binary(max_size=400), st.sampled_from([b"\xff\xd8", b"\xff\x4f", b"\xff\xd8\xff\xf7"]))
def test_a_stream_that_cannot_be_followed_is_left_as_long_as_it_was(
    some: bytes, kind: bytes
) -> None:
    source = fragments(kind + some)
    cleaned = without_remarks(source)
    assert len(joined(cleaned)) == len(joined(source))


def test_what_follows_the_last_run_of_an_rle_frame_goes() -> None:
    run = bytes(imagecodecs.packbits_encode(PICTURE, axis=-1))
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + run
    padded = frame + b"\0" * (len(frame) & 1)
    cleaned = without_tails(fragments(padded + NAME), PICTURE.size)
    assert joined(cleaned).rstrip(b"\0") == padded.rstrip(b"\0")
    bare = fragments(padded)
    assert without_tails(bare, PICTURE.size) is bare


def test_a_table_of_offsets_that_points_nowhere_goes() -> None:
    words = fragments(JPEG_FRAME + b"\0", JPEG_FRAME + b"\0", table=NAME + b"  ")
    assert bytes(without_remarks(words).parts[0]) == b""
    true = fragments(FRAME_2000, FRAME_2000, table=struct.pack("<2L", 0, len(FRAME_2000) + 8))
    assert without_remarks(true) is true


def test_frames_are_told_apart_by_the_table_or_by_where_images_start() -> None:
    half = len(JPEG_FRAME) // 2
    split = (JPEG_FRAME[:half], JPEG_FRAME[half:], JPEG_FRAME)
    table = struct.pack("<2L", 0, len(JPEG_FRAME) + 16)
    for source in (fragments(*split), fragments(*split, table=table)):
        groups = frames_of(source, 2)
        assert groups is not None
        assert [b"".join(group) for group in groups] == [JPEG_FRAME, JPEG_FRAME]
    assert frames_of(fragments(JPEG_FRAME, JPEG_FRAME), 3) is None
    assert frames_of(fragments(), 1) is None


def test_frames_written_anew_have_even_lengths_and_a_true_table() -> None:
    made = encapsulated([b"abc", b"defg"])
    assert [bytes(part) for part in made.parts] == [struct.pack("<2L", 0, 12), b"abc\0", b"defg"]


def treated(made: Dataset) -> Dataset:
    outcome = deidentify(packed(made), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified), outcome
    return dcmread(BytesIO(outcome.content))


def test_a_name_in_the_comment_of_a_compressed_slice_does_not_leave_with_it() -> None:
    made = ct(Rows=16, Columns=16, BitsAllocated=8, BitsStored=8, HighBit=7)
    made.PixelData = encapsulate([JPEG_FRAME[:2] + segment(0xFE, NAME) + JPEG_FRAME[2:]])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = UID(JPEG)
    assert NAME not in treated(made).PixelData


def spare(drawn: np.ndarray) -> Dataset:
    """A slice of 12 stored bits whose bit 13 shows a drawing."""
    rows, columns = drawn.shape
    pixels = np.random.default_rng(3).integers(0, 4096, drawn.shape, np.uint16)
    made = ct(Rows=rows, Columns=columns)
    made.PixelData = (pixels | drawn.astype(np.uint16) << 13).tobytes()
    return made


def test_text_drawn_in_the_spare_bits_is_cleared_although_nothing_speaks_of_it() -> None:
    strokes = scene(np.random.default_rng(5), 160, 240, "soft", "light").strokes
    after = np.frombuffer(treated(spare(strokes)).PixelData, np.uint16)
    assert not (after >> 12).any()
    before = np.frombuffer(spare(strokes).PixelData, np.uint16)
    assert (after == before & 0x0FFF).all()


def test_spare_bits_that_say_nothing_stay_as_they_are() -> None:
    chance = np.random.default_rng(7).random((160, 240))
    for noise in (chance < 0.5, chance < 0.1, np.hypot(*np.mgrid[-80:80, -120:120]) > 110):
        made = spare(noise)
        assert treated(made).PixelData == made.PixelData


def test_the_sign_of_a_number_is_no_drawing() -> None:
    values = np.random.default_rng(9).integers(-2048, 2048, (64, 64), np.int16)
    made = ct(Rows=64, Columns=64, PixelRepresentation=1)
    made.PixelData = values.tobytes()
    assert treated(made).PixelData == made.PixelData


def test_a_rectangle_is_cut_to_its_picture() -> None:
    assert Box(-5, -5, 500, 12).within(100, 10) == Box(0, 0, 100, 10)
    assert Box(5, 5, 5, 9).area == 0


def run_length(drawing: int) -> Dataset:
    """A slice in RLE of 12 bits, with an overlay said to be in bit 12 and `drawing` there."""
    made = ct()
    array = (np.frombuffer(made.PixelData, "<u2") & 0x0FFF).reshape(made.Rows, made.Columns).copy()
    array[4:9, 4:9] |= drawing << 12
    planes = [(array >> 8).astype(np.uint8), (array & 0xFF).astype(np.uint8)]
    runs = [bytes(imagecodecs.packbits_encode(plane, axis=-1)) for plane in planes]
    runs = [run + b"\0" * (len(run) & 1) for run in runs]
    header = struct.pack("<16L", 2, 64, 64 + len(runs[0]), *[0] * 13)
    made.PixelData = encapsulate([header + b"".join(runs)])
    made["PixelData"].VR = "OB"
    made.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.5")
    made.add_new(0x60000010, "US", made.Rows)
    made.add_new(0x60000100, "US", 16)
    made.add_new(0x60000102, "US", 12)
    made.array = array
    return made


def test_an_overlay_in_the_spare_bits_of_a_compressed_picture_goes_and_the_picture_stays() -> None:
    made = run_length(1)
    outcome = deidentify(packed(made), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    after = dcmread(BytesIO(outcome.content))
    assert np.array_equal(np.frombuffer(after.PixelData, "<u2"), made.array.ravel() & 0x0FFF)


def test_a_compressed_picture_with_empty_spare_bits_leaves_as_it_came() -> None:
    made = run_length(0)
    outcome = deidentify(packed(made), PROFILE, KEYS)
    assert isinstance(outcome, Deidentified)
    after = dcmread(BytesIO(outcome.content))
    assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.5"
    assert after.PixelData == made.PixelData
