"""What is blanked, what stays, and how it is written: native layouts and compressed syntaxes."""

from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID

from app.deid import compression
from app.deid.deidentify import Deidentified, Outcome, Withheld, deidentify
from app.deid.pixels import Reason
from app.deid.profile import Profile
from app.deid.raster import Raster
from app.deid.uids import Keys
from tests.deid.pixels.scenes import scene, tissue
from tests.make.instances import ct, packed

PROFILE, KEYS = Profile(), Keys.of(b"k" * 32)
ROWS, COLUMNS = 160, 240
Array = NDArray[Any]
CAPTURE = "1.2.840.10008.5.1.4.1.1.7.2"
JPEG = "1.2.840.10008.1.2.4."
LOSSLESS = [
    "1.2.840.10008.1.2.5",
    *(JPEG + number for number in ("57", "70", "80", "81", "90", "91", "201", "202", "203")),
]
EXPLICIT, BIG, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2"


def drawn(seed: int, frames: int = 1, colours: int = 1) -> tuple[Array, Array]:
    """Frames × rows × columns (× colours) of 0 to 255 with the same text, and its strokes."""
    rng = np.random.default_rng(seed)
    one = scene(rng, ROWS, COLUMNS, "soft", "light")
    array = np.stack(
        [
            np.where(one.strokes, 255, tissue(rng, ROWS, COLUMNS, "soft") * 0.6)
            for _ in range(frames)
        ]
    )
    if colours > 1:
        array = np.repeat(array[..., np.newaxis], colours, axis=3)
    return array, one.strokes


def capture(array: Array, photometric: str = "MONOCHROME2", stored: int | None = None) -> Dataset:
    """An ultrasound capture of an array, frames × rows × columns (× samples)."""
    made = ct()
    made.SOPClassUID, made.Modality = CAPTURE, "US"
    made.file_meta.MediaStorageSOPClassUID = CAPTURE
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.Rows, made.Columns, made.NumberOfFrames = array.shape[1], array.shape[2], len(array)
    made.SamplesPerPixel = array.shape[3] if array.ndim == 4 else 1
    if array.ndim == 4:
        made.PlanarConfiguration = 0
    made.PhotometricInterpretation = photometric
    made.BitsAllocated = array.dtype.itemsize * 8
    made.BitsStored = stored or made.BitsAllocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(array.dtype.kind == "i")
    made.PixelData = array.tobytes()
    made["PixelData"].VR = "OB" if made.BitsAllocated == 8 else "OW"
    return made


def compressed(array: Array, syntax: str, photometric: str, stored: int | None = None) -> bytes:
    """The same, under a compressed transfer syntax."""
    made = capture(array, photometric, stored)
    raster = Raster(
        frames=len(array),
        rows=ROWS,
        columns=COLUMNS,
        samples=made.SamplesPerPixel,
        allocated=made.BitsAllocated,
        stored=made.BitsStored,
        high=made.HighBit,
        signed=False,
        photometric=photometric,
        by_plane=False,
        little=True,
    )
    colours = "GREY" if array.ndim == 3 else "YBR" if photometric.startswith("YBR_F") else "RGB"
    encode = compression.encoder(syntax, raster, colours)
    assert encode is not None
    made.PixelData = encapsulate([encode(frame) for frame in array])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = UID(syntax)
    return packed(made)


def treated(source: bytes) -> Dataset:
    outcome = deidentify(source, PROFILE, KEYS)
    assert isinstance(outcome, Deidentified), outcome
    return dcmread(BytesIO(outcome.content))


def frames_of(read: Dataset) -> Array:
    """The frames of an output, decoded without the code under test."""
    syntax = read.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated or syntax == "1.2.840.10008.1.2.5":
        array: Array = read.pixel_array
        return array if read.get("NumberOfFrames", 1) > 1 else array[np.newaxis]
    decode = {
        "80": imagecodecs.jpegls_decode,
        "81": imagecodecs.jpegls_decode,
        "90": imagecodecs.jpeg2k_decode,
        "91": imagecodecs.jpeg2k_decode,
        "201": imagecodecs.htj2k_decode,
        "202": imagecodecs.htj2k_decode,
        "203": imagecodecs.htj2k_decode,
    }.get(syntax.removeprefix(JPEG), imagecodecs.jpeg8_decode)
    count = int(read.get("NumberOfFrames", 1))
    return np.stack(
        [np.asarray(decode(one)) for one in generate_frames(read.PixelData, number_of_frames=count)]
    )


