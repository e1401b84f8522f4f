"""
A composition on paper: typst sets it, with a template that is compiled once a process.

Text and drawings are handed over as data. What does not change from one facility to the next (the
template, fonts, the shapes of a page) typst remembers between reports. The same composition gives
the same bytes: the document's date is that of the composition.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import font_source_sans_pro
import typst

from app.reports.composition import Composition, Figures, MeasureFeedback, Section, Standing
from app.reports.drawing import Drawing, data
from app.reports.render import (
    adjusted_row,
    beneath,
    blocks,
    counts_of,
    delays_of,
    drawings,
    issue_says,
    level_rows,
    level_titles,
    not_shown_rows,
    rated,
    reached,
)

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
STANDARD: Final = "ua-1"
"""PDF/UA: tagged, in reading order, with a text for every chart."""

GLANCE = (
    "Four steps show the quarter of all facilities this one is in: the tallest is the best quarter, or, "
    "where neither direction is better, the highest rates. * of an earlier period, whose outcomes are known."
)


@cache
def _compiler(template: Path = TEMPLATE) -> typst.Compiler:
    """One a process and template: fonts from their wheel alone, nothing of the machine's, nothing fetched."""
    folder = Path(font_source_sans_pro.__file__).parent / "files"
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[folder]
    )
    return typst.Compiler(template, root=TEMPLATE.parent, font_paths=fonts)


def pdf(report: Composition) -> bytes:
    """The report as a tagged PDF (PDF/UA-1)."""
    return typeset(TEMPLATE, document(report), report.composed_at)


def typeset(template: Path, data: dict[str, Any], at: datetime) -> bytes:
    """Data set by a template, as a tagged PDF (PDF/UA-1) of that moment."""
    made = _compiler(template).compile(
        sys_inputs={"report": json.dumps(data)},
        format="pdf",
        pdf_standards=[STANDARD],
        timestamp=int(at.timestamp()),
    )
    assert isinstance(made, bytes)
    return made


def pictures(report: Composition, ppi: float = 110) -> list[bytes]:
    """Each page as a PNG, for a look at it."""
    made = _compiler().compile(
        sys_inputs={"report": json.dumps(document(report))}, format="png", ppi=ppi
    )
    if isinstance(made, bytes):
        return [made]
    assert made is not None
    return list(made)


def document(report: Composition) -> dict[str, Any]:
    """What the template reads: text as it stands on paper, and drawings."""
    methods = report.methods
    as_of = f"as of {moment(methods.as_of)}" if methods.as_of else "no data yet"
    where = [f"Facility {report.facility.id}", report.facility.category, report.facility.location]
    return {
        "title": f"{report.facility.name}, {report.registry}, {report.period_says}",
        "steward": report.steward,
        "registry": report.registry,
        "facility": report.facility.name,
        "place": " · ".join([*where, report.facility.division or ""]).rstrip(" ·"),
        "period": report.period,
        "period_says": report.period_says,
        "current": as_of,
        "issue": issue_says(report),
        "footer": f"Definition {methods.definition_version}, digest {methods.definition_digest[:12]} · "
        f"feed number {methods.feed_number} · composed {moment(report.composed_at)}",
        "glance": GLANCE,
        "summary": {
            "overall": report.summary.overall,
            "parts": [
                {"title": title, "lines": lines}
                for title, lines in (
                    ("What changed", report.summary.changed),
                    ("What stands out", report.summary.stands_out),
                    ("What to look at", report.summary.look_at),
                )
            ],
        },
        "sections": [
            {"title": section.title, "rows": [_glance(one) for one in section.measures]}
            for section in report.sections
        ],
        "pages": _broken([page for section in report.sections for page in _pages(section)]),
        "quality": _quality(report),
        "not_shown": not_shown_rows(report),
        "methods": {"says": methods.says, "unconfirmed": methods.unconfirmed},
    }


def _glance(measure: MeasureFeedback) -> dict[str, Any]:
    shown = measure.shown
    earlier = "*" if measure.latest is not None and shown.rate is not None else ""
    before = ""
    if measure.change is not None:
        sign = {True: "better", False: "worse", None: ""}[measure.change.better]
        changed = sign or ("changed" if measure.change.clear else "")
        before = f"{measure.change.before}{measure.unit}" + (f", {changed}" if changed else "")
    first = measure.standings[0] if measure.standings else None
    return {
        "cells": [
            measure.title,
            rated(shown, measure.unit) + earlier,
            _interval(shown),
            "" if shown.denominator is None else f"{shown.denominator:,}",
            before,
        ],
        "steps": _steps(measure, first),
    }


