"""Captions where machines put them are hidden to the last stroke; what says nothing stays."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import UID

from app.deid.legible import legible
from tests.deid.pixels.captions import GROUNDS, PLACES, Caption, any_caption, background, captioned
from tests.deid.pixels.scenes import Scene
from tests.deid.pixels.test_frames import (
    COLUMNS,
    EXPLICIT,
    JPEG,
    ROWS,
    Array,
    capture,
    compressed,
    frames_of,
    treated,
)
from tests.make.instances import packed

SIZES = (10, 14, 18, 28, 40)
CLEAN = ("black", "film", "soft", "bone")
SHAPES = ((300, 400), (256, 256), (480, 640))


def hidden(scene: Scene) -> float:
    """The part of the strokes that is covered."""
    covered = np.zeros(scene.strokes.shape, np.bool_)
    for box in legible(scene.picture.clip(0, 255).astype(np.uint8)):
        covered[box.top : box.bottom, box.left : box.right] = True
    return float(covered[scene.strokes].mean())


@pytest.mark.parametrize("turns", [(0, 0), (1, 3)], ids=["level", "upright"])
def test_a_plain_caption_at_every_edge_and_corner_is_hidden_whole(turns: tuple[int, int]) -> None:
    rng = np.random.default_rng([61, *turns])
    shares = {
        place: hidden(
            captioned(
                rng,
                *SHAPES[number % 2],
                Caption(
                    "plain",
                    SIZES[number % 5],
                    "bright",
                    CLEAN[number % 4],
                    turns[number % 2],
                    place,
                ),
            )
        )
        for number, place in enumerate(PLACES)
    }
    assert sum(share > 0.99 for share in shares.values()) >= len(PLACES) - 1, shares
    assert min(shares.values()) > 0.6, shares


def test_a_caption_on_a_banner_in_a_corner_is_hidden_whole() -> None:
    rng = np.random.default_rng(67)
    shares = [
        hidden(captioned(rng, 256, 256, Caption("bold", 14, "banner", ground, 0, place)))
        for ground, place in zip(CLEAN, PLACES[:4], strict=True)
    ]
    assert min(shares) > 0.99, shares


def clean(seed: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for number, ground in enumerate(GROUNDS):
        rng = np.random.default_rng([seed, number])
        rows, columns = SHAPES[number % 2]
        yield ground, background(rng, rows, columns, ground).clip(0, 255).astype(np.uint8)


def test_nothing_is_found_where_nothing_is_written() -> None:
    assert [ground for ground, picture in clean(71) if legible(picture)] == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_found_in_many_pictures_where_nothing_is_written(seed: int) -> None:
    assert [ground for ground, picture in clean(1000 + seed) if legible(picture)] == []


@pytest.mark.soak
def test_of_three_hundred_captions_of_every_look_nine_tenths_are_hidden_whole() -> None:
    shares = []
    for number in range(300):
        rng = np.random.default_rng([73, number])
        shares.append(hidden(captioned(rng, *SHAPES[number % 3], any_caption(rng))))
    assert sum(share > 0.99 for share in shares) >= 270, sorted(shares)[:40]


def small(number: int) -> Scene:
    """A caption in a picture of the size that the objects of these tests have."""
    rng = np.random.default_rng([79, number])
    place, ground = PLACES[number % 6], CLEAN[number % 4]
    return captioned(rng, ROWS, COLUMNS, Caption("plain", 13, "bright", ground, 0, place))


def gone(before: Array, after: Array, strokes: Array) -> None:
    """Each frame has one value where the strokes were, and most of the rest is as it was."""
    assert all(len(np.unique(frame[strokes])) == 1 for frame in after)
    assert (before == after).mean() > 0.5


def test_captions_are_hidden_in_objects_whose_small_values_are_bright() -> None:
    scene = small(0)
    values = 255 - scene.picture.clip(0, 255).astype("u1")[np.newaxis]
    after = frames_of(treated(packed(capture(values, "MONOCHROME1"))))
    gone(values, after, scene.strokes)


def test_captions_are_hidden_in_signed_objects() -> None:
    scene = small(1)
    values = (scene.picture.clip(0, 255) * 12 - 1024).astype("i2")[np.newaxis]
    after = frames_of(treated(packed(capture(values))))
    gone(values, after, scene.strokes)


def test_captions_are_hidden_in_a_palette() -> None:
    scene = small(2)
    values = scene.picture.clip(0, 255).astype("u1")[np.newaxis]
    made = capture(values, "PALETTE COLOR")
    for tag in (0x00281101, 0x00281102, 0x00281103):
        made.add_new(tag, "US", [256, 0, 8])
    for tag in (0x00281201, 0x00281202, 0x00281203):
        made.add_new(tag, "OW", np.arange(256, dtype=np.uint8).tobytes())
    after = np.frombuffer(treated(packed(made)).PixelData, np.uint8).reshape(values.shape)
    gone(values, after, scene.strokes)


def test_captions_are_hidden_in_luminance_and_colour_differences() -> None:
    scene = small(3)
    values = np.full((1, ROWS, COLUMNS, 3), 128, np.uint8)
    values[..., 0] = scene.picture.clip(0, 255)
    made = capture(values, "YBR_FULL")
    made.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    after = np.frombuffer(treated(packed(made)).PixelData, np.uint8).reshape(values.shape)
    gone(values[..., 0], after[..., 0], scene.strokes)


def test_a_caption_in_one_frame_of_a_loop_is_hidden_in_all() -> None:
    scene = small(4)
    rng = np.random.default_rng(83)
    values = np.stack([background(rng, ROWS, COLUMNS, "soft") * 0.4 for _ in range(8)])
    values[5][scene.strokes] = 255
    loop = values.astype("u1")
    gone(loop, frames_of(treated(packed(capture(loop)))), scene.strokes)


def test_captions_are_hidden_in_lossy_jpeg_to_their_last_shadow() -> None:
    scene = small(5)
    values = scene.picture.clip(0, 255).astype("u1")[np.newaxis]
    after = frames_of(treated(compressed(values, JPEG + "50", "MONOCHROME2")))
    assert int(after[0][scene.strokes].max()) < 16
