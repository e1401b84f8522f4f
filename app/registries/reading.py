"""
Read a parsed expression: what it gives, which columns it uses, and what is wrong with it.

What is not listed in `_READERS` is not allowed.
"""

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Mapping

from sqlglot import exp

from app.registries.functions import FUNCTIONS, Signature
from app.registries.kinds import (
    ANY,
    BOOLEAN,
    DATE,
    INTEGER,
    LIST,
    NULL,
    TEXT,
    Complaint,
    Kind,
    Type,
    Windows,
    comparable,
    fits,
)

DEEPEST = 30
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Reading:
    """One walk over a parse tree: types going up, complaints collected."""

    def __init__(self, columns: Mapping[str, Type], windows: Windows | None) -> None:
        self.columns, self.windows = columns, windows
        self.complaints: list[Complaint] = []
        self.used: set[str] = set()

    def complain(self, node: exp.Expression, message: str) -> Type:
        line = next((one.meta["line"] for one in node.walk() if "line" in one.meta), 1)
        self.complaints.append(Complaint(line, message))
        return ANY

    def type_of(self, node: exp.Expression, depth: int) -> Type:
        if depth > DEEPEST:
            return self.complain(node, f"nested deeper than {DEEPEST}")
        # A parser that read more than we know of it (a FILTER, an ORDER BY, a table) leaves it in args.
        reader = _READERS.get(type(node))
        if reader is None:
            return self.complain(node, f"{_called(node)} is not allowed in an expression")
        return reader(self, node, depth + 1)

    def each(self, nodes: Iterable[exp.Expression], depth: int) -> list[Type]:
        return [self.type_of(node, depth) for node in nodes]

    def needs(self, node: exp.Expression, depth: int, *kinds: Kind) -> Type:
        given = self.type_of(node, depth)
        if not any(fits(given, Type(kind)) for kind in kinds):
            wanted = " or ".join(str(Type(kind)) for kind in kinds)
            return self.complain(node, f"`{_short(node)}` gives {given}, where {wanted} is needed")
        return given

    # --- leaves ---

    def column(self, node: exp.Expression, depth: int) -> Type:
        assert isinstance(node, exp.Column)
        if node.table:
            return self.complain(node, f"`{_short(node)}`: name an element alone, without a table")
        name = node.name
        if name not in self.columns:
            close = difflib.get_close_matches(name, self.columns, 1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            return self.complain(node, f"no element or column `{name}` can be seen here{hint}")
        self.used.add(name)
        return self.columns[name]

    def literal(self, node: exp.Expression, depth: int) -> Type:
        assert isinstance(node, exp.Literal)
        if node.is_string:
            return TEXT
        text = str(node.this)
        if not re.fullmatch(r"\d{1,18}(\.\d{1,9})?", text, re.ASCII):
            return self.complain(node, f"`{text[:30]}`: write a number as plain digits")
        whole, _, decimals = text.partition(".")
        digits = max(len(whole) + len(decimals), 10)
        return Type("decimal", len(decimals), digits) if decimals else Type("integer", 0, digits)

    def cast(self, node: exp.Expression, depth: int) -> Type:
        assert isinstance(node, exp.Cast)
        text = node.this
        if not node.to.is_type("date") or not (isinstance(text, exp.Literal) and text.is_string):
            return self.complain(node, "the only cast is DATE 'YYYY-MM-DD'")
        try:
            if not _ISO_DATE.fullmatch(text.name):
                raise ValueError
            datetime.date.fromisoformat(text.name)
        except ValueError:
            return self.complain(node, f"DATE '{text.name[:20]}' is no day of the calendar")
        return DATE

    def array(self, node: exp.Expression, depth: int) -> Type:
        for item in node.expressions:
            self.needs(item, depth, "text")
        return LIST

    # --- logic and comparison ---

    def connector(self, node: exp.Expression, depth: int) -> Type:
        # A long AND chain leans to the left; it is as wide as it is deep only on paper.
        parts: list[exp.Expression] = [node]
        while isinstance(parts[0], type(node)):
            first = parts.pop(0)
            parts[:0] = [first.this, first.expression]
        for part in parts:
            self.needs(part, depth, "boolean")
        return BOOLEAN

    def negation(self, node: exp.Expression, depth: int) -> Type:
        self.needs(node.this, depth, "boolean")
        return BOOLEAN

    def comparison(self, node: exp.Expression, depth: int) -> Type:
        one, other = self.type_of(node.this, depth), self.type_of(node.expression, depth)
        if not comparable(one, other):
            self.complain(node, f"`{_short(node)}` compares {one} with {other}")
        elif not isinstance(node, (exp.NullSafeEQ, exp.NullSafeNEQ)) and NULL in (one, other):
            self.complain(node, f"`{_short(node)}` is never TRUE: use IS NULL")
        return BOOLEAN

    def between(self, node: exp.Expression, depth: int) -> Type:
        if node.args.get("symmetric"):
            return self.complain(node, "BETWEEN SYMMETRIC is not allowed in an expression")
        middle = self.type_of(node.this, depth)
        for end in (node.args["low"], node.args["high"]):
            if not comparable(middle, given := self.type_of(end, depth)):
                self.complain(node, f"`{_short(node)}` compares {middle} with {given}")
        return BOOLEAN

    def among(self, node: exp.Expression, depth: int) -> Type:
        wanted = self.type_of(node.this, depth)
        if not node.expressions or not set(node.args) <= {"this", "expressions"}:
            return self.complain(node, "IN needs a list of values in parentheses")
        for item in node.expressions:
            if not isinstance(item, (exp.Literal, exp.Cast, exp.Neg)):
                self.complain(item, "IN needs a list of plain values")
            elif not comparable(wanted, given := self.type_of(item, depth)):
                self.complain(node, f"`{_short(node)}` compares {wanted} with {given}")
        return BOOLEAN

    def being(self, node: exp.Expression, depth: int) -> Type:
        given = self.type_of(node.this, depth)
        if isinstance(node.expression, exp.Boolean):
            if not fits(given, BOOLEAN):
                self.complain(node, f"`{_short(node)}`: IS TRUE needs a boolean")
        elif not isinstance(node.expression, exp.Null):
            self.complain(node, "IS takes NULL, TRUE or FALSE")
        return BOOLEAN

    # --- arithmetic ---

    def arithmetic(self, node: exp.Expression, depth: int) -> Type:
        numbers = [self.needs(part, depth, "decimal") for part in (node.this, node.expression)]
        if any(one.kind in ("any", "null") for one in numbers):
            return ANY
        left, right = numbers
        if isinstance(node, exp.Mul):
            scale, digits = left.scale + right.scale, left.digits + right.digits
        else:
            scale = max(left.scale, right.scale)
            digits = max(left.digits - left.scale, right.digits - right.scale) + scale + 1
        given = self.number(node, {left.kind, right.kind}, scale, digits)
        if given.kind == "decimal" and digits > 18:
            node.meta["wide"] = left.scale
        return given

    def number(self, node: exp.Expression, kinds: set[Kind], scale: int, digits: int) -> Type:
        if kinds == {"integer"}:
            # Two 18-digit counts added still fit a BIGINT; multiplied they do not.
            if digits > 18 and not (isinstance(node, (exp.Add, exp.Sub)) and digits == 19):
                self.complain(
                    node, f"`{_short(node)}` could overflow: give its elements a hard range"
                )
            return Type("integer", 0, min(digits, 18))
        if digits > 38:
            self.complain(node, f"`{_short(node)}` could need {digits} digits; 38 is the most")
        return Type("decimal", scale, min(digits, 38))

    def signed(self, node: exp.Expression, depth: int) -> Type:
        return self.needs(node.this, depth, "decimal")

    # --- choices ---

    def case(self, node: exp.Expression, depth: int) -> Type:
        if node.this is not None:
            return self.complain(
                node, "write CASE WHEN condition THEN …, without a value after CASE"
            )
        results = []
        for branch in node.args["ifs"]:
            self.needs(branch.this, depth, "boolean")
            results.append(self.type_of(branch.args["true"], depth))
        if (otherwise := node.args.get("default")) is not None:
            results.append(self.type_of(otherwise, depth))
        return self.common(node, results)

    def first_known(self, node: exp.Expression, depth: int) -> Type:
        return self.common(node, self.each([node.this, *node.expressions], depth))

    def common(self, node: exp.Expression, types: list[Type]) -> Type:
        """The type that holds them all."""
        known = [one for one in types if one.kind not in ("null", "any")]
        if not known:
            return types[0] if types else ANY
        kinds = {one.kind for one in known}
        if kinds <= {"integer", "decimal"}:
            scale = max(one.scale for one in known)
            digits = max(one.digits - one.scale for one in known) + scale
            return Type("decimal" if "decimal" in kinds else "integer", scale, digits)
        if len(kinds) > 1:
            return self.complain(node, f"`{_short(node)}` gives now {known[0]}, now {known[1]}")
        return known[0]

    # --- functions ---

    def contains(self, node: exp.Expression, depth: int) -> Type:
        self.needs(node.this, depth, "list")
        self.needs(node.expression, depth, "text")
        return BOOLEAN

    def overlaps(self, node: exp.Expression, depth: int) -> Type:
        self.needs(node.this, depth, "list")
        self.needs(node.expression, depth, "list")
        return BOOLEAN

    def length(self, node: exp.Expression, depth: int) -> Type:
        self.needs(node.this, depth, "list")
        return Type("integer", 0, 10)

    def starts(self, node: exp.Expression, depth: int) -> Type:
        self.needs(node.this, depth, "text")
        if not (isinstance(node.expression, exp.Literal) and node.expression.is_string):
            self.complain(node, "starts_with needs a plain text to look for")
        return BOOLEAN

    def date_part(self, node: exp.Expression, depth: int) -> Type:
        self.needs(node.this, depth, "date")
        return Type("integer", 0, 10)

    def ours(self, node: exp.Expression, depth: int) -> Type:
        """One of `functions.py`, whose name another dialect may know by another meaning."""
        name, arguments = _call(node)
        signature = FUNCTIONS.get(name)
        if signature is None:
            close = difflib.get_close_matches(name, _NAMES, 1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            return self.complain(node, f"the function `{name[:40]}` is not allowed{hint}")
        if len(arguments) != len(signature.takes):
            return self.complain(node, f"`{name}` takes {len(signature.takes)} arguments")
        given = [
            self.needs(one, depth, *kinds)
            for one, kinds in zip(arguments, signature.takes, strict=True)
        ]
        return self.result(node, signature, arguments, given)

    def result(
        self,
        node: exp.Expression,
        signature: Signature,
        arguments: list[exp.Expression],
        given: list[Type],
    ) -> Type:
        for index in signature.plain:
            if not (isinstance(arguments[index], exp.Literal) and arguments[index].name.isdigit()):
                return self.complain(node, f"argument {index + 1} must be a plain whole number")
        if signature.gives != "decimal":
            return Type(signature.gives, 0, signature.digits)
        scale = int(arguments[2].name)
        if scale > 9:
            return self.complain(node, "divide keeps at most 9 decimals")
        shift = max(given[0].scale, given[1].scale)
        whole = max(one.digits - one.scale for one in given[:2])
        most = whole + shift + max(shift, scale + 2)
        if most > 38:
            self.complain(node, f"`{_short(node)}` could need {most} digits; 38 is the most")
        node.meta["shift"] = shift
        return Type("decimal", scale, 18)

    # --- windows ---

    def window(self, node: exp.Expression, depth: int) -> Type:
        assert isinstance(node, exp.Window)
        if self.windows is None:
            return self.complain(node, "window functions belong in derived columns over `subject`")
        names = [one.name for one in node.args.get("partition_by") or []]
        order = node.args.get("order")
        ordered = order.expressions if order else []
        plain = all(
            isinstance(one.this, exp.Column) and not one.args.get("desc") for one in ordered
        )
        if (
            names != [self.windows.partition]
            or not plain
            or ([one.this.name for one in ordered] != list(self.windows.order))
        ):
            wanted = ", ".join(self.windows.order)
            self.complain(
                node, f"a window needs (PARTITION BY {self.windows.partition} ORDER BY {wanted})"
            )
        if node.args.get("alias") or node.args.get("first") is not None:
            self.complain(node, "a window has no name")
        spec = node.args.get("spec")
        if spec is not None and spec.args.get("kind") != "ROWS":
            self.complain(node, "a window's frame is counted in ROWS")
        function = node.this
        if type(function) not in _WINDOWED:
            return self.complain(node, f"{_called(function)} is not a window function we know")
        self.used.update((self.windows.partition, *self.windows.order))
        return self.windowed(function, depth)

    def windowed(self, node: exp.Expression, depth: int) -> Type:
        if isinstance(node, exp.RowNumber):
            return INTEGER
        if isinstance(node, exp.LogicalOr):
            return self.needs(node.this, depth, "boolean")
        if isinstance(node, exp.Sum):
            given = self.needs(node.this, depth, "decimal")
            return Type(given.kind, given.scale, 18 if given.kind == "integer" else 38)
        if (offset := node.args.get("offset")) is not None and not (
            isinstance(offset, exp.Literal) and offset.name.isdigit()
        ):
            self.complain(node, "an offset is a plain whole number")
        if node.args.get("default") is not None or node.expressions:
            self.complain(node, "use coalesce(…) for a default")
        given = self.type_of(node.this, depth)
        return INTEGER if isinstance(node, exp.Count) else given


def _call(node: exp.Expression) -> tuple[str, list[exp.Expression]]:
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower(), list(node.expressions)
    name = "add_months" if isinstance(node, exp.AddMonths) else "months_between"
    return name, [node.this, node.expression]


def _called(node: exp.Expression) -> str:
    return f"`{node.sql_name().lower()}`" if isinstance(node, exp.Func) else f"`{_short(node)}`"


def _short(node: exp.Expression) -> str:
    text = node.sql(dialect="duckdb")
    return text if len(text) <= 60 else text[:57] + "…"


_WINDOWED = {
    exp.Lead, exp.Lag, exp.Max, exp.Min, exp.Count, exp.Sum, exp.RowNumber, exp.FirstValue,
    exp.LastValue, exp.LogicalOr,
}  # fmt: skip
_NAMES = [
    *FUNCTIONS,
    "coalesce",
    "least",
    "greatest",
    "abs",
    "len",
    "list_contains",
    "list_has_any",
]

_Reader = Callable[[Reading, exp.Expression, int], Type]
_READERS: dict[type[exp.Expression], _Reader] = {
    exp.Column: Reading.column,
    exp.Literal: Reading.literal,
    exp.Boolean: lambda *_: BOOLEAN,
    exp.Null: lambda *_: NULL,
    exp.Paren: lambda reading, node, depth: reading.type_of(node.this, depth),
    exp.Cast: Reading.cast,
    exp.Array: Reading.array,
    exp.And: Reading.connector,
    exp.Or: Reading.connector,
    exp.Not: Reading.negation,
    **dict.fromkeys(
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
        Reading.comparison,
    ),
    exp.Between: Reading.between,
    exp.In: Reading.among,
    exp.Is: Reading.being,
    exp.Add: Reading.arithmetic,
    exp.Sub: Reading.arithmetic,
    exp.Mul: Reading.arithmetic,
    exp.Neg: Reading.signed,
    exp.Abs: Reading.signed,
    exp.Case: Reading.case,
    exp.Coalesce: Reading.first_known,
    exp.Least: Reading.first_known,
    exp.Greatest: Reading.first_known,
    exp.ArrayContains: Reading.contains,
    exp.ArrayOverlaps: Reading.overlaps,
    exp.Length: Reading.length,
    exp.StartsWith: Reading.starts,
    exp.Year: Reading.date_part,
    exp.Month: Reading.date_part,
    exp.Anonymous: Reading.ours,
    exp.AddMonths: Reading.ours,
    exp.MonthsBetween: Reading.ours,
    exp.Window: Reading.window,
}