def _steps(measure: MeasureFeedback, standing: Standing | None) -> dict[str, Any] | None:
    if standing is None or standing.quartile is None:
        return None
    return {"step": reached(measure, standing), "says": standing.says}


def _broken(pages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What begins a page: all but measures without a chart that follow one another."""
    bare = [page["kind"] == "measure" and not page["wide"] + page["small"] for page in pages]
    return [
        {**page, "breaks": not (place and bare[place] and bare[place - 1])}
        for place, page in enumerate(pages)
    ]


def _pages(section: Section) -> list[dict[str, Any]]:
    return [
        _counts_page(section, block) if len(block) > 1 else _page(section, block[0])
        for block in blocks(section)
    ]


def _counts_page(section: Section, measures: Sequence[MeasureFeedback]) -> dict[str, Any]:
    drawing = counts_of(measures)
    return {
        "kind": "counts",
        "section": section.title,
        "title": f"{section.title}: counts",
        "drawing": None if drawing is None else data(drawing),
        "periods": [one.period for one in measures[0].trend],
        "rows": [
            [one.title, *(rated(figures, one.unit) for figures in one.trend)] for one in measures
        ],
    }


def _page(section: Section, measure: MeasureFeedback) -> dict[str, Any]:
    shown = measure.shown
    hidden = shown.rate is None
    charts = drawings(measure)
    return {
        "kind": "measure",
        "section": section.title,
        "title": measure.title,
        "rate": rated(shown, measure.unit),
        "interval": _interval(shown),
        "says": measure.says,
        "beneath": beneath(measure),
        "wide": [_captioned(*one) for one in charts if one[0] == "wide"],
        "small": [_captioned(*one) for one in charts if one[0] == "small"],
        "trend": [] if hidden else _trend(measure),
        "strata": [
            _row(one.title, one.figures, measure.unit)
            for split in measure.split
            for one in split.strata
            if not hidden
        ],
        "levels": [] if hidden else level_rows(measure),
        "level_titles": level_titles(measure),
        "definition": definition_says(measure),
    }


def _trend(measure: MeasureFeedback) -> list[list[str]]:
    adjusted = adjusted_row(measure)
    rows = [_row(one.period, one, measure.unit) for one in measure.trend]
    return rows if adjusted is None else [*rows, adjusted]


def definition_says(measure: MeasureFeedback) -> str:
    """What is measured, which way is better, and where that comes from."""
    said = [measure.description]
    if measure.better != "neither":
        said.append(f"{measure.better.capitalize()} is better.")
    if measure.reference:
        said.append(f"Source: {measure.reference}.")
    return " ".join(said)


def _captioned(kind: str, caption: str, drawing: Drawing) -> dict[str, Any]:
    return {"caption": caption, **data(drawing)}


def _row(title: str, figures: Figures, unit: str) -> list[str]:
    cases = "" if figures.denominator is None else f"{figures.denominator:,}"
    return [title, rated(figures, unit), _interval(figures), cases]


def _quality(report: Composition) -> dict[str, Any]:
    quality = report.quality
    facts = (
        ("Cases", quality.cases),
        ("Drafts", quality.drafts),
        ("Waiting for their case", quality.waiting),
        ("Submissions", quality.submissions),
        ("Entries sent", quality.entries),
        ("Rejected", quality.rejected),
    )
    delays = delays_of(report)
    return {
        "facts": [[name, f"{number:,}"] for name, number in facts],
        "says": quality.says,
        "delays": None if delays is None else data(delays),
        "follow_ups": [
            f"{one.followed:,} of {one.cases:,} cases ({one.share}) have a {one.title.lower()}."
            for one in quality.follow_ups
        ],
        "completeness": [
            [
                one.title + ("" if one.always else " †"),
                one.share,
                f"{one.unknown:,}" if one.unknown else "",
            ]
            for one in quality.completeness
        ],
    }


def _interval(figures: Figures) -> str:
    return "" if figures.low is None else f"{figures.low} to {figures.high}"


def moment(at: Any) -> str:
    """A moment as it stands on paper."""
    return f"{at:%-d %B %Y, %H:%M} UTC"
