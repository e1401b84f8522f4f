"""
What else is written in the ink of what was found.

A machine writes all its lines in one value. Where the background comes close to it, a line fades for
the eye and for the network, but the exact value is still there: a picture of that value alone
brings the rest of the line back.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.deid.boxes import Box
from app.deid.networks import Picture

NEAR = 5
"""Difference, of 255 in each colour, up to which two pixels are of one ink."""
COMMON = 0.03
"""Part of the boxes that their ink covers at least."""
RARE = 3.0
"""How many times as common ink is in the boxes as around them: less, and it is ground."""
CANDIDATES = 6
LEFT_OVER = 24
"""Pixels of ink outside of the boxes from which there may be more to read."""
_SOFT = 0.8


Values = NDArray[Any]
"""Rows × columns of whole numbers, as stored."""


def elsewhere(
    picture: Picture, boxes: list[Box], exact: Values | None = None
) -> tuple[Picture, Box] | None:
    """The ink of `boxes` outside of them, white on black, and which part of the picture that is.

    `exact` has the values that the picture shows, where it shows them coarser than they are.
    """
    inside = np.zeros(picture.shape[:2], np.bool_)
    for box in boxes:
        inside[box.top : box.bottom, box.left : box.right] = True
    mask = _inked(picture, inside) if exact is None else _inked_exactly(exact, inside)
    if mask is None:
        return None
    rest = mask & ~inside
    if np.count_nonzero(rest) < LEFT_OVER:
        return None
    rows, columns = np.flatnonzero(rest.any(axis=1)), np.flatnonzero(rest.any(axis=0))
    bounds = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    bounds = bounds.grown(24).within(*picture.shape[:2])
    cut = mask[bounds.top : bounds.bottom, bounds.left : bounds.right].astype(np.uint8) * 255
    soft = np.asarray(Image.fromarray(cut).filter(ImageFilter.GaussianBlur(_SOFT)))
    return soft, bounds


def _inked(picture: Picture, inside: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Where the colour stands that is common in the boxes and rare around them, or one like it.

    Nowhere when those like it are not rare around them: a dark outline in grain as dark is no ink.
    """
    colours = picture.reshape(*picture.shape[:2], -1)
    keys = np.zeros(picture.shape[:2], np.int32)
    for plane in range(colours.shape[2]):
        keys = keys << 6 | (colours[..., plane] >> 2)
    key = _ink(keys, inside)
    if key is None:
        return None
    colour = np.median(colours[inside & (keys == key)], axis=0).astype(np.int16)
    near: NDArray[np.bool_] = np.abs(colours.astype(np.int16) - colour).max(axis=2) <= NEAR
    return near if near[inside].mean() > RARE * near[~inside].mean() else None


def _inked_exactly(exact: Values, inside: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    key = _ink(exact, inside)
    return None if key is None else exact == key


def _ink(values: Values, inside: NDArray[np.bool_]) -> int | None:
    """The value that is common in the boxes and rare around them."""
    within, around = values[inside], values[~inside]
    if not within.size:
        return None
    found, counts = np.unique(within, return_counts=True)
    best, most = None, RARE
    for place in np.argsort(counts)[::-1][:CANDIDATES]:
        share = float(counts[place]) / within.size
        if share < COMMON:
            break
        outside = np.count_nonzero(around == found[place]) / max(1, around.size)
        if share / (outside + 0.001) > most:
            best, most = int(found[place]), share / (outside + 0.001)
    return best
