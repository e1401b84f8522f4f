import json
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from app.reports.drawing import (
    ACCENT,
    BAND,
    INK,
    QUIET,
    RULE,
    SHADE,
    Dot,
    Drawing,
    Words,
    box,
    data,
    diamond,
    line,
    svg,
)

words = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Cn"))
)


def drawn(*marks: object, title: str = "t", said: str = "s") -> Drawing:
    return Drawing(title, said, 100, 50, marks)  # type: ignore[arg-type]


@given(text=words, title=words, said=words)
def test_any_text_stays_text(text: str, title: str, said: str) -> None:
    tree = ElementTree.fromstring(svg(drawn(Words(text, 1, 2), title=title, said=said), "a"))
    assert {element.tag for element in tree.iter()} == {"svg", "title", "desc", "text"}
    assert "".join(tree.find("title").itertext()) == title  # type: ignore[union-attr]
    assert "".join(tree.find("desc").itertext()) == said  # type: ignore[union-attr]
    assert "".join(tree.find("text").itertext()) == text  # type: ignore[union-attr]
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)


def test_page_and_paper_get_the_same_marks_in_the_same_order() -> None:
    drawing = drawn(
        line((0, 0), (10, 5), dash=True), box(1, 2, 3, 4, BAND), Dot(5, 5, 2, INK), Words("x", 1, 2)
    )
    tags = [one.tag for one in ElementTree.fromstring(svg(drawing, "a"))][2:]
    assert tags == ["path", "path", "circle", "text"]
    paper = json.loads(json.dumps(data(drawing)))
    assert [one[0] for one in paper["marks"]] == ["path", "path", "dot", "words"]
    assert paper["said"] == "t. s"


def test_what_is_filled_is_closed_and_what_is_a_line_is_not() -> None:
    tree = ElementTree.fromstring(svg(drawn(diamond(5, 5), line((0, 0), (1, 1))), "a"))
    closed, opened = (one.attrib for one in tree.iter("path"))
    assert closed["d"].endswith("z")
    assert closed["fill"] == ACCENT
    assert not opened["d"].endswith("z")
    assert opened["fill"] == "none"


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
    assert contrast(QUIET, "#ffffff") >= 4.5, "words"
    assert contrast(RULE, "#ffffff") < 2, "the grid stays behind"
    assert contrast(SHADE, "#ffffff") < 1.3, "the period's shade stays behind"
