import itertools
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.charts import (
    counts_chart,
    funnel_chart,
    peers_chart,
    steps,
    strata_chart,
)
from app.reports.composition import Note, Run, RunPoint, Strata, Stratum
from app.reports.drawing import ACCENT, INK, Dot, Drawing, Mark, Path, Words, svg
from app.reports.over_time import between_chart, run_chart
from tests.reports.compositions import (
    TOO_FEW,
    a_control,
    a_funnel,
    a_run,
    figures,
    measure,
    standing,
)


def shown(drawing: Drawing | None) -> Drawing:
    assert drawing is not None
    ElementTree.fromstring(svg(drawing, "a"))
    return drawing


def diamonds(drawing: Drawing) -> list[tuple[float, float]]:
    """The middles of the facility's own marks."""
    found = []
    for mark in drawing.marks:
        if isinstance(mark, Path) and mark.fill == ACCENT and len(mark.strokes[0]) == 4:
            (x, _), (_, y) = mark.strokes[0][0], mark.strokes[0][1]
            found.append((x, y))
    return found


def words(drawing: Drawing) -> list[str]:
    return [mark.text for mark in drawing.marks if isinstance(mark, Words)]


@given(
    rates=st.lists(
        st.floats(0, 100).map(lambda value: round(value, 1)), min_size=4, max_size=4, unique=True
    )
)
def test_a_larger_rate_is_never_drawn_further_left(rates: list[float]) -> None:
    low, middle, high = sorted(rates[:3])
    one = measure(
        result=figures(rate=str(rates[3]), low=None, high=None),
        standings=(standing(low=str(low), median=str(middle), high=str(high)),),
    )
    drawing = shown(peers_chart(one))
    ((at, _),) = diamonds(drawing)
    band = next(
        mark for mark in drawing.marks if isinstance(mark, Path) and mark.fill not in (None, ACCENT)
    )
    left, right = band.strokes[0][0][0], band.strokes[0][1][0]
    if rates[3] <= low:
        assert at <= left + 0.01
    if rates[3] >= high:
        assert at >= right - 2.01


def test_the_description_says_every_figure_that_the_drawing_shows() -> None:
    one = measure(
        standings=(standing(), standing("rural", "Rural", low="7", median="10", high="14"))
    )
    assert shown(peers_chart(one)).said == (
        "This facility: 12.5%, interval 9.1 to 16.9. "
        "All facilities: middle half from 8.0 to 15.5%, median 11.0%. "
        "Rural: middle half from 7 to 14%, median 10%."
    )


def test_a_withheld_period_is_a_gap_and_says_why() -> None:
    run = a_run((4.0, None, 5.0), note=TOO_FEW.says)
    drawing = shown(run_chart(measure(run=run)))
    assert not [mark for mark in drawing.marks if isinstance(mark, Path) and _joins(mark)]
    assert f"{run.points[1].period}: not shown, {TOO_FEW.says}" in drawing.said
    assert "–" in words(drawing)


def _joins(mark: Path) -> bool:
    """Whether it is the line through the points."""
    return mark.colour == INK and mark.width == 1.5 and bool(mark.strokes) and mark.fill is None


def test_the_reports_own_period_is_told_by_shape() -> None:
    points = tuple(
        RunPoint(period=f"2026-{month:02}", value=float(month), cases=20) for month in range(1, 10)
    )
    drawing = shown(run_chart(measure(run=Run(unit="month", points=points, says="."))))
    dots = [mark for mark in drawing.marks if isinstance(mark, Dot)]
    assert len(diamonds(drawing)) == 3, "July, August and September are of 2026Q3"
    assert len(dots) == 6


def test_a_long_run_is_named_above_its_points() -> None:
    run = a_run(tuple(float(one) for one in range(12)))
    note = Note(first=run.points[2].period, last=run.points[9].period, says="8 in a row below")
    drawing = shown(run_chart(measure(run=run.model_copy(update={"notes": (note,)}))))
    assert "8 in a row below" in words(drawing)


def test_control_limits_are_dotted_and_what_lies_beyond_them_is_ringed() -> None:
    run = a_run((10.0, 15.0, None, 12.0))
    drawing = shown(run_chart(measure(run=run)))
    limits = [one for one in drawing.marks if isinstance(one, Path) and one.dash == (1.5, 3)]
    assert [len(stroke) for one in limits for stroke in one.strokes] == [4, 4]
    rings = [one for one in drawing.marks if isinstance(one, Dot) and one.radius == 8]
    assert len(rings) == 1, "15.0 lies above 14.5"
    assert "no special cause" in drawing.said
    assert between_chart(measure(run=run)) is None, "its points are periods"


