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
_SAMPLED = 250_000
_TAILS = (0.5, 99.5)
_TONES = (0.0, 24.0, 224.0, 255.0)
"""Where the darkest, the ends of the middle 99 %, and the brightest value are shown: letters are
often brighter or darker than everything else, and must not be lost in either."""


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
    pictures = tuple(_toned(array, raster.dark_is_high) for array in arrays)
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


def _toned(values: Frame, inverted: bool) -> Picture:
    """Grey values as 0 to 255: the middle of them gets most of the range, the ends keep some."""
    step = max(1, int((values.size / _SAMPLED) ** 0.5))
    low, high = (float(number) for number in np.percentile(values[::step, ::step], _TAILS))
    least, greatest = float(values.min()), float(values.max())
    if not high > low:
        low, high = least, greatest
    points: dict[float, float] = {}
    for point, tone in zip((least, low, high, greatest), _TONES, strict=True):
        points.setdefault(point, tone)
    points[least] = 0.0 if greatest > least else 128.0
    if greatest > least:
        points[greatest] = 255.0
    order = sorted(points)
    tones = [points[point] for point in order]
    span = int(greatest - least) + 1
    if values.dtype.kind in "iu" and span <= 1 << 16:
        table = np.interp(np.arange(span) + least, order, tones)
        grey = table.astype(np.uint8)[(values.astype(np.int32) - int(least))]
    else:
        grey = np.interp(values, order, tones).astype(np.uint8)
    if inverted:
        grey = 255 - grey
    return np.ascontiguousarray(np.broadcast_to(grey[..., np.newaxis], (*grey.shape, 3)))


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
