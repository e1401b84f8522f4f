"""
Improvement projects that a definition offers: what a facility may set out to do better, and how it shows.

A template says why, by which measures, and what it takes; the project itself (whose, since when, what
was changed) is a facility's own and no part of a definition.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from app.registries.parts import Identifier, Part, Slug, Source

Step = Literal["plan", "do", "study", "act"]
STEPS: tuple[Step, ...] = get_args(Step)
"""The steps of a cycle of change, in their order."""

Place = tuple[str | int, ...]
Complaints = Iterator[tuple[Place, str, int]]
Missing = Callable[[Place, str, Iterable[str], str], Complaints]

Words = Annotated[str, Field(min_length=1, max_length=1000)]


class Background(Part):
    """One reason for a project, and where it is from."""

    says: Words
    source: Source = "confirmed"
    reference: str | None = None


class Suggestion(Part):
    """A change that a facility may try."""

    id: Slug
    title: Annotated[str, Field(min_length=1, max_length=120)]
    says: Words
    source: Source = "confirmed"
    reference: str | None = None


class WorksheetSection(Part):
    """A part of the worksheet: what is asked at one step."""

    id: Slug
    title: Annotated[str, Field(min_length=1, max_length=120)]
    step: Step
    asks: Annotated[tuple[Words, ...], Field(min_length=1, max_length=12)]


class EvidenceRequirements(Part):
    """What must be on record before an evidence summary calls a project complete."""

    participation_months: Annotated[int, Field(ge=0, le=36)] = 0
    """How long each participant takes part, at least."""
    changes: Annotated[int, Field(ge=1, le=20)] = 1
    """How many changes were carried out (`do`), at least."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)] = STEPS
    """Which steps are on record."""
    source: Source = "project"
    reference: str | None = None


class ImprovementTemplate(Part):
    """An improvement project as a definition offers it."""

    id: Slug
    title: Annotated[str, Field(min_length=1, max_length=120)]
    module: Slug | None = None
    purpose: Words
    background: Annotated[tuple[Background, ...], Field(min_length=1)]
    measures: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """What it may be judged by; a project chooses one."""
    interventions: Annotated[tuple[Suggestion, ...], Field(min_length=1)]
    baseline_months: Annotated[int, Field(ge=1, le=60)]
    """The fewest months of a baseline."""
    remeasurement_months: Annotated[int, Field(ge=1, le=60)]
    """The fewest months that the baseline is compared with."""
    worksheet: Annotated[tuple[WorksheetSection, ...], Field(min_length=1)]
    evidence: EvidenceRequirements = EvidenceRequirements()
    source: Source = "confirmed"
    reference: str | None = None


def unfit(
    place: Place,
    template: ImprovementTemplate,
    modules: Iterable[str],
    measures: Iterable[tuple[str, str, str]],
    missing: Missing,
) -> Complaints:
    """What does not hold of a template beside its definition; `measures` are id, scoring, direction."""
    if template.module is not None:
        yield from missing((*place, "module"), template.module, modules, "module")
    known = {name: (scoring, direction) for name, scoring, direction in measures}
    for number, one in enumerate(template.measures):
        at = (*place, "measures", number)
        yield from missing(at, one, known, "measure")
        scoring, direction = known.get(one, ("proportion", "increase"))
        if scoring == "cohort":
            yield at, f"`{one}` only counts: there is no rate to improve", 0
        elif direction == "none":
            yield at, f"`{one}` says neither direction is better: nothing tells an improvement", 0
    for name, ids in (
        ("measures", template.measures),
        ("interventions", [one.id for one in template.interventions]),
        ("worksheet", [one.id for one in template.worksheet]),
    ):
        yield from _twice((*place, name), ids)
    yield from _twice((*place, "evidence", "steps"), template.evidence.steps)
    asked = {one.step for one in template.worksheet}
    for step in STEPS:
        if step not in asked:
            yield (*place, "worksheet"), f"no section asks about the step `{step}`", 0
    ranks = [STEPS.index(one.step) for one in template.worksheet]
    if ranks != sorted(ranks):
        yield (*place, "worksheet"), "sections follow the steps: plan, do, study, act", 0
    if "do" not in template.evidence.steps:
        yield (*place, "evidence", "steps"), "without `do` nothing was changed", 0


def _twice(place: Place, ids: Sequence[str]) -> Complaints:
    for number, one in enumerate(ids):
        if one in ids[:number]:
            yield (*place, number), f"`{one}` is named twice", 0