def test_rare_events_are_drawn_by_the_cases_between_them() -> None:
    periods = ("2025-02", "2025-06", "2025-06", "2026-01")
    control = a_control(periods, (10.0, 300.0, 8.0, 120.0), chart="g", high=250.0)
    run = a_run((1.0, 2.0)).model_copy(update={"control": control})
    drawing = shown(between_chart(measure(run=run)))
    dots = [one for one in drawing.marks if isinstance(one, Dot)]
    assert sum(one.radius < 4 for one in dots) == 4
    assert sum(one.radius > 4 for one in dots) == 1, "300 cases lie above 250"
    assert "2025-06: 300." in drawing.said
    periodic = shown(run_chart(measure(run=run)))
    assert not [one for one in periodic.marks if isinstance(one, Path) and one.dash == (1.5, 3)]


def test_one_point_is_no_course() -> None:
    assert run_chart(measure(run=a_run((4.0,)))) is None
    assert run_chart(measure(run=None)) is None


def test_a_funnel_marks_the_facility_once_and_names_its_lines_apart() -> None:
    drawing = shown(funnel_chart(measure(funnel=a_funnel())))
    assert len(diamonds(drawing)) == 1
    ends = [
        mark
        for mark in drawing.marks
        if isinstance(mark, Words) and mark.text in ("peers", "95%", "99.8%") and mark.size == 11
    ]
    places = sorted(mark.y for mark in ends)
    assert len(places) >= 3
    assert all(b - a >= 10.9 for a, b in itertools.pairwise(places))


def test_the_limits_of_a_funnel_are_told_by_line_and_not_by_colour() -> None:
    drawing = shown(funnel_chart(measure(funnel=a_funnel())))
    limits = [
        mark
        for mark in drawing.marks
        if isinstance(mark, Path) and any(len(stroke) > 5 for stroke in mark.strokes)
    ]
    assert {mark.dash is None for mark in limits} == {True, False}


@pytest.mark.parametrize("chart", [peers_chart, funnel_chart])
def test_without_peers_there_is_nothing_to_be_beside(chart: object) -> None:
    assert chart(measure(standings=(), funnel=None)) is None  # type: ignore[operator]


def test_strata_are_drawn_where_two_may_be_shown_and_say_where_not() -> None:
    def split(*rates: str | None) -> Strata:
        rows = [
            Stratum(title=f"S{number}", figures=figures(rate=one))
            for number, one in enumerate(rates)
        ]
        return Strata(title="Indication", strata=tuple(rows))

    assert strata_chart(measure(), split("12.0", None)) is None
    drawing = shown(strata_chart(measure(), split("12.0", "13.5", None)))
    assert "not shown" in words(drawing)
    assert len(diamonds(drawing)) == 2


def test_counts_say_their_share_of_the_whole() -> None:
    drawing = shown(counts_chart("Counts", [("A", 30), ("B", 10)], shares=True))
    assert "30 (75.0%)" in words(drawing)
    assert counts_chart("Counts", [("A", 0)]) is None


@pytest.mark.parametrize("reached", [1, 2, 3, 4])
def test_a_rank_fills_one_step_of_four(reached: int) -> None:
    marks: list[Mark] = list(steps(reached, "said").marks)
    assert [isinstance(mark, Path) and mark.fill == INK for mark in marks] == [
        place == reached for place in (1, 2, 3, 4)
    ]


def test_all_words_lie_inside_of_the_frame() -> None:
    for drawing in (
        shown(run_chart(measure(run=a_run(tuple(float(one) for one in range(24)))))),
        shown(funnel_chart(measure(funnel=a_funnel()))),
        shown(peers_chart(measure())),
    ):
        for mark in drawing.marks:
            if isinstance(mark, Words):
                wide = 0.54 * mark.size * len(re.sub(r"[.,]", "", mark.text))
                left = {"start": mark.x, "middle": mark.x - wide / 2, "end": mark.x - wide}[
                    mark.anchor
                ]
                assert left >= -1, mark.text
                assert left + wide <= drawing.width + 1, mark.text
                assert 0 <= mark.y <= drawing.height, mark.text
