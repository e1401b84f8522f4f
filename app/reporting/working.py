"""Work one value out of the answers, as its module says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.registries.decisions import Input, Value
from app.reporting import arithmetic
from app.reporting.conditions import Answer, Answers, number_in
from app.reporting.module import (
    Arithmetic,
    Counted,
    Decision,
    Joined,
    Looked,
    Module,
    Taken,
    Words,
    Working,
    Worst,
)
from app.reporting.wording import Room, said, text_of

Items = Mapping[str, Sequence[Answers]]
"""The answers of each item, by group. A group whose items could not be taken is not there."""


def worked(
    module: Module, working: Working, answers: Answers, items: Items, room: Room
) -> Answer | None:
    """The value, None where the answers give none; TooLong when the room for texts is used up."""
    room.take(1)
    match working:
        case Arithmetic(text):
            return arithmetic.value(text, answers)
        case Words(pieces):
            return text_of(module, pieces, answers, room)
        case Decision(branches, otherwise):
            for when, then in branches:
                if when.holds(answers):
                    return worked(module, then, answers, items, room)
            return worked(module, otherwise, answers, items, room) if otherwise else None
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
