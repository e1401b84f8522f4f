"""
Where something can be read in a picture.

A small picture is seen whole, enlarged when it is very small. A large one is seen whole but
reduced, for large letters, and at its own size in the places that have edges like letters. What
the network takes for text and has no strokes is let go, unless a closer look finds letters in it.
Where strokes are left that nobody has read, a second look sees them larger, turned, and in what is
brighter, darker or more coloured than the rest, as machines draw.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.deid.boxes import Box
from app.deid.detector import MEAN_OF_BOX, Look, text_boxes, text_boxes_in
from app.deid.ink import Values, elsewhere
from app.deid.lines import continued
from app.deid.networks import Picture
from app.deid.reader import readable
from app.deid.strokes import STEP, Grey, grainy, grey, marked, places, written

WHOLE = 330_000
"""Pixels up to which a picture is seen whole at its own size."""
ENLARGED = 280_000
"""Pixels that a smaller picture is enlarged to, at most twice in each direction."""
REDUCED = 150_000
"""Pixels that a larger picture is reduced to when it is seen whole."""
CLOSE = 600_000
"""Pixels seen at their own size in the places of a large picture; more are reduced to this."""
AROUND = 16
"""Pixels on every side that are the surroundings of a pixel."""
STRONGER = 3
"""How many times the difference from its surroundings is shown in a search."""
SEARCHED = 4_000_000
"""Pixels that are seen in a search."""
TILE, SHARED = 384, 64
"""Side in pixels of what is searched at once, and how far one tile reaches into the next."""
NEAR = 200_000
"""Pixels that fewer in such places are enlarged to, at most twice in each direction."""
CLOSER = 60_000
"""Pixels of places with strokes that nobody has read yet which are seen closely, twice as large."""
WIDER = 4
"""Times a place's size up to which a wider look saw what stands there."""
READ = 0.6
"""Part of a place from which, when it is covered by what was taken, nothing is left to see there."""
TWICE = 1_500_000
"""Pixels up to which a picture is seen closely once more. Of a larger one every place with strokes was
seen at its own size, and to look through five million pixels again takes as long as all before."""
TAIL = 99.0
"""Per cent of the pixels that are left out where the brightest, darkest or most coloured are seen."""
SURER = 0.1
"""How much more likely text has to be where a picture is asked a second time."""
LARGE = 0.25
"""Part of a picture from which a place comes after the smaller ones, which are seen larger."""
SAMPLED = 100_000
"""Pixels that are asked how bright most are."""
TALLEST = 0.4
"""Part of a picture's short side from which a find is no line, whatever is read in it."""
LONG = 3
"""Times its short side from which a find is a line."""
ASKED = 12
"""Finds of a picture that are asked at most."""
BULK = 40
"""Short side in pixels from which a find may be an organ, and is asked what it says."""

Marked = tuple[Grey, list[tuple[float, Box]]]
"""A view of a picture, and places of it with how far their strokes stand out."""


def legible(
    picture: Picture, exact: Values | None = None, mean: float = MEAN_OF_BOX, *, again: bool = False
) -> list[Box]:
    """Boxes, with a margin, that cover what can be read.

    `exact` has the grey values of `picture` where it shows them coarser. A picture that is looked
    at `again`, beside another of the same frames, is seen only where it has edges.
    """
    text = _told(picture, _read(picture, mean, again))
    if not again and picture.shape[0] * picture.shape[1] <= TWICE:
        text += _closely(picture, text, mean)
    if text and (more := elsewhere(picture, text, exact)):
        inked, bounds = more
        text += [box.moved(bounds.top, bounds.left) for box in _read(inked, mean)]
    rows, columns = picture.shape[:2]
    return [_lengthened(box).within(rows, columns) for box in text]


