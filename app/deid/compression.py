"""
Decode one frame and code it again, under the transfer syntaxes that images use (PS3.5 A.4).

Samples are handed out as they are coded: no colour is converted, so that what is written again
means what was read. The codecs are those of `imagecodecs`; a frame that they cannot read raises
`Undecodable`, and a transfer syntax they cannot write is answered by `encoder` with None.
"""

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.deid.encapsulated import rle_end
from app.deid.raster import TRANSFORMED, YBR_422, Raster

Frame = NDArray[Any]
"""Rows × columns, or rows × columns × samples, as stored."""

JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS: Final = frozenset(("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"))
JPEG_LS: Final = frozenset(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"))
JPEG_2000: Final = frozenset(("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"))
JPEG_2000_PARTS: Final = frozenset(("1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"))
HTJ2K: Final = frozenset(f"1.2.840.10008.1.2.4.20{number}" for number in (1, 2, 3))
JPEG_XL: Final = frozenset(f"1.2.840.10008.1.2.4.11{number}" for number in (0, 1, 2))
RLE: Final = "1.2.840.10008.1.2.5"
_JPEG: Final = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in range(50, 71))
LOSSY: Final = frozenset((JPEG_BASELINE, JPEG_EXTENDED))
"""Syntaxes under which coding again loses a little again."""
MAY_LOSE: Final = LOSSY | frozenset(f"1.2.840.10008.1.2.4.{last}" for last in (81, 91, 93, 203))
"""Syntaxes whose frames may come back with values beyond those that were coded."""
QUALITY: Final = 95


class Undecodable(Exception):
    """The frame is not what its transfer syntax says, or nothing here can read it."""


def decoded(data: bytes, syntax: str, raster: Raster) -> Frame:
    """The samples of one frame, in the size that `raster` states. Raises `Undecodable`."""
    import imagecodecs

    if (size := stated(data)) and size != (raster.rows, raster.columns):
        raise Undecodable  # before anything is made room for
    try:
        if syntax == RLE:
            frame = _rle_decoded(data, raster)
        elif syntax in _JPEG:
            space = components(data, raster)
            frame = imagecodecs.jpeg8_decode(data, colorspace=space, outcolorspace=space)
        elif syntax in JPEG_LS:
            frame = imagecodecs.jpegls_decode(data)
        elif syntax in JPEG_2000 or syntax in JPEG_2000_PARTS or syntax in HTJ2K:
            frame = imagecodecs.jpeg2k_decode(data)
        elif syntax in JPEG_XL:
            frame = imagecodecs.jpegxl_decode(data)
        else:
            raise Undecodable
    except Undecodable:
        raise
    except Exception as error:  # each codec has its own tree of errors
        raise Undecodable from error
    expected = (raster.rows, raster.columns) + ((raster.samples,) if raster.samples > 1 else ())
    if frame.shape != expected:
        raise Undecodable
    return _within(frame, raster) if syntax in MAY_LOSE else frame


def _within(frame: Frame, raster: Raster) -> Frame:
    """A frame whose values go no further than its bits stored: what a lossy codec overshoots is cut."""
    if raster.stored >= frame.dtype.itemsize * 8:
        return frame
    low = -(1 << raster.stored - 1) if frame.dtype.kind == "i" else 0
    high = low + (1 << raster.stored) - 1
    return frame if low <= frame.min() and frame.max() <= high else np.clip(frame, low, high)


def coded(encode: Callable[[Frame], bytes], frame: Frame) -> bytes | None:
    """One frame coded; None when its values are not ones that the codec takes."""
    try:
        return encode(frame)
    except Exception:  # each codec has its own tree of errors
        return None


def encoder(syntax: str, raster: Raster, colours: str) -> Callable[[Frame], bytes] | None:
    """What codes a frame under this syntax: without loss, except for the two JPEG that only lose.

    `colours`, GREY, RGB or YBR, is what the samples are.
    """
    import imagecodecs

    if syntax == RLE:
        return lambda frame: _rle_encoded(frame, raster)
    if syntax in LOSSY:
        return lambda frame: _jpeg(frame, raster, colours, lossless=False)
    if syntax in JPEG_LOSSLESS:
        return lambda frame: _jpeg(frame, raster, colours, lossless=True)
    if syntax in JPEG_LS:
        return lambda frame: bytes(imagecodecs.jpegls_encode(frame, out=frame.nbytes * 2 + 65536))
    transformed = raster.photometric in TRANSFORMED
    if syntax in JPEG_2000:
        return lambda frame: bytes(
            imagecodecs.jpeg2k_encode(
                frame,
                level=0,
                codecformat="j2k",
                reversible=True,
                mct=transformed,
                bitspersample=raster.stored,
            )
        )
    if syntax in HTJ2K:
        return lambda frame: bytes(
            imagecodecs.htj2k_encode(frame, reversible=True, rgb=transformed, tlm=True)
        )
    return None


