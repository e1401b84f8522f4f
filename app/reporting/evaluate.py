"""Answers in, report out: which questions still stand, which end points are reached, what is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.reporting.answers import Question
from app.reporting.conditions import Answer, Answers
from app.reporting.module import DecisionPoint, EndPoint, Module
from app.reporting.sheet import Coded, Flaw, Sheet
from app.reporting.wording import LONGEST_REPORT, Room, TooLong, sections

MOST_COMPUTED = 10 * LONGEST_REPORT
"""Characters of text that may be worked out before a report is said, over every round."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the answers come to."""

    questions: tuple[Question, ...]
    flaws: tuple[Flaw, ...]
    computed: Mapping[str, Answer]
    items: Mapping[str, tuple[Mapping[str, Answer], ...]]
    """What was worked out for each item of a group."""
    answers: Answers
    """Everything that counts: what was answered and what was worked out."""
    item_answers: Mapping[str, tuple[Answers, ...]]
    """The same of each item of a group, beside what stands around it."""
    end_points: tuple[EndPoint, ...]
    sections: Mapping[str, str]
    codes: tuple[Coded, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing asked for is missing and nothing given is out of place."""
        return not self.flaws and not any(one.open for one in self.questions)


def evaluate(module: Module, given: Mapping[str, Any]) -> Outcome:
    """What a module makes of answers; values as JSON has them, groups as lists of objects.

    Nothing is raised for what was answered: flaws tell.
    """
    flaws = list[Flaw]()
    groups = {one.id: one for one in module.groups}
    known = {one.id for one in module.elements if one.group is None} | set(groups)
    if not known.issuperset(given):
        # The names are not told: they were sent, and could be anything.
        flaws.append(
            Flaw((), "unknown-element", "elements of no group, and groups, of this module")
        )
    room = Room(MOST_COMPUTED)
    whole = Sheet(module, None, given, (), {}, room)
    items = dict[str, tuple[Sheet, ...]]()
    refused = set[str]()
    for group in module.groups:
        rows = given.get(group.id, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            flaws.append(Flaw((group.id,), "not-a-list", "a list of objects"))
            refused.add(group.id)
            rows = []
        if len(rows) > group.at_most:
            flaws.append(Flaw((group.id,), "too-many", f"at most {group.at_most}"))
            refused.add(group.id)
            rows = rows[: group.at_most]
        items[group.id] = tuple(
            Sheet(module, group.id, row, (group.id, number), whole.answers, room)
            for number, row in enumerate(rows)
        )
    whole.settle(
        {
            name: [one.answers for one in sheets]
            for name, sheets in items.items()
            if name not in refused
        }
    )
    sheets = [whole, *(one for sheets in items.values() for one in sheets)]
    flaws.extend(flaw for sheet in sheets for flaw in sheet.flaws)
    # What was meant by an answer that cannot be taken is not known: nothing is concluded beside it.
    end_points = () if flaws else tuple(_reached(module, whole.answers))
    try:
        if room.left < 0:
            raise TooLong
        report = sections(module, end_points, whole.answers)
    except TooLong:
        report = {}
        flaws.append(Flaw((), "too-long", f"a report of at most {LONGEST_REPORT} characters"))
    return Outcome(
        questions=tuple(question for sheet in sheets for question in sheet.questions),
        flaws=tuple(flaws),
        computed=whole.computed,
        items={name: tuple(one.computed for one in found) for name, found in items.items()},
        answers=whole.answers,
        item_answers={name: tuple(one.answers for one in found) for name, found in items.items()},
        end_points=end_points,
        sections=report,
        codes=tuple(code for sheet in sheets for code in sheet.codes()),
    )


def _reached(module: Module, answers: Answers) -> Iterable[EndPoint]:
    seen = dict[str, EndPoint]()

    def follow(point: DecisionPoint) -> None:
        held = [one for one in point.branches if one.when is None or one.when.holds(answers)]
        for branch in held or ([point.otherwise] if point.otherwise else []):
            if branch.end_point is not None:
                seen[branch.end_point] = module.ends[branch.end_point]
            if branch.point is not None:
                follow(branch.point)

    for point in module.rules:
        follow(point)
    return seen.values()
