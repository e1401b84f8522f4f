"""
The answers of a whole module, or of one item of a group: which of them count, and what they come to.

An answer to a question that is not relevant counts as not given, and so may make other questions
relevant or not: relevance is worked out again until it no longer changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.reporting.answers import Question, Refused, understood
from app.reporting.conditions import Answer, Answers
from app.reporting.module import Coding, Element, Module
from app.reporting.wording import Room, TooLong, said
from app.reporting.working import Items, worked

MOST_ROUNDS = 20
"""Times that relevance is worked out again before it is left as it is."""


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


class Sheet:
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
        """Count an answer as not given, and say so."""
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
                value = worked(self.module, one.working, seen, items, self.room)
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
        """The answers that count, in each vocabulary that names their question."""
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
