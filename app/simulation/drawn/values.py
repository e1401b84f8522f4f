"""Values of elements: drawn by type, limits and value set, or as the simulation profile says."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import sqlglot
from sqlglot import exp

from app.registries import expressions
from app.registries.profile import Chance, Conditional, Draw
from app.registries.rows import rule_columns
from app.registries.schema import Definition, Element, Form
from app.registries.values.numbers import usual_limits
from app.simulation.drawn import times
from app.simulation.drawn.rows import canonical, reader, spelled
from app.simulation.drawn.texts import matching
from app.simulation.meaning import Meaning, Row
from app.simulation.people import code, name
from app.simulation.places import Facility
from app.simulation.plan import dice

_WIDEST = 10**9
"""Numbers without limits do not go further: they have to pass through spreadsheets."""
_MORE_CODES = 0.35
_ON_LIST = 0.8
"""How often what is looked up in a facility's list stands on it."""
_LITERAL = 0.25
"""How often a number or text is one that the definition speaks of, or lies next to it."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.StartsWith)


class Moment:
    """What a value is drawn for: whose entry it is, where, and when."""

    __slots__ = ("facility", "on", "row", "serial")

    def __init__(self, facility: Facility, on: date, row: Row, serial: str) -> None:
        self.facility, self.on, self.row, self.serial = facility, on, row, serial


Drawing = Callable[[Random, Moment], Any]


def texts_of(definition: Definition) -> Iterator[str]:
    """Every expression of a definition."""
    for form in definition.forms:
        for one in form.elements:
            yield from filter(None, (one.required_when, one.relevant_when, one.computed))
    for rule in definition.rules:
        yield rule.expression
    for derived in definition.derived:
        yield from filter(None, (derived.expression, derived.filter))
    for its in definition.measures:
        yield its.initial_population
        yield its.denominator
        yield from filter(
            None,
            (its.denominator_exclusion, its.denominator_exception, its.numerator, its.observation),
        )
        yield from (one.expression for one in its.stratifiers)


def spoken_values(definition: Definition) -> dict[str, list[str]]:
    """Column -> what the definition's expressions compare it with, as text: where branches part."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for text in dict.fromkeys(texts_of(definition)):
        tree = sqlglot.parse_one(text, read="duckdb")
        for node in tree.find_all(*_COMPARISONS, exp.In, exp.Between):
            columns = [one.name for one in node.find_all(exp.Column)]
            for literal in node.find_all(exp.Literal):
                for column in columns:
                    found[column][literal.name] = None
    return {column: list(values) for column, values in found.items()}


