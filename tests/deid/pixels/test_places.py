"""Where a large or noisy picture is looked at closely, and in which tones."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.deid.boxes import Box
from app.deid.detector import Look, text_boxes_in
from app.deid.ink import elsewhere
from app.deid.legible import legible, searched
from app.deid.picture import seen
from app.deid.raster import Raster
from app.deid.strokes import places

RNG = np.random.default_rng(31)


def line(words: str, size: int) -> NDArray[np.bool_]:
    """The strokes of a line of text."""
    picture = Image.new("L", (size * len(words), size * 2), 0)
    ImageDraw.Draw(picture).text((2, 2), words, fill=255, font=ImageFont.load_default(size))
    return np.asarray(picture.crop(picture.getbbox())) > 100


def inside(boxes: list[Box], strokes: NDArray[np.bool_], top: int, left: int) -> float:
    """Which part of strokes at a place lies in the boxes."""
    covered = np.zeros((top + strokes.shape[0] + 999, left + strokes.shape[1] + 999), np.bool_)
    for box in boxes:
        covered[box.top : box.bottom, box.left : box.right] = True
    there = covered[top : top + strokes.shape[0], left : left + strokes.shape[1]]
    return float(there[strokes].mean())


def noise(rows: int, columns: int, spread: float, middle: float = 90) -> NDArray[np.float64]:
    return RNG.normal(middle, spread, (rows, columns))


@pytest.mark.parametrize("spread", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("size", [8, 12, 24, 60])
@pytest.mark.parametrize("ink", [255, 0])
def test_letters_of_every_size_are_within_the_places_that_are_looked_at(
    spread: float, size: int, ink: int
) -> None:
    picture, strokes = noise(1200, 1000, spread), line("Doe, J 1961", size)
    place = picture[700 : 700 + strokes.shape[0], 333 : 333 + strokes.shape[1]]
    place[strokes] = ink
    boxes = places(picture.clip(0, 255).astype(np.uint8))
    assert inside(boxes, strokes, 700, 333) == 1
    assert sum(box.area for box in boxes) < 0.25 * picture.size


@pytest.mark.parametrize("spread", [0.0, 2.0, 6.0, 12.0])
def test_noise_alone_is_nowhere_looked_at_closely(spread: float) -> None:
    smooth = np.linspace(0, 120, 1000)[np.newaxis]
    assert places((noise(1200, 1000, spread, 60) + smooth).clip(0, 255).astype(np.uint8)) == []


def test_a_page_full_of_letters_is_looked_at_all_over() -> None:
    page = np.full((1200, 1000), 250, np.uint8)
    strokes = line("The patient was seen again in the clinic of this", 14)
    for top in range(20, 1160, 20):
        page[top : top + strokes.shape[0], 20 : 20 + strokes.shape[1]][strokes] = 10
    boxes = places(page)
    assert all(inside(boxes, strokes, top, 20) == 1 for top in range(20, 1160, 20))


def test_parts_that_are_seen_on_one_sheet_are_told_where_they_stood() -> None:
    picture = np.full((900, 1400), 40, np.uint8)
    strokes = line("SMITH, JOHN 12/03/1961", 16)
    corners = [(30, 20), (30, 1100), (600, 500), (860, 900)]
    parts = []
    for top, left in corners:
        picture[top : top + strokes.shape[0], left : left + strokes.shape[1]][strokes] = 220
        bottom, right = top + strokes.shape[0] + 20, left + strokes.shape[1] + 24
        parts.append(Box(top - 20, left - 20, bottom, right).within(900, 1400))
    boxes = [box for _, box in text_boxes_in([Look(picture, part) for part in parts])]
    assert all(inside(boxes, strokes, top, left) > 0.99 for top, left in corners)
    assert sum(box.area for box in boxes) < 2 * len(corners) * strokes.size


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_large_letters_are_found_whichever_way_they_run(turns: int) -> None:
    picture = noise(1100, 1300, 2)
    strokes = np.rot90(line("THISTLEWOOD", 64), turns)
    picture[300 : 300 + strokes.shape[0], 400 : 400 + strokes.shape[1]][strokes] = 230
    boxes = legible(picture.clip(0, 255).astype(np.uint8))
    assert inside(boxes, strokes, 300, 400) > 0.99


def shown(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture of twelve bits as it is looked at."""
    rows, columns = values.shape
    raster = Raster(1, rows, columns, 1, 16, 12, 11, False, "MONOCHROME2", False, True)
    (picture,) = seen([values.clip(0, 4095).astype(np.uint16)], raster, "GREY", None).pictures
    return picture


def test_noise_does_not_drown_letters_that_are_brighter_than_everything() -> None:
    values, strokes = noise(400, 400, 60, 1000), line("DOE^JANE", 12)
    values[100 : 100 + strokes.shape[0], 50 : 50 + strokes.shape[1]][strokes] = 4095
    picture = shown(values)
    assert picture.max() - float(picture[300:].mean()) > 4 * float(picture[300:].std())


def test_single_hot_pixels_do_not_push_faint_letters_into_the_dark() -> None:
    values, strokes = np.zeros((400, 400)), line("DOE^JANE", 12)
    values[100 : 100 + strokes.shape[0], 50 : 50 + strokes.shape[1]][strokes] = 70
    values[RNG.integers(200, 400, 9), RNG.integers(0, 400, 9)] = 4095
    picture = shown(values)
    assert int(picture[100 : 100 + strokes.shape[0], 50 : 50 + strokes.shape[1]].max()) > 100


def test_a_picture_of_one_value_has_one_tone() -> None:
    assert np.unique(shown(np.full((40, 40), 77.0))).size == 1


def test_a_promised_line_too_faint_for_the_first_look_is_found_in_a_search() -> None:
    rng = np.random.default_rng(37)
    picture, strokes = rng.normal(100, 3, (400, 400)), line("SMITH, JOHN 1961", 14)
    picture[200 : 200 + strokes.shape[0], 90 : 90 + strokes.shape[1]][strokes] += 9
    eight = picture.clip(0, 255).astype(np.uint8)
    assert inside(legible(eight), strokes, 200, 90) < 0.5
    assert inside(searched(eight, 0.25), strokes, 200, 90) > 0.99


@pytest.mark.parametrize("plane", [(), (3,)])
def test_a_dark_outline_in_grain_as_dark_is_no_ink_and_the_same_ink_elsewhere_is(
    plane: tuple[int, ...],
) -> None:
    strokes = line("Quizzleberry", 20)
    rows, columns = strokes.shape
    one = Box(20, 20, 20 + rows, 20 + columns)
    grain = np.random.default_rng(3).integers(4, 7, (200, 300))
    outlined, twice = grain.copy(), grain.copy()
    outlined[one.top : one.bottom, one.left : one.right] = 1
    for top in (20, 120):
        twice[top : top + rows, 20 : 20 + columns][strokes] = 90
    outlined[20 : 20 + rows, 20 : 20 + columns][strokes] = np.arange(strokes.sum()) % 120 + 100
    for picture, more in ((outlined, False), (twice, True)):
        shown = np.broadcast_to(picture[..., *(None for _ in plane)], (*picture.shape, *plane))
        assert (elsewhere(shown.astype(np.uint8), [one]) is not None) is more
