"""Text drawn into pixels, and where its strokes are."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.deid.adversary.answers import Box
from tests.deid.adversary.people import written
from tests.deid.adversary.planting import Planting


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The machine's sans serif, or the one Pillow brings."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        made = ImageFont.load_default(size)
        assert isinstance(made, ImageFont.FreeTypeFont)
        return made


def strokes(text: str, size: int) -> NDArray[np.bool_]:
    """The pixels of a line of text."""
    left, top, right, bottom = font(size).getbbox(text)
    picture = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2), 0)
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, fill=255, font=font(size))
    return np.asarray(picture) > 100


def lines(at: Planting) -> list[str]:
    """What machines write into pictures: who, when, where."""
    patient, visit = at.patient, at.visit
    return [
        f"{patient.family.upper()}, {patient.given.upper()}",
        f"ID {patient.mrn}" if patient.mrn else f"Acc {visit.accession}",
        f"{written(at.random, visit.day)} 10:11:12",
        visit.institution,
        f"DOB {written(at.random, patient.born)}",
    ]


def burn(
    at: Planting,
    array: NDArray[np.uint16] | NDArray[np.uint8],
    ink: int,
    size: int,
    frames: tuple[int, ...] | None = None,
    count: int = 3,
) -> None:
    """Write into an array (frames, rows, columns, samples) or (rows, columns[, samples])."""
    random = at.random
    stacked = array if frames is not None else array[None]
    rows, columns = stacked.shape[1:3]
    said = lines(at)
    random.shuffle(said)
    corner = random.choice(("top", "bottom", "both"))
    y = {"top": 6, "both": 6, "bottom": rows - (size + 8) * count - 4}[corner]
    for number, line in enumerate(said[:count]):
        drawn = strokes(line, size)
        if corner == "both" and number == count - 1:
            y = rows - size - 12
        x = 6 if random.random() < 0.6 else max(2, columns - drawn.shape[1] - 6)
        drawn = drawn[:, : columns - x - 1]
        height, width = drawn.shape
        for frame in frames if frames is not None else (0,):
            region = stacked[frame, y : y + height, x : x + width]
            region[drawn] = ink
            at.case.boxes.append(Box(frame, y, x, drawn))
        y += size + 8