class Values:
    """Draws values of a form's elements."""

    def __init__(
        self, definition: Definition, form: Form, seed: int, group: str | None = None
    ) -> None:
        self._columns = rule_columns(definition, form, group)
        profile = definition.simulation.forms.get(form.id)
        form = form if group is None else form.row_of(group)
        self._definition, self._form, self._seed = definition, form, seed
        self._spoken = spoken_values(definition)
        self._times = times.Times(form.all_elements, texts_of(definition))
        self.draws = {
            one.id: (profile.elements.get(one.id) if profile else None) or Draw()
            for one in form.all_elements
        }
        self._named = {
            one.from_list.by: one.from_list.list for one in form.all_elements if one.from_list
        }
        self._plain = {
            one.id: self._by_type(one) for one in form.all_elements if one.computed is None
        }
        self._drawn = {
            one.id: self._by_profile(one, self._plain[one.id])
            for one in form.all_elements
            if one.computed is None
        }

    def draw(self, element: Element, rng: Random, moment: Moment) -> Any:
        """A value as the profile says, or any sound one; a sentinel now and then."""
        if element.unknown and rng.random() < self.draws[element.id].unknown:
            return self._sentinel(element, rng)
        return self._drawn[element.id](rng, moment)

    def any(self, element: Element, rng: Random, moment: Moment) -> Any:
        """Any sound value, whatever the profile says: to try when another is wanted."""
        if element.unknown and rng.random() < 0.05:
            return self._sentinel(element, rng)
        return self._plain[element.id](rng, moment)

    @staticmethod
    def _sentinel(element: Element, rng: Random) -> Any:
        return _said_of(element)(rng.choice(element.unknown))

    # --- by type ---

    def _by_type(self, element: Element) -> Drawing:
        values = self._definition.value_set(element)
        match element.type:
            case "code" if element.list is not None:
                return self._on_list(self._definition.form(element.list))
            case "code":
                assert values is not None
                codes = values.allowed
                return lambda rng, moment: rng.choice(codes)
            case "codes":
                assert values is not None
                allowed, alone = values.allowed, frozenset(values.exclusive)
                return lambda rng, moment: _several(rng, rng.choice(allowed), allowed, alone)
            case "integer" | "decimal":
                return self._number(element)
            case "date":
                return self._day(element)
            case "datetime":
                return lambda rng, moment: self._times.draw(
                    element, rng, moment.facility, moment.on, moment.row
                )
            case "boolean":
                return lambda rng, moment: rng.random() < 0.5
            case "npi":
                physician = element.id == self._form.physician
                return lambda rng, moment: rng.choice(
                    moment.facility.radiologists if physician else moment.facility.referrers
                )
            case "text" if element.id in self._named:
                return self._called(element, self._definition.form(self._named[element.id]))
            case "text":
                return self._text(element)

    def _called(self, element: Element, form: Form) -> Drawing:
        """What a facility calls something: as its list has it, or now and then as no list does."""
        listed, other = self._on_list(form), self._text(element)
        return lambda rng, moment: (
            fitted(element, rng, listed(rng, moment))
            if rng.random() < _ON_LIST
            else other(rng, moment)
        )

    def _on_list(self, form: Form) -> Drawing:
        lists: dict[int, tuple[str, ...]] = {}

        def draw(rng: Random, moment: Moment) -> Any:
            place = moment.facility.place
            if place not in lists:
                lists[place] = listed(form, moment.facility, self._seed)
            return rng.choice(lists[place])

        return draw

    def _number(self, element: Element) -> Drawing:
        low, high = self._limits(element)
        spoken = [Decimal(one) for one in self._spoken.get(element.id, ()) if _is_number(one)]
        step = Decimal(1).scaleb(-element.scale)

        def draw(rng: Random, moment: Moment) -> Any:
            if spoken and rng.random() < _LITERAL:
                number = rng.choice(spoken) + rng.choice((-1, 0, 1)) * step
                if low <= number <= high:
                    return spelled(element, number)
            return spelled(element, low + (high - low) * Decimal(rng.random()), low, high)

        return draw

    def _limits(self, element: Element) -> tuple[Decimal, Decimal]:
        """Between which numbers lie: the usual ones, and where these are open what is spoken of."""
        low, high = usual_limits(element)
        spoken = [Decimal(one) for one in self._spoken.get(element.id, ()) if _is_number(one)]
        if low < -_WIDEST:
            low = min(Decimal(0), *spoken, high) if spoken else min(Decimal(0), high)
        if high > _WIDEST:
            high = max(low + 100, *(2 * one for one in spoken)) if spoken else low + 100
        return low, high

    def _day(self, element: Element) -> Drawing:
        spoken = [one for one in self._spoken.get(element.id, ()) if _is_day(one)]

        def draw(rng: Random, moment: Moment) -> Any:
            if spoken and rng.random() < _LITERAL / 5:
                return rng.choice(spoken)
            days = int(rng.expovariate(1 / 20.0)) * (1 if rng.random() < 0.15 else -1)
            return day_of(element, moment.on + timedelta(days=days))

        return draw

    def _text(self, element: Element) -> Drawing:
        if element.identifying:
            return lambda rng, moment: _secret(element, rng, self._seed)
        spoken = [one for one in self._spoken.get(element.id, ()) if _takes(element, one)]
        words = [one for one in _WORDS if _takes(element, one)]
        return lambda rng, moment: (
            rng.choice(spoken)
            if spoken and rng.random() < 2 * _LITERAL
            else fitted(element, rng, *([rng.choice(words)] if words else ()))
        )

    # --- by the profile ---

    def _by_profile(self, element: Element, plain: Drawing) -> Drawing:
        draw = self.draws[element.id]
        whole = self._chance(element, draw, plain)
        cases = [(self._meaning(one), self._chance(element, one, plain)) for one in draw.cases]
        if not cases:
            return whole

        def drawn(rng: Random, moment: Moment) -> Any:
            for meaning, chosen in cases:
                if meaning.holds(moment.row):
                    return chosen(rng, moment)
            return whole(rng, moment)

        return drawn

    def _meaning(self, case: Conditional) -> Meaning:
        return Meaning(expressions.compile(case.when, self._columns))

    def _chance(self, element: Element, chance: Chance, plain: Drawing) -> Drawing:
        if chance.equals is not None:
            meaning = Meaning(expressions.compile(chance.equals, self._columns))
            return lambda rng, moment: canonical(element, meaning.of(moment.row))
        if chance.weights:
            return self._weighted(element, chance.weights)
        number = _number_of(chance)
        if number is None:
            return plain
        before = chance.after
        if element.type == "datetime":

            def at(rng: Random, moment: Moment) -> Any:
                start = moment.row.get(before) if before is not None else moment.on
                if isinstance(start, date):
                    start = times.on_day(rng, moment.facility, start)
                apart = round(86_400 * number(rng))
                return None if start is None else times.told(moment.facility, start + apart)

            return at
        if element.type == "date":

            def day(rng: Random, moment: Moment) -> Any:
                start = moment.row.get(before) if before is not None else moment.on
                days = timedelta(days=round(number(rng)))
                return day_of(element, start + days) if isinstance(start, date) else None

            return day
        low, high = usual_limits(element)
        return lambda rng, moment: spelled(element, Decimal(number(rng)), low, high)

    def _weighted(self, element: Element, weights: dict[str, float]) -> Drawing:
        names, values = list(weights), list(weights.values())
        if element.type == "codes":
            value_set = self._definition.value_set(element)
            assert value_set is not None
            allowed, alone = value_set.allowed, frozenset(value_set.exclusive)
            return lambda rng, moment: _several(rng, rng.choices(names, values)[0], allowed, alone)
        read = _said_of(element)
        return lambda rng, moment: read(rng.choices(names, values)[0])


