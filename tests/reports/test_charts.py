import itertools
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.charts import ACCENT, BAND, INK, RULE, Point, Spread, rank, spread, ticks, trend

SVG = "{http://www.w3.org/2000/svg}"
words = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Cn"))
)
figures = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


def plain(value: float) -> str:
    return f"{value:g}"


def parsed(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


@given(low=figures, high=figures)
def test_ticks_are_round_cover_the_values_and_stay_few(low: float, high: float) -> None:
    low, high = sorted((low, high))
    marks = ticks(low, high)
    steps = {round(b - a, 9) for a, b in itertools.pairwise(marks)}
    assert 2 <= len(marks) <= 9
    assert marks[0] <= low + 1e-6
    assert high <= marks[-1] + 1e-6
    assert len({round(step, 6) for step in steps}) == 1
    if high - low > 1e-3:
        assert re.fullmatch(
            r"(1|2|2\.5|5)0*(\.0*)?(e[+-]\d+)?", f"{min(steps):.6e}".replace("e", "0e")
        )


@given(label=words, title=words, note=words)
def test_any_text_stays_text(label: str, title: str, note: str) -> None:
    points = [Point(label, 1.0, 0.5, 1.5), Point(label, None, note=note)]
    tree = parsed(trend("a", title, points, plain, (label, 1.2)))
    assert {element.tag for element in tree.iter()} <= {
        "svg",
        "title",
        "desc",
        "line",
        "text",
        "circle",
    }
    assert "".join(tree.find("title").itertext()) == title  # type: ignore[union-attr]
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)


@given(values=st.lists(figures, min_size=3, max_size=3, unique=True), own=figures)
def test_a_larger_rate_is_never_drawn_further_left(values: list[float], own: float) -> None:
    low, middle, high = sorted(values)
    tree = parsed(spread("a", "t", Point("x", own), [Spread("All", low, middle, high)], plain))
    band = next(one for one in tree.iter("rect"))
    marker = next(one for one in tree.iter("path")).attrib["d"]
    at = float(re.match(r"M(-?[\d.]+)", marker)[1])  # type: ignore[index]
    left = float(band.attrib["x"])
    right = left + float(band.attrib["width"])
    if own <= low:
        assert at <= left + 0.11
    if own >= high:
        assert at >= min(right, left + float(band.attrib["width"])) - 2.11


def test_the_description_says_every_figure_that_the_drawing_shows() -> None:
    groups = [Spread("All facilities", 8, 11, 15.5), Spread("Rural", 7, 10, 14)]
    said = "".join(
        parsed(spread("a", "t", Point("now", 12.5, 9.1, 16.9), groups, plain))
        .find("desc")
        .itertext()
    )  # type: ignore[union-attr]
    assert said == (
        "This facility: 12.5, interval 9.1 to 16.9. "
        "All facilities: middle half from 8 to 15.5, median 11. "
        "Rural: middle half from 7 to 14, median 10."
    )


def test_a_withheld_period_is_a_gap_and_says_why() -> None:
    points = [
        Point("2026-01", 4),
        Point("2026-02", None, note="fewer than 10 cases"),
        Point("2026-03", 5),
    ]
    tree = parsed(trend("a", "t", points, plain))
    assert len(list(tree.iter("circle"))) == 2
    assert not [line for line in tree.iter("line") if line.attrib["stroke"] == ACCENT]
    assert "2026-02: not shown, fewer than 10 cases." in "".join(tree.find("desc").itertext())  # type: ignore[union-attr]


@pytest.mark.parametrize("reached", [1, 2, 3, 4])
def test_a_rank_fills_one_step_of_four(reached: int) -> None:
    steps = list(parsed(rank("a", reached, "said")).iter("rect"))
    assert [step.attrib["fill"] != "none" for step in steps] == [
        place == reached for place in (1, 2, 3, 4)
    ]
    assert [float(step.attrib["height"]) for step in steps] == sorted(
        float(step.attrib["height"]) for step in steps
    )


def test_what_matters_keeps_apart_in_greyscale() -> None:
    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        light, dark = sorted((lightness(one), lightness(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    assert contrast(ACCENT, BAND) >= 3, "the facility's mark on a peer group's band"
    assert contrast(INK, BAND) >= 4.5, "the median on its band"
    assert contrast(ACCENT, "#ffffff") >= 4.5
    assert contrast(RULE, "#ffffff") < 2, "the grid stays behind"