def stated(data: bytes) -> tuple[int, int] | None:
    """Rows and columns that the header of a JPEG, JPEG-LS or JPEG 2000 stream states."""
    if data[:4] == b"\xff\x4f\xff\x51" and len(data) >= 24:
        right, bottom, left, top = struct.unpack_from(">4L", data, 8)
        return bottom - top, right - left
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = struct.unpack_from(">2H", data, at + 5)
            return rows, columns
        elif marker == 0xDA or length < 2:
            return None
        else:
            at += 2 + length
    return None


def components(data: bytes, raster: Raster) -> str:
    """What a JPEG's components are, by its own markers first (as libjpeg), else by the attributes."""
    if raster.samples == 1:
        return "GRAYSCALE"
    header = data[:4096]
    adobe = header.find(b"\xff\xee\x00\x0eAdobe")
    if adobe >= 0 and adobe + 15 < len(header):
        return "RGB" if header[adobe + 15] == 0 else "YCBCR"
    if header[2:4] == b"\xff\xe0" and header[6:10] == b"JFIF":
        return "YCBCR"
    return "RGB" if raster.photometric == "RGB" else "YCBCR"


def _jpeg(frame: Frame, raster: Raster, colours: str, *, lossless: bool) -> bytes:
    import imagecodecs

    grey = raster.samples == 1
    space = {"GREY": "GRAYSCALE", "RGB": "RGB", "YBR": "YCBCR"}[colours]
    halved = raster.photometric == YBR_422 and not lossless
    bits = max(raster.stored, 2) if lossless or raster.stored > 8 else 8
    if not lossless and bits > 8:
        bits = 12
    return bytes(
        imagecodecs.jpeg8_encode(
            frame,
            None if lossless else QUALITY,
            colorspace=space,
            outcolorspace=space,
            subsampling=None if grey or lossless else "422" if halved else "444",
            lossless=lossless,
            predictor=1 if lossless else None,
            bitspersample=bits,
        )
    )


def _rle_decoded(data: bytes, raster: Raster) -> Frame:
    """RLE (PS3.5 G): one run of PackBits for each byte of each sample, high bytes first."""
    import imagecodecs

    size = raster.allocated // 8
    count, *offsets = struct.unpack_from("<16L", data)
    if count != size * raster.samples:
        raise Undecodable
    size_of_plane = raster.rows * raster.columns
    bounds = [*offsets[:count], rle_end(memoryview(data), size_of_plane)]
    planes = np.empty((count, size_of_plane), np.uint8)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        run = np.frombuffer(imagecodecs.packbits_decode(data[start:stop]), np.uint8)
        planes[number] = run[: planes.shape[1]]
    samples = planes.reshape(raster.samples, size, raster.rows, raster.columns)
    dtype = np.dtype(f"{'>i' if raster.signed else '>u'}{size}")
    frame = np.ascontiguousarray(samples.transpose(2, 3, 0, 1)).view(dtype)[..., 0]
    frame = frame.astype(dtype.newbyteorder("="))
    return frame[..., 0] if raster.samples == 1 else frame


def _rle_encoded(frame: Frame, raster: Raster) -> bytes:
    """The same, written: no run crosses a row, segments of even length."""
    import imagecodecs

    size = raster.allocated // 8
    high_first = np.ascontiguousarray(frame.astype(frame.dtype.newbyteorder(">")))
    planes = high_first.view(np.uint8).reshape(raster.rows, raster.columns, raster.samples, size)
    segments = []
    for sample in range(raster.samples):
        for byte in range(size):
            plane = np.ascontiguousarray(planes[:, :, sample, byte])
            run = bytes(imagecodecs.packbits_encode(plane, axis=-1))
            segments.append(run + b"\0" if len(run) & 1 else run)
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    header = struct.pack("<16L", len(segments), *offsets, *([0] * (15 - len(offsets))))
    return header + b"".join(segments)
