"""Recall and false alarms, held against an answer key that is drawn anew for each test."""

from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.deid import burned_in
from app.deid.beginning import read
from app.deid.boxes import Box
from app.deid.legible import CLOSER, _looks, legible
from app.deid.networks import Picture
from app.deid.picture import numbers, palette_of, seen
from app.deid.raster import Raster
from app.deid.strokes import marked
from app.deid.walk import PIXEL_DATA
from tests.deid.pixels.scenes import STYLES, TISSUES, scene, tissue

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def coloured(grey: NDArray[np.float64]) -> Picture:
    eight = grey.clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(eight[..., np.newaxis], 3, axis=2))


def covered(boxes: list[Box], strokes: NDArray[np.bool_]) -> float:
    hidden = np.zeros(strokes.shape, np.bool_)
    for box in boxes:
        hidden[box.top : box.bottom, box.left : box.right] = True
    return float((hidden & strokes).sum() / strokes.sum())


@pytest.mark.parametrize("style", STYLES)
def test_of_twelve_lines_in_each_style_eleven_are_hidden_whole(style: str) -> None:
    rng = np.random.default_rng([7, STYLES.index(style)])
    shares = []
    for rows, columns in ((200, 300), (256, 256), (480, 400)):
        for kind in TISSUES:
            drawn = scene(rng, rows, columns, kind, style)
            shares.append(covered(legible(coloured(drawn.picture)), drawn.strokes))
    assert sum(share > 0.99 for share in shares) >= 11, shares


@pytest.mark.parametrize(
    ("rows", "columns"), [(768, 1024), pytest.param(1300, 1100, marks=pytest.mark.soak)]
)
def test_small_letters_in_large_pictures_are_seen_at_their_own_size(
    rows: int, columns: int
) -> None:
    rng = np.random.default_rng([11, rows])
    shares = [
        covered(legible(coloured(drawn.picture)), drawn.strokes)
        for style in STYLES[:5]
        for drawn in [scene(rng, rows, columns, "bone", style)]
    ]
    assert sum(share > 0.99 for share in shares) >= 4, shares


def test_a_tenth_of_hard_edged_tissue_at_most_is_taken_for_text_and_little_of_it() -> None:
    rng = np.random.default_rng(13)
    alarms = []
    for rows, columns in ((256, 256), (400, 512), (600, 800)):
        for kind in TISSUES:
            for _ in range(2):
                boxes = legible(coloured(tissue(rng, rows, columns, kind)))
                alarms.append(sum(box.area for box in boxes) / (rows * columns))
    assert sum(share > 0 for share in alarms) <= 3, alarms
    assert max(alarms) < 0.1


def test_coloured_text_is_seen_as_well_as_white() -> None:
    rng = np.random.default_rng(17)
    found = 0
    inks = [(255, 255, 0), (0, 255, 0), (255, 60, 60), (0, 220, 255), (255, 165, 0), (255, 0, 255)]
    for ink in inks:
        drawn = scene(rng, 480, 640, "ultrasound", "light")
        picture = coloured(drawn.picture * 0.5)
        picture[drawn.strokes] = ink
        found += covered(legible(picture), drawn.strokes) > 0.99
    assert found >= len(inks) - 1


def test_the_rest_of_a_line_that_fades_into_a_bright_ground_is_found_by_its_ink() -> None:
    rng = np.random.default_rng(19)
    ground = np.linspace(0, 1, 400)[np.newaxis] ** 2 * 4000
    values = (ground + rng.normal(0, 60, (200, 400))).clip(0, 4095).astype(np.uint16)
    drawn = scene(rng, 200, 400, "soft", "light")
    rows, columns = np.nonzero(drawn.strokes)
    down, across = 90 - rows.min(), 395 - columns.max()
    strokes = np.zeros((200, 400), np.bool_)
    strokes[rows + down, columns + across] = True
    values[strokes] = 4095
    raster = Raster(1, 200, 400, 1, 16, 12, 11, False, "MONOCHROME2", False, True)
    view = seen([values], raster, "GREY", None)
    assert covered(legible(view.pictures[0], view.values[0]), strokes) > 0.99


def test_a_place_in_a_much_wider_look_is_seen_by_itself_too() -> None:
    curve, letters = np.zeros((2, 480, 640), np.uint8)
    curve[180:212, ::4] = 255
    letters[184:200, 280:360:4] = 255
    looks, ground = _looks([(view, marked(view)) for view in (curve, letters)], CLOSER)
    widths = sorted(look.part.right - look.part.left for look in looks)
    assert widths[0] < 200 < 600 < widths[-1]
    assert ground <= CLOSER