def searched(picture: Picture, mean: float) -> list[Box]:
    """The same, for a picture that shows nothing at first and of which somebody says that it does.

    All of it is seen larger, tile by tile, and what differs from its surroundings is made to
    differ more. That takes ten times as long.
    """
    lightness = grey(picture)
    rows, columns = lightness.shape
    around = np.asarray(Image.fromarray(lightness).filter(ImageFilter.BoxBlur(AROUND)))
    differs = 128 + STRONGER * (lightness.astype(np.int16) - around)
    strong = differs.clip(0, 255).astype(np.uint8)
    scale = min(2.0, (SEARCHED / strong.size) ** 0.5)
    tiles = [
        Box(top, left, top + TILE + SHARED, left + TILE + SHARED).within(rows, columns)
        for top in range(0, rows, TILE)
        for left in range(0, columns, TILE)
    ]
    found = [
        box
        for tile in tiles
        for _, box in text_boxes_in([Look(strong, tile, stronger=True)], scale, mean)
    ]
    return [
        _lengthened(box).within(rows, columns)
        for box in found
        if (readable(strong, box) if _bulky(box) else written(strong, box))
    ]


def _read(picture: Picture, mean: float, again: bool = False) -> list[Box]:
    rows, columns = picture.shape[:2]
    lightness, pixels = grey(picture), rows * columns
    if pixels <= WHOLE and again:
        found = _close(picture, lightness, 0.0, mean)
    elif pixels <= WHOLE:
        scale = min(2.0, max(1.0, (ENLARGED / pixels) ** 0.5))
        found = text_boxes(picture, scale, mean)
        if found:  # large letters that stand on end are seen from farther away alone
            found += [box for box in text_boxes(picture, scale / 2, mean) if _bulky(box)]
    else:
        scale = (REDUCED / pixels) ** 0.5
        found = text_boxes(picture, scale, mean) + _close(picture, lightness, scale, mean)
    text: list[Box] = []
    for box in found:
        if not _bulky(box):
            text += [box] if written(lightness, box) else []
        elif _short(box) < TALLEST * min(rows, columns) and readable(picture, box):
            text.append(box)
        else:
            text += _within(picture, lightness, box, mean)
    return [continued(lightness, box) for box in text]


def _told(picture: Picture, text: list[Box]) -> list[Box]:
    """The finds; none where none of them says anything, as bands of speckle and vessels do not.

    Short lines are asked first: that takes the least time.
    """
    asked = sorted(text, key=lambda box: (_long(box) < LONG * _short(box), _long(box)))[:ASKED]
    return text if any(readable(picture, box) for box in asked) else []


def _closely(picture: Picture, text: list[Box], mean: float) -> list[Box]:
    """What can be read where strokes are that nobody has read yet, larger and from both sides.

    Tissue that is asked twice answers more often, so every find has to say something. In grain as fine as
    the strokes of letters all places are seen twice as large, whatever that takes: few pictures have it.
    """
    lightness = grey(picture)
    covered = np.zeros(lightness.shape, np.bool_)
    for box in text:
        covered[box.top : box.bottom, box.left : box.right] = True
    views = _views(picture, lightness, covered)
    looks, ground = _looks(views, CLOSER)
    found: list[tuple[Look, Box]] = []
    if looks:
        found = text_boxes_in(looks, min(2.0, (CLOSER / ground) ** 0.5), mean + SURER)
    rest, there = views[0]
    if there and lightness.size <= WHOLE and grainy(lightness):
        found = text_boxes_in([Look(rest, place) for _, place in there], 2.0, mean) + found
    found = [
        (look, box)
        for look, box in found
        if not _bulky(box) and written(look.picture, box)  # larger letters are seen whole
    ]
    return [
        continued(look.picture, box) for look, box in found[:ASKED] if readable(look.picture, box)
    ]


