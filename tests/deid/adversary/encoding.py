"""How an object is written: transfer syntaxes, lengths, missing parts, wrong character sets."""

import shutil
import struct
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from tests.deid.adversary.answers import Case
from tests.deid.adversary.planting import Planting

Writing = Callable[[Planting], bytes]


def packed(dataset: Dataset) -> bytes:
    """The bytes of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def explicit(at: Planting) -> bytes:
    """Explicit VR little endian."""
    return packed(at.dataset)


def implicit(at: Planting) -> bytes:
    """Implicit VR little endian."""
    at.dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    return packed(at.dataset)


def big(at: Planting) -> bytes:
    """Explicit VR big endian."""
    ds = at.dataset
    if "PixelData" in ds and ds.BitsAllocated == 16:
        ds.PixelData = (
            np.frombuffer(ds.PixelData[: len(ds.PixelData) // 2 * 2], "<u2").byteswap().tobytes()
        )
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    return packed(ds)


def deflated(at: Planting) -> bytes:
    """Deflated explicit VR little endian."""
    at.dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    return packed(at.dataset)


def undefined(at: Planting) -> bytes:
    """Sequences and items without lengths."""
    _undefine(at.dataset)
    return packed(at.dataset)


def _undefine(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _undefine(item)


def bare(at: Planting) -> bytes:
    """Without preamble, as some old archives send."""
    return packed(at.dataset)[128:] if at.random.random() < 0.5 else packed(at.dataset)[132:]


def without_meta(at: Planting) -> bytes:
    """Without preamble and file meta information."""
    source = packed(at.dataset)
    return source[dataset_start(source) :]


def odd(at: Planting) -> bytes:
    """Texts of odd length, unpadded."""
    source = packed(at.dataset)
    parts = [source[: dataset_start(source)]]
    for start, head, length, vr in top_level(source):
        value = source[start + head : start + head + length]
        if vr in (b"LO", b"SH", b"PN", b"CS", b"DS", b"UI") and value[-1:] in (b" ", b"\0"):
            value = value[:-1]
            parts.append(source[start : start + 6] + struct.pack("<H", len(value)) + value)
        else:
            parts.append(source[start : start + head + length])
    return b"".join(parts)


def grouped(at: Planting) -> bytes:
    """With a group length, retired since 2008, and a wrong one at that."""
    source = packed(at.dataset)
    start = dataset_start(source)
    return source[:start] + b"\x08\0\0\0UL\4\0" + struct.pack("<L", 77) + source[start:]


def as_unknown(at: Planting) -> bytes:
    """Sequences and texts sent as UN, as a system does that does not know them."""
    source = packed(at.dataset)
    known = dcmread(BytesIO(source))
    parts = [source[: dataset_start(source)]]
    for start, head, length, vr in top_level(source):
        tag = int.from_bytes(source[start : start + 2], "little") << 16
        tag |= int.from_bytes(source[start + 2 : start + 4], "little")
        value = source[start + head : start + head + length]
        if vr == b"SQ" and length and not tag >> 16 & 1:
            value = _implicit(known, tag)
        elif tag not in (0x00081030, 0x00081070, 0x00080080, 0x00200010):
            parts.append(source[start : start + head + length])
            continue
        parts.append(source[start : start + 4] + b"UN\0\0" + struct.pack("<L", len(value)) + value)
    return b"".join(parts)


def _implicit(dataset: Dataset, tag: int) -> bytes:
    """The value of a sequence in implicit VR, as UN has it (PS3.5 6.2.2)."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    one = Dataset()
    one[tag] = dataset[tag]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_dataset(buffer, one, dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    return bytes(buffer.getvalue()[8:])


def dataset_start(source: bytes) -> int:
    """Where the dataset begins in a file with preamble and group length."""
    return 144 + int.from_bytes(source[140:144], "little")


def top_level(source: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Of explicit little endian: start, header size, value length and VR of each element."""
    place = dataset_start(source)
    while place < len(source):
        vr = source[place + 4 : place + 6]
        if vr in (
            b"OB",
            b"OW",
            b"SQ",
            b"UN",
            b"UT",
            b"OF",
            b"OD",
            b"OL",
            b"UC",
            b"UR",
            b"OV",
            b"SV",
            b"UV",
        ):
            head, length = 12, int.from_bytes(source[place + 8 : place + 12], "little")
        else:
            head, length = 8, int.from_bytes(source[place + 6 : place + 8], "little")
        if length == 0xFFFFFFFF:
            length = len(source) - place - head
        yield place, head, length, vr
        place += head + length


# --- character sets -------------------------------------------------------------------------


def _relabelled(at: Planting, written: str, said: str) -> bytes:
    at.dataset.SpecificCharacterSet = written
    source = packed(at.dataset)
    old = b"\x08\0\x05\0CS\x0a\0" + written.encode().ljust(10)
    assert old in source
    return source.replace(old, b"\x08\0\x05\0CS\x0a\0" + said.encode().ljust(10), 1)


def utf8_as_latin(at: Planting) -> bytes:
    """UTF-8 bytes under a Latin-1 name."""
    _name(at, "Grünkämpfer", "Jürgen", "utf-8")
    return _relabelled(at, "ISO_IR 192", "ISO_IR 100")


def latin_as_utf8(at: Planting) -> bytes:
    """Latin-1 bytes under a UTF-8 name."""
    _name(at, "Grünkämpfer", "Jürgen", "latin-1")
    return _relabelled(at, "ISO_IR 100", "ISO_IR 192")


def nameless_utf8(at: Planting) -> bytes:
    """UTF-8 bytes and no character set at all."""
    _name(at, "Żółkiewniak", "Ōtsuka", "utf-8")
    return _relabelled(at, "ISO_IR 192", "ISO_IR 192").replace(
        b"\x08\0\x05\0CS\x0a\0ISO_IR 192", b"", 1
    )


def nameless_latin(at: Planting) -> bytes:
    """Latin-1 bytes and an empty character set."""
    _name(at, "Peñaranda", "Begoña", "latin-1")
    return _relabelled(at, "ISO_IR 100", "ISO_IR 100").replace(
        b"\x08\0\x05\0CS\x0a\0ISO_IR 100", b"\x08\0\x05\0CS\0\0", 1
    )


def unheard_of(at: Planting) -> bytes:
    """A character set that does not exist."""
    _name(at, "Grünkämpfer", "Jürgen", "latin-1")
    return _relabelled(at, "ISO_IR 100", "ISO_IR 999")


def _name(at: Planting, family: str, given: str, codec: str) -> None:
    ds = at.dataset
    ds.PatientName = f"{family}^{given}"
    ds.StudyDescription = f"CT CHEST {family} W/O CONTRAST"
    at.forget("StudyDescription")
    at.case.words.append((("StudyDescription",), ("CT", "CHEST", "W/O", "CONTRAST")))
    for part in (family, given):
        at.secret(part, "PatientName", codec)


# --- pixels ---------------------------------------------------------------------------------


def _frames(dataset: Dataset) -> list[Any]:
    array = dataset.pixel_array
    return list(array) if int(dataset.get("NumberOfFrames", 1) or 1) > 1 else [array]


def _encapsulated(at: Planting, syntax: str, fragments: list[bytes]) -> bytes:
    ds = at.dataset
    ds.PixelData = encapsulate(fragments)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    return packed(ds)


def _pillow(at: Planting, form: str, **options: Any) -> list[bytes]:
    written = []
    for frame in _frames(at.dataset):
        buffer = BytesIO()
        picture = Image.fromarray(
            frame.reshape(frame.shape[-3:] if frame.ndim > 3 else frame.shape)
        )
        picture.save(buffer, form, **options)
        written.append(buffer.getvalue())
    return written


def jpeg(at: Planting) -> bytes:
    """JPEG baseline, with a comment in the stream that names somebody."""
    ds = at.dataset
    written = []
    said = f"{at.patient.family} {at.patient.mrn}".encode()
    at.name_secrets("JPEG comment", at.patient.family)
    for stream in _pillow(at, "JPEG", quality=95, subsampling=0):
        comment = b"\xff\xfe" + struct.pack(">H", len(said) + 2) + said
        written.append(stream[:2] + comment + stream[2:])
    if ds.SamplesPerPixel == 3:
        ds.PhotometricInterpretation = "YBR_FULL_422"
        at.forget("PhotometricInterpretation")
    ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", "10"
    ds.LossyImageCompressionMethod = "ISO_10918_1"
    at.forget("LossyImageCompression")
    at.keep(("LossyImageCompression",))
    at.case.lossy = True
    return _encapsulated(at, uid.JPEGBaseline8Bit, written)


def jpeg2000(at: Planting) -> bytes:
    """JPEG 2000 lossless, with a comment in the stream that names somebody."""
    return _jpeg2000(at, uid.JPEG2000Lossless)


def high_throughput(at: Planting) -> bytes:
    """HTJ2K lossless by name: what matters is that its bytes pass."""
    return _jpeg2000(at, uid.HTJ2KLossless, comment=False)


def _jpeg2000(at: Planting, syntax: str, comment: bool = True) -> bytes:
    said = f"\0\1{at.patient.family} {at.patient.mrn}".encode()
    written = []
    for stream in _pillow(at, "JPEG2000", irreversible=False, no_jp2=True, mct=0):
        assert stream[:4] == b"\xff\x4f\xff\x51"
        if comment:
            after = 4 + int.from_bytes(stream[4:6], "big")
            note = b"\xff\x64" + struct.pack(">H", len(said) + 2) + said
            stream = stream[:after] + note + stream[after:]
        written.append(stream)
    at.name_secrets("JPEG 2000 comment", at.patient.family)
    return _encapsulated(at, syntax, written)


def rle(at: Planting) -> bytes:
    """Run length encoding."""
    ds = at.dataset
    ds.compress(uid.RLELossless, generate_instance_uid=False)
    return packed(ds)


def tail(at: Planting) -> bytes:
    """RLE with an identity after the end of the last frame, in its padding."""
    ds = at.dataset
    ds.compress(uid.RLELossless, generate_instance_uid=False)
    frames = list(
        generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1) or 1))
    )
    frames[-1] += f" {at.patient.family} {at.patient.mrn} ".encode()
    at.name_secrets("after the frame", at.patient.family)
    return _encapsulated(at, uid.RLELossless, frames)


def _dcmtk(at: Planting, program: str, *options: str) -> bytes:
    """By one of DCMTK's compressors; explicit little endian where it is not installed."""
    source = packed(at.dataset)
    if shutil.which(program) is None:
        return source
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.dcm"), Path(folder, "after.dcm")
        before.write_bytes(source)
        ran = subprocess.run([program, *options, str(before), str(after)], capture_output=True)
        return after.read_bytes() if ran.returncode == 0 else source


def jpeg_lossless(at: Planting) -> bytes:
    """JPEG lossless, first-order prediction."""
    return _dcmtk(at, "dcmcjpeg", "+e1", "+ud")


def jpeg_ls(at: Planting) -> bytes:
    """JPEG-LS lossless."""
    return _dcmtk(at, "dcmcjls", "+el", "+ud")


def again(at: Planting) -> bytes:
    """Elements twice and out of order: a name once more behind the end."""
    source = packed(at.dataset)
    family = at.patient.family.encode()
    name = family + b" " * (len(family) % 2)
    at.name_secrets("element repeated", at.patient.family)
    tag = b"\x08\0\x70\x10" if at.patient.empty_id else b"\x10\0\x10\0"
    return source + tag + b"PN" + struct.pack("<H", len(name)) + name


def padded(at: Planting) -> bytes:
    """Deflated, with the null byte that makes the length even, as PS3.5 A.5 asks."""
    source = deflated(at)
    return source + b"\0" if len(source) % 2 else source


PLAIN: tuple[Writing, ...] = (
    explicit,
    implicit,
    deflated,
    undefined,
    bare,
    odd,
    grouped,
    as_unknown,
    again,
    padded,
)
SETS: tuple[Writing, ...] = (
    utf8_as_latin,
    latin_as_utf8,
    nameless_utf8,
    nameless_latin,
    unheard_of,
)
COMPRESSED: tuple[Writing, ...] = (
    rle,
    jpeg,
    jpeg2000,
    high_throughput,
    jpeg_lossless,
    jpeg_ls,
    tail,
    big,
)


def fits(writing: Writing, case: Case) -> bool:
    """Can an object be written like this?"""
    ds = case.dataset
    if writing in (*PLAIN, *SETS):
        return writing is not as_unknown or "FloatPixelData" not in ds
    if writing is big:
        return "PixelData" in ds and ds.Modality in ("CT", "MR", "CR", "DX", "RTDOSE", "NM")
    if "PixelData" not in ds or ds.BitsAllocated not in (8, 16):
        return False
    if writing is jpeg:
        return bool(ds.BitsAllocated == 8)
    if writing in (jpeg2000, high_throughput):
        return bool(ds.SamplesPerPixel == 1)
    return True
