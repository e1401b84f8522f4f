"""
What each chart of a report looks like, from the composition alone.

A chart must survive a photocopier: meaning is carried by shape, position, line style and words, never
by colour alone. The facility itself is always the diamond; its peers are bands and broken lines.
"""

from collections.abc import Callable, Sequence
from textwrap import wrap

from app.reports.axes import Format, axis, levels, scale, ticks, uprights
from app.reports.composition import (
    Figures,
    Funnel,
    MeasureFeedback,
    Standing,
    Strata,
)
from app.reports.drawing import (
    ACCENT,
    BAND,
    INK,
    PAPER,
    QUIET,
    Dot,
    Drawing,
    Mark,
    Path,
    Words,
    box,
    crosses,
    diamond,
    line,
)

WIDE, SMALL = 760, 372
"""Widths: of a chart by itself, and of one of two side by side."""
ROW = 30
LABELS = 128
"""Room for the labels of rows."""
LETTERS = 18


def funnel_chart(measure: MeasureFeedback) -> Drawing | None:
    """A facility's rate by its number of cases, within what chance alone gives around its peers."""
    funnel = measure.funnel
    if funnel is None:
        return None
    written = figure_format(measure)
    height, top, bottom, left, right = 236, 12, 188, 54, SMALL - 46
    most = funnel.limits[-1].cases
    values = [funnel.value, funnel.target, *(rate for _, rate in funnel.earlier)]
    # Limits of very few cases reach far out: the frame is made for where the facility is.
    near = [one for one in funnel.limits if one.cases >= min(funnel.cases, most) / 3]
    values += [edge for one in near for edge in (one.low_998, one.high_998)]
    marks = value_axis(measure, values)
    up = scale(marks[0], marks[-1], bottom, top)
    columns = ticks(0, most, 4)
    across = scale(0, most, left, right)
    parts = levels(marks, up, left, right, written)
    for one in columns:
        if one <= most:
            parts.append(Words(f"{one:,.0f}", across(one), bottom + 17))
    parts.append(Words("cases", right, bottom + 34, "end"))
    parts += _limits(funnel, across, up, marks)
    parts.append(line((left, up(funnel.target)), (right, up(funnel.target)), width=1.2))
    for cases, rate in funnel.earlier:
        if cases <= most:
            parts.append(Dot(across(cases), up(rate), 3.2, PAPER, INK, 1.2))
    parts.append(diamond(across(funnel.cases), up(funnel.value)))
    said = (
        f"{funnel.says} Over {funnel.cases:,} cases: {written(funnel.value)}; "
        f"all peers together: {written(funnel.target)}."
    )
    title = f"{measure.title}: this facility within the limits of chance"
    return Drawing(title, said, SMALL, height, tuple(parts))


def peers_chart(measure: MeasureFeedback) -> Drawing | None:
    """The facility as a line through the middle half of each peer group; whiskers hold four fifths."""
    groups = [one for one in measure.standings if one.median is not None]
    if not groups:
        return None
    written, own = figure_format(measure), measure.shown
    known = [
        _float(text) for one in groups for text in (one.p10, one.low, one.median, one.high, one.p90)
    ]
    marks = value_axis(measure, [_float(own.rate), _float(own.low), _float(own.high), *known])
    height = ROW * (len(groups) + 1) + 44
    bottom = height - 30
    across = scale(marks[0], marks[-1], LABELS, SMALL - 22)
    parts = uprights(marks, across, 8, bottom, written)
    for index, group in enumerate(groups, start=1):
        parts += _spread(group, 8 + ROW * (index + 0.5), across)
    value = _float(own.rate)
    if value is not None:
        parts.append(
            line((across(value), 8 + ROW), (across(value), bottom), colour=ACCENT, width=1.2)
        )
    parts += _row("This facility", own, 8 + ROW / 2, across, bold=True)
    said = [f"This facility: {figures_say(own, measure.unit)}."]
    said += [_spread_says(one, measure.unit) for one in groups]
    title = f"{measure.title}: this facility beside its peers"
    return Drawing(title, " ".join(said), SMALL, height, tuple(parts))


