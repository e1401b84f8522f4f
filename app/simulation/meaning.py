"""
What an expression of a definition says of a row, worked out in plain Python.

The service runs expressions as SQL on engines. The simulation has to know beforehand what they will
say, so it reads the same parse tree and works it out itself, value by value: no SQL is written and no
engine is asked. What the two make of one text is compared wherever a nation is sent.

A row is a mapping from column to value: str, int, `Decimal`, `date`, bool, a list of str, or None for
what is not known. A moment is the seconds since 1970 in UTC. SQL's three-valued logic holds.
"""

import calendar
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from sqlglot import exp

from app.registries.expressions import Expression

Row = Mapping[str, Any]
Said = Callable[[Row, Sequence[Row], int], Any]
"""Of a row, its subject's rows in their order, and its place among them."""

_EXACT = Context(prec=80)
_COMPARED: dict[type[exp.Expression], Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
}
_COUNTED: dict[type[exp.Expression], Callable[[Decimal, Decimal], Decimal]] = {
    exp.Add: _EXACT.add,
    exp.Sub: _EXACT.subtract,
    exp.Mul: _EXACT.multiply,
}


class Meaning:
    """An expression, ready to be worked out of rows."""

    __slots__ = ("_said", "expression")

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self._said = _reading(expression.tree)

    def of(self, row: Row, rows: Sequence[Row] = (), place: int = 0) -> Any:
        """What it says of a row; for window functions, of the row at this place of a subject's rows."""
        return self._said(row, rows, place)

    def holds(self, row: Row) -> bool:
        """Whether it is TRUE of a row: what is not known counts as FALSE."""
        return self._said(row, (), 0) is True

    def fails(self, row: Row) -> bool:
        """Whether it is FALSE of a row: what is not known does not."""
        return self._said(row, (), 0) is False


def rounded(value: Decimal | int, scale: int) -> Decimal:
    """A number with so many decimals, half up (away from zero)."""
    return Decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _EXACT)


