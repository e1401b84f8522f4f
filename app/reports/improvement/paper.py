"""
Worksheet and evidence summary of an improvement project on paper.

The worksheet holds the template's questions with what is on record beneath each step and room to
write; the summary is what an office of continuing education files. The same evidence gives the same
bytes.
"""

from pathlib import Path
from typing import Any

from app.registries.improvement import STEPS, ImprovementTemplate, Step
from app.reports import words
from app.reports.composition import Figures
from app.reports.drawing import data
from app.reports.improvement.chart import drawing
from app.reports.improvement.evidence import Evidence
from app.reports.paper import TEMPLATE, moment, typeset

WORKSHEET: Path = TEMPLATE.parent / "worksheet.typ"
SUMMARY: Path = TEMPLATE.parent / "evidence.typ"
STEP_TITLES: dict[Step, str] = {"plan": "Plan", "do": "Do", "study": "Study", "act": "Act"}


def worksheet(evidence: Evidence, template: ImprovementTemplate) -> bytes:
    """The worksheet as a tagged PDF."""
    return typeset(WORKSHEET, _worksheet(evidence, template), evidence.composed_at)


def summary(evidence: Evidence, digest: str) -> bytes:
    """The evidence summary as a tagged PDF; `digest` is that of the evidence."""
    return typeset(SUMMARY, _summary(evidence, digest), evidence.composed_at)


def _head(evidence: Evidence) -> dict[str, Any]:
    return {
        "steward": evidence.steward,
        "registry": evidence.registry,
        "facility": evidence.facility_name,
        "place": f"Facility {evidence.facility} · project {evidence.project}",
        "name": evidence.title,
        "aim": evidence.aim,
        "purpose": evidence.purpose,
        "measure": evidence.measure.title,
        "measure_says": evidence.measure.description,
        "footer": f"Definition {evidence.definition_version}, digest {evidence.definition_digest[:12]} · "
        f"feed number {evidence.feed_number} · composed {moment(evidence.composed_at)}",
    }


def _worksheet(evidence: Evidence, template: ImprovementTemplate) -> dict[str, Any]:
    on_record = {
        step: [
            [f"{one.on:%-d %b %Y}", one.says] for one in evidence.interventions if one.kind == step
        ]
        for step in STEPS
    }
    last = {section.step: section.id for section in template.worksheet}
    return {
        **_head(evidence),
        "title": f"Worksheet: {evidence.title}, {evidence.facility_name}",
        "background": [
            one.says + (f" ({one.source})" if one.source != "confirmed" else "")
            for one in template.background
        ],
        "suggestions": [[one.title, one.says] for one in template.interventions],
        "says": evidence.says,
        "sections": [
            {
                "step": STEP_TITLES[section.step],
                "title": section.title,
                "asks": section.asks,
                "record": on_record[section.step] if last[section.step] == section.id else [],
                "results": section.step == "study",
            }
            for section in template.worksheet
        ],
        "participants": _participants(evidence),
    }


def _summary(evidence: Evidence, digest: str) -> dict[str, Any]:
    drawn = drawing(evidence)
    rows = [_row("Baseline", evidence.baseline, evidence)]
    if evidence.remeasurement is not None:
        rows.append(_row("Re-measurement", evidence.remeasurement, evidence))
    return {
        **_head(evidence),
        "title": f"Evidence summary: {evidence.title}, {evidence.facility_name}",
        "state": f"Closed on {evidence.closed_on:%-d %B %Y}"
        if evidence.closed_on
        else "Open: what follows may still change",
        "began": f"{evidence.began_on:%-d %B %Y}",
        "complete": "All requirements are met."
        if evidence.complete
        else "Not complete: see the requirements.",
        "rows": rows,
        "says": evidence.says,
        "chart": None if drawn is None else data(drawn),
        "interventions": [
            [f"{one.on:%-d %b %Y}", STEP_TITLES[one.kind], one.says]  # type: ignore[index]  # a step
            for one in evidence.interventions
        ],
        "participants": _participants(evidence),
        "requirements": [["yes" if one.met else "no", one.says] for one in evidence.requirements],
        "conclusion": evidence.conclusion or "",
        "digest": digest,
    }


def _participants(evidence: Evidence) -> list[list[str]]:
    return [
        [
            one.name,
            one.role,
            f"{one.from_day:%-d %b %Y}",
            f"{one.to_day:%-d %b %Y}" if one.to_day else "",
        ]
        for one in evidence.participants
    ]


def _row(title: str, shown: Figures, evidence: Evidence) -> list[str]:
    unit = evidence.measure.unit
    return [
        title,
        words.period_says(shown.period),
        "not shown" if shown.rate is None else f"{shown.rate}{unit}",
        "" if shown.low is None else f"{shown.low} to {shown.high}",
        "" if shown.denominator is None else f"{shown.denominator:,}",
    ]