def strata_chart(measure: MeasureFeedback, split: Strata) -> Drawing | None:
    """The same rate in each stratum with its interval; None where fewer than two may be shown."""
    rows = [one for one in split.strata if one.figures.rate is not None]
    if len(rows) < 2:
        return None
    written = figure_format(measure)
    known = [
        _float(text)
        for one in rows
        for text in (one.figures.rate, one.figures.low, one.figures.high)
    ]
    marks = value_axis(measure, [*known, _float(measure.shown.rate)])
    height = ROW * len(split.strata) + 44
    bottom = height - 30
    across = scale(marks[0], marks[-1], LABELS, SMALL - 22)
    parts = uprights(marks, across, 8, bottom, written)
    whole = _float(measure.shown.rate)
    if whole is not None:
        parts.append(line((across(whole), 8), (across(whole), bottom), colour=QUIET, dash=True))
    for index, one in enumerate(split.strata):
        parts += _row(one.title, one.figures, 8 + ROW * (index + 0.5), across)
    said = " ".join(
        f"{one.title}: {figures_say(one.figures, measure.unit)}." for one in split.strata
    )
    return Drawing(f"{measure.title} by {split.title.lower()}", said, SMALL, height, tuple(parts))


def counts_chart(
    title: str, counts: Sequence[tuple[str, int]], *, shares: bool = False
) -> Drawing | None:
    """How many there are of each; with shares where together they make up a whole."""
    whole = sum(count for _, count in counts)
    if not whole:
        return None
    across = scale(0, max(max(count for _, count in counts), 1), LABELS, SMALL - 92)
    parts: list[Mark] = []
    said = []
    for index, (label, count) in enumerate(counts):
        middle = 6 + 26 * (index + 0.5)
        written = f"{count:,} ({100 * count / whole:.1f}%)" if shares else f"{count:,}"
        parts += _label(label, LABELS - 10, middle)
        parts.append(box(LABELS, middle - 7, max(across(count) - LABELS, 0.5), 14, QUIET))
        parts.append(Words(written, across(count) + 7, middle + 4, "start"))
        said.append(f"{label}: {written}.")
    return Drawing(title, " ".join(said), SMALL, 12 + 26 * len(counts), tuple(parts))


def steps(reached: int, title: str) -> Drawing:
    """Four rising steps, the reached one filled: a quartile at a glance."""
    parts = tuple(
        box(2 + (step - 1) * 13, 23 - height, 10, height, INK if step == reached else PAPER, colour)
        for step in range(1, 5)
        for height, colour in [(5 + 4 * step, INK if step == reached else QUIET)]
    )
    return Drawing(title, "", 54, 25, parts)


def reference(standings: Sequence[Standing]) -> float | None:
    """The median of the first peer group that is told: all facilities, as a rule."""
    return next((_float(one.median) for one in standings if one.median is not None), None)


def figure_format(measure: MeasureFeedback) -> Format:
    """A figure of a chart, without digits it does not need. A longer unit stands in the heading."""
    return plain_format("%" if measure.unit == "%" else "")


def plain_format(end: str) -> Format:
    """The same, with what stands behind each figure."""
    return lambda value: f"{value:,.3g}{end}" if abs(value) < 1_000 else f"{value:,.0f}{end}"


def figures_say(figures: Figures, unit: str) -> str:
    """A result in words, or why there is none."""
    if figures.rate is None:
        return f"not shown, {figures.withheld.says}" if figures.withheld else "not shown"
    if figures.low is None:
        return f"{figures.rate}{unit}"
    return f"{figures.rate}{unit}, interval {figures.low} to {figures.high}"


def value_axis(measure: MeasureFeedback, values: Sequence[float | None]) -> list[float]:
    """An axis; none of a percentage goes past 100."""
    percent = measure.scoring == "proportion" and measure.unit == "%"
    return axis(values, most=100.0 if percent else None)


