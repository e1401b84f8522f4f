"""
Pictures with text as machines and people draw it: with soft edges, in colours, small, turned, over grids.

Each word has a box of its own, so that a line of which half is left does not pass as hidden.
"""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from pydicom import uid

from tests.deid.adversary import modules
from tests.deid.adversary.answers import Box
from tests.deid.adversary.burnt import font, lines
from tests.deid.adversary.planting import Kind, Planting

Picture = NDArray[np.float64]
INKS = (
    (255, 255, 255),
    (255, 240, 60),
    (185, 185, 185),
    (90, 240, 110),
    (90, 220, 240),
    (250, 165, 60),
)
SIZES = (10, 11, 12, 13, 14, 16, 20, 24)
BLACK = (0, 0, 0)


def _soft(words: str, size: int) -> tuple[Picture, list[tuple[int, int]]]:
    """How much of each pixel a line of text covers, 0 to 1, and the columns of each of its words."""
    kind = font(size)
    picture = Image.new("L", (int(kind.getlength(words)) + 4, int(size * 1.35) + 3), 0)
    ImageDraw.Draw(picture).text((2, 1), words, fill=255, font=kind)
    ends = accumulate(words.split(" "), lambda before, word: f"{before} {word}")
    spans = [
        (
            2 + int(kind.getlength(end[: len(end) - len(end.split(" ")[-1])])),
            int(kind.getlength(end)) + 3,
        )
        for end in ends
    ]
    return np.asarray(picture) / 255.0, spans


