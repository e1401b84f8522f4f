"""
A composition as an Excel workbook: the figures, for whoever works on with them.

Figures are numbers where they are numbers and text where something is withheld. Text is written as
text: nothing that came from a name can become a formula.
"""

import io
from collections.abc import Iterable, Sequence

import xlsxwriter

from app.reports.composition import Composition, Figures, MeasureFeedback
from app.reports.render import issue_says

Cell = str | int | float | None
Row = Sequence[Cell]


def workbook(report: Composition) -> bytes:
    """The report as an .xlsx file."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(
        target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    # The same composition gives the same bytes: the file's date is the composition's.
    book.set_properties(
        {
            "title": f"{report.facility.name}, {report.registry}, {report.period_says}",
            "author": report.steward,
            "created": report.composed_at.replace(tzinfo=None),
        }
    )
    for name, heads, rows, widths in _sheets(report):
        _write(book, name, heads, rows, widths)
    book.close()
    return target.getvalue()


Sheet = tuple[str, Row, list[Row], Sequence[int]]


def _sheets(report: Composition) -> Iterable[Sheet]:
    yield "Summary", ("", ""), _summary(report), (26, 110)
    yield (
        "Results",
        (
            *RESULT,
            "A year before",
            "Compared by",
            "Change",
            "from",
            "to",
            "Over time",
            "Withheld because",
        ),
        [_result(one) for one in report.measures],
        (44, 12, 10, 12, 10, 10, 12, 12, 12, 12, 12, 14, 12, 12, 10, 10, 14, 60),
    )
    yield (
        "Peers",
        (
            *("Measure", "Peers", "Facilities", "10th percentile", "First quartile", "Median"),
            *("Third quartile", "90th percentile", "Quarter", "Snapshot", "Standing"),
        ),
        _peers(report),
        (44, 40, 10, 12, 12, 10, 12, 12, 8, 12, 50),
    )
    yield (
        "Over time",
        ("Measure", "Unit", "Period", "Value", "Cases", "Not shown because"),
        [
            (one.title, one.unit.strip(), point.period, point.value, point.cases, point.note)
            for one in report.measures
            if one.run is not None
            for point in one.run.points
        ],
        (44, 12, 12, 10, 10, 60),
    )
    yield (
        "Among all",
        (
            *("Measure", "Unit", "Middle of all", "Score", "Limits", "Flagged"),
            *("Reliability", "Best estimate", "Low", "High"),
        ),
        [
            (
                *(one.title, one.unit.strip(), _number(its.target), its.score, its.zone),
                *("yes" if its.flagged else "no", _number(its.reliability), _number(its.shrunk)),
                *(_number(its.low), _number(its.high)),
            )
            for one in report.measures
            if (its := one.placing) is not None
        ],
        (44, 12, 12, 8, 12, 8, 10, 12, 10, 10),
    )
    yield (
        "Case mix",
        (
            *("Measure", "Unit", "Allowed for", "Observed", "Expected", "Ratio", "Low", "High"),
            *(
                "Reliability",
                "Best estimate",
                "Low",
                "High",
                "Adjusted result",
                "Low",
                "High",
                "Says",
            ),
        ),
        [
            (
                *(one.title, one.unit.strip(), ", ".join(brought.factors), brought.observed),
                *(_number(brought.expected), _number(brought.ratio), _number(brought.ratio_low)),
                *(
                    _number(brought.ratio_high),
                    _number(brought.reliability),
                    _number(brought.shrunk),
                ),
                *(_number(brought.shrunk_low), _number(brought.shrunk_high), _number(brought.rate)),
                *(_number(brought.low), _number(brought.high), brought.says),
            )
            for one in report.measures
            if (brought := one.adjusted) is not None
        ],
        (44, 12, 40, 10, 10, 8, 8, 8, 10, 12, 8, 8, 12, 8, 8, 90),
    )
    yield (
        "Control charts",
        ("Measure", "Chart", "Period", "Value", "Centre", "Lower limit", "Upper limit", "Says"),
        [
            (
                *(one.title, chart.chart, point.period, point.value, point.centre),
                *(point.low, point.high, None if place else chart.says),
            )
            for one in report.measures
            if one.run is not None and (chart := one.run.control) is not None
            for place, point in enumerate(chart.points)
        ],
        (44, 10, 12, 10, 10, 10, 10, 90),
    )
    yield (
        "Strata",
        (
            "Measure",
            "Split",
            "Stratum",
            "Result",
            "Unit",
            "Low",
            "High",
            "Cases",
            "Withheld because",
        ),
        [
            (
                *(one.title, split.title, stratum.title, _number(stratum.figures.rate)),
                *(one.unit.strip(), _number(stratum.figures.low), _number(stratum.figures.high)),
                *(stratum.figures.denominator, _reason(stratum.figures)),
            )
            for one in report.measures
            for split in one.split
            for stratum in split.strata
        ],
        (44, 20, 24, 10, 12, 10, 10, 10, 60),
    )
    yield (
        "Reference levels",
        (
            "Measure",
            "Stratum",
            "Cases",
            "Own median",
            "Unit",
            "Level",
            "Value",
            "Own above",
            "Withheld because",
        ),
        [
            (
                *(one.title, row.title, row.cases, _number(row.median), one.unit.strip()),
                *(level.title, _number(level.value)),
                *(None if level.above is None else "yes" if level.above else "no",),
                level.withheld.says if level.withheld else None,
            )
            for one in report.measures
            for row in one.levels
            for level in row.levels
        ],
        (44, 44, 8, 10, 12, 28, 10, 10, 60),
    )
    yield (
        "Completeness",
        ("Form", "Element", "Title", "Cases", "Sent", "Share", "Not known", "Asked of every case"),
        [
            (
                *(one.form, one.element, one.title, one.cases, one.filled, one.share),
                *(one.unknown, "yes" if one.always else "no"),
            )
            for one in report.quality.completeness
        ],
        (16, 36, 50, 10, 10, 10, 10, 18),
    )
    yield (
        "Not shown",
        ("What", "Measure", "Why"),
        [(one.what, one.title, one.says) for one in report.not_shown],
        (40, 44, 90),
    )
    yield "Methods", ("",), [(line,) for line in _methods(report)], (130,)


RESULT = (
    *("Measure", "Period", "Result", "Unit", "Low", "High", "Numerator", "Denominator"),
    *("Exclusions", "Exceptions", "Better"),
)


def _summary(report: Composition) -> list[Row]:
    place = report.facility
    lines: list[Row] = [
        ("Facility", f"{place.name} ({place.id})"),
        ("Registry", report.registry),
        ("Period", f"{report.period_says} ({report.period})"),
        ("Composed", f"{report.composed_at:%Y-%m-%d %H:%M} UTC"),
    ]
    if said := issue_says(report):
        lines.append(("Issue", said))
    for title, part in (
        ("Overall", report.summary.overall),
        ("What changed", report.summary.changed),
        ("What stands out", report.summary.stands_out),
        ("What to look at", report.summary.look_at),
        ("Data quality", report.quality.says),
    ):
        lines += [(title if not place else "", line) for place, line in enumerate(part)]
    return lines


def _result(one: MeasureFeedback) -> Row:
    shown, changed = one.shown, one.change
    return (
        *(one.title, shown.period, _number(shown.rate), one.unit.strip()),
        *(_number(shown.low), _number(shown.high), shown.numerator, shown.denominator),
        *(shown.exclusions, shown.exceptions, one.better),
        *(
            (_number(changed.before), changed.kind, changed.value, changed.low, changed.high)
            if changed
            else (None, None, None, None, None)
        ),
        one.run.course if one.run else None,
        _reason(one.result),
    )


def _peers(report: Composition) -> list[Row]:
    return [
        (
            *(one.title, group.title, group.facilities, _number(group.p10), _number(group.low)),
            *(_number(group.median), _number(group.high), _number(group.p90), group.quartile),
            *(group.snapshot_on.isoformat() if group.snapshot_on else None, group.says),
        )
        for one in report.measures
        for group in one.standings
    ]


def _methods(report: Composition) -> Iterable[str]:
    yield from report.methods.says
    yield from report.methods.unconfirmed
    yield (
        f"Definition {report.registry_id} {report.methods.definition_version}, digest "
        f"{report.methods.definition_digest}, feed number {report.methods.feed_number}."
    )


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _reason(figures: Figures) -> str | None:
    return figures.withheld.says if figures.withheld else None


def _write(
    book: xlsxwriter.Workbook, name: str, heads: Row, rows: Iterable[Row], widths: Sequence[int]
) -> None:
    sheet = book.add_worksheet(name)
    bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    plain = book.add_format({"valign": "top", "text_wrap": True})
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    for number, row in enumerate([heads, *rows]):
        for column, value in enumerate(row):
            style = plain if number else bold
            if isinstance(value, str):
                sheet.write_string(number, column, value, style)
            elif value is not None:
                sheet.write_number(number, column, value, style)
    sheet.freeze_panes(1, 1)