def hidden(before: Array, after: Array, strokes: Array) -> None:
    """The strokes are gone, in every frame; all but a small part of the rest is as it was."""
    flat = after if after.ndim == 3 else after[..., 0]
    for frame in flat:
        assert len(np.unique(frame[strokes])) == 1
    same = (before == after) if after.ndim == 3 else (before == after).all(axis=3)
    assert same.mean() > 0.7


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG, IMPLICIT])
@pytest.mark.parametrize(
    ("dtype", "stored", "scale"), [("u1", 8, 1), ("u2", 12, 16), ("u2", 16, 257), ("i2", 16, 100)]
)
def test_text_in_native_grey_frames_is_blanked_in_each(
    syntax: str, dtype: str, stored: int, scale: int
) -> None:
    array, strokes = drawn(3, frames=2)
    values = (array * scale - (12000 if dtype == "i2" else 0)).astype(dtype)
    made = capture(values, stored=stored)
    made.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax == BIG and dtype != "u1":
        made.PixelData = values.astype(f">{dtype}").tobytes()
    read = treated(packed(made))
    assert read.file_meta.TransferSyntaxUID == syntax
    hidden(values, frames_of(read), strokes)


@pytest.mark.parametrize("planar", [0, 1])
def test_text_in_native_colour_is_blanked_in_both_orders(planar: int) -> None:
    array, strokes = drawn(5, frames=2, colours=3)
    values = array.astype("u1")
    made = capture(values, "RGB")
    made.PlanarConfiguration = planar
    if planar:
        made.PixelData = values.transpose(0, 3, 1, 2).tobytes()
    hidden(values, frames_of(treated(packed(made))), strokes)