def write(
    at: Planting,
    stack: Picture,
    said: str,
    size: int,
    corner: tuple[int, int],
    ink: tuple[int, int, int],
    frames: tuple[int, ...] = (0,),
    turned: bool = False,
) -> None:
    """Draw a line with soft edges into frames × rows × columns × 3, a box for each word."""
    cover, spans = _soft(said, size)
    rows, columns = stack.shape[1:3]
    top, left = corner
    if turned:
        cover = np.rot90(cover)
    cover = cover[: rows - top, : columns - left]
    tall, wide = cover.shape
    for frame in frames:
        place = stack[frame, top : top + tall, left : left + wide]
        place += (np.array(ink) - place) * cover[..., None]
        for start, stop in spans:
            whole = np.zeros(cover.shape, np.bool_)
            if turned:
                whole[max(0, tall - stop) : max(0, tall - start)] = True
            else:
                whole[:, start:stop] = True
            strokes = (cover > 0.45) & whole
            if strokes.sum() > 8:
                down, across = (np.flatnonzero(strokes.any(axis=axis)) for axis in (1, 0))
                tight = strokes[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
                where = top + int(down[0]), left + int(across[0])
                at.case.boxes.append(Box(frame, *where, tight))


def _fan(at: Planting, rows: int, columns: int) -> Picture:
    """A fan of speckle with vessels in it, on black, grey by grey."""
    chance = np.random.default_rng(at.random.randrange(2**32))
    down, across = np.mgrid[0:rows, 0:columns] / (rows, columns)[0]
    grain = Image.fromarray(
        (chance.rayleigh(0.35, (rows, columns)) * 120).clip(0, 255).astype("u1")
    )
    tissue = np.asarray(grain.filter(ImageFilter.GaussianBlur(1.0)), np.float64)
    middle = columns / rows / 2
    away, angle = np.hypot(down + 0.12, across - middle), np.arctan2(across - middle, down + 0.12)
    tissue *= (np.abs(angle) < 0.7) & (away > 0.2) & (away < 0.98)
    for _ in range(2):
        y, x, size = (
            chance.uniform(0.3, 0.7),
            middle + chance.uniform(-0.2, 0.2),
            chance.uniform(0.05, 0.1),
        )
        tissue *= np.where(np.hypot(down - y, across - x) < size, 0.15, 1.0)
    return np.repeat(tissue[..., None], 3, axis=2)


def _corner(at: Planting, rows: int, columns: int, said: str, size: int) -> tuple[int, int]:
    wide = int(font(size).getlength(said)) + 6
    left = at.random.choice((3, max(3, columns - wide - 3), max(3, (columns - wide) // 2)))
    return at.random.randrange(3, max(4, rows - 2 * size)), left


def _lines(
    at: Planting, stack: Picture, count: int, inks: tuple[tuple[int, int, int], ...]
) -> None:
    """Some lines that do not touch one another, in any size and ink."""
    random = at.random
    rows, columns = stack.shape[1:3]
    taken: list[tuple[int, int]] = []
    for said in random.sample(lines(at), count):
        size = random.choice(SIZES)
        top, left = _corner(at, rows, columns, said, size)
        if any(top < stop and start < top + 2 * size for start, stop in taken):
            continue
        taken.append((top - size, top + 3 * size))
        write(at, stack, said, size, (top, left), random.choice(inks))


def sonogram(at: Planting) -> None:
    """Small coloured lines anywhere on a fan of speckle."""
    ds = at.dataset
    modules.begin(at, uid.UltrasoundImageStorage, "US")
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    stack = _fan(at, 400, 520)[None]
    _lines(at, stack, 3, INKS)
    modules.pixels(at, stack[0].round().clip(0, 255).astype(np.uint8), "RGB")


def tracing(at: Planting) -> None:
    """The print of a heart's tracing: black lines of text on squared paper, one over a curve."""
    ds = at.dataset
    modules.begin(at, uid.SecondaryCaptureImageStorage, "OT")
    ds.ImageType = ["DERIVED", "SECONDARY"]
    at.kept(ds, (), ConversionType="SD")
    rows, columns = 360, 520
    paper = np.full((rows, columns, 3), (255.0, 246.0, 242.0))
    paper[::10] = paper[:, ::10] = (255, 205, 205)
    along = np.arange(columns)
    for number in range(3):
        beat = along % 85 / 85
        height = 28 * np.exp(-(((beat - 0.4) / 0.02) ** 2)) + 6 * np.exp(
            -(((beat - 0.7) / 0.05) ** 2)
        )
        line = (rows * (0.3 + 0.25 * number) - height).astype(int)
        for thick in (0, 1):
            paper[line + thick, along] = 25
    stack = paper[None]
    _lines(at, stack, 4, (BLACK, BLACK, (40, 40, 110)))
    modules.pixels(at, stack[0].round().clip(0, 255).astype(np.uint8), "RGB")


def turned_plate(at: Planting) -> None:
    """A plate read out turned: text up its side and along its foot, small values are bright."""
    ds, random = at.dataset, at.random
    modules.begin(at, uid.ComputedRadiographyImageStorage, "CR")
    ds.ImageType = ["DERIVED", "PRIMARY"]
    at.forget("PhotometricInterpretation")
    body = modules.anatomy(at, 420, 360, top=255).astype(np.float64) * 0.6
    stack = np.repeat(body[..., None], 3, axis=2)[None]
    first, second = random.sample(lines(at)[:3], 2)
    write(at, stack, first, random.choice((14, 18, 24)), (30, 4), (255, 255, 255), turned=True)
    write(at, stack, second, random.choice((12, 16, 20)), (385, 120), (255, 255, 255))
    grey = stack[0].mean(axis=2).round().clip(0, 255).astype(np.uint16) * 16
    modules.pixels(at, 4095 - grey, "MONOCHROME1", stored=12)


def passing(at: Planting) -> None:
    """A run in which one frame of four has soft text on tissue."""
    ds, random = at.dataset, at.random
    modules.begin(at, uid.XRayAngiographicImageStorage, "XA")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    at.kept(ds, (), KVP="75", FrameTime="66")
    ds.FrameIncrementPointer = 0x00181063
    frames = modules.anatomy(at, 256, 320, frames=4, top=150).astype(np.float64)
    stack = np.repeat(frames[..., None], 3, axis=3)
    said, size = lines(at)[0], random.choice((12, 14, 18))
    where = (random.choice((6, 228)), 6)
    write(at, stack, said, size, where, (255, 255, 255), frames=(random.randrange(4),))
    modules.pixels(at, stack[..., 0].round().clip(0, 255).astype(np.uint8), frames=True)


DRAWN: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind for kind in (sonogram, tracing, turned_plate, passing)
}
