"""
Answers in, report out: which questions still stand, which end points are reached, what is said.

An answer to a question that is not relevant counts as not given, and so may make other questions
relevant or not: relevance is worked out again until it no longer changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.registries.decisions import Value
from app.reporting import arithmetic
from app.reporting.answers import Question, Refused, understood
from app.reporting.conditions import Answer, Answers
from app.reporting.module import (
    Arithmetic,
    Coding,
    Decision,
    DecisionPoint,
    Element,
    EndPoint,
    Joined,
    Looked,
    Module,
    Words,
    Working,
    Worst,
)
from app.reporting.wording import said, sections, text_of

MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Flaw:
    """One answer that cannot be taken: where, why, and what can. Never the answer itself."""

    place: tuple[str | int, ...]
    code: str
    allowed: str


@dataclass(frozen=True, slots=True)
class Coded:
    """An answer as a code: what was asked, and what the answer is."""

    element: str
    item: int | None
    concept: Coding
    value: Coding | None
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the answers come to."""

    questions: tuple[Question, ...]
    flaws: tuple[Flaw, ...]
    computed: Mapping[str, Answer]
    items: Mapping[str, tuple[Mapping[str, Answer], ...]]
    """What was worked out for each item of a group."""
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
    for name in given:
        if name not in module.by_id and name not in groups:
            # The name is not told: it was sent, and could be anything.
            flaws.append(Flaw((), "unknown-element", "the elements and groups of this module"))
    whole = _Sheet(module, None, given, (), {}, flaws)
    items = dict[str, tuple[_Sheet, ...]]()
    for group in module.groups:
        rows = given.get(group.id, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            flaws.append(Flaw((group.id,), "not-a-list", "a list of objects"))
            rows = []
        if len(rows) > group.at_most:
            flaws.append(Flaw((group.id,), "too-many", f"at most {group.at_most}"))
            rows = rows[: group.at_most]
        items[group.id] = tuple(
            _Sheet(module, group.id, row, (group.id, number), whole.answers, flaws)
            for number, row in enumerate(rows)
        )
    whole.conclude({name: [one.answers for one in sheets] for name, sheets in items.items()})
    end_points = tuple(_reached(module, whole.answers))
    sheets = [whole, *(one for sheets in items.values() for one in sheets)]
    return Outcome(
        questions=tuple(question for sheet in sheets for question in sheet.questions),
        flaws=tuple(flaws),
        computed=whole.computed,
        items={name: tuple(one.computed for one in found) for name, found in items.items()},
        end_points=end_points,
        sections=sections(module, end_points, whole.answers),
        codes=tuple(code for sheet in sheets for code in sheet.codes()),
    )


class _Sheet:
    """The answers of a whole module, or of one item of a group."""

    def __init__(
        self,
        module: Module,
        group: str | None,
        given: Mapping[str, Any],
        place: tuple[str | int, ...],
        around: Answers,
        flaws: list[Flaw],
    ) -> None:
        self.module, self.around = module, around
        self.item = int(place[1]) if place else None
        self.elements = [one for one in module.elements if one.group == group]
        self.workings = [one for one in module.computed if one.group == group]
        self.computed: dict[str, Answer] = {}
        if group is not None:
            known = {one.id for one in self.elements}
            flaws.extend(
                Flaw(place, "unknown-element", "the elements of this group")
                for name in given
                if name not in known
            )
        self.given = dict[str, Answer]()
        for element in self.elements:
            found = understood(element, given.get(element.id))
            if isinstance(found, Refused):
                flaws.append(Flaw((*place, element.id), found.code, found.allowed))
            elif found is not None:
                self.given[element.id] = found
        self.settle({})
        for question in self.questions:
            refused = question.out_of_place(self.answers.get(question.element.id))
            if refused:
                flaws.append(Flaw((*place, question.element.id), refused.code, refused.allowed))

    def settle(self, items: Mapping[str, Sequence[Answers]]) -> None:
        """Which answers count, until that no longer changes."""
        answers = {**self.around, **self._given({one.id for one in self.elements})}
        self.computed = self._computed(answers, items)
        for _ in range(MOST_ROUNDS):
            self.questions = [self._question(one, answers | self.computed) for one in self.elements]
            relevant = {one.element.id for one in self.questions if one.relevant}
            now = {**self.around, **self._given(relevant)}
            computed = self._computed(now, items)
            if (now, computed) == (answers, self.computed):
                break
            answers, self.computed = now, computed
        self.answers: dict[str, Answer] = answers | self.computed

    def conclude(self, items: Mapping[str, Sequence[Answers]]) -> None:
        """Work out again what looks at the items of groups."""
        self.settle(items)

    def _given(self, relevant: set[str]) -> dict[str, Answer]:
        found = dict[str, Answer]()
        for element in self.elements:
            if element.id not in relevant:
                continue
            if element.id in self.given:
                found[element.id] = self.given[element.id]
            elif defaults := [one.value for one in element.choices if one.default]:
                found[element.id] = tuple(defaults) if element.kind == "choices" else defaults[0]
        return found

    def _computed(
        self, answers: Answers, items: Mapping[str, Sequence[Answers]]
    ) -> dict[str, Answer]:
        found = dict[str, Answer]()
        for one in self.workings:
            value = _worked(self.module, one.working, {**answers, **found}, items)
            if value is not None:
                found[one.id] = value
        return found

    def _question(self, element: Element, answers: Answers) -> Question:
        held = [one for one in element.conditionals if one.when.holds(answers)]
        wanted = [one for one in element.conditionals if one.relevant is True]
        relevant = not any(one.relevant is False for one in held) and (
            not wanted or any(one in held for one in wanted)
        )
        required = element.required
        low, high = element.minimum, element.maximum
        for one in held:
            required = required if one.required is None else one.required
            low = low if one.minimum is None else one.minimum
            high = high if one.maximum is None else one.maximum
        return Question(
            element=element,
            item=self.item,
            relevant=relevant,
            required=required,
            answered=element.id in answers,
            minimum=low,
            maximum=high,
            without=tuple(value for one in held for value in one.without),
        )

    def codes(self) -> Iterable[Coded]:
        for question in self.questions:
            element = question.element
            answer = self.answers.get(element.id) if question.relevant else None
            if answer is None:
                continue
            for concept in element.codings:
                if not element.choices:
                    yield Coded(element.id, self.item, concept, None, said(element, answer))
                for choice in element.choices:
                    if choice.value in (answer if isinstance(answer, tuple) else (answer,)):
                        same = [one for one in choice.codings if one.system == concept.system]
                        yield Coded(
                            element.id, self.item, concept, same[0] if same else None, choice.label
                        )


def _worked(
    module: Module, working: Working, answers: Answers, items: Mapping[str, Sequence[Answers]]
) -> Answer | None:
    match working:
        case Arithmetic(text):
            return arithmetic.value(text, answers)
        case Words(pieces):
            return text_of(module, pieces, answers)
        case Decision(branches, otherwise):
            for when, then in branches:
                if when.holds(answers):
                    return _worked(module, then, answers, items)
            return _worked(module, otherwise, answers, items) if otherwise else None
        case Looked(table, output):
            situation = {
                one.id: _as_input(one.boolean, answers.get(one.id)) for one in table.inputs
            }
            found = table.decide(situation)[output]
            return str(found).lower() if isinstance(found, bool) else found
        case Worst(element, order, otherwise_value):
            found_values = [
                str(row[element]) for rows in items.values() for row in rows if element in row
            ]
            ranked = [one for one in order if one in found_values]
            return ranked[0] if ranked else otherwise_value
        case Joined(element, between):
            return between.join(
                str(row[element]) for rows in items.values() for row in rows if element in row
            )


def _as_input(boolean: bool, answer: Answer | None) -> Value:
    if isinstance(answer, tuple):
        return None
    return answer == "true" if boolean and answer is not None else answer


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