def listed(form: Form, facility: Facility, seed: int) -> tuple[str, ...]:
    """What a facility has on its own list of this form: the keys of its entries."""
    element = form.by_id[form.key[0]]
    rng = dice("listed", seed, facility.place, form.id)
    letters = _LETTERS[: rng.randint(2, 5)]
    if element.identifying:
        return tuple(dict.fromkeys(_secret(element, rng, seed) for _ in letters))
    names = (fitted(element, rng, f"{element.title} {letter}", letter) for letter in letters)
    return tuple(dict.fromkeys(names))


def _secret(element: Element, rng: Random, seed: int) -> str:
    """Unlike anything the service would write: it must never be seen again."""
    mark = 1_000 + sum(element.id.encode()) % 997
    return fitted(
        element,
        rng,
        name("Zq", mark, rng.randrange(1 << 24), seed),
        "MQ" + code(mark, rng.randrange(1 << 30), seed),
    )


def day_of(element: Element, day: date) -> str:
    """A day as an element keeps it: of a month or a year, its first."""
    if element.precision == "year":
        day = day.replace(month=1)
    return (day if element.precision == "day" else day.replace(day=1)).isoformat()


def _said_of(element: Element) -> Callable[[str], Any]:
    if element.type == "integer":
        return int
    if element.type == "boolean":
        return lambda text: text.lower() == "true"
    if element.type == "decimal":
        read = reader(element)
        return lambda text: format(read(text), "f")
    return lambda text: text


def _number_of(chance: Chance) -> Callable[[Random], float] | None:
    if (bell := chance.normal) is not None:
        return lambda rng: rng.gauss(bell.mean, bell.spread)
    if (skewed := chance.lognormal) is not None:
        centre = math.log(max(skewed.mean, 1e-9))
        return lambda rng: rng.lognormvariate(centre, skewed.spread)
    if (span := chance.between) is not None:
        low = float(span.low if span.low is not None else 0)
        high = float(span.high if span.high is not None else low + 100)
        return lambda rng: rng.uniform(low, high)
    return None


def _several(
    rng: Random, first: str, allowed: Iterable[str], exclusive: frozenset[str]
) -> list[str]:
    """A code, and now and then another beside it where it need not stand alone."""
    found = {first}
    if first not in exclusive:
        others = [one for one in allowed if one not in exclusive]
        while rng.random() < _MORE_CODES:
            found.add(rng.choice(others))
    return sorted(found)


def fitted(element: Element, rng: Random, *wanted: str) -> str:
    """The first of these texts that the element takes, or else some text that it does take."""
    strip = frozenset(element.strip or "")
    for text in wanted:
        plain = "".join(one for one in text if one not in strip)
        if _takes(element, plain):
            return plain
    write = matching(element.pattern, element.max_length) if element.pattern else None
    if write is not None:
        return "".join(one for one in write(rng) if one not in strip)
    return (wanted[-1] if wanted else "x")[: element.max_length]


def _takes(element: Element, text: str) -> bool:
    short = 0 < len(text) <= element.max_length
    return short and (element.pattern is None or bool(re.fullmatch(element.pattern, text)))


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and len(text) < 12


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


_LETTERS = "ABCDE"
_WORDS = ("as reported", "none seen", "stable", "see text", "left side", "right side")
