"""
Expressions in words: what a population, rule or condition says, for those who do not read SQL.

Elements are called by their titles and codes by their labels. What words would make no clearer (window
functions, choices within choices) stays SQL, so that nothing is told wrongly.
"""

from collections.abc import Mapping
from decimal import Decimal

import sqlglot
from sqlglot import exp

from app.registries.schema import Definition, Element, Form

_COMPARED: dict[type[exp.Expression], str] = {
    exp.EQ: "is",
    exp.NEQ: "is not",
    exp.GT: "is more than",
    exp.GTE: "is at least",
    exp.LT: "is less than",
    exp.LTE: "is at most",
    exp.NullSafeEQ: "is (or both are not given)",
    exp.NullSafeNEQ: "differs from",
}
_DAYS: dict[type[exp.Expression], str] = {
    exp.GT: "is after",
    exp.GTE: "is not before",
    exp.LT: "is before",
    exp.LTE: "is not after",
}
_NUMBERS: dict[type[exp.Expression], str] = {exp.Add: "plus", exp.Sub: "minus", exp.Mul: "times"}
_CALLED = {
    "age_in_years": "the age on {1} of somebody born on {0}",
    "days_between": "the days from {0} to {1}",
    "months_between": "the months from {0} to {1}",
    "add_months": "{0} and {1} months",
    "add_days": "{0} and {1} days",
    "divide": "{0} divided by {1}",
}


class _Beyond(Exception):
    """Words would be no clearer than the text."""


