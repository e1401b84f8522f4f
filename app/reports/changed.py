"""
Changed since issued: what an issued report said beside what the same report says now.

Only figures are compared: a case that arrives late, an amendment or a withdrawal moves them. What was
issued stays as it was issued.
"""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field

from app.reports.composition import Composition, Figures, MeasureFeedback, Part

NOT_SHOWN = "not shown"


class Difference(Part):
    """One figure that is no longer what it was."""

    measure_id: str | None
    title: str
    figure: str
    issued: str
    now: str
    by: str | None = Field(
        default=None, description="How much more or less it is now; none where either is not shown."
    )


def differences(issued: Composition, now: Composition) -> tuple[Difference, ...]:
    """Every figure of the report's own results that differs, in the order of the report."""
    return tuple(_differences(issued, now))


def _differences(issued: Composition, now: Composition) -> Iterator[Difference]:
    yield from _unlike(None, "The report", "cases", issued.quality.cases, now.quality.cases)
    current = {one.id: one for one in now.measures}
    for before in issued.measures:
        after = current.pop(before.id, None)
        if after is None:
            yield Difference(
                measure_id=before.id,
                title=before.title,
                figure="measure",
                issued="in the report",
                now="no longer measured",
            )
            continue
        for place, one, other in (
            ("", before.result, after.result),
            *_earlier(before, after),
        ):
            yield from _of_result(before, place, one, other)
    for new in current.values():
        yield Difference(
            measure_id=new.id,
            title=new.title,
            figure="measure",
            issued="not yet measured",
            now="new",
        )


def _earlier(
    before: MeasureFeedback, after: MeasureFeedback
) -> Iterator[tuple[str, Figures, Figures]]:
    """The earlier period that stood for one too early to judge, where both speak of the same."""
    if before.latest is None:
        return
    period = before.latest.period
    same = next(
        (one for one in (after.latest, after.result, *after.trend) if one and one.period == period),
        None,
    )
    if same is not None:
        yield f" of {period}", before.latest, same


def _of_result(
    measure: MeasureFeedback, place: str, issued: Figures, now: Figures
) -> Iterator[Difference]:
    unit = measure.unit
    if issued.rate != now.rate:
        yield Difference(
            measure_id=measure.id,
            title=measure.title,
            figure=f"rate{place}",
            issued=_said(_rated(issued, unit)),
            now=_said(_rated(now, unit)),
            by=_by(issued.rate, now.rate),
        )
    for name, one, other in (
        ("numerator", issued.numerator, now.numerator),
        ("denominator", issued.denominator, now.denominator),
        ("exclusions", issued.exclusions, now.exclusions),
        ("exceptions", issued.exceptions, now.exceptions),
    ):
        yield from _unlike(measure.id, measure.title, f"{name}{place}", one, other)


def _unlike(
    measure_id: str | None, title: str, figure: str, issued: int | None, now: int | None
) -> Iterator[Difference]:
    if issued != now:
        yield Difference(
            measure_id=measure_id,
            title=title,
            figure=figure,
            issued=_said(issued),
            now=_said(now),
            by=_by(issued, now),
        )


def _by(issued: str | int | None, now: str | int | None) -> str | None:
    """The difference of what is read, with its sign."""
    if issued is None or now is None:
        return None
    return f"{Decimal(now) - Decimal(issued):+,}".replace("-", "−")


def _rated(figures: Figures, unit: str) -> str | None:
    return None if figures.rate is None else f"{figures.rate}{unit}"


def _said(value: str | int | None) -> str:
    if value is None:
        return NOT_SHOWN
    return f"{value:,}" if isinstance(value, int) else str(value)
