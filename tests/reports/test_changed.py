from app.reports.changed import differences
from tests.reports.compositions import composition, figures, measure


def of(*measures: object, cases: int = 280) -> object:
    told = composition()
    return told.model_copy(
        update={
            "sections": (told.sections[0].model_copy(update={"measures": measures}),),
            "quality": told.quality.model_copy(update={"cases": cases}),
        }
    )


def changes(issued: object, now: object) -> list[tuple[str | None, str, str, str]]:
    return [
        (one.measure_id, one.figure, one.issued, one.now)
        for one in differences(issued, now)  # type: ignore[arg-type]
    ]


def test_the_same_figures_are_no_change_whatever_else_moved() -> None:
    now = composition(composed_at=composition().composed_at.replace(year=2027))
    assert not differences(composition(), now)


def test_a_late_case_shows_in_each_figure_it_moves() -> None:
    late = figures(rate="12.8", numerator=36, denominator=281)
    assert changes(of(measure()), of(measure(result=late), cases=281)) == [
        (None, "cases", "280", "281"),
        ("abnormal_interpretation_rate", "rate", "12.5%", "12.8%"),
        ("abnormal_interpretation_rate", "numerator", "35", "36"),
        ("abnormal_interpretation_rate", "denominator", "280", "281"),
    ]


def test_each_change_says_by_how_much() -> None:
    late = figures(rate="9.9", numerator=36, denominator=1_300)
    told = differences(of(measure()), of(measure(result=late)))
    assert [(one.figure, one.by) for one in told] == [
        ("rate", "−2.6"),
        ("numerator", "+1"),
        ("denominator", "+1,020"),
    ]
    (hidden, *_) = differences(of(measure()), of(measure(result=figures(rate=None))))
    assert hidden.by is None


def test_what_may_be_shown_now_and_what_may_not_any_more_are_said_in_words() -> None:
    hidden = measure(result=figures(rate=None))
    assert ("abnormal_interpretation_rate", "rate", "not shown", "12.5%") in changes(
        of(hidden), of(measure())
    )
    assert ("abnormal_interpretation_rate", "rate", "12.5%", "not shown") in changes(
        of(measure()), of(hidden)
    )


def test_an_earlier_period_that_stood_in_is_compared_with_the_same_period() -> None:
    before = measure(result=figures(rate=None), latest=figures("2025Q3", "15.0"))
    matured = measure(result=figures(), latest=None, trend=(figures("2025Q3", "15.4"), figures()))
    assert ("abnormal_interpretation_rate", "rate of 2025Q3", "15.0%", "15.4%") in changes(
        of(before), of(matured)
    )


def test_measures_that_came_and_went_are_named() -> None:
    assert changes(of(measure("old")), of(measure("young"))) == [
        ("old", "measure", "in the report", "no longer measured"),
        ("young", "measure", "not yet measured", "new"),
    ]
