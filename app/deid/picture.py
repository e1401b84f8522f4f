"""
What an eye would see of an object's pixels: pictures of red, green and blue for the detector.

Several frames are seen at once: each pixel at its brightest, and each at its darkest, so that what
stays put in all of them stands out and what comes in one is not missed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.deid.networks import Picture
from app.deid.raster import Raster
from app.deid.walk import Dataset, Element

Frame = NDArray[Any]
FEW = 3
"""Frames up to which each is seen by itself."""
_SAMPLED = 60_000
_CHUNK = 1 << 16
_TAILS = (0.5, 99.5)
_MIDDLE = 239.0
"""Tones of all but the outermost few pixels; those share the rest."""
FEW_PIXELS = 40
"""Pixels of which no line of text is made."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Pictures of an object; of a grey one the values each shows, the least and the greatest."""

    pictures: tuple[Picture, ...]
    values: tuple[Frame | None, ...]
    least: int = 0
    greatest: int = 0


def seen(frames: Iterable[Frame], raster: Raster, colours: str, palette: Picture | None) -> Seen:
    """`colours` is GREY, RGB or YBR; `palette` has a row of red, green and blue for each index."""
    if colours == "GREY" and palette is None:
        return _seen_grey(frames, raster)
    pictures: list[Picture] = []
    for frame in frames:
        picture = _coloured(frame, raster, colours, palette)
        if raster.frames <= FEW or not pictures:
            pictures.append(picture)
            if raster.frames > FEW:
                pictures.append(picture.copy())
                pictures[0] = picture.copy()
        else:
            np.maximum(pictures[0], picture, out=pictures[0])
            np.minimum(pictures[1], picture, out=pictures[1])
    different = _different(pictures)
    return Seen(tuple(different), (None,) * len(different))


def _seen_grey(frames: Iterable[Frame], raster: Raster) -> Seen:
    arrays: list[Frame] = []
    for frame in frames:
        values = numbers(frame, raster)
        if raster.frames <= FEW:
            arrays.append(values)
        elif not arrays:
            arrays = [values.copy(), values.copy()]
        else:
            np.maximum(arrays[0], values, out=arrays[0])
            np.minimum(arrays[1], values, out=arrays[1])
    least = min(int(array.min()) for array in arrays)
    greatest = max(int(array.max()) for array in arrays)
    arrays = _different(arrays)
    pictures = tuple(
        _toned(array, raster.dark_is_high, int(array.min()), int(array.max())) for array in arrays
    )
    return Seen(pictures, tuple(arrays), least, greatest)


def _different(arrays: list[Frame]) -> list[Frame]:
    kept: list[Frame] = []
    for array in arrays:
        if not any(np.array_equal(array, other) for other in kept):
            kept.append(array)
    return kept


def numbers(frame: Frame, raster: Raster) -> Frame:
    """Stored values without the bits beside them, their sign where they have one."""
    native = frame.astype(frame.dtype.newbyteorder("="), copy=False)
    if raster.allocated == 1 or frame.dtype.itemsize * 8 != raster.allocated:
        return native
    above = raster.allocated - raster.high - 1
    if not above and raster.stored == raster.allocated:
        return native
    kind = "i" if raster.signed else "u"
    native = native.view(f"{kind}{native.dtype.itemsize}")
    shifted: Frame = (native << above) >> (raster.allocated - raster.stored)
    return shifted


def _toned(values: Frame, inverted: bool, least: int, greatest: int) -> Picture:
    """Grey values as 0 to 255: the middle of them gets most of the range, the ends keep some."""
    order, tones = _tones(values, least, greatest)
    size = values.dtype.itemsize
    if size > 2 or values.dtype.kind not in "iu":
        grey = np.interp(values, order, tones).astype(np.uint8)
        return 255 - grey if inverted else grey
    stored = np.arange(1 << 8 * size).astype(f"u{size}").view(f"{values.dtype.kind}{size}")
    table = np.interp(stored, order, tones).astype(np.uint8)
    return _looked_up(255 - table if inverted else table, values)


