"""A line that was found in part is covered to its last letter, and nothing beside it is."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from app.deid.boxes import Box
from app.deid.lines import continued


def speckled(words: str, turned: bool) -> tuple[np.ndarray, np.ndarray]:
    """A line on speckle from column 60 on, and its strokes."""
    rng = np.random.default_rng(41)
    line = Image.new("L", (300, 80), 0)
    ImageDraw.Draw(line).text((60, 34), words, fill=255, font=ImageFont.load_default(12))
    ink = np.asarray(line)
    picture = np.maximum(rng.integers(0, 140, ink.shape), ink).astype(np.uint8)
    return (picture.T, ink.T > 128) if turned else (picture, ink > 128)


@pytest.mark.parametrize("turned", [False, True])
def test_the_letters_at_both_ends_of_a_line_are_covered(turned: bool) -> None:
    picture, strokes = speckled("Kazimierz Trevelyansky", turned)
    part = Box(100, 32, 150, 50) if turned else Box(32, 100, 50, 150)
    box = continued(picture, part)
    covered = np.zeros(picture.shape, np.bool_)
    covered[box.top : box.bottom, box.left : box.right] = True
    assert covered[strokes].all()
    assert covered.mean() < 0.2


def test_a_box_on_speckle_alone_stays_as_it_is() -> None:
    picture = np.random.default_rng(43).integers(0, 140, (80, 300)).astype(np.uint8)
    box = Box(32, 100, 50, 150)
    assert continued(picture, box) == box


def test_the_line_below_is_not_taken_for_the_ground_of_a_line() -> None:
    picture, strokes = speckled("Kazimierz Trevelyansky", turned=False)
    below = np.roll(np.where(strokes, 255, 0), 18, axis=0).astype(np.uint8)
    box = continued(np.maximum(picture, below), Box(32, 100, 50, 150))
    columns = np.flatnonzero(strokes.any(axis=0))
    assert box.left <= columns.min()
    assert box.right > columns.max()
