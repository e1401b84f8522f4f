"""
Answers in, report out: which questions still stand, which end points are reached, what is said.

An answer to a question that is not relevant counts as not given, and so may make other questions
relevant or not: relevance is worked out again until it no longer changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.registries.decisions import Input, Value
from app.reporting import arithmetic
from app.reporting.answers import Question, Refused, understood
from app.reporting.conditions import Answer, Answers, number_in
from app.reporting.module import (
    Arithmetic,
    Coding,
    Counted,
    Decision,
    DecisionPoint,
    Element,
    EndPoint,
    Joined,
    Looked,
    Module,
    Taken,
    Words,
    Working,
    Worst,
)
from app.reporting.wording import LONGEST_REPORT, Room, TooLong, said, sections, text_of

MOST_ROUNDS = 20
MOST_COMPUTED = 10 * LONGEST_REPORT
"""Characters of text that may be worked out before a report is said, over every round."""

Items = Mapping[str, Sequence[Answers]]
"""The answers of each item, by group. A group whose items could not be taken is not there."""


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
    known = {one.id for one in module.elements if one.group is None} | set(groups)
    if not known.issuperset(given):
        # The names are not told: they were sent, and could be anything.
        flaws.append(
            Flaw((), "unknown-element", "elements of no group, and groups, of this module")
        )
    room = Room(MOST_COMPUTED)
    whole = _Sheet(module, None, given, (), {}, room)
    items = dict[str, tuple[_Sheet, ...]]()
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
            _Sheet(module, group.id, row, (group.id, number), whole.answers, room)
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
        end_points=end_points,
        sections=report,
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
        room: Room,
    ) -> None:
        self.module, self.around, self.place, self.room = module, around, place, room
        self.item = int(place[1]) if place else None
        self.elements = [one for one in module.elements if one.group == group]
        self.workings = [one for one in module.computed if one.group == group]
        self.computed: dict[str, Answer] = {}
        self.flaws = list[Flaw]()
        if group is not None and not {one.id for one in self.elements}.issuperset(given):
            self.flaws.append(Flaw(place, "unknown-element", "the elements of this group"))
        self.given = dict[str, Answer]()
        self.refused = set[str]()
        """Elements whose answer cannot be taken: neither it nor a default counts."""
        for element in self.elements:
            found = understood(element, given.get(element.id))
            if isinstance(found, Refused):
                self.refuse(element, found)
            elif found is not None:
                self.given[element.id] = found
        self.settle({})

    def refuse(self, element: Element, why: Refused) -> None:
        self.refused.add(element.id)
        self.flaws.append(Flaw((*self.place, element.id), why.code, why.allowed))

    def settle(self, items: Items) -> None:
        """Which answers count: those in place among the others that do."""
        while True:
            self._settle(items)
            before = len(self.refused)
            for question in self.questions:
                name = question.element.id
                why = question.out_of_place(self.answers.get(name))
                if why is None or name in self.refused:
                    continue
                if name in self.given:
                    self.refuse(question.element, why)
                else:
                    # Nobody gave a default, so that nobody is told of it.
                    self.refused.add(name)
            if len(self.refused) == before:
                return

    def _settle(self, items: Items) -> None:
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

    def _given(self, relevant: set[str]) -> dict[str, Answer]:
        found = dict[str, Answer]()
        for element in self.elements:
            if element.id not in relevant or element.id in self.refused:
                continue
            if element.id in self.given:
                found[element.id] = self.given[element.id]
            elif defaults := [one.value for one in element.choices if one.default]:
                found[element.id] = tuple(defaults) if element.kind == "choices" else defaults[0]
        return found

    def _computed(self, answers: Answers, items: Items) -> dict[str, Answer]:
        found, seen = dict[str, Answer](), dict(answers)
        for one in self.workings:
            try:
                value = _worked(self.module, one.working, seen, items, self.room)
            except TooLong:
                # The room is used up, which `evaluate` tells once.
                break
            if value is not None:
                found[one.id] = seen[one.id] = value
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
        whole = answers.get(element.part_of) if element.part_of else None
        return Question(
            element=element,
            item=self.item,
            relevant=relevant,
            required=required,
            answered=element.id in answers,
            minimum=low,
            maximum=high,
            without=tuple(value for one in held for value in one.without),
            whole=whole if isinstance(whole, Decimal) else None,
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
    module: Module, working: Working, answers: Answers, items: Items, room: Room
) -> Answer | None:
    room.take(1)
    match working:
        case Arithmetic(text):
            return arithmetic.value(text, answers)
        case Words(pieces):
            return text_of(module, pieces, answers, room)
        case Decision(branches, otherwise):
            for when, then in branches:
                if when.holds(answers):
                    return _worked(module, then, answers, items, room)
            return _worked(module, otherwise, answers, items, room) if otherwise else None
        case Looked(table, output):
            situation = {one.id: _as_input(one, answers.get(one.id)) for one in table.inputs}
            found = table.decide(situation)[output]
            return str(found).lower() if isinstance(found, bool) else found
        case Worst(element, order, otherwise_value):
            rows = items.get(module.group_of.get(element) or "")
            if not rows:
                return otherwise_value if rows is not None else None
            if not all(element in row for row in rows):
                return None
            found_values = {said(None, row[element]) for row in rows}
            return next((one for one in order if one in found_values), None)
        case Joined(element, between):
            texts = [
                said(module.by_id.get(element), row[element])
                for row in items.get(module.group_of.get(element) or "", ())
                if element in row
            ]
            room.take(sum(len(one) + len(between) for one in texts))
            return between.join(texts)
        case Taken(element):
            return answers.get(element)
        case Counted(element):
            answer = answers.get(element, ())
            return Decimal(len(answer) if isinstance(answer, tuple) else 1)


def _as_input(one: Input, answer: Answer | None) -> Value:
    """An answer as a table sees it; None where it is none of what the input may be."""
    if isinstance(answer, tuple) or answer is None:
        return None
    if one.numbers is not None:
        return number_in(answer) if isinstance(answer, str) else answer
    text = said(None, answer)
    return text == "true" if one.boolean else text


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