def _looks(seen: list[Marked], most: int) -> tuple[list[Look], int]:
    """Where strokes stand out most, of `most` pixels together; and how many pixels those are.

    A place is not seen twice, but by itself too where it was part of a much wider look: what the
    network makes of a line depends on all that it sees beside it.
    """
    candidates = [(apart, view, place) for view, there in seen for apart, place in there]
    pixels = seen[0][0].size
    candidates.sort(key=lambda one: (one[2].area > LARGE * pixels, -one[0]))
    smallest = np.full((2, *seen[0][0].shape), (WIDER + 1) * pixels, np.int32)  # of the looks there
    looks, ground = [], 0
    for _, view, place in candidates:
        tall, wide = place.bottom - place.top, place.right - place.left
        for upright in (False, True):
            if tall * 3 < wide * 2 if upright else wide * 2 < tall:
                continue
            if not upright and pixels <= WHOLE and place.area > LARGE * pixels:
                continue  # seen like this with the whole
            there = smallest[int(upright), place.top : place.bottom, place.left : place.right]
            if ground + place.area > most or (there <= WIDER * place.area).mean() > READ:
                continue
            np.minimum(there, place.area, out=there)
            ground += place.area
            looks.append(Look(view, place, upright, stronger=True))
    return looks, ground


def _views(picture: Picture, lightness: Grey, covered: NDArray[np.bool_]) -> list[Marked]:
    """The picture without what was read, and what is brighter, darker or more coloured than most.

    Each with the places where strokes are.
    """
    every = max(1, int((lightness.size / SAMPLED) ** 0.5))
    rest = lightness
    if covered.any():
        rest = np.where(covered, np.uint8(np.median(lightness[::every, ::every])), lightness)
    seen = [(rest, marked(rest))]
    sides = [rest, 255 - rest]
    if picture.ndim == 3 and (coloured := picture.max(axis=2) - picture.min(axis=2)).any():
        sides.append(np.where(covered, np.uint8(0), coloured))
    for side in sides:
        least, most = np.percentile(side[::every, ::every], TAIL), int(side.max())
        if most - least >= STEP:
            levels = (np.arange(256) - least) * (255 / (most - least))
            view = levels.clip(0, 255).astype(np.uint8)[side]
            seen.append((view, marked(view)))
    return seen


def _lengthened(box: Box) -> Box:
    """Longer by a letter at both ends of the line: the last ones are the first to be missed."""
    tall, wide = box.bottom - box.top, box.right - box.left
    letter = round(0.6 * min(tall, wide))
    if wide >= tall:
        return Box(box.top, box.left - letter, box.bottom, box.right + letter)
    return Box(box.top - letter, box.left, box.bottom + letter, box.right)


def _bulky(box: Box) -> bool:
    return _short(box) >= BULK


def _short(box: Box) -> int:
    return min(box.bottom - box.top, box.right - box.left)


def _long(box: Box) -> int:
    return max(box.bottom - box.top, box.right - box.left)


def _close(picture: Picture, lightness: Grey, seen: float, mean: float) -> list[Box]:
    boxes = places(lightness)
    ground = sum(box.area for box in boxes)
    if not ground:
        return []
    scale = min(1.0, (CLOSE / ground) ** 0.5)
    if scale <= seen * 1.2:
        return []
    if ground < NEAR:  # small letters are seen better larger
        scale = min(2.0, (NEAR / ground) ** 0.5)
    looks = [Look(picture, place) for place in boxes]
    return [box for _, box in text_boxes_in(looks, scale, mean)]


def _within(picture: Picture, lightness: Grey, box: Box, mean: float) -> list[Box]:
    """Letters on what was taken for one large letter, or lines of a block: each enlarged."""
    cut = lightness[box.top : box.bottom, box.left : box.right]
    nearer = [place.moved(box.top, box.left) for place in places(cut, margin=8)]
    found = [
        text
        for place in nearer
        for text in _cut(picture, place, min(2.0, (ENLARGED / place.area) ** 0.5), mean)
    ]
    return [text for text in found if not _bulky(text) and written(lightness, text)]


def _cut(picture: Picture, box: Box, scale: float, mean: float) -> list[Box]:
    part = np.ascontiguousarray(picture[box.top : box.bottom, box.left : box.right])
    return [text.moved(box.top, box.left) for text in text_boxes(part, scale, mean)]
