"""
Captions as machines and people draw them, in every look, size and place, with the strokes of each.

Unlike `scenes`, which has one line anywhere, these have blocks of one to three lines where machines
put them: in corners, along edges and amid the picture, level or upright, small on speckle, faint,
outlined, shadowed, doubled from a bitmap font.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.deid.pixels.scenes import Grey, Scene, tissue

FACES = ("plain", "light", "italic", "bold", "bitmap")
LOOKS = ("bright", "grey", "dark", "faint", "outlined", "shadowed", "banner", "glass")
GROUNDS = ("speckle", "fan", "black", "soft", "bone", "film", "ultrasound")
TURNS = (0, 0, 0, 1, 3)
PLACES = ("top left", "top right", "bottom left", "bottom right", "top", "bottom", "middle")
_GIVEN = ("Kazimierz", "Ada", "Jo", "Maria-Luise", "Yevgeni", "Søren", "Li")
_FAMILY = ("Trevelyansky", "Ng", "Papadimitriou", "O'Hara", "Thistlewood", "Müller", "Ito")
_FILES = {
    "light": "SourceSansPro-Light.ttf",
    "italic": "SourceSansPro-It.ttf",
    "bold": "SourceSansPro-Bold.ttf",
}


@dataclass(frozen=True, slots=True)
class Caption:
    """How something is written, and on what."""

    face: str
    size: int
    look: str
    ground: str
    turns: int
    place: str


def any_caption(rng: np.random.Generator, **fixed: object) -> Caption:
    """One of all that can be, but for what is fixed."""
    drawn: dict[str, object] = {
        "face": str(rng.choice(FACES)),
        "size": int(rng.choice([8, 9, 10, 11, 12, 14, 16, 18, 22, 28, 40])),
        "look": str(rng.choice(LOOKS)),
        "ground": str(rng.choice(GROUNDS)),
        "turns": int(rng.choice(TURNS)),
        "place": str(rng.choice(PLACES)),
    }
    return Caption(**(drawn | fixed))  # type: ignore[arg-type]


def captioned(rng: np.random.Generator, rows: int, columns: int, how: Caption) -> Scene:
    """A picture with a caption of one to three lines that can be read by eye."""
    for bright in (1.0, 1.0, 0.8, 0.6, 0.4, 0.3):
        ground = background(rng, rows, columns, how.ground) * bright
        ink = _placed(rng, _block(rng, how), rows, columns, how.place)
        drawn, strokes = _inked(ground, ink, how.look), ink > 0.5
        if _stands_out(drawn, strokes) or how.look in ("outlined", "shadowed", "banner"):
            return Scene(drawn, strokes)
    return Scene(_inked(ground * 0.3, ink, "bright"), strokes)  # as dark letters on nothing


def _stands_out(drawn: Grey, strokes: NDArray[np.bool_]) -> bool:
    """Do the strokes differ from what is beside them by more than that does in itself?"""
    near = _near(strokes)
    apart = abs(float(np.median(drawn[strokes])) - float(np.median(drawn[near])))
    rough = float(np.percentile(drawn[near], 90) - np.percentile(drawn[near], 10))
    return apart > max(28, 0.75 * rough)


def background(rng: np.random.Generator, rows: int, columns: int, kind: str) -> Grey:
    """Tissue of `scenes`, and fans of coarse speckle, film and nothing."""
    if kind == "black":
        return np.zeros((rows, columns))
    if kind == "film":
        return np.clip(
            np.linspace(30, 190, columns)[np.newaxis] + rng.normal(0, 5, (rows, 1)), 0, 255
        )
    if kind not in ("speckle", "fan"):
        return tissue(rng, rows, columns, kind)
    grain = rng.random((rows, columns))
    grain = (grain + sum(np.roll(grain, step, axis) for step in (1, -1) for axis in (0, 1))) / 5
    grain = np.clip((grain * 0.9 - 0.35) * 1.6, 0, 1) * 255
    if kind == "speckle":
        return grain
    down, across = np.mgrid[0:rows, 0:columns]
    wide = np.abs(across - columns / 2) < down * 0.6 + columns * 0.04
    fan: Grey = grain * (wide & (down > rows * 0.08) & (down < rows * 0.92))
    return fan


def _lines(rng: np.random.Generator) -> list[str]:
    given, family = str(rng.choice(_GIVEN)), str(rng.choice(_FAMILY))
    number = str(rng.integers(10**6, 10**9))
    born = f"{rng.integers(1930, 2010)}{rng.integers(1, 13):02}{rng.integers(1, 29):02}"
    kinds = (
        [f"{given} {family}"],
        [f"{family.upper()}^{given.upper()}"],
        [f"{given} {family}", f"DOB {born}"],
        [f"{family}, {given}", f"ID: {number}"],
        [f"ID {number}", "St. Anne Hospital", born],
        [number],
    )
    return kinds[rng.integers(len(kinds))]


@cache
def _font(face: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if face == "plain":
        return ImageFont.load_default(size)
    if face == "bitmap":
        return ImageFont.load_default_imagefont()
    folder = files("font_source_sans_pro") / "files"
    return ImageFont.truetype(str(folder / _FILES[face]), size)


def _block(rng: np.random.Generator, how: Caption) -> Grey:
    """Lines of ink, 0 to 1, tightly cut."""
    font, lines = _font(how.face, how.size), _lines(rng)
    pitch = 13 if how.face == "bitmap" else round(how.size * 1.3) + 1
    page = Image.new("L", (60 * max(how.size, 12), pitch * len(lines) + how.size), 0)
    for number, line in enumerate(lines):
        plain = line.encode("latin-1", "replace").decode("latin-1")
        ImageDraw.Draw(page).text((2, 2 + number * pitch), plain, fill=255, font=font)
    page = page.crop(page.getbbox())
    if how.face == "bitmap" and how.size >= 16:  # as machines double their dots
        times = how.size // 8 if how.size < 24 else 3
        page = page.resize((page.width * times, page.height * times), Image.Resampling.NEAREST)
    ink: Grey = np.rot90(np.asarray(page) / 255.0, how.turns)
    return ink


def _placed(
    rng: np.random.Generator, ink: Grey, rows: int, columns: int, place: str
) -> NDArray[np.float64]:
    """The block where it is to stand, cut where the picture ends."""
    ink = ink[: rows - 4, : columns - 4]
    tall, wide = ink.shape
    edge = int(rng.integers(1, 4))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    if "top" in place:
        top = edge
    if "bottom" in place:
        top = rows - tall - edge
    if "left" in place:
        left = edge
    if "right" in place:
        left = columns - wide - edge
    whole = np.zeros((rows, columns))
    whole[top : top + tall, left : left + wide] = ink
    return whole


def _inked(ground: Grey, ink: Grey, look: str) -> Grey:
    drawn = ground.copy()
    if look == "banner":
        rows, columns = np.nonzero(ink)
        drawn[
            max(0, rows.min() - 3) : rows.max() + 4, max(0, columns.min() - 3) : columns.max() + 4
        ] = 60
    if look in ("outlined", "shadowed"):
        solid = (ink > 0.3).astype("u1") * 255
        if look == "outlined":
            dark = np.asarray(Image.fromarray(solid).filter(ImageFilter.MaxFilter(3))) > 0
        else:
            dark = np.roll(solid, (1, 1), (0, 1)) > 0
        drawn[dark] = 0
    value = {"grey": 170.0, "dark": 0.0, "faint": 0.0, "glass": 255.0}.get(look, 250.0)
    share = ink * (0.5 if look == "glass" else 1.0)
    if look == "faint":
        return np.clip(drawn * 0.6 + 40 * ink, 0, 255)
    shown: Grey = drawn * (1 - share) + value * share
    return shown


def _near(strokes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = Image.fromarray(strokes.astype("u1") * 255).filter(ImageFilter.MaxFilter(5))
    near: NDArray[np.bool_] = (np.asarray(wide) > 0) & ~strokes
    return near