def _limits(
    funnel: Funnel,
    across: Callable[[float], float],
    up: Callable[[float], float],
    marks: list[float],
) -> list[Mark]:
    """The limits of chance: 99.8 % as whole lines, 95 % as broken ones, cut off at the frame."""
    parts: list[Mark] = []
    low, high = marks[0], marks[-1]
    for names, dash in ((("low_998", "high_998"), None), (("low_95", "high_95"), (5.0, 4.0))):
        strokes = []
        for name in names:
            edges = [(one.cases, getattr(one, name)) for one in funnel.limits]
            inside = [(across(cases), up(edge)) for cases, edge in edges if low <= edge <= high]
            if len(inside) > 1:
                strokes.append(tuple(inside))
        parts.append(Path(tuple(strokes), QUIET, 1.2, dash))
    last = funnel.limits[-1]
    ends = [
        (up(value), text)
        for value, text in (
            (last.high_998, "99.8%"),
            (last.high_95, "95%"),
            (funnel.target, "peers"),
            (last.low_95, "95%"),
            (last.low_998, "99.8%"),
        )
        if low <= value <= high
    ]
    right = across(last.cases) + 6
    parts += [Words(text, right, y + 4, "start", 11) for y, text in apart(ends, least=11)]
    return parts


def _spread(group: Standing, middle: float, across: Callable[[float], float]) -> list[Mark]:
    """One peer group: its middle half as a band, its median as a stroke, its tails as whiskers."""
    parts: list[Mark] = [*_label(group.title, LABELS - 10, middle)]
    low, centre, high = (across(float(text or 0)) for text in (group.low, group.median, group.high))
    if group.p10 is not None and group.p90 is not None:
        ends = [(across(float(one)), middle) for one in (group.p10, group.p90)]
        parts.append(Path((tuple(ends), *crosses(ends, 4, upright=True)), QUIET, 1.2))
    parts.append(box(low, middle - 8, max(high - low, 2), 16, BAND))
    parts.append(line((centre, middle - 8), (centre, middle + 8), width=2.5))
    return parts


def _row(
    label: str, figures: Figures, y: float, across: Callable[[float], float], *, bold: bool = False
) -> list[Mark]:
    """A result with its interval in a row of its own."""
    parts = _label(label, LABELS - 10, y, bold=bold)
    value, low, high = _float(figures.rate), _float(figures.low), _float(figures.high)
    if value is None:
        return [*parts, Words("not shown", LABELS + 8, y + 4, "start")]
    if low is not None and high is not None:
        ends = [(across(low), y), (across(high), y)]
        parts.append(Path((tuple(ends), *crosses(ends, 5, upright=True)), INK, 1.8))
    parts.append(diamond(across(value), y))
    return parts


def _label(text: str, x: float, middle: float, *, bold: bool = False) -> list[Mark]:
    """A label beside its row, in two lines where one would not hold it."""
    lines = wrap(text, LETTERS, max_lines=2, placeholder="…")
    top = middle + 4 - 6.5 * (len(lines) - 1)
    return [
        Words(one, x, top + 13 * number, "end", 12, INK, bold) for number, one in enumerate(lines)
    ]


def apart(ends: Sequence[tuple[float, str]], least: float) -> list[tuple[float, str]]:
    """Labels at the ends of lines, moved so far from one another that each can be read.

    Labels that would touch are spread evenly about their middle, with as many neighbours as it takes.
    """
    groups: list[tuple[list[float], list[str]]] = []
    for y, text in sorted(ends):
        groups.append(([y], [text]))
        while len(groups) > 1 and _top(groups[-1][0], least) < _foot(groups[-2][0], least) + least:
            places, texts = groups.pop()
            groups[-1] = (groups[-1][0] + places, groups[-1][1] + texts)
    return [
        (_top(places, least) + least * number, text)
        for places, texts in groups
        for number, text in enumerate(texts)
    ]


def _top(places: Sequence[float], least: float) -> float:
    return sum(places) / len(places) - least * (len(places) - 1) / 2


def _foot(places: Sequence[float], least: float) -> float:
    return sum(places) / len(places) + least * (len(places) - 1) / 2


def _spread_says(group: Standing, unit: str) -> str:
    return (
        f"{group.title}: middle half from {group.low} to {group.high}{unit}, "
        f"median {group.median}{unit}."
    )


def _float(text: str | None) -> float | None:
    return None if text is None else float(text)
