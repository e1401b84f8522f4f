"""Entries as rows: canonical values turned into what expressions read."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from app.registries import expressions, moments
from app.registries.entries import rows_of
from app.registries.expressions import Type
from app.registries.gathered import Gathered, gathered, requiring_columns
from app.registries.rows import PARENT, RECEIVED_ON, companions, rule_columns
from app.registries.schema import Definition, Element, Form
from app.simulation.meaning import Meaning, rounded

Elements = dict[str, Any]


def columns_of(element: Element) -> tuple[str, ...]:
    """The columns that an element has: its own first."""
    return element.id, *(element.id + beside for beside, _ in companions(element))


def reader(element: Element) -> Callable[[Any], Any]:
    """Turns a canonical value of an element into the value expressions read; raises what it cannot."""
    match element.type:
        case "integer":
            return int
        case "decimal":
            scale = element.scale
            return lambda value: rounded(Decimal(str(value)), scale)
        case "date":
            return lambda value: date.fromisoformat(value)
        case "datetime":
            return moments.seconds
        case _:
            return lambda value: value


def canonical(element: Element, value: Any) -> Any:
    """A value of an expression in the element's canonical form; None where it is not known."""
    if value is None:
        return None
    if element.type in ("integer", "decimal"):
        return spelled(element, Decimal(value))
    if element.type == "datetime":
        return datetime.fromtimestamp(value, UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return sorted(value) if isinstance(value, list) else value


def spelled(
    element: Element, number: Decimal, low: Decimal | None = None, high: Decimal | None = None
) -> int | str:
    """A number in an element's canonical form, pushed inside limits where they are given."""
    kept = rounded(number, element.scale)
    if low is not None and kept < low:
        kept = rounded(low, element.scale)
    if high is not None and kept > high:
        kept = rounded(high, element.scale)
    if element.type == "integer":
        return int(kept)
    return format(abs(kept) if kept == 0 else kept, "f")


def day_of_moment(moment: str) -> date:
    """The day of a canonical moment, by the clock of the place that sent it."""
    return date.fromisoformat(moment[:10])


class Rows:
    """Turns entries of one form into rows."""

    def __init__(
        self, definition: Definition, form: Form, prefix: str = "", group: str | None = None
    ) -> None:
        """With a group, of its rows: each beside what stands around it."""
        columns = rule_columns(definition, form, group)
        form = form if group is None else form.row_of(group)
        self.form = form
        self._read = {
            one.id: (
                prefix + one.id,
                reader(one),
                frozenset(reader(one)(sentinel) for sentinel in one.unknown),
            )
            for one in form.all_elements
            if one.computed is None
        }
        self._days = frozenset(one.id for one in form.all_elements if one.type == "datetime")
        self._sentinels = [f"{prefix}{one.id}_unknown" for one in form.all_elements if one.unknown]
        self._prefix = prefix
        self.computed = {
            one.id: (Meaning(expressions.compile(one.computed, columns)), one)
            for one in form.all_elements
            if one.computed is not None
        }

    def of(self, elements: Mapping[str, Any], but: Iterable[str] = ()) -> dict[str, Any]:
        """The row of an entry. What stands in `but` cannot be used: it is as if it were not there."""
        row: dict[str, Any] = dict.fromkeys(self._sentinels, False)
        left = frozenset(but)
        for name, value in elements.items():
            if value is None or name in left or name not in self._read:
                continue
            column, read, sentinels = self._read[name]
            typed = read(value)
            if sentinels and typed in sentinels:
                row[f"{column}_unknown"] = True
            else:
                row[column] = typed
                if name in self._days:
                    row[f"{column}_day"] = day_of_moment(value)
        return row

    def complete(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with what is worked out at check."""
        for name, (meaning, element) in self.computed.items():
            value = meaning.of(row)
            if value is not None and element.type == "decimal":
                value = rounded(value, element.scale)
            row[self._prefix + name] = value
        return row


class Brought:
    """What is gathered of the rows of a group, worked out in plain Python."""

    def __init__(self, definition: Definition, form: Form, one: Gathered) -> None:
        self.name, self.about = one.derived.id, one
        self._rows = Rows(definition, form, group=one.group)
        columns = rule_columns(definition, form, one.group)
        self._value = Meaning(expressions.compile(one.derived.expression, columns))
        self._filter = (
            Meaning(expressions.compile(one.derived.filter, columns))
            if one.derived.filter
            else None
        )

    def of(self, elements: Mapping[str, Any]) -> Any:
        """What it is for an entry."""
        each = (
            self._rows.of({**one.around, **one.row})
            for one in rows_of(dict(elements), self.about.group)
        )
        values = [
            self._value.of(row) for row in each if self._filter is None or self._filter.holds(row)
        ]
        match self.about.derived.aggregate:
            case "any":
                return any(one is True for one in values)
            case "count":
                # A condition is counted where it holds, anything else where it is known.
                return sum(one is not None and one is not False for one in values)
            case way:
                known = [one for one in values if one is not None]
                if not known:
                    return None
                return min(known) if way == "min" else max(known) if way == "max" else sum(known)


class RuleRows:
    """Rows as the rules of a form see them: the entry, the day it came, and the case it follows up."""

    def __init__(self, definition: Definition, form: Form, group: str | None = None) -> None:
        self.own = Rows(definition, form, group=group)
        above = form.parent if group is None else None
        parent = definition.form(above) if above is not None else None
        self._parent = Rows(definition, parent) if parent is not None else None
        self._seen = (
            [name for one in parent.all_elements if not one.identifying for name in columns_of(one)]
            if parent
            else []
        )
        self.columns: dict[str, Type] = requiring_columns(definition, form, group)
        self.gathered = (
            tuple(Brought(definition, form, one) for one in gathered(definition, form).values())
            if group is None
            else ()
        )

    def of(
        self,
        elements: Mapping[str, Any],
        received_on: date,
        parent: Mapping[str, Any] | None = None,
        but: Iterable[str] = (),
    ) -> dict[str, Any]:
        """The row of an entry, beside that of its case where it is known."""
        row = self.own.of(elements, but)
        row[RECEIVED_ON] = received_on
        if self._parent is not None and parent is not None:
            above = self._parent.complete(self._parent.of(parent) | {RECEIVED_ON: received_on})
            for name in self._seen:
                row[PARENT + name] = above.get(name)
        left = frozenset(but)
        broken = {place.split("[")[0] for place in left}
        usable = {name: value for name, value in elements.items() if name not in left}
        for one in self.gathered:  # of rows that cannot all be read nothing is gathered
            row[one.name] = None if one.about.outermost in broken else one.of(usable)
        return self.own.complete(row)
