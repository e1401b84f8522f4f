"""
Pen strokes: what letters are made of and organs are not.

Letters drawn into a picture have edges one or two pixels wide, many of them close together, dark
and light by turns. That is used twice: before the network looks, to find the few places of a large
picture where letters could be, so that it sees those at their own size; and after it has looked,
to let a round organ that it took for an O go.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.deid.boxes import Box, merged
from app.deid.networks import Picture

CELL = 16
"""Side in pixels of the squares of a picture that are asked for edges."""
STEP = 14
"""Least difference of neighbouring pixels, of 255, that can be the edge of a letter."""
ABOVE_NOISE = 4.0
"""How many times the usual difference of neighbours an edge stands out."""
EDGES = 5
"""Edges in a square from which letters may be there."""
TURNS = 4
"""Changes of dark and light along a line of text from which it is one."""
Grey = NDArray[np.uint8]
"""Rows × columns of 0 to 255."""


def grey(picture: Picture) -> Grey:
    """The lightness of a picture."""
    return np.asarray(Image.fromarray(picture).convert("L"))


def places(lightness: Grey, margin: int = CELL) -> list[Box]:
    """Rectangles, apart from one another, outside of which no letters can be."""
    rows, columns = lightness.shape
    down, across = -(-rows // CELL), -(-columns // CELL)
    padded = np.pad(lightness, ((0, down * CELL - rows), (0, across * CELL - columns)), "edge")
    signed = padded.astype(np.int16)
    edges = np.zeros(padded.shape, np.bool_)
    for axis in (0, 1):
        step = np.abs(np.diff(signed, axis=axis))
        usual = float(np.mean(step[step > 0])) if step.any() else 0.0
        strong = step >= max(STEP, min(ABOVE_NOISE * usual, 60.0))
        if axis:
            edges[:, 1:] |= strong
        else:
            edges[1:] |= strong
    count = edges.reshape(down, CELL, across, CELL).sum(axis=(1, 3))
    active = count >= EDGES
    if not active.any():
        return []
    boxes = [
        Box(top * CELL, left * CELL, bottom * CELL, right * CELL).grown(margin)
        for top, left, bottom, right in _rectangles(active)
    ]
    return merged([box.within(rows, columns) for box in boxes])


def _rectangles(active: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Bounds of the groups of squares that touch."""
    waiting = {(int(row), int(column)) for row, column in np.argwhere(active)}
    found = []
    while waiting:
        first = waiting.pop()
        group, (top, left), (bottom, right) = [first], first, first
        for row, column in group:
            top, bottom = min(top, row), max(bottom, row)
            left, right = min(left, column), max(right, column)
            for near_row in (row - 1, row, row + 1):
                for near_column in (column - 1, column, column + 1):
                    if (near_row, near_column) in waiting:
                        waiting.remove((near_row, near_column))
                        group.append((near_row, near_column))
        found.append((top, left, bottom + 1, right + 1))
    return found


def written(lightness: Grey, box: Box) -> bool:
    """Do dark and light take turns in this box, along its rows or its columns, as letters do?"""
    cut = lightness[box.top : box.bottom, box.left : box.right]
    tall, wide = cut.shape
    short = min(tall, wide)
    if short < 3:
        return False
    around = np.asarray(Image.fromarray(cut).filter(ImageFilter.BoxBlur(max(2.0, short / 4))))
    above = cut.astype(np.int16) - around
    swing = max(5.0, 0.12 * float(np.percentile(np.abs(above), 98)))
    turns = max(
        _turns(above, swing) if wide * 2 >= tall else 0,
        _turns(above.T, swing) if tall * 2 >= wide else 0,
    )
    return turns >= TURNS


def _turns(above: NDArray[np.int16], swing: float) -> int:
    """Changes of sign along the rows that turn most often, of what exceeds `swing`."""
    sign = np.where(above > swing, 1, np.where(above < -swing, -1, 0)).astype(np.int8)
    counts = []
    for row in sign:
        told = row[row != 0]
        counts.append(int(np.count_nonzero(np.diff(told))))
    return int(np.percentile(counts, 80)) if counts else 0
