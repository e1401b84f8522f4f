"""
Native pixel data: its frames as arrays, rectangles of it overwritten, stray bits cleared.

Frames are windows on the bytes that came in; a copy is made only when something is overwritten.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.deid.boxes import Box
from app.deid.raster import Raster

Frame = NDArray[Any]
INKS = 12
"""Values of a page of text that a sample shows."""
DRAWN = 0.3
"""Part of the pixels that a drawing in spare bits may take; more is noise, or no bit is spare."""


class Native:
    """The frames of native pixel data (PS3.5 8.1). Raises `ValueError` for a layout without one."""

    def __init__(self, content: bytes | memoryview, raster: Raster, *, words: bool) -> None:
        self.raster = raster
        self._swapped = words and raster.allocated == 8 and not raster.little
        self._array: Frame
        if raster.allocated == 1 and raster.samples == 1:
            count = raster.frames * raster.rows * raster.columns
            octets = np.frombuffer(content, np.uint8)
            self._array = np.unpackbits(octets, count=count, bitorder="little")
            self._array = self._array.reshape(raster.frames, raster.rows, raster.columns)
            return
        if raster.dtype is None:
            raise ValueError("bits allocated")
        flat = np.frombuffer(content, np.dtype(raster.dtype))
        if self._swapped:  # bytes sent as big endian words (PS3.5 annex D)
            flat = flat[: flat.size // 2 * 2].copy().view(np.uint16).byteswap().view(flat.dtype)
        shape = _shape(raster)
        self._array = flat[: int(np.prod(shape))].reshape(shape)

    def __iter__(self) -> Iterator[Frame]:
        """Each frame, rows × columns or rows × columns × samples, as stored."""
        for frame in self._array:
            if self.raster.subsampled:
                yield _widened(frame)
            elif self.raster.samples > 1 and self.raster.by_plane:
                yield frame.transpose(1, 2, 0)
            else:
                yield frame

    def blanked(self, boxes: Sequence[Box], fill: Sequence[int]) -> bytes:
        """The same pixel data with `fill`, one number a sample, in `boxes` of every frame."""
        raster, array = self.raster, self._array.copy()
        for box in boxes:
            rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
            if raster.subsampled:
                pairs = slice(box.left // 2, -(-box.right // 2))
                array[:, rows, pairs] = (fill[0], fill[0], fill[1], fill[2])
            elif raster.samples > 1 and raster.by_plane:
                for sample, value in enumerate(fill):
                    array[:, sample, rows, columns] = value
            elif raster.samples > 1:
                array[:, rows, columns] = fill
            else:
                array[:, rows, columns] = fill[0]
        if raster.allocated == 1:
            return np.packbits(array, bitorder="little").tobytes()
        if self._swapped:
            flat = array.reshape(-1)
            padded = np.append(flat, flat[:1] * 0) if flat.size & 1 else flat
            return padded.view(np.uint16).byteswap().tobytes()
        return array.tobytes()


def _shape(raster: Raster) -> tuple[int, ...]:
    if raster.subsampled:
        return raster.frames, raster.rows, raster.columns // 2, 4
    if raster.samples == 1:
        return raster.frames, raster.rows, raster.columns
    if raster.by_plane:
        return raster.frames, raster.samples, raster.rows, raster.columns
    return raster.frames, raster.rows, raster.columns, raster.samples


def _widened(frame: Frame) -> Frame:
    """Y1 Y2 Cb Cr as two pixels (PS3.3 C.7.6.3.1.2)."""
    rows, pairs, _ = frame.shape
    wide = np.empty((rows, pairs * 2, 3), frame.dtype)
    wide[:, 0::2, 0], wide[:, 1::2, 0] = frame[..., 0], frame[..., 1]
    wide[:, :, 1:] = np.repeat(frame[..., 2:], 2, axis=1)
    return wide


def stray_bits(content: bytes | memoryview, raster: Raster) -> Frame | None:
    """
    What stands in the bits beside the stored ones, frames × rows × columns of whole samples; None
    when nothing does. The sign of a negative number may fill them.
    """
    if raster.dtype is None or raster.stored == raster.allocated or raster.samples > 1:
        return None
    unsigned, unused = _spare(raster.allocated, raster.little, raster.stored, raster.high)
    samples = np.frombuffer(content, unsigned, count=len(content) // unsigned.itemsize)
    if not samples.size or not int(np.bitwise_or.reduce(samples)) & unused:
        return None
    shape = _shape(raster)
    native = samples.astype(unsigned.newbyteorder("="), copy=False)[: int(np.prod(shape))]
    stray = native & unsigned.type(unused)
    if raster.signed and raster.high + 1 == raster.stored:
        negative = native >> raster.high & 1 == 1
        stray = np.where(negative & (stray == unused), 0, stray)
    return stray.reshape(shape) if stray.any() else None


def few_values(content: bytes | memoryview, raster: Raster) -> bool:
    """More than one and few values in a sample of the pixels, as inks on paper are."""
    kind = np.dtype(str(raster.dtype))
    samples = np.frombuffer(content, kind, count=len(content) // kind.itemsize)
    sampled = samples[:: max(1, samples.size // 1021)]
    if len(set(sampled[::16].tolist())) > INKS:  # most slices: the rest need not be read
        return False
    return 1 < len(set(sampled.tolist())) <= INKS


def sparse(stray: Frame) -> bool:
    """Few enough pixels to be a drawing on empty ground, and no noise."""
    return 0 < int(np.count_nonzero(stray)) <= DRAWN * stray.size


def without_stray_bits(content: bytes | memoryview, raster: Raster) -> bytes:
    """Pixel data with the bits beside the stored ones cleared."""
    unsigned, unused = _spare(raster.allocated, raster.little, raster.stored, raster.high)
    samples = np.frombuffer(content, unsigned, count=len(content) // unsigned.itemsize)
    cleared: Frame = samples & unsigned.type(~unused & ((1 << raster.allocated) - 1))
    return cleared.astype(unsigned).tobytes()


@lru_cache(maxsize=64)
def _spare(allocated: int, little: bool, stored: int, high: int) -> tuple[np.dtype[Any], int]:
    """Samples as unsigned numbers, and which of their bits are beside the stored ones."""
    used = ((1 << stored) - 1) << high + 1 - stored
    return np.dtype(f"{'<' if little else '>'}u{allocated // 8}"), ((1 << allocated) - 1) ^ used
