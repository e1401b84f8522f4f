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

from app.deid.boxes import Box
from app.deid.networks import Picture

CELL = 16
"""Side in pixels of the squares of a picture that are asked for edges."""
STEP = 14
"""Least difference of neighbouring pixels, of 255, that can be the edge of a letter."""
ABOVE_NOISE = 3.0
"""How many times the usual difference of neighbours an edge stands out."""
EDGES = 5
"""Edges in a square from which letters may be there."""
NOISE = 25.0
"""Edges that noise makes in a square at most: more are a page of letters."""
TOGETHER = 14
"""Edges in a square and those around it from which letters may be there, beside those of noise."""
SPREAD = 4.0
"""How many times the square root of the usual number a number of edges stands out."""
MOST_NOISE = 60.0
BRIGHT, GRAIN, FINE = 70, 15.0, 0.85
"""The brightest pixels, in per cent from which, of which neighbours differ by so much in the mean, and by
how many times what two pixels apart do, are grain as fine as letters."""
SAMPLED = 100_000
"""Neighbours whose usual difference is asked for."""
SPARSE = 3
"""Times the squares of a group that its bounds may have."""
SMALL = 6
"""Squares in a line from which a group may be divided."""
SHARED = 1
"""Squares on either side of a division that both parts have, so that a letter is whole in one."""
TURNS = 4
"""Changes of dark and light along a line of text from which it is one."""
Grey = NDArray[np.uint8]
"""Rows × columns of 0 to 255."""


def grey(picture: Picture) -> Grey:
    """The lightness of a picture."""
    if picture.ndim == 2:
        return picture
    return np.asarray(Image.fromarray(picture).convert("L"))


def places(lightness: Grey, margin: int = CELL, edges: int = EDGES) -> list[Box]:
    """Rectangles outside of which no letters can be; they may overlap where one is divided."""
    return [box for _, box in marked(lightness, margin, edges)]


def marked(lightness: Grey, margin: int = CELL, edges: int = EDGES) -> list[tuple[float, Box]]:
    """The same, each with how far its edges stand out from those that noise makes."""
    rows, columns = lightness.shape
    count = _edges(lightness)
    usual = min(float(np.percentile(count, 75)), NOISE)
    around = _around(count)
    root = usual**0.5
    active = (count >= edges + usual) & (around >= 9 * usual + TOGETHER + SPREAD * 3 * root)
    apart = (around - 9 * usual) / (1 + 3 * root)
    return [
        (
            float(apart[top:bottom, left:right].max()),
            Box(top * CELL, left * CELL, bottom * CELL, right * CELL)
            .grown(margin)
            .within(rows, columns),
        )
        for group in _groups(active)
        for top, left, bottom, right in _divided(group)
    ]


def grainy(lightness: Grey) -> bool:
    """Is what is bright here speckle as fine as the pixels, as light from a vessel's wall is?

    That of ultrasound is smoothed: two pixels apart differ more than neighbours.
    """
    if min(lightness.shape) < CELL:
        return False
    signed = lightness.astype(np.int16)
    bright = signed[:, 1:-1] > np.percentile(lightness[::4, ::4], BRIGHT)
    if not bright.any():
        return False
    near = float(np.abs(signed[:, 1:-1] - signed[:, :-2])[bright].mean())
    apart = float(np.abs(signed[:, 2:] - signed[:, :-2])[bright].mean())
    return near >= GRAIN and near >= FINE * apart


def _edges(lightness: Grey) -> NDArray[np.uint16]:
    """How many pixels of each square differ much from the one before, along rows or columns."""
    rows, columns = lightness.shape
    down, across = -(-rows // CELL), -(-columns // CELL)
    edges = np.zeros((down * CELL, across * CELL), np.uint8)
    for axis, step in enumerate((_steps(lightness, 0), _steps(lightness, 1))):
        if not step.size:
            continue
        every = max(1, int((step.size / SAMPLED) ** 0.5))
        some = step[::every, ::every]
        usual = float(some[some > 0].mean()) if some.any() else 0.0
        strong = step >= max(STEP, min(ABOVE_NOISE * usual, MOST_NOISE))
        edges[1 - axis : rows, axis:columns] |= strong
    by_row = edges.reshape(down, CELL, across * CELL).sum(axis=1, dtype=np.uint8)
    count: NDArray[np.uint16] = by_row.reshape(down, across, CELL).sum(axis=2, dtype=np.uint16)
    return count


def _around(count: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The sum over each square and the eight around it."""
    wide = np.pad(count, 1)
    down = wide[:-2] + wide[1:-1] + wide[2:]
    both: NDArray[np.uint16] = down[:, :-2] + down[:, 1:-1] + down[:, 2:]
    return both


def _steps(lightness: Grey, axis: int) -> Grey:
    """Differences of neighbours, without their sign and without room for one."""
    one, other = (
        (lightness[1:], lightness[:-1]) if axis == 0 else (lightness[:, 1:], lightness[:, :-1])
    )
    step = np.maximum(one, other)
    step -= np.minimum(one, other)
    return step


def _groups(active: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Squares that touch, corners included: for each group their rows and columns."""
    waiting = set(map(tuple, np.argwhere(active).tolist()))
    found = []
    while waiting:
        group = [waiting.pop()]
        for row, column in group:
            for near_row in (row - 1, row, row + 1):
                for near_column in (column - 1, column, column + 1):
                    if (near_row, near_column) in waiting:
                        waiting.remove((near_row, near_column))
                        group.append((near_row, near_column))
        found.append(np.array(group))
    return found


def _divided(group: NDArray[np.intp]) -> list[tuple[int, int, int, int]]:
    """Bounds of a group, or of parts of it where most of that would be empty, as along a bone."""
    (top, left), (bottom, right) = group.min(axis=0).tolist(), (group.max(axis=0) + 1).tolist()
    tall, wide = bottom - top, right - left
    if len(group) * SPARSE >= tall * wide or max(tall, wide) <= SMALL:
        return [(top, left, bottom, right)]
    axis = 0 if tall >= wide else 1
    middle = (top + bottom) // 2 if axis == 0 else (left + right) // 2
    line = group[:, axis]
    halves = group[line < middle + SHARED], group[line >= middle - SHARED]
    return [bounds for half in halves if len(half) for bounds in _divided(half)]


def written(lightness: Grey, box: Box) -> bool:
    """Do dark and light take turns in this box, along its rows or its columns, as letters do?

    Small letters have a wide margin around them, so the middle of the box is asked by itself too.
    """
    cut = lightness[box.top : box.bottom, box.left : box.right]
    tall, wide = cut.shape
    short = min(tall, wide)
    if short < 3:
        return False
    around = np.asarray(Image.fromarray(cut).filter(ImageFilter.BoxBlur(max(2.0, short / 4))))
    above = cut.astype(np.int16) - around
    swing = max(5.0, 0.12 * float(np.percentile(np.abs(above), 98)))
    lines = [above] if wide * 2 >= tall else []
    lines += [above.T] if tall * 2 >= wide else []
    return any(
        _turns(part, swing) >= TURNS
        for line in lines
        for part in (line, line[len(line) // 4 : -(len(line) // 4) or None])
    )


def _turns(above: NDArray[np.int16], swing: float) -> int:
    """Changes of sign along the rows that turn most often, of what exceeds `swing`."""
    sign = np.where(above > swing, 1, np.where(above < -swing, -1, 0)).astype(np.int8)
    counts = []
    for row in sign:
        told = row[row != 0]
        counts.append(int(np.count_nonzero(np.diff(told))))
    return int(np.percentile(counts, 80)) if counts else 0