def months_later(day: date, months: int) -> date:
    """The same day so many months on, or the last day of a month that is too short for it."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def _reading(node: exp.Expression) -> Said:
    match node:
        case exp.Paren():
            return _reading(node.this)
        case exp.Column():
            name = node.name
            return lambda row, rows, place: row.get(name)
        case exp.Literal() | exp.Boolean() | exp.Null() | exp.Cast() | exp.Array():
            value = _constant(node)
            return lambda row, rows, place: value
        case exp.And() | exp.Or():
            return _connected(node)
        case exp.Not():
            inner = _reading(node.this)
            return lambda row, rows, place: (
                None if (said := inner(row, rows, place)) is None else not said
            )
        case exp.Is():
            return _being(node)
        case exp.NullSafeEQ() | exp.NullSafeNEQ():
            one, other = _reading(node.this), _reading(node.expression)
            wanted = isinstance(node, exp.NullSafeEQ)
            return lambda row, rows, place: (
                (one(row, rows, place) == other(row, rows, place)) is wanted
            )
        case exp.Between():
            parts = (node.this, node.args["low"], node.args["high"])
            return _known(lambda x, low, high: low <= x <= high, *parts, open_ended=True)
        case exp.In():
            among = [_constant(one) for one in node.expressions]
            return _known(lambda x: x in among, node.this)
        case exp.Neg():
            return _known(operator.neg, node.this)
        case exp.Abs():
            return _known(abs, node.this)
        case exp.Case():
            return _cases(node)
        case exp.Coalesce() | exp.Least() | exp.Greatest():
            return _first_known(node)
        case exp.Window():
            return _window(node)
        case _ if type(node) in _COMPARED:
            return _known(_COMPARED[type(node)], node.this, node.expression)
        case _ if type(node) in _COUNTED:
            return _known(_exactly(_COUNTED[type(node)]), node.this, node.expression)
        case _:
            return _function(node)


def _constant(node: exp.Expression) -> Any:
    if isinstance(node, exp.Paren):
        return _constant(node.this)
    if isinstance(node, exp.Neg):
        return -_constant(node.this)
    if isinstance(node, exp.Cast):
        return date.fromisoformat(node.this.name)
    if isinstance(node, exp.Array):
        return [_constant(one) for one in node.expressions]
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        if node.is_string:
            return node.name
        return Decimal(node.name) if "." in node.name else int(node.name)
    return None


def _known(
    worked_out: Callable[..., Any], *parts: exp.Expression, open_ended: bool = False
) -> Said:
    """NULL as soon as one part is, except where one end of a span decides already."""
    if len(parts) == 1:
        alone = _reading(parts[0])
        return lambda row, rows, place: (
            None if (x := alone(row, rows, place)) is None else worked_out(x)
        )
    if len(parts) == 2:
        first, second = _reading(parts[0]), _reading(parts[1])

        def pair(row: Row, rows: Sequence[Row], place: int) -> Any:
            one = first(row, rows, place)
            if one is None:
                return None
            other = second(row, rows, place)
            return None if other is None else worked_out(one, other)

        return pair
    read = [_reading(one) for one in parts]

    def said(row: Row, rows: Sequence[Row], place: int) -> Any:
        values = [one(row, rows, place) for one in read]
        if None not in values:
            return worked_out(*values)
        if open_ended and values[0] is not None:
            x, low, high = values
            if (low is not None and x < low) or (high is not None and x > high):
                return False
        return None

    return said


def _exactly(counted: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], Any]:
    def worked_out(one: Any, other: Any) -> Any:
        value = counted(Decimal(one), Decimal(other))
        return int(value) if isinstance(one, int) and isinstance(other, int) else value

    return worked_out


def _connected(node: exp.Expression) -> Said:
    parts: list[exp.Expression] = [node]
    while isinstance(parts[0], type(node)):
        first = parts.pop(0)
        parts[:0] = [first.this, first.expression]
    read = [_reading(one) for one in parts]
    deciding = isinstance(node, exp.Or)

    def said(row: Row, rows: Sequence[Row], place: int) -> bool | None:
        unknown = False
        for one in read:
            value = one(row, rows, place)
            if value is not None and bool(value) == deciding:
                return deciding
            unknown = unknown or value is None
        return None if unknown else not deciding

    return said


def _being(node: exp.Expression) -> Said:
    inner = _reading(node.this)
    wanted = _constant(node.expression)

    def said(row: Row, rows: Sequence[Row], place: int) -> bool:
        return inner(row, rows, place) is wanted

    return said


def _cases(node: exp.Expression) -> Said:
    branches = [(_reading(one.this), _reading(one.args["true"])) for one in node.args["ifs"]]
    default = node.args.get("default")
    otherwise = _reading(default) if default is not None else None

    def said(row: Row, rows: Sequence[Row], place: int) -> Any:
        for condition, value in branches:
            if condition(row, rows, place) is True:
                return value(row, rows, place)
        return otherwise(row, rows, place) if otherwise is not None else None

    return said


def _first_known(node: exp.Expression) -> Said:
    read = [_reading(one) for one in (node.this, *node.expressions)]
    choose: Callable[[list[Any]], Any] = operator.itemgetter(0)
    if isinstance(node, exp.Least):
        choose = min
    elif isinstance(node, exp.Greatest):
        choose = max

    def said(row: Row, rows: Sequence[Row], place: int) -> Any:
        known = [x for one in read if (x := one(row, rows, place)) is not None]
        return choose(known) if known else None

    return said


def _function(node: exp.Expression) -> Said:
    match node:
        case exp.ArrayContains():
            return _known(lambda listed, code: code in listed, node.this, node.expression)
        case exp.ArrayOverlaps():
            return _known(
                lambda one, other: not set(one).isdisjoint(other), node.this, node.expression
            )
        case exp.Length():
            return _known(len, node.this)
        case exp.StartsWith():
            return _known(lambda text, start: text.startswith(start), node.this, node.expression)
        case exp.Year():
            return _known(lambda day: day.year, node.this)
        case exp.Month():
            return _known(lambda day: day.month, node.this)
        case exp.AddMonths():
            return _known(months_later, node.this, node.expression)
        case exp.MonthsBetween():
            return _known(_months_between, node.this, node.expression)
        case exp.Anonymous():
            return _known(_OURS[str(node.this).lower()], *node.expressions)
    raise TypeError(f"{type(node).__name__} is not allowed in an expression")


def _age(born: date, day: date) -> int:
    had = (day.month, day.day) >= (born.month, born.day)
    return day.year - born.year - (0 if had else 1)


def _months_between(one: date, other: date) -> int:
    months = (other.year - one.year) * 12 + other.month - one.month
    if other >= one and other.day < one.day:
        return months - 1
    if other < one and other.day > one.day:
        return months + 1
    return months


def _minutes(one: int, other: int) -> int:
    apart = other - one
    return apart // 60 if apart >= 0 else -(-apart // 60)


def _divided(one: Any, other: Any, scale: int) -> Decimal | None:
    if not other:
        return None
    shift = Decimal(10) ** scale
    sign = -1 if (one < 0) is not (other < 0) else 1
    whole = (2 * abs(Decimal(one)) * shift + abs(Decimal(other))) // (2 * abs(Decimal(other)))
    return None if whole >= 10**18 else sign * whole / shift


_OURS: dict[str, Callable[..., Any]] = {
    "age_in_years": _age,
    "days_between": lambda one, other: (other - one).days,
    "months_between": _months_between,
    "seconds_between": lambda one, other: other - one,
    "minutes_between": _minutes,
    "add_months": months_later,
    "add_days": lambda day, days: day + timedelta(days=days),
    "divide": _divided,
}

_FOLDED: dict[type[exp.Expression], Callable[[list[Any]], Any]] = {
    exp.Max: max,
    exp.Min: min,
    exp.Sum: lambda known: sum(known, Decimal(0)) if isinstance(known[0], Decimal) else sum(known),
    exp.LogicalOr: any,
}


def _window(node: exp.Expression) -> Said:
    function = node.this
    if isinstance(function, exp.RowNumber):
        return lambda row, rows, place: place + 1
    inner = _reading(function.this)
    if isinstance(function, (exp.Lead, exp.Lag)):
        offset = function.args.get("offset")
        step = int(offset.name) if offset is not None else 1
        step = step if isinstance(function, exp.Lead) else -step

        def beside(row: Row, rows: Sequence[Row], place: int) -> Any:
            at = place + step
            return inner(rows[at], rows, at) if 0 <= at < len(rows) else None

        return beside
    first, last = _frame(node.args.get("spec"))

    def over(row: Row, rows: Sequence[Row], place: int) -> Any:
        start = 0 if first is None else max(place + first, 0)
        end = len(rows) if last is None else min(place + last + 1, len(rows))
        values = [inner(rows[at], rows, at) for at in range(start, end)]
        if isinstance(function, exp.FirstValue):
            return values[0] if values else None
        if isinstance(function, exp.LastValue):
            return values[-1] if values else None
        known = [one for one in values if one is not None]
        if isinstance(function, exp.Count):
            return len(known)
        return _FOLDED[type(function)](known) if known else None

    return over


def _frame(spec: exp.Expression | None) -> tuple[int | None, int | None]:
    """Where a frame begins and ends, in rows from the row itself; None for unbounded."""
    if spec is None:
        return None, 0
    ends: list[int | None] = []
    for name, missing in (("start", "CURRENT ROW"), ("end", "CURRENT ROW")):
        end = spec.args.get(name) or missing
        side = -1 if spec.args.get(f"{name}_side") == "PRECEDING" else 1
        if isinstance(end, exp.Expression):
            ends.append(side * int(end.name))
        else:
            ends.append(None if end == "UNBOUNDED" else 0)
    return ends[0], ends[1]
