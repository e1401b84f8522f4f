"""
Can a line be read? Asked only of large finds, which may be organs as well as letters.

What is read is never kept or told: only how many characters there are counts.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.deid.boxes import Box
from app.deid.networks import Picture, answered

MODEL = "ch_PP-OCRv4_rec_mobile.onnx"
HEIGHT = 48
"""Rows of a line as the network takes it."""
LONGEST = 640
"""Columns at most: a longer line is squeezed."""
CERTAIN = 0.55
"""Mean probability of the characters from which they are some."""
CHARACTERS = 2
"""Characters from which something is written."""


def readable(picture: Picture, box: Box) -> bool:
    """Does the box hold a line of at least two characters, whichever way it runs?"""
    cut = picture[box.top : box.bottom, box.left : box.right]
    tall, wide = cut.shape[:2]
    level, upright = [cut, np.rot90(cut, 2)], [np.rot90(cut, 1), np.rot90(cut, 3)]
    turned = level if wide * 2 >= tall * 3 else upright if tall * 2 >= wide * 3 else upright + level
    return any(_characters(line) >= CHARACTERS for line in turned)


def _characters(line: NDArray[np.uint8]) -> int:
    tall, wide = line.shape[:2]
    width = min(LONGEST, max(16, round(HEIGHT * wide / tall)))
    way = Image.Resampling.BILINEAR
    level = Image.fromarray(np.ascontiguousarray(line)).resize((width, HEIGHT), way)
    likely = answered(MODEL, np.asarray(level))[0]
    best, sure = likely.argmax(axis=1), likely.max(axis=1)
    # 0 is "nothing here"; a character that stays over several columns is one.
    new = (best != 0) & (best != np.concatenate([[0], best[:-1]]))
    if not new.any() or float(sure[new].mean()) < CERTAIN:
        return 0
    return int(new.sum())
