"""Courses that a definition tells itself: the worked examples of its measures, in other times and places."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from app.registries.measure import Example
from app.registries.schema import Definition, Form
from app.registries.values import parser
from app.registries.values.given import Refused


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of an example: canonical values, and None for what it says is left out."""

    form: str
    facility: str
    days: int
    """From the first of its course."""
    liked: dict[str, Any]
    follow_ups: tuple["Told", ...] = ()


Course = tuple[Told, ...]


def courses(definition: Definition) -> list[Course]:
    """What happens to each subject of each example, in the order of time; each course once."""
    found: dict[str, Course] = {}
    for measure in definition.measures:
        for example in measure.examples:
            for course in _of(definition, example, measure.form):
                found.setdefault(repr(course), course)
    return list(found.values())


def _of(definition: Definition, example: Example, measured: str) -> Iterator[Course]:
    subjects: dict[str, list[tuple[date, Form, str, dict[str, Any], Any]]] = {}
    for case in example.cases:
        form = definition.form(case.form or measured)
        if form.of_facility:
            continue  # what a facility reports of itself is nobody's course
        liked = _liked(definition, form, {**example.common, **case.elements})
        if (day := _day(form, liked)) is not None:
            its = (day, form, case.facility, liked, case.follow_ups)
            subjects.setdefault(case.subject, []).append(its)
    for cases in subjects.values():
        cases.sort(key=lambda one: one[0])
        start = cases[0][0]
        yield tuple(
            Told(
                form.id,
                facility,
                (day - start).days,
                liked,
                tuple(
                    Told(own.id, facility, (its_day - day).days, its)
                    for one in follow_ups
                    for own in (definition.form(one.form),)
                    for its in (_liked(definition, own, one.elements),)
                    if (its_day := _day(own, its)) is not None
                ),
            )
            for day, form, facility, liked, follow_ups in cases
        )


def _day(form: Form, liked: dict[str, Any]) -> date | None:
    day = liked.get(form.period or "")
    return date.fromisoformat(day) if day is not None else None


def _liked(definition: Definition, form: Form, elements: dict[str, Any]) -> dict[str, Any]:
    """Canonical values of what a form has; what says who and which is drawn anew."""
    liked: dict[str, Any] = {}
    for name, value in elements.items():
        element = form.by_id.get(name)
        if element is None or element.computed is not None:
            continue
        if element.identity is not None or (name in form.key and name != form.period):
            continue
        if value is None:
            liked[name] = None
            continue
        try:
            liked[name] = parser(element, definition.value_set(element))(value, lambda *_: None)
        except Refused:
            continue
    return liked


def moved(form: Form, liked: dict[str, Any], days: int) -> dict[str, Any]:
    """The same so many days later, every date and time of it."""
    read = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}
    return {
        name: (read[kind](value) + timedelta(days=days)).isoformat()
        if value is not None and (kind := form.by_id[name].type) in read
        else value
        for name, value in liked.items()
    }
