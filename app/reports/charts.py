"""
Small charts as inline SVG, drawn by a few functions of our own.

A report is made for thousands of facilities at once, so a chart must cost microseconds, and it
must survive a photocopier: meaning is carried by shape, position and words, never by colour
alone. Every chart has a title and a description that say the same in a sentence, for readers who
hear it. Colours are presentation attributes, because pages forbid inline styles.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from textwrap import wrap

from markupsafe import Markup, escape

INK, QUIET, RULE, BAND, ACCENT = "#15212b", "#52616d", "#c9d1d8", "#b9c4cd", "#b4460f"
WIDTH = 460
LEFT, RIGHT = 148, 26
ROW = 30
LINE = 21

Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Spread:
    """How rates are spread over one peer group: its quartiles."""

    label: str
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A facility's result in one period; without a value, `note` says why none is shown."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


def tag(name: str, /, *children: str, **attributes: str | float) -> Markup:
    """One SVG element; text and attributes are escaped, markup is passed on."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _written(value))
        for key, value in attributes.items()
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, inside)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from the first at or below `low` to the last at or above `high`."""
    span = high - low
    if not isfinite(span) or span <= 0:
        return [low, low + 1.0]
    rough = span / about
    magnitude = 10.0 ** floor(log10(rough))
    step = next(
        (magnitude * k for k in (1, 2, 2.5, 5) if magnitude * k >= rough),
        magnitude * 10,
    )
    first, last = floor(low / step + 1e-9), -floor(-high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def spread(
    name: str,
    title: str,
    own: Point,
    groups: Sequence[Spread],
    written: Format,
) -> Markup:
    """A facility's result as a line through the middle half of each peer group."""
    values = [own.value, own.low, own.high]
    values += [value for group in groups for value in (group.low, group.middle, group.high)]
    marks = _axis(values, about=4)
    height = ROW * (len(groups) + 1) + 44
    bottom = height - 30
    across = _scale(marks[0], marks[-1], LEFT, WIDTH - RIGHT)
    parts = [_grid(marks, across, 8, bottom, written)]
    for index, group in enumerate(groups, start=1):
        middle = 8 + ROW * index + ROW / 2
        left, right = across(group.low), across(group.high)
        parts.append(_label(group.label, LEFT - 12, middle))
        band = max(right - left, 2)
        parts.append(tag("rect", x=left, y=middle - 8, width=band, height=16, rx=2, fill=BAND))
        parts.append(
            _line(
                across(group.middle),
                middle - 8,
                across(group.middle),
                middle + 8,
                INK,
                2.5,
            )
        )
    if own.value is not None:
        parts.append(_line(across(own.value), 8, across(own.value), bottom, ACCENT, 1.5))
    parts.append(_own(own, across, 8 + ROW / 2))
    said = [f"This facility: {_said(own, written)}."]
    said += [
        f"{group.label}: middle half from {written(group.low)} to {written(group.high)}, "
        f"median {written(group.middle)}."
        for group in groups
    ]
    return _drawing(name, title, " ".join(said), height, parts)


def trend(
    name: str,
    title: str,
    points: Sequence[Point],
    written: Format,
    reference: tuple[str, float] | None = None,
) -> Markup:
    """Results over the last periods, each with its interval; a gap where none may be shown."""
    values = [value for point in points for value in (point.value, point.low, point.high)]
    marks = _axis([*values, reference[1] if reference else None])
    height, top, bottom, left = 176, 12, 140, 56
    right = WIDTH - RIGHT - (84 if reference else 0)
    up = _scale(marks[0], marks[-1], bottom, top)
    room = (right - left) / max(len(points), 1)
    parts = []
    for mark in marks:
        parts.append(_line(left, up(mark), right, up(mark), RULE, 1))
        parts.append(_text(written(mark), left - 8, up(mark) + 4, "end"))
    if reference:
        level = up(reference[1])
        parts.append(_line(left, level, right, level, QUIET, 1.5, stroke_dasharray="5 4"))
        parts.append(_text(reference[0], right + 8, level + 4, "start"))
    places = [left + room * (index + 0.5) for index in range(len(points))]
    parts += _runs(points, places, up)
    for point, x in zip(points, places, strict=True):
        parts.append(_text(point.label, x, height - 16, "middle"))
        if point.value is None:
            parts.append(_text("–", x, bottom - 6, "middle", size=14))
            continue
        if point.low is not None and point.high is not None:
            parts.append(_line(x, up(point.low), x, up(point.high), INK, 1.5))
            parts += [
                _line(x - 5, up(end), x + 5, up(end), INK, 1.5) for end in (point.low, point.high)
            ]
        parts.append(
            tag(
                "circle",
                cx=x,
                cy=up(point.value),
                r=4.5,
                fill=ACCENT,
                stroke=INK,
                stroke_width=1,
            )
        )
    said = " ".join(f"{point.label}: {_said(point, written)}." for point in points)
    if reference:
        said += f" {reference[0]}: {written(reference[1])}."
    return _drawing(name, title, said, height, parts)