class Sayings:
    """Says expressions over the columns of a form."""

    def __init__(self, definition: Definition, form: Form) -> None:
        self._definition = definition
        self._elements: dict[str, Element] = dict(form.by_id)
        for other in definition.follow_up_forms(form.id):
            for element in other.all_elements:
                self._elements.setdefault(element.id, element)
        self._titles: dict[str, str] = {
            "received_on": "the day it is reported",
            "case_date": "the date of the case",
            "month": "its month",
        }
        if form.parent is not None:
            for element in definition.form(form.parent).all_elements:
                self._elements[f"parent_{element.id}"] = element
                self._titles[f"parent_{element.id}"] = f"the case's {element.title}"
        for subject in definition.forms:
            if subject.level == "subject":
                for element in subject.all_elements:
                    self._elements[f"subject_record_{element.id}"] = element
        self._booleans: Mapping[str, str] = {
            one.id: one.title or one.id.replace("_", " ")
            for one in definition.derived
            if one.form in (form.id, form.parent) and one.type == "boolean"
        }
        for one in definition.derived:
            if one.form == form.id:
                self._titles.setdefault(one.id, one.title or one.id.replace("_", " "))

    def said(self, text: str) -> str:
        """The expression in words; the text itself where words would be no clearer."""
        tree = sqlglot.parse_one(text, read="duckdb")
        assert isinstance(tree, exp.Expression)
        try:
            words = self._condition(tree) if _asks(tree, self) else self._value(tree)
        except _Beyond:
            return " ".join(text.split())
        return words[:1].upper() + words[1:]

    def is_boolean(self, name: str) -> bool:
        """Whether a column says yes or no by itself."""
        element = self._elements.get(name)
        boolean = element is not None and element.type == "boolean"
        return boolean or name in self._booleans or name.endswith("_unknown")

    def _condition(self, node: exp.Expression, *, inner: bool = False) -> str:
        match node:
            case exp.Paren():
                return self._condition(node.this, inner=inner)
            case exp.Boolean():
                return "every case" if node.this else "no case"
            case exp.And() | exp.Or():
                word = " and " if isinstance(node, exp.And) else " or "
                parts = [
                    self._condition(one, inner=True)
                    for one in node.flatten()
                    if isinstance(one, exp.Expression)
                ]
                text = word.join(parts)
                return f"({text})" if inner else text
            case exp.Not():
                return self._negated(node.this)
            case exp.Is() if isinstance(node.expression, exp.Null):
                return f"{self._value(node.this)} is not given"
            case exp.Is():
                word = "holds" if node.expression.this else "does not hold"
                return f"{self._value(node.this)} {word}"
            case exp.In():
                among = [self._of(node.this, one) for one in node.expressions]
                return f"{self._value(node.this)} is {_listed(among, 'or')}"
            case exp.Between():
                low, high = (self._of(node.this, node.args[end]) for end in ("low", "high"))
                return f"{self._value(node.this)} is from {low} to {high}"
            case exp.ArrayContains():
                return f"{self._value(node.this)} include {self._of(node.this, node.expression)}"
            case exp.Coalesce() if _plainly_false(node):
                return self._condition(node.this, inner=inner)
            case exp.Column() if self.is_boolean(node.name):
                if node.name.endswith("_unknown"):
                    name = node.name.removesuffix("_unknown")
                    return f"{self._titles.get(name) or self._title(name)} is said to be unknown"
                return f"“{self._title(node.name)}” holds"
            case _ if type(node) in _COMPARED:
                word = _COMPARED[type(node)]
                if self._is_day(node.this):
                    word = _DAYS.get(type(node), word)
                return f"{self._value(node.this)} {word} {self._of(node.this, node.expression)}"
        raise _Beyond

    def _negated(self, node: exp.Expression) -> str:
        if isinstance(node, exp.Paren):
            return self._negated(node.this)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return f"{self._value(node.this)} is given"
        if isinstance(node, exp.In):
            among = [self._of(node.this, one) for one in node.expressions]
            return f"{self._value(node.this)} is neither {_listed(among, 'nor')}"
        return f"it is not so that {self._condition(node, inner=True)}"

    def _value(self, node: exp.Expression) -> str:
        match node:
            case exp.Paren():
                return f"({self._value(node.this)})"
            case exp.Column():
                return self._title(node.name)
            case exp.Literal():
                return str(node.name)
            case exp.Cast():
                return str(node.this.name)
            case exp.Coalesce():
                parts = [self._value(one) for one in (node.this, *node.expressions)]
                return ", or else ".join(parts)
            case exp.AddMonths() | exp.MonthsBetween():
                name = "add_months" if isinstance(node, exp.AddMonths) else "months_between"
                return _CALLED[name].format(self._value(node.this), self._value(node.expression))
            case exp.Anonymous() if str(node.this).lower() in _CALLED:
                parts = [self._value(one) for one in node.expressions]
                return _CALLED[str(node.this).lower()].format(*parts)
            case exp.Year() | exp.Month():
                return f"the {type(node).__name__.lower()} of {self._value(node.this)}"
            case _ if type(node) in _NUMBERS:
                word = _NUMBERS[type(node)]
                return f"{self._value(node.this)} {word} {self._value(node.expression)}"
        raise _Beyond

    def _of(self, column: exp.Expression, value: exp.Expression) -> str:
        """A value that an element is compared with: a code by its label, a number with its unit."""
        while isinstance(column, (exp.Paren, exp.Coalesce)):
            column = column.this
        element = self._elements.get(column.name) if isinstance(column, exp.Column) else None
        if element is None or not isinstance(value, exp.Literal):
            return self._value(value)
        values = self._definition.value_set(element)
        if values is not None and value.is_string:
            return f"“{values.labels.get(value.name, value.name)}”"
        if element.unit and not value.is_string:
            return f"{Decimal(value.name).normalize():f} {element.unit}"
        return str(value.name)

    def _title(self, name: str) -> str:
        if name in self._titles:
            return self._titles[name]
        element = self._elements.get(name)
        return element.title if element is not None else self._booleans.get(name, name)

    def _is_day(self, node: exp.Expression) -> bool:
        element = self._elements.get(node.name) if isinstance(node, exp.Column) else None
        return element is not None and element.type == "date"


def _asks(tree: exp.Expression, sayings: Sayings) -> bool:
    """Whether an expression is a condition rather than a value."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    if isinstance(tree, exp.Column):
        return sayings.is_boolean(tree.name)
    if isinstance(tree, exp.Coalesce):
        return _plainly_false(tree)
    asking = (exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.ArrayContains, exp.Boolean)
    return isinstance(tree, asking) or type(tree) in _COMPARED


def _plainly_false(node: exp.Expression) -> bool:
    """`coalesce(…, FALSE)`: what is not known counts as FALSE anyway."""
    last = node.expressions
    return len(last) == 1 and isinstance(last[0], exp.Boolean) and not last[0].this


def _listed(parts: list[str], word: str) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"