def _tones(values: Frame, least: int, greatest: int) -> tuple[list[float], list[float]]:
    """
    Rising values and the tone of each: the fewer pixels, the fewer tones.

    Beyond the middle 99 % letters may stand, as well as single pixels that a machine left at its
    greatest value. What lies between the middle and the outermost few gets tones as far as it
    reaches, but no more than by the root of that, and the middle half of all or more: neither
    does noise drown letters that are brighter than everything, nor do they push the tissue, and
    letters on it, into the dark.
    """
    if greatest == least:
        return [float(least)], [128.0]
    step = max(1, int((values.size / _SAMPLED) ** 0.5))
    low, high = (float(number) for number in np.percentile(values[::step, ::step], _TAILS))
    if not high > low:  # nearly all is ground
        ground = low
        low = _outermost(values[values < ground], brightest=False, otherwise=float(least))
        high = _outermost(values[values > ground], brightest=True, otherwise=float(greatest))
    bottom = _outermost(values[values < low], brightest=False, otherwise=low)
    top = _outermost(values[values > high], brightest=True, otherwise=high)
    spans = np.array([low - bottom, high - low, top - high])
    roots = spans**0.5
    shares = np.minimum(spans / spans.sum(), roots / roots.sum())
    shares[1] = max(1 - shares[0] - shares[2], 0.5)
    shares *= _MIDDLE / shares.sum()
    edge = (255 - _MIDDLE) / 2
    tones = np.cumsum([0.0, edge, *shares, edge])
    points: dict[float, float] = {}
    for point, tone in zip((least, bottom, low, high, top, greatest), tones.tolist(), strict=True):
        points.setdefault(float(point), tone)
    points[float(least)], points[float(greatest)] = 0.0, 255.0
    order = sorted(points)
    return order, [points[point] for point in order]


def _outermost(tail: Frame, *, brightest: bool, otherwise: float) -> float:
    """The value that only `FEW_PIXELS` exceed; `otherwise` where the tail has no more."""
    if tail.size <= FEW_PIXELS:
        return otherwise
    if brightest:
        return float(np.partition(tail, -FEW_PIXELS)[-FEW_PIXELS])
    return float(np.partition(tail, FEW_PIXELS - 1)[FEW_PIXELS - 1])


def _looked_up(table: NDArray[np.uint8], values: Frame) -> Picture:
    """`table` has a tone for each value of 8 or 16 bits, as it is stored without a sign."""
    stored = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    grey = np.empty(stored.shape, np.uint8)
    rows = max(1, _CHUNK // max(1, stored.shape[1]))
    for top in range(0, len(stored), rows):  # in parts: the indices are eight bytes each
        np.take(table, stored[top : top + rows], out=grey[top : top + rows], mode="clip")
    return grey


def _coloured(frame: Frame, raster: Raster, colours: str, palette: Picture | None) -> Picture:
    if palette is not None:
        index = numbers(frame, raster).astype(np.int64)
        picture: Picture = palette[np.clip(index, 0, len(palette) - 1)]
        return picture
    if frame.dtype.itemsize > 1:
        frame = numbers(frame, raster).view(f"u{frame.dtype.itemsize}") >> max(0, raster.stored - 8)
    eight = np.ascontiguousarray(frame[..., :3], dtype=np.uint8)
    if colours == "YBR":
        return np.asarray(Image.fromarray(eight, "YCbCr").convert("RGB"))
    return eight


def palette_of(dataset: Dataset, little: bool) -> Picture | None:
    """The palette's colours by index (PS3.3 C.7.9); None without one that can be read."""
    planes = []
    for descriptor, data in (
        (0x00281101, 0x00281201),
        (0x00281102, 0x00281202),
        (0x00281103, 0x00281203),
    ):
        plane = _plane(dataset.get(descriptor), dataset.get(data), little)
        if plane is None:
            return None
        planes.append(plane)
    if len({len(plane) for plane in planes}) != 1:
        return None
    return np.stack(planes, axis=1)


def _plane(
    descriptor: Element | None, data: Element | None, little: bool
) -> NDArray[np.uint8] | None:
    if descriptor is None or data is None:
        return None
    if not isinstance(descriptor.value, (bytes, memoryview)) or len(descriptor.value) < 6:
        return None
    if not isinstance(data.value, (bytes, memoryview)):
        return None
    order = "<" if little else ">"
    entries, first, bits = (
        np.frombuffer(descriptor.value, f"{order}u2", count=3).astype(int).tolist()
    )
    entries = entries or 1 << 16
    if len(data.value) >= entries * 2:
        words = np.frombuffer(data.value, f"{order}u2", count=entries)
        plane = (words >> 8 if bits > 8 and int(words.max()) > 255 else words).astype(np.uint8)
    elif len(data.value) >= entries:
        plane = np.frombuffer(data.value, np.uint8, count=entries)
    else:
        return None
    if 0 < first < 1 << 15:  # indices below the first share its colour
        plane = np.concatenate([np.full(first, plane[0], np.uint8), plane])
    return plane
