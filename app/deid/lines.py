"""
The rest of a line that was found in part.

On speckle the network loses the first or the last letters of a line that it otherwise sees. They
are of the same ink and of the same density as the letters that it saw, which the ground beside the
line is not: so a box grows along its line as long as that goes on.
"""

import numpy as np
from numpy.typing import NDArray

from app.deid.boxes import Box
from app.deid.strokes import Grey

APART = 12.0
"""Least difference, of 255, between ink and the ground beside the line."""
LEAST, MOST = 0.3, 2.5
"""Times the density of the line within which what follows may be letters."""
ABOVE_GROUND = 3.0
"""How many times as dense as the ground they are."""
LONGEST = 12
"""Heights of its line that a box grows at one end at most, when it is not longer itself."""


def continued(lightness: Grey, box: Box) -> Box:
    """The box, longer at both ends by the letters that follow; its line runs along its long side."""
    tall, wide = box.bottom - box.top, box.right - box.left
    if min(tall, wide) < 4:
        return box
    if tall > wide:
        turned = _along(lightness.T, Box(box.left, box.top, box.right, box.bottom))
        return Box(turned.left, turned.top, turned.right, turned.bottom)
    return _along(lightness, box)


def _along(lightness: Grey, box: Box) -> Box:
    rows, columns = lightness.shape
    tall = box.bottom - box.top
    line = lightness[box.top : box.bottom]
    above = lightness[max(0, box.top - tall) : box.top, box.left : box.right]
    below = lightness[box.bottom : min(rows, box.bottom + tall), box.left : box.right]
    beside = [side for side in (above, below) if side.size]
    if not beside:
        return box
    inked, ground = _inked(line, beside, slice(box.left, box.right))
    if inked is None:
        return box
    density = float(inked[:, box.left : box.right].mean())
    step, far = max(4, tall // 2), max(LONGEST * tall, box.right - box.left)
    least, most = max(LEAST * density, ABOVE_GROUND * ground), MOST * density
    if not 0 < least <= most:
        return box
    left = box.left - _more(inked[:, max(0, box.left - far) : box.left][:, ::-1], step, least, most)
    right = box.right + _more(
        inked[:, box.right : min(columns, box.right + far)], step, least, most
    )
    return Box(box.top, left, box.bottom, right)


def _inked(line: Grey, beside: list[Grey], seen: slice) -> tuple[NDArray[np.bool_] | None, float]:
    """Which pixels of the whole line are of the ink of its seen part, and how many beside it are.

    On one side the next line may stand, which is no ground: the other one tells.
    """
    low, high = (float(number) for number in np.percentile(np.concatenate(beside), (10, 90)))
    least, most = (float(number) for number in np.percentile(line[:, seen], (3, 97)))
    if max(most - high, low - least) < APART:
        return None, 0.0
    if most - high >= low - least:
        edge = (most + high) / 2
        return line >= edge, min(float((side >= edge).mean()) for side in beside)
    edge = (least + low) / 2
    return line <= edge, min(float((side <= edge).mean()) for side in beside)


def _more(inked: NDArray[np.bool_], step: int, least: float, most: float) -> int:
    """Columns, from the first, over which letters go on; one gap between words is passed."""
    end = gaps = 0
    for start in range(0, inked.shape[1], step):
        part = inked[:, start : start + step]
        if least <= float(part.mean()) <= most:
            end, gaps = start + part.shape[1], 0
        elif gaps:
            break
        else:
            gaps += 1
    return end
