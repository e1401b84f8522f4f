"""Times of day: drawn close together, in the order in which a definition holds them against each other."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from random import Random

import sqlglot
from sqlglot import exp

from app.registries.schema import Element
from app.simulation.meaning import Row
from app.simulation.places import Facility

_OFFSETS = (-5, -6, -7, -8, -4)
"""Hours from UTC, facility by facility."""
_FIRST_HOUR, _LAST_HOUR = 6, 14
_USUAL_GAP, _SPREAD = 20 * 60.0, 1.0
"""Seconds from one time to the next: the median, and the standard deviation of the logarithm."""
_LONG, _LONGER = 0.04, 40
"""How often a gap is a long one, and how many times as long."""


class Times:
    """What is known of the order of a form's times."""

    def __init__(self, elements: Iterable[Element], texts: Iterable[str]) -> None:
        self._known = [one.id for one in elements if one.type == "datetime"]
        self._after: dict[str, set[str]] = defaultdict(set)
        if len(self._known) > 1:
            pairs = [pair for text in dict.fromkeys(texts) for pair in self._pairs(text)]
            # Where nothing is said of two times, a form asks for the earlier one first.
            for earlier, later in (*pairs, *pairwise(self._known)):
                if earlier != later and later not in self._before(earlier):
                    self._after[earlier].add(later)
        self.earlier = {one: frozenset(self._before(one)) for one in self._known}
        """Element -> those that come before it."""
        self.later = {
            one: frozenset(other for other in self._known if one in self.earlier[other])
            for one in self._known
        }

    def _pairs(self, text: str) -> Iterator[tuple[str, str]]:
        """Two times of which an expression takes the first to be the earlier."""
        tree = sqlglot.parse_one(text, read="duckdb")
        for node in tree.find_all(exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Anonymous):
            if isinstance(node, exp.Anonymous):
                if str(node.this).lower() not in ("minutes_between", "seconds_between"):
                    continue
                first, second = node.expressions
            else:
                first, second = node.this, node.expression
                if node.find(exp.Anonymous):
                    continue
                if isinstance(node, (exp.GT, exp.GTE)):
                    first, second = second, first
            for earlier in self._named(first):
                for later in self._named(second):
                    yield earlier, later

    def _named(self, node: exp.Expression) -> list[str]:
        return [one.name for one in node.find_all(exp.Column) if one.name in self._known]

    def _before(self, element: str) -> set[str]:
        found: set[str] = set()
        left = [element]
        while left:
            last = left.pop()
            more = {one for one, its in self._after.items() if last in its} - found
            found |= more
            left += more
        return found

    def draw(self, element: Element, rng: Random, facility: Facility, on: date, row: Row) -> str:
        """A time: soon after those before it, or else soon before those after it, or any of the day."""
        earlier = [x for one in self.earlier[element.id] if (x := row.get(one)) is not None]
        later = [x for one in self.later[element.id] if (x := row.get(one)) is not None]
        gap = round(_USUAL_GAP * math.exp(rng.gauss(0.0, _SPREAD)))
        if rng.random() < _LONG:
            gap *= _LONGER
        if earlier and later and max(earlier) <= min(later):
            return told(facility, rng.randint(max(earlier), min(later)))
        if earlier:
            return told(facility, max(earlier) + gap)
        if later:
            return told(facility, min(later) - gap)
        return told(facility, on_day(rng, facility, on))


def _zone(facility: Facility) -> timezone:
    return timezone(timedelta(hours=_OFFSETS[facility.place % len(_OFFSETS)]))


def on_day(rng: Random, facility: Facility, day: date) -> int:
    """Some second of a day's working hours, by the clock of a facility."""
    at = time(rng.randint(_FIRST_HOUR, _LAST_HOUR), rng.randrange(60), rng.randrange(60))
    return int(datetime.combine(day, at, _zone(facility)).timestamp())


def told(facility: Facility, second: int) -> str:
    """A moment as the clock of a facility shows it, in canonical form."""
    return datetime.fromtimestamp(second, UTC).astimezone(_zone(facility)).isoformat()
