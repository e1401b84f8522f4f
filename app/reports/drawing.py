"""
A drawing: lines, dots and words in a frame, written as SVG for a page and as data for paper.

A chart is laid out once (`charts.py`) and is the same wherever it is shown. A report is made for
thousands of facilities, so a drawing must cost microseconds. Every drawing has a title and a text
that says the same in sentences, for readers who hear it. Colours are presentation attributes,
because pages forbid inline styles.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

INK, QUIET, RULE, BAND, ACCENT = "#15212b", "#52616d", "#d5dce2", "#b9c4cd", "#b4460f"
PAPER, SHADE = "#ffffff", "#eef2f5"

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Path:
    """Straight lines from place to place; several strokes may share one look."""

    strokes: tuple[tuple[Place, ...], ...]
    colour: str | None = INK
    width: float = 1.0
    dash: tuple[float, float] | None = None
    fill: str | None = None
    """A path with a fill is closed."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A round mark."""

    x: float
    y: float
    radius: float
    fill: str
    colour: str = INK
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; `y` is its base line, `anchor` is start, middle or end."""

    text: str
    x: float
    y: float
    anchor: str = "middle"
    size: float = 12
    colour: str = QUIET
    bold: bool = False


Mark = Path | Dot | Words


@dataclass(frozen=True, slots=True)
class Drawing:
    """Marks in a frame, from top left, later ones over earlier ones."""

    title: str
    said: str
    width: float
    height: float
    marks: tuple[Mark, ...] = field(default=())


def line(*places: Place, colour: str = INK, width: float = 1.0, dash: bool = False) -> Path:
    """One line through some places."""
    return Path((places,), colour, width, (5, 4) if dash else None)


def box(
    x: float, y: float, width: float, height: float, fill: str, colour: str | None = None
) -> Path:
    """A filled rectangle."""
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return Path((corners,), colour, fill=fill)


def diamond(x: float, y: float, fill: str = ACCENT, radius: float = 7) -> Path:
    """The facility's own mark: a shape that nothing else has, so that it is told without colour."""
    corners = ((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y))
    return Path((corners,), INK, 1, fill=fill)


def svg(drawing: Drawing, name: str, look: Mapping[str, str | float] | None = None) -> Markup:
    """As an element of a page; `name` tells its title and text from those of other drawings.

    `look` is its class and, where the page shall not stretch it, its width and height.
    """
    return tag(
        "svg",
        tag("title", drawing.title, id=f"{name}-title"),
        tag("desc", drawing.said, id=f"{name}-said"),
        *(_svg(mark) for mark in drawing.marks),
        viewBox=f"0 0 {_number(drawing.width)} {_number(drawing.height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-said",
        **(look or {"class": "chart"}),
    )


def data(drawing: Drawing) -> dict[str, Any]:
    """As the paper's template reads it: numbers and names, nothing that is parsed as its language."""
    return {
        "said": f"{drawing.title}. {drawing.said}",
        "width": drawing.width,
        "height": drawing.height,
        "marks": [_data(mark) for mark in _together(drawing.marks)],
    }


def _together(marks: Sequence[Mark]) -> Iterator[Mark | list[Dot]]:
    """Marks of one look that follow one another as one: paper costs by the mark."""
    for look, some in groupby(marks, key=_look):
        several = list(some)
        first = several[0]
        if look is None or len(several) == 1:
            yield from several
        elif isinstance(first, Path):
            strokes = tuple(
                stroke for one in several if isinstance(one, Path) for stroke in one.strokes
            )
            yield replace(first, strokes=strokes)
        else:
            yield [one for one in several if isinstance(one, Dot)]


def _look(mark: Mark) -> tuple[object, ...] | None:
    match mark:
        case Path(_, colour, width, dash, fill):
            return ("path", colour, width, dash, fill)
        case Dot(_, _, radius, fill, colour, _) if fill == colour:
            return ("dot", radius, fill)
        case _:
            return None


def tag(name: str, /, *children: str, **attributes: str | float) -> Markup:
    """One SVG element; text and attributes are escaped, markup is passed on."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - every part is escaped


def _svg(mark: Mark) -> Markup:
    match mark:
        case Path(strokes, colour, width, dash, fill):
            end = "z" if fill else ""
            steps = "".join(
                "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in stroke) + end
                for stroke in strokes
            )
            look: dict[str, str | float] = {"d": steps, "fill": fill or "none"}
            if colour:
                look |= {"stroke": colour, "stroke_width": width}
            if dash:
                look["stroke_dasharray"] = f"{_number(dash[0])} {_number(dash[1])}"
            return tag("path", **look)
        case Dot(x, y, radius, fill, colour, width):
            return tag("circle", cx=x, cy=y, r=radius, fill=fill, stroke=colour, stroke_width=width)
        case Words(text, x, y, anchor, size, colour, bold):
            weight: dict[str, str | float] = {"font_weight": 600} if bold else {}
            return tag(
                "text", text, x=x, y=y, text_anchor=anchor, font_size=size, fill=colour, **weight
            )


def _data(mark: Mark | list[Dot]) -> list[Any]:
    if isinstance(mark, list):
        places = [[round(one.x, 1), round(one.y, 1)] for one in mark]
        return ["dots", places, mark[0].radius + mark[0].width / 2, mark[0].fill]
    match mark:
        case Path(strokes, colour, width, dash, fill):
            lines = [[[round(x, 1), round(y, 1)] for x, y in stroke] for stroke in strokes]
            return ["path", lines, colour, width, dash, fill]
        case Dot(x, y, radius, fill, colour, width):
            return ["dot", round(x, 1), round(y, 1), radius, fill, colour, width]
        case Words(text, x, y, anchor, size, colour, bold):
            return ["words", text, round(x, 1), round(y, 1), anchor, size, colour, bold]


def crosses(
    places: Sequence[Place], half: float, *, upright: bool
) -> tuple[tuple[Place, ...], ...]:
    """Short strokes across the ends of intervals."""
    if upright:
        return tuple(((x, y - half), (x, y + half)) for x, y in places)
    return tuple(((x - half, y), (x + half, y)) for x, y in places)


def _number(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")