def test_text_in_pairs_that_share_their_colour_is_blanked() -> None:
    array, strokes = drawn(5)
    values = array[0].astype("u1")
    quads = np.full((ROWS, COLUMNS // 2, 4), 128, np.uint8)
    quads[..., 0], quads[..., 1] = values[:, ::2], values[:, 1::2]
    made = capture(np.zeros((1, ROWS, COLUMNS, 3), np.uint8), "YBR_FULL_422")
    made.PixelData = quads.tobytes()
    read = treated(packed(made))
    after = np.frombuffer(read.PixelData, np.uint8).reshape(ROWS, COLUMNS // 2, 4)
    light = after[..., :2].reshape(ROWS, COLUMNS)
    assert (light[strokes] == 0).all()
    assert (light == values).mean() > 0.7


def test_a_lossy_frame_that_overshoots_its_bits_stays_under_its_syntax() -> None:
    array, strokes = drawn(15)
    values = (array * 16).astype("u2")
    values[0, ROWS // 2, ::9] = 4143  # beyond twelve bits, as lossy coding leaves them
    made = capture(values, stored=12)
    coded = imagecodecs.jpeg2k_encode(values[0], level=0, reversible=True, codecformat="j2k")
    made.PixelData = encapsulate([bytes(coded)])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = UID(f"{JPEG}91")
    read = treated(packed(made))
    assert read.file_meta.TransferSyntaxUID == f"{JPEG}91"
    after = frames_of(read)
    assert after.max() <= 4095
    hidden(values.clip(0, 4095), after, strokes)


def test_text_in_a_palette_is_blanked_with_its_darkest_colour() -> None:
    array, strokes = drawn(7)
    made = capture(255 - array.astype("u1"), "PALETTE COLOR")  # index 255 is black
    for tag in (0x00281101, 0x00281102, 0x00281103):
        made.add_new(tag, "US", [256, 0, 8])
    for tag in (0x00281201, 0x00281202, 0x00281203):
        made.add_new(tag, "OW", np.arange(256, dtype=np.uint8)[::-1].tobytes())
    after = np.frombuffer(treated(packed(made)).PixelData, np.uint8).reshape(ROWS, COLUMNS)
    assert (after[strokes] == 255).all()


def test_where_small_values_are_bright_the_blank_is_the_largest() -> None:
    array, strokes = drawn(9)
    after = frames_of(treated(packed(capture((255 - array).astype("u1"), "MONOCHROME1"))))
    assert (after[0][strokes] == (255 - array).astype("u1").max()).all()


def test_a_page_of_text_that_calls_itself_an_original_slice_is_looked_at_all_the_same() -> None:
    _, strokes = drawn(43)
    made = ct(Rows=ROWS, Columns=COLUMNS)
    made.PixelData = np.where(strokes, 4000, 0).astype("<u2").tobytes()
    after = frames_of(treated(packed(made)))
    assert not after[0][strokes].any()


def test_a_picture_that_is_called_a_report_loses_its_text_alone() -> None:
    array, strokes = drawn(41)
    made = capture(array.astype("u1"))
    made.SeriesDescription = "Dose Report"
    hidden(array.astype("u1"), frames_of(treated(packed(made))), strokes)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2", "RGB"])
def test_dark_letters_on_paper_are_blanked_in_white(photometric: str) -> None:
    _, strokes = drawn(9)
    paper = np.where(strokes, 0, 240).astype("u1")[np.newaxis]
    if photometric == "MONOCHROME1":
        paper = 255 - paper
    if photometric == "RGB":
        paper = np.repeat(paper[..., np.newaxis], 3, axis=3)
    after = frames_of(treated(packed(capture(paper, photometric))))
    assert not (after[0][strokes] == paper[0][strokes]).any()
    hidden(paper, after, strokes)


def test_text_in_pictures_of_one_bit_is_blanked() -> None:
    _, strokes = drawn(9)
    made = capture(np.zeros((1, ROWS, COLUMNS), np.uint8))
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = 0
    made.PixelData = np.packbits(strokes, bitorder="little").tobytes()
    after = np.unpackbits(
        np.frombuffer(treated(packed(made)).PixelData, np.uint8), bitorder="little"
    ).reshape(ROWS, COLUMNS)
    assert not after[strokes].any()


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("kind", ["grey", "deep", "colour"])
def test_compressed_frames_are_written_again_under_their_syntax_without_loss(
    syntax: str, kind: str
) -> None:
    array, strokes = drawn(11, frames=2, colours=3 if kind == "colour" else 1)
    values = (array * 16).astype("u2") if kind == "deep" else array.astype("u1")
    transformed = kind == "colour" and syntax[-2:] in ("90", "91", "01", "02", "03")
    photometric = "YBR_RCT" if transformed else "RGB" if kind == "colour" else "MONOCHROME2"
    source = compressed(values, syntax, photometric, 12 if kind == "deep" else None)
    read = treated(source)
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.PhotometricInterpretation == photometric
    assert "LossyImageCompression" not in read
    hidden(values, frames_of(read), strokes)


@pytest.mark.parametrize(("syntax", "deep"), [("50", False), ("51", False), ("51", True)])
def test_lossy_jpeg_stays_lossy_jpeg_and_says_so_once_more(syntax: str, deep: bool) -> None:
    array, strokes = drawn(13, frames=2)
    values = (array * 16).astype("u2") if deep else array.astype("u1")
    made = dcmread(BytesIO(compressed(values, JPEG + syntax, "MONOCHROME2", 12 if deep else None)))
    made.LossyImageCompression, made.LossyImageCompressionMethod = "01", "ISO_10918_1"
    made.LossyImageCompressionRatio = "8.5"
    before = frames_of(made)
    read = treated(packed(made))
    assert read.file_meta.TransferSyntaxUID == JPEG + syntax
    assert read.LossyImageCompression == "01"
    assert list(read.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    assert len(read.LossyImageCompressionRatio) == 2
    after = frames_of(read).astype(int)
    scale = 16 if deep else 1
    assert (after[:, strokes] < 16 * scale).all()
    unchanged = np.abs(after - before.astype(int)) <= 6 * scale
    assert unchanged.mean() > 0.6


def test_what_cannot_be_written_under_its_syntax_is_written_without_compression() -> None:
    array, strokes = drawn(15)
    values = array.astype("u1")
    made = dcmread(BytesIO(compressed(values, JPEG + "57", "MONOCHROME2")))
    made.file_meta.TransferSyntaxUID = UID(JPEG + "58")  # retired: another process, never written
    read = treated(packed(made))
    assert read.file_meta.TransferSyntaxUID == EXPLICIT
    hidden(values, frames_of(read), strokes)


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG + "50", JPEG + "90", "1.2.840.10008.1.2.5"])
def test_pixels_without_text_leave_byte_for_byte(syntax: str) -> None:
    rng = np.random.default_rng(23)
    values = np.stack([tissue(rng, ROWS, COLUMNS, "bone") for _ in range(2)]).astype("u1")
    source = (
        packed(capture(values)) if syntax == EXPLICIT else compressed(values, syntax, "MONOCHROME2")
    )
    assert treated(source).PixelData == dcmread(BytesIO(source)).PixelData


def test_text_that_comes_in_one_frame_of_many_goes_from_all() -> None:
    rng = np.random.default_rng(29)
    values = np.stack([tissue(rng, ROWS, COLUMNS, "soft") * 0.4 for _ in range(12)])
    one = scene(rng, ROWS, COLUMNS, "soft", "light")
    values[7][one.strokes] = 255
    after = frames_of(treated(packed(capture(values.astype("u1")))))
    for frame in after:
        assert len(np.unique(frame[one.strokes])) == 1


def outcome_of(**change: object) -> Outcome:
    rng = np.random.default_rng(31)
    made = capture(tissue(rng, ROWS, COLUMNS, "soft")[np.newaxis].astype("u1"))
    for keyword, value in change.items():
        setattr(made, keyword, value)
    return deidentify(packed(made), PROFILE, KEYS)


def test_text_that_is_promised_and_not_found_holds_the_object() -> None:
    outcome = outcome_of(BurnedInAnnotation="YES")
    assert outcome == Withheld(Reason.BURNED_IN)
    assert isinstance(outcome_of(BurnedInAnnotation="NO"), Deidentified)


def test_what_cannot_be_decoded_is_held() -> None:
    array, _ = drawn(33)
    made = dcmread(BytesIO(compressed(array.astype("u1"), JPEG + "90", "MONOCHROME2")))
    made.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"no picture at all " * 20])
    made["PixelData"].is_undefined_length = True
    assert deidentify(packed(made), PROFILE, KEYS) == Withheld(Reason.MAY_BE_BURNED_IN)
    made.file_meta.TransferSyntaxUID = UID(JPEG + "102")  # a film: nothing here decodes it
    assert deidentify(packed(made), PROFILE, KEYS) == Withheld(Reason.MAY_BE_BURNED_IN)


@pytest.mark.parametrize("syntax", ["50", "57", "80", "90", "201"])
def test_a_header_that_promises_more_than_the_attributes_is_not_believed(syntax: str) -> None:
    array, _ = drawn(35)
    made = dcmread(BytesIO(compressed(array.astype("u1"), JPEG + syntax, "MONOCHROME2")))
    made.Rows = ROWS - 8
    assert deidentify(packed(made), PROFILE, KEYS) == Withheld(Reason.MAY_BE_BURNED_IN)


def test_a_dose_report_is_blanked_whole_or_held_as_the_profile_says() -> None:
    page = np.zeros((1, ROWS, COLUMNS), np.uint8)
    page[:, 20:140:12, 20:200:3] = 200
    made = capture(page)
    made.SeriesDescription = "Dose Report"
    made.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    after = frames_of(treated(packed(made)))
    assert (after == 0).all()
    holding = Profile.of({"burned_in": {"pages": "hold"}})
    assert deidentify(packed(made), holding, KEYS) == Withheld(Reason.BURNED_IN)


def test_the_label_of_a_slide_is_blanked_whole_for_its_barcodes() -> None:
    stripes = np.zeros((1, ROWS, COLUMNS), np.uint8)
    stripes[:, 40:90, 20:200:5] = stripes[:, 40:90, 21:200:7] = 255
    made = capture(stripes)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    made.Modality, made.ImageType = "SM", ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]
    assert len(np.unique(frames_of(treated(packed(made))))) == 1


def test_where_a_known_machine_writes_is_blanked_although_nothing_is_read_there() -> None:
    rng = np.random.default_rng(37)
    values = tissue(rng, 480, 640, "soft")[np.newaxis].astype("u1")
    made = capture(values)
    made.Manufacturer, made.ManufacturerModelName = "Philips Medical Systems", "iU22"
    after = frames_of(treated(packed(made)))
    assert (after[0, :47] == values.min()).all()
    assert (after[0, 60:] == values[0, 60:]).all()
