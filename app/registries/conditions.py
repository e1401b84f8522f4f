"""
Conditions of `required_when` and `relevant_when` as data, for forms that cannot run SQL.

Most conditions ask whether an element has one of some codes, or has been filled in. Those become a
small tree that a page or a FHIR Questionnaire understands. What is more than that is not guessed
at: a form then shows the element always, and the check on arrival decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: is `element` answered (`code` None), or answered with this code; or not."""

    element: str
    code: str | None
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    """All of some questions, or any of them."""

    behavior: Literal["all", "any"]
    asked: tuple[Asked, ...]

    def document(self) -> dict[str, object]:
        """For a page: `{"any": [{"element": …, "code": …, "holds": true}]}`."""
        return {
            self.behavior: [
                {"element": one.element, "code": one.code, "holds": one.holds} for one in self.asked
            ]
        }


def condition(text: str | None) -> Condition | None:
    """A condition as data, or None for one that only SQL can tell."""
    if text is None:
        return None
    tree = sqlglot.parse_one(text, read="duckdb")
    assert isinstance(tree, exp.Expression)
    if (alone := _asked(tree)) is not None:
        return alone
    for behavior, connector in (("any", exp.Or), ("all", exp.And)):
        parts = list(_flattened(tree, connector))
        asked = [_asked(part) for part in parts]
        if all(
            one is not None and (len(one.asked) == 1 or one.behavior == behavior) for one in asked
        ):
            questions = tuple(
                question for one in asked if one is not None for question in one.asked
            )
            return Condition("any" if behavior == "any" else "all", questions)
    return None


def _flattened(tree: exp.Expression, connector: type[exp.Expression]) -> Iterator[exp.Expression]:
    if isinstance(tree, exp.Paren):
        yield from _flattened(tree.this, connector)
    elif isinstance(tree, connector):
        yield from _flattened(tree.this, connector)
        yield from _flattened(tree.expression, connector)
    else:
        yield tree


def _asked(tree: exp.Expression, holds: bool = True) -> Condition | None:
    """One comparison of an element with codes."""
    if isinstance(tree, exp.Paren):
        return _asked(tree.this, holds)
    if isinstance(tree, exp.Not):
        return _asked(tree.this, not holds)
    if isinstance(tree, exp.Coalesce) and _is_false(tree.expressions):
        return _asked(tree.this, holds)
    if isinstance(tree, exp.Is) and isinstance(tree.expression, exp.Null):
        name = _element(tree.this)
        return Condition("all", (Asked(name, None, not holds),)) if name else None
    if isinstance(tree, exp.ArrayContains):
        return _of(_element(tree.this), [tree.expression], holds)
    if isinstance(tree, exp.EQ):
        return _of(_element(tree.this), [tree.expression], holds)
    if isinstance(tree, exp.NEQ):
        return _of(_element(tree.this), [tree.expression], not holds)
    if isinstance(tree, exp.In):
        return _of(_element(tree.this), tree.expressions, holds)
    return None


def _of(name: str | None, codes: list[exp.Expression], holds: bool) -> Condition | None:
    plain = [code.name for code in codes if isinstance(code, exp.Literal) and code.is_string]
    if name is None or len(plain) != len(codes):
        return None
    return Condition("any" if holds else "all", tuple(Asked(name, code, holds) for code in plain))


def _element(tree: exp.Expression) -> str | None:
    if isinstance(tree, exp.Coalesce) and len(tree.expressions) == 1:
        return _element(tree.this)
    return tree.name if isinstance(tree, exp.Column) else None


def _is_false(expressions: list[exp.Expression]) -> bool:
    return (
        len(expressions) == 1
        and isinstance(expressions[0], exp.Boolean)
        and not expressions[0].this
    )