def bars(
    name: str, title: str, counts: Sequence[tuple[str, int]], *, shares: bool = True
) -> Markup:
    """How many there are of each; with shares where together they make up a whole."""
    whole = sum(count for _, count in counts)
    across = _scale(0, max(max(count for _, count in counts), 1), LEFT, WIDTH - 104)
    parts, said = [], []
    for index, (label, count) in enumerate(counts):
        middle = 6 + ROW * (index + 0.5)
        written = f"{count:,} ({100 * count / whole:.1f}%)" if shares and whole else f"{count:,}"
        parts.append(_label(label, LEFT - 12, middle))
        width = across(count) - LEFT
        parts.append(tag("rect", x=LEFT, y=middle - 8, width=width, height=16, rx=2, fill=QUIET))
        parts.append(_text(written, LEFT + width + 8, middle + 4, "start"))
        said.append(f"{label}: {written}.")
    return _drawing(name, title, " ".join(said), 12 + ROW * len(counts), parts)


def rank(name: str, reached_step: int, said: str) -> Markup:
    """Four rising steps, the reached one filled: a quartile at a glance."""
    parts = []
    for step in range(1, 5):
        height = 5 + 4 * step
        reached = step == reached_step
        parts.append(
            tag(
                "rect",
                x=2 + (step - 1) * 13,
                y=23 - height,
                width=10,
                height=height,
                rx=1.5,
                fill=INK if reached else "none",
                stroke=INK if reached else QUIET,
                stroke_width=1.2,
            )
        )
    return tag(
        "svg",
        tag("title", said, id=f"{name}-title"),
        *parts,
        viewBox="0 0 54 25",
        width=54,
        height=25,
        role="img",
        aria_labelledby=f"{name}-title",
        class_="rank",
    )


def _runs(
    points: Sequence[Point], places: Sequence[float], up: Callable[[float], float]
) -> list[Markup]:
    """Line segments between neighbours that are both shown: a gap stays a gap."""
    pairs = zip(points, points[1:], places, places[1:], strict=False)
    return [
        _line(x1, up(one.value), x2, up(two.value), ACCENT, 2)
        for one, two, x1, x2 in pairs
        if one.value is not None and two.value is not None
    ]


def _own(own: Point, across: Callable[[float], float], y: float) -> Markup:
    parts = [_label("This facility", LEFT - 12, y, bold=True)]
    if own.value is None:
        parts.append(_text("not shown", LEFT + 8, y + 4, "start"))
        return Markup("").join(parts)
    if own.low is not None and own.high is not None:
        parts.append(_line(across(own.low), y, across(own.high), y, INK, 2))
        parts += [
            _line(across(end), y - 5, across(end), y + 5, INK, 2) for end in (own.low, own.high)
        ]
    x = across(own.value)
    diamond = f"M{_written(x)} {_written(y - 8)}l8 8l-8 8l-8 -8z"
    parts.append(tag("path", d=diamond, fill=ACCENT, stroke=INK, stroke_width=1))
    return Markup("").join(parts)


def _axis(values: Iterable[float | None], about: int = 5) -> list[float]:
    known = [value for value in values if value is not None]
    if not known:
        return [0.0, 1.0]
    low, high = min(known), max(known)
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    if high == low:
        high = low + (abs(low) or 1.0) * 0.1
    return ticks(low, high, about)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _grid(
    marks: Sequence[float],
    across: Callable[[float], float],
    top: float,
    bottom: float,
    written: Format,
) -> Markup:
    parts = []
    for mark in marks:
        parts.append(_line(across(mark), top, across(mark), bottom, RULE, 1))
        parts.append(_text(written(mark), across(mark), bottom + 18, "middle"))
    return Markup("").join(parts)


def _line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    colour: str,
    width: float,
    **more: str | float,
) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width, **more)


def _text(text: str, x: float, y: float, anchor: str, size: int = 12) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor=anchor, font_size=size, fill=QUIET)


def _label(text: str, x: float, middle: float, *, bold: bool = False) -> Markup:
    """A label beside its row, in two lines where one would not hold it."""
    lines = wrap(text, LINE, max_lines=2, placeholder="…")
    top = middle + 4 - 6.5 * (len(lines) - 1)
    return Markup("").join(
        tag(
            "text",
            line,
            x=x,
            y=top + 13 * number,
            text_anchor="end",
            font_size=12,
            font_weight=600 if bold else 400,
            fill=INK,
        )
        for number, line in enumerate(lines)
    )


def _drawing(name: str, title: str, said: str, height: float, parts: Iterable[Markup]) -> Markup:
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", said, id=f"{name}-said"),
        *parts,
        viewBox=f"0 0 {WIDTH} {_written(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-said",
        class_="chart",
    )


def _said(point: Point, written: Format) -> str:
    if point.value is None:
        return f"not shown, {point.note}" if point.note else "not shown"
    if point.low is None or point.high is None:
        return written(point.value)
    return f"{written(point.value)}, interval {written(point.low)} to {written(point.high)}"


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")
