"""
Find text in a picture, wherever it stands and whichever way it runs.

The network is PP-OCRv4's detector (DBNet); the steps around it are ours, so that a bounded number
of pixels and the same answer each time are certain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.deid.boxes import Box
from app.deid.networks import Picture, answered

MODEL = "ch_PP-OCRv4_det_mobile.onnx"
CELL = 4
"""Side, in pixels of what the network saw, of the squares that its answer is gathered in."""
GAP = 8
"""Pixels between the parts of a picture on one sheet."""
FAINT = 160
"""Tones of a part of a picture that has fewer: what is faint in it is seen stronger."""
EDGE = 12
"""Pixels that the network sees around a picture."""
STRIDE = 32
"""The network takes sides that are multiples of this."""
SURE = 0.3
"""Probability from which a pixel counts as text (DBNet's own threshold)."""
MEAN_OF_BOX = 0.5
"""Mean probability from which pixels that touch one another are text (`box_thresh`)."""
GROWTH = 1.8
"""How far a found kernel grows to cover its letters, times area over perimeter (`unclip_ratio`)."""


@dataclass(frozen=True, slots=True)
class Look:
    """A part of a picture that is looked at closely.

    It is turned by 90 degrees where lines run `upright`, and seen `stronger` where it is faint.
    """

    picture: Picture
    part: Box
    upright: bool = False
    stronger: bool = False


def text_boxes(picture: Picture, scale: float = 1.0, mean: float = MEAN_OF_BOX) -> list[Box]:
    """Rectangles of `picture` that hold text, seen at `scale`; letters are covered with a margin.

    The network misses letters that touch the edge of what it sees, so it sees an edge around them.
    """
    rows, columns = picture.shape[:2]
    edge = math.ceil(EDGE / scale)
    wide = _edged(picture, edge)
    height, width = _side(rows * scale), _side(columns * scale)
    likely = _likely(_resized(wide, height, width))
    found = _found(likely, mean, rows + 2 * edge, columns + 2 * edge)
    return [box.moved(-edge, -edge).within(rows, columns) for box in found]


def text_boxes_in(
    looks: Sequence[Look], scale: float = 1.0, mean: float = MEAN_OF_BOX
) -> list[tuple[Look, Box]]:
    """The same in parts of pictures, which the network sees side by side in one look."""
    pieces = [_piece(look, scale) for look in looks]
    sheet, corners = _laid_out(pieces)
    likely = _likely(sheet)
    found = []
    for look, piece, (top, left) in zip(looks, pieces, corners, strict=True):
        height, width = piece.shape[:2]
        seen = likely[top : top + height, left : left + width]
        part = look.part
        tall, wide = part.bottom - part.top, part.right - part.left
        if look.upright:
            turned = _found(seen, mean, wide, tall)
            inside = [Box(box.left, wide - box.bottom, box.right, wide - box.top) for box in turned]
        else:
            inside = _found(seen, mean, tall, wide)
        found += [(look, box.moved(part.top, part.left)) for box in inside]
    return found


def _found(likely: NDArray[np.float32], mean: float, rows: int, columns: int) -> list[Box]:
    """Boxes of what is likely text, in pixels of a picture of this size."""
    height, width = likely.shape
    down, across = rows / height, columns / width
    found = []
    for box in _kernels(likely, mean):
        tall, wide = box.bottom - box.top, box.right - box.left
        margin = GROWTH * tall * wide / (2 * (tall + wide)) + CELL / 2
        found.append(
            Box(
                math.floor((box.top - margin) * down),
                math.floor((box.left - margin) * across),
                math.ceil((box.bottom + margin) * down),
                math.ceil((box.right + margin) * across),
            ).within(rows, columns)
        )
    return found


def _piece(look: Look, scale: float) -> Picture:
    """What is looked at, level, with sides that are multiples of a cell."""
    part = look.part
    cut = look.picture[part.top : part.bottom, part.left : part.right]
    if look.upright:
        cut = np.rot90(cut)
    least, most = int(cut.min()), int(cut.max())
    if look.stronger and 0 < most - least < FAINT:
        cut = ((cut.astype(np.float32) - least) * (FAINT / (most - least))).astype(np.uint8)
    height, width = (max(1, round(side * scale / CELL)) * CELL for side in cut.shape[:2])
    return _resized(np.ascontiguousarray(cut), height, width)


def _laid_out(pieces: list[Picture]) -> tuple[Picture, list[tuple[int, int]]]:
    """The pieces on one sheet, in rows of falling height, and where the corner of each lies."""
    ground = sum((piece.shape[0] + GAP) * (piece.shape[1] + GAP) for piece in pieces)
    width = max(*(piece.shape[1] for piece in pieces), round(ground**0.5))
    corners = [(0, 0)] * len(pieces)
    top = left = height = 0
    for number in sorted(range(len(pieces)), key=lambda one: -pieces[one].shape[0]):
        tall, wide = pieces[number].shape[:2]
        if left and left + wide > width:
            top, left, height = top + height + GAP, 0, 0
        corners[number] = top, left
        left, height = left + wide + GAP, max(height, tall)
    shape = (_up(top + height), _up(width), *pieces[0].shape[2:])
    sheet = np.full(shape, int(np.median([piece[0, 0].mean() for piece in pieces])), np.uint8)
    for piece, (top, left) in zip(pieces, corners, strict=True):
        sheet[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
    return sheet, corners


def _edged(picture: Picture, edge: int) -> Picture:
    """The picture in a frame of its border's usual colour."""
    border = np.concatenate((picture[0], picture[-1], picture[:, 0], picture[:, -1]))
    rows, columns = picture.shape[:2]
    wide = np.empty((rows + 2 * edge, columns + 2 * edge, *picture.shape[2:]), np.uint8)
    wide[:] = np.median(border, axis=0).astype(np.uint8)
    wide[edge:-edge, edge:-edge] = picture
    return wide


def _up(length: int) -> int:
    return -(-length // STRIDE) * STRIDE


def _side(length: float) -> int:
    return max(STRIDE, round(length / STRIDE) * STRIDE)


def _resized(picture: Picture, height: int, width: int) -> Picture:
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height < picture.shape[0]
    way = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize((width, height), way))


def _likely(picture: Picture) -> NDArray[np.float32]:
    """Probability of text of each pixel; `picture` has sides that are multiples of `STRIDE`."""
    likely: NDArray[np.float32] = answered(MODEL, picture)[0, 0]
    return likely


def _kernels(likely: NDArray[np.float32], mean: float) -> list[Box]:
    """Boxes around what hangs together above the threshold, in pixels of the network's picture."""
    rows, columns = likely.shape
    cells = likely.reshape(rows // CELL, CELL, columns // CELL, CELL)
    sure = cells > SURE
    count = sure.sum(axis=(1, 3))
    total = np.where(sure, cells, 0).sum(axis=(1, 3))
    found = []
    for group in _groups(count > 0):
        number = sum(int(count[cell]) for cell in group)
        if number < CELL * CELL or sum(float(total[cell]) for cell in group) / number < mean:
            continue
        found += _covering(group)
    return found


def _groups(active: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Cells that touch one another, corners included."""
    waiting = {(int(row), int(column)) for row, column in np.argwhere(active)}
    groups = []
    while waiting:
        group = [waiting.pop()]
        for row, column in group:
            for near in _around(row, column):
                if near in waiting:
                    waiting.remove(near)
                    group.append(near)
        groups.append(group)
    return groups


def _around(row: int, column: int) -> list[tuple[int, int]]:
    return [
        (row + down, column + across)
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
        if down or across
    ]


def _covering(group: list[tuple[int, int]]) -> list[Box]:
    """One box for text along an axis; a box for each stripe of text that runs aslant."""
    box = _bounds(group)
    cells = (box.bottom - box.top) * (box.right - box.left) // (CELL * CELL)
    if len(group) * 3 >= cells or cells < 64:
        return [box]
    stripes: dict[int, list[tuple[int, int]]] = {}
    for row, column in group:
        stripes.setdefault(column // 8, []).append((row, column))
    return [_bounds(stripe) for stripe in stripes.values()]


def _bounds(group: list[tuple[int, int]]) -> Box:
    rows, columns = zip(*group, strict=True)
    return Box(
        min(rows) * CELL, min(columns) * CELL, (max(rows) + 1) * CELL, (max(columns) + 1) * CELL
    )
