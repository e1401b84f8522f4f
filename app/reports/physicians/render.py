"""Write a physician's feedback as a page that stands by itself, and on paper."""

from typing import Any

from markupsafe import Markup

from app.reports import words
from app.reports.paper import TEMPLATE, moment, typeset
from app.reports.physicians.compose import WITHIN
from app.reports.physicians.feedback import OwnMeasure, PhysicianFeedback
from app.reports.render import CSS, pages

PAPER = TEMPLATE.parent / "physician.typ"
HEADS = ("Measure", "You", "95% interval", "Cases", "Facility", "All facilities, middle half")


def page(feedback: PhysicianFeedback) -> str:
    """The feedback as HTML."""
    return pages.get_template("physician.html").render(
        feedback=feedback,
        css=Markup(CSS),  # noqa: S704 - our own file, not input
        heads=HEADS,
        sections=sections(feedback),
        row=row,
        as_of=moment(feedback.as_of) if feedback.as_of else "no data yet",
    )


def pdf(feedback: PhysicianFeedback) -> bytes:
    """The feedback as a tagged PDF: one page, and its methods."""
    return typeset(PAPER, document(feedback), feedback.composed_at)


def sections(feedback: PhysicianFeedback) -> dict[str, list[OwnMeasure]]:
    """Measures under their headings: those with a result of their own."""
    found: dict[str, list[OwnMeasure]] = {}
    for one in feedback.measures:
        if one.own.rate is not None:
            found.setdefault(one.section, []).append(one)
    return found


def row(measure: OwnMeasure) -> list[str]:
    """A measure as a row of the table."""
    own, unit = measure.own, measure.unit
    peers = next((one for one in measure.peers if one.median is not None), None)
    return [
        measure.title + ("" if measure.source == "confirmed" else "*"),
        "not shown" if own.rate is None else f"{own.rate}{unit}",
        "" if own.low is None else f"{own.low} to {own.high}",
        "" if own.denominator is None else f"{own.denominator:,}",
        "not told" if measure.facility.rate is None else f"{measure.facility.rate}{unit}",
        "not told" if peers is None else f"{peers.low} to {peers.high}",
    ]


def remark(measure: OwnMeasure) -> str:
    """What is said beside a row on paper; what differs by no more than chance needs no word."""
    return "" if measure.says == WITHIN else measure.says


def document(feedback: PhysicianFeedback) -> dict[str, Any]:
    """What the template reads."""
    return {
        "title": f"{feedback.physician_name}, {feedback.registry}, {feedback.period_says}",
        "steward": feedback.steward,
        "registry": feedback.registry,
        "name": feedback.physician_name,
        "facility": feedback.facility_name,
        "place": f"Facility {feedback.facility} · {feedback.period_says}",
        "footer": f"Definition {feedback.definition_version}, digest {feedback.definition_digest[:12]} · "
        f"feed number {feedback.feed_number} · composed {moment(feedback.composed_at)}",
        "heads": HEADS,
        "sections": [
            {"title": title, "rows": [[*row(one), remark(one)] for one in measures]}
            for title, measures in sections(feedback).items()
        ],
        "not_shown": not_shown(feedback),
        "methods": feedback.methods,
    }


def not_shown(feedback: PhysicianFeedback) -> list[str]:
    """Why measures are missing: one sentence a reason."""
    reasons: dict[str, list[str]] = {}
    for one in feedback.measures:
        if one.own.rate is None and one.own.withheld is not None:
            reasons.setdefault(one.own.withheld.says, []).append(one.title)
    told = [f"{words.listed(titles, most=99)}: {says}" for says, titles in reasons.items()]
    return [
        *told,
        *dict.fromkeys(
            one.facility.withheld.says
            for one in feedback.measures
            if one.own.rate is not None and one.facility.withheld is not None
        ),
    ]
