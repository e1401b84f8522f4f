"""
How an object's pixels are laid out: sizes, bits, colours (PS3.3 C.7.6.3, PS3.5 8.1).
"""

from dataclasses import dataclass, field
from typing import Self

from app.deid.boxes import Box
from app.deid.walk import Dataset, Element, Instance, number_of, text_of

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED = 0x00280010, 0x00280011, 0x00280100, 0x00280101
HIGH_BIT, REPRESENTATION = 0x00280102, 0x00280103
YBR_FULL, YBR_422 = "YBR_FULL", "YBR_FULL_422"
STATED = (
    *(SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS),
    *(ALLOCATED, STORED, HIGH_BIT, REPRESENTATION),
)
"""All that a layout is told by."""
TRANSFORMED = frozenset(("YBR_RCT", "YBR_ICT"))
"""Colours that JPEG 2000 carries transformed and every decoder hands out as RGB."""
MOST_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class Raster:
    """The layout of pixel data, as the attributes of the image pixel module state it."""

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str
    by_plane: bool
    little: bool

    @classmethod
    def of(cls, instance: Instance) -> Self | None:
        """None when the attributes are missing or contradict one another."""
        dataset, little = instance.dataset, instance.little
        rows, columns = _us(dataset, ROWS, little), _us(dataset, COLUMNS, little)
        allocated = _us(dataset, ALLOCATED, little)
        frames = text_of(dataset.get(FRAMES)).split("\\")[0].strip() or "1"
        if not rows or not columns or not allocated or not frames.isdigit():
            return None
        stored = _us(dataset, STORED, little) or allocated
        high = _us(dataset, HIGH_BIT, little)
        high = stored - 1 if high is None else high
        number = int(frames) or 1
        if not (0 < stored <= high + 1 <= allocated) or number > MOST_FRAMES:
            return None
        return cls(
            frames=number,
            rows=rows,
            columns=columns,
            samples=_us(dataset, SAMPLES, little) or 1,
            allocated=allocated,
            stored=stored,
            high=high,
            signed=_us(dataset, REPRESENTATION, little) == 1,
            photometric=text_of(dataset.get(PHOTOMETRIC)).upper(),
            by_plane=_us(dataset, PLANAR, little) == 1,
            little=little,
        )

    @property
    def dtype(self) -> str | None:
        """How numpy names a stored sample; None for sizes that no image has."""
        if self.allocated not in (8, 16, 32):
            return None
        return f"{'<' if self.little else '>'}{'i' if self.signed else 'u'}{self.allocated // 8}"

    @property
    def subsampled(self) -> bool:
        """Two pixels share their colour: four bytes for two pixels (native YBR_FULL_422)."""
        return self.photometric == YBR_422 and self.samples == 3

    @property
    def dark_is_high(self) -> bool:
        """MONOCHROME1: the largest value is shown black."""
        return self.photometric == "MONOCHROME1"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Pixel data that may leave, and the attributes that change with it."""

    element: Element
    also: Dataset = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()


def _us(dataset: Dataset, tag: int, little: bool) -> int | None:
    return number_of(dataset.get(tag), little)
