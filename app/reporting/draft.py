"""Report once, register once: what a module makes of answers, as an entry of a registry."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.registries.document import Place
from app.registries.element import Element
from app.registries.reported import Filled, Reported
from app.registries.schema import Definition
from app.reporting.conditions import Answer, plain
from app.reporting.evaluate import Outcome
from app.reporting.module import Module

_MONTHS = re.compile(r"P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:0+[DW])?", re.ASCII)


def taken_by(definition: Definition, module: Module) -> Reported | None:
    """How a registry takes a module's reports; None where it does not."""
    return next(
        (
            one
            for one in definition.reported
            if one.module == module.id and one.version in (None, module.version)
        ),
        None,
    )


def drafted(definition: Definition, reported: Reported, outcome: Outcome) -> dict[str, Any]:
    """The elements that a report fills, as they would be sent. What it leaves open fills nothing."""
    form = definition.form(reported.form)
    elements = dict(_filled(reported.elements, form.by_id, outcome.answers, outcome))
    groups = {one.id: one for one in form.all_groups}
    for one in reported.groups:
        inside = {element.id: element for element in groups[one.group].elements}
        items = outcome.item_answers.get(one.items, ())
        rows = [dict(_filled(one.elements, inside, answers, outcome)) for answers in items]
        if rows:
            elements[one.group] = rows
    return elements


def unfit(reported: Reported, module: Module) -> Iterator[tuple[Place, str]]:
    """What a registry takes of a module that the module never says, and where in `reported` it stands."""
    own = {one.id for one in module.elements if one.group is None}
    own |= {one.id for one in module.computed if one.group is None}
    yield from _never_said(("elements",), reported.elements, own, module)
    groups = {one.id for one in module.groups}
    for number, one in enumerate(reported.groups):
        if one.items not in groups:
            yield ("groups", number, "items"), f"`{module.id}` has no group `{one.items}`"
            continue
        inside = {each.id for each in module.elements if each.group == one.items}
        inside |= {each.id for each in module.computed if each.group == one.items}
        yield from _never_said(("groups", number, "elements"), one.elements, inside, module)


def _never_said(
    place: Place, some: Iterable[Filled], names: set[str], module: Module
) -> Iterator[tuple[Place, str]]:
    for number, one in enumerate(some):
        if one.answer is not None and one.answer not in names:
            says = f"`{module.id}` asks and works out no `{one.answer}`"
            yield (*place, number, "answer"), says
        said: set[str] = set()
        if one.end_point is not None:
            said = set(module.ends)
        elif one.answer in module.by_id and module.by_id[one.answer].choices:
            said = {choice.value for choice in module.by_id[one.answer].choices}
        for name in one.codes if said else ():
            if name not in said:
                says = f"`{module.id}` never says `{name}` for `{one.element}`"
                yield (*place, number, "codes", name), says


def _filled(
    some: Iterable[Filled],
    elements: Mapping[str, Element],
    said: Mapping[str, Answer],
    outcome: Outcome,
) -> Iterator[tuple[str, Any]]:
    for one in some:
        values = [
            one.codes.get(value) if one.codes else value for value in _said(one, said, outcome)
        ]
        known = list(dict.fromkeys(value for value in values if value is not None))
        if elements[one.element].type == "codes":
            if known:
                yield one.element, known
        elif len(known) == 1:  # of several, somebody must choose
            yield one.element, known[0]


def _said(one: Filled, said: Mapping[str, Answer], outcome: Outcome) -> list[str]:
    """What fills an element, before it is called what the registry calls it."""
    if one.answer is not None:
        value = said.get(one.answer)
        found = [] if value is None else plain(value)
        return found if isinstance(found, list) else [found]
    if one.end_point is not None:
        return [end.id for end in outcome.end_points]
    if one.follow_up is not None:
        return [
            months
            for end in outcome.end_points
            if end.follow_up is not None
            and (months := _months(getattr(end.follow_up, one.follow_up))) is not None
        ]
    assert one.value is not None
    return [one.value] if outcome.end_points else []


def _months(duration: str) -> str | None:
    """An ISO 8601 duration as whole months; None for one that is not of years and months."""
    found = _MONTHS.fullmatch(duration)
    if found is None or duration in ("P", ""):
        return None
    return str(int(found[1] or 0) * 12 + int(found[2] or 0))