def bands(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """Layers of a vessel's wall or a retina: bright bands of speckle that rise and fall."""
    down, across = np.mgrid[0:rows, 0:columns]
    wall = 0.1 * rng.rayleigh(0.4, (rows, columns))
    wave = rng.uniform(0.02, 0.06) * np.sin(across / columns * rng.uniform(4, 8))
    for layer in range(int(rng.integers(4, 7))):
        bright, middle = rng.uniform(0.3, 0.7), 0.3 + 0.08 * layer
        wall += bright * np.exp(-(((down / rows - middle - wave) / 0.015) ** 2))
    seen_through: NDArray[np.float64] = 255 * (wall * rng.rayleigh(0.7, (rows, columns))).clip(0, 1)
    return seen_through


def test_bands_of_speckle_say_nothing() -> None:
    shares = []
    for number in range(4):
        rng = np.random.default_rng([506, number])
        view = bands(rng, 400, 400).astype(np.uint8)
        shares.append(covered(legible(view), np.ones(view.shape, np.bool_)))
    assert max(shares) < 0.02, shares


def test_a_small_line_over_a_band_of_speckle_is_seen_beside_lines_of_another_ink() -> None:
    shares = []
    for number in (0, 4, 8):
        rng = np.random.default_rng([507, number])
        ground, lines = bands(rng, 480, 640), Image.new("L", (640, 480))
        pen, other = ImageDraw.Draw(lines), Image.new("L", (640, 480))
        pen.text(
            (330, int(rng.integers(150, 260))),
            "Name: Quirk, Ada DOB 13.03.1950",
            255,
            ImageFont.load_default(13),
        )
        ImageDraw.Draw(other).text(
            (200, 8), "MOUNT CARMINE CLINIC", 255, ImageFont.load_default(24)
        )
        ink = np.asarray(lines) / 255
        drawn = np.maximum(ground, np.asarray(other) * 0.7) * (1 - ink) + 255 * ink
        shares.append(covered(legible(drawn.astype(np.uint8)), ink > 0.5))
    assert min(shares) > 0.99, shares


def test_small_yellow_lines_on_speckle_are_seen() -> None:
    shares = []
    for number in range(4):
        rng = np.random.default_rng([91, number])
        ground = tissue(rng, 560, 720, "ultrasound") * 0.45
        line = Image.new("L", (720, 560))
        font = ImageFont.load_default(11)
        where = (int(rng.integers(150, 500)), int(rng.integers(200, 500)))
        ImageDraw.Draw(line).text(where, "Req: K4077193-2", fill=255, font=font)
        ink = np.asarray(line)[..., None] / 255
        drawn = coloured(ground) * (1 - ink) + np.array([255, 235, 50]) * ink
        shares.append(covered(legible(drawn.astype(np.uint8)), ink[..., 0] > 0.5))
    assert min(shares) > 0.99, shares


def pictures(name: str) -> list[list[Box]]:
    instance = read((BUNDLED / name).read_bytes())
    raster = Raster.of(instance)
    assert raster is not None
    pixels = burned_in.pixels_of(instance, instance.dataset[PIXEL_DATA], raster)
    view = seen(pixels, raster, pixels.colours, palette_of(instance.dataset, True))
    return [legible(picture) for picture in view.pictures]


@pytest.mark.parametrize(
    "name",
    [
        "CT_small",
        "MR_small",
        "693_J2KI",
        "examples_overlay",
        "JPEG2000",
        "liver_1frame",
        "image_dfl",
    ],
)
def test_no_organ_of_the_bundled_objects_is_taken_for_text(name: str) -> None:
    assert pictures(f"{name}.dcm") == [[]]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("examples_jpeg2k.dcm", [(25, 90), (40, 60), (366, 300), (462, 500)]),
        ("examples_palette.dcm", [(15, 720), (42, 170), (40, 400), (75, 40), (240, 40)]),
        ("GDCMJ2K_TextGBR.dcm", [(180, 120), (275, 100)]),
    ],
)
def test_the_texts_of_the_bundled_screens_are_found(
    name: str, texts: list[tuple[int, int]]
) -> None:
    (boxes,) = pictures(name)
    for row, column in texts:
        assert any(
            box.top <= row < box.bottom and box.left <= column < box.right for box in boxes
        ), (row, column)


def test_stored_values_are_read_without_the_bits_beside_them() -> None:
    raster = Raster(1, 1, 2, 1, 16, 12, 11, True, "MONOCHROME2", False, True)
    frame = np.array([[0x0FFF, 0xF7FF]], np.uint16).view(np.int16)
    assert numbers(frame, raster).tolist() == [[-1, 2047]]
