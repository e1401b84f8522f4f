"""Pictures with text drawn in them, and where its strokes are: the answer key of these tests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Grey = NDArray[np.float64]
WORDS = (
    "THISTLEWOOD^ADA",
    "MRN 4471902",
    "SMITH, JOHN A",
    "12/03/1961",
    "ID: 88213",
    "St. Mary Hospital",
    "Dr. K. Olsen",
    "ACC 20231144",
    "1961-03-12 F",
    "MÜLLER HANS",
    "Tel 555-0199",
)
STYLES = ("light", "dark", "paper", "turned", "turned back", "see-through", "outlined")
TISSUES = ("ultrasound", "bone", "soft", "breast")


@dataclass(frozen=True)
class Scene:
    """A picture of 0 to 255, rows × columns, with one line of text; `strokes` is where it is."""

    picture: Grey
    strokes: NDArray[np.bool_]


def tissue(rng: np.random.Generator, rows: int, columns: int, kind: str) -> Grey:
    """Something like a body: smooth shapes, some with hard edges, noise of the kind of machine."""
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    picture = np.zeros((rows, columns))
    for _ in range(10):
        cx, cy, wide, tall = rng.uniform(0.1, 0.9, 4)
        size = rng.uniform(0.05, 0.35)
        away = (x - cx) ** 2 / (size * (0.5 + wide)) ** 2 + (y - cy) ** 2 / (
            size * (0.5 + tall)
        ) ** 2
        hard = np.clip((away - 1) * rng.uniform(3, 30), -50, 50)
        picture += rng.uniform(-0.3, 0.6) / (1 + np.exp(hard))
    if kind == "ultrasound":
        speckle = Image.fromarray(
            (rng.rayleigh(0.5, (rows, columns)) * 80).clip(0, 255).astype("u1")
        )
        picture = (picture - picture.min()) * np.asarray(
            speckle.filter(ImageFilter.GaussianBlur(1.2))
        )
        middle = x - columns / max(rows, columns) / 2
        picture = picture * (np.abs(middle) < y * 0.8 + 0.08)
    elif kind == "bone":
        for _ in range(10):
            start, slope, thick = rng.uniform(0, 1), rng.uniform(-0.5, 0.5), rng.uniform(0.01, 0.03)
            picture += 0.5 * np.exp(-(((x - start - slope * y) / thick) ** 2))
    elif kind == "breast":
        for _ in range(60):
            cx, cy, size = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.002, 0.006)
            picture += 0.5 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / size**2)
    if kind != "ultrasound":
        picture += rng.normal(0, 0.02, (rows, columns))
    picture -= picture.min()
    toned: Grey = (picture / picture.max() * 200 + 20).clip(0, 255)
    return toned


def scene(rng: np.random.Generator, rows: int, columns: int, kind: str, style: str) -> Scene:
    """One line of text, 10 pixels high or more, on tissue, where it has some contrast."""
    ground = tissue(rng, rows, columns, kind)
    while True:
        drawn, strokes = _written(rng, ground, style)
        if np.abs(drawn - ground)[strokes].mean() > 40:
            return Scene(drawn, strokes)


def _written(rng: np.random.Generator, ground: Grey, style: str) -> tuple[Grey, NDArray[np.bool_]]:
    rows, columns = ground.shape
    least = 11 if max(rows, columns) < 1000 else 14
    font = ImageFont.load_default(int(rng.integers(least, least * 2)))
    words = WORDS[rng.integers(len(WORDS))]
    _, _, right, bottom = font.getbbox(words)
    line = Image.new("L", (int(right) + 4, int(bottom) + 4), 0)
    ImageDraw.Draw(line).text((2, 2), words, fill=255, font=font)
    line = line.crop(line.getbbox())
    if style.startswith("turned"):
        line = line.rotate(90 if style == "turned" else 270, expand=True)
    ink = np.asarray(line) / 255
    tall, wide = ink.shape
    top, left = int(rng.integers(3, rows - tall - 3)), int(rng.integers(3, columns - wide - 3))
    if rng.random() < 0.6:
        top = int(rng.choice([3, rows - tall - 3]))
    drawn = ground.copy()
    if style == "paper":
        drawn[max(0, top - 3) : top + tall + 3, max(0, left - 3) : left + wide + 3] = 235
    if style == "outlined":
        halo = Image.fromarray((ink > 0.3).astype("u1") * 255).filter(ImageFilter.MaxFilter(3))
        place = drawn[top : top + tall, left : left + wide]
        place[np.asarray(halo) > 0] = 0
    value = {"dark": 0, "paper": 10}.get(style, 255)
    share = ink * (0.45 if style == "see-through" else 1)
    place = drawn[top : top + tall, left : left + wide]
    drawn[top : top + tall, left : left + wide] = place * (1 - share) + value * share
    strokes = np.zeros(ground.shape, np.bool_)
    strokes[top : top + tall, left : left + wide] = ink > 0.4
    return drawn, strokes
