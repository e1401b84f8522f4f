"""Arithmetic over answers, read as data: sums, products, a handful of functions, nothing else."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DecimalException
from functools import lru_cache

from app.reporting.conditions import MOST_DIGITS, number_in

LONGEST = 2_000
_CONTEXT = Context(prec=28)
_NAME = re.compile(r"\{\s*([^{}]+?)\s*\}")

_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: _CONTEXT.add,
    ast.Sub: _CONTEXT.subtract,
    ast.Mult: _CONTEXT.multiply,
    ast.Div: _CONTEXT.divide,
    ast.Mod: _CONTEXT.remainder,
}


def _round(number: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP, _CONTEXT)


_FUNCTIONS: dict[str, tuple[Callable[..., Decimal], int, int]] = {
    "abs": (operator.abs, 1, 1),
    "ceiling": (lambda number: number.to_integral_value(ROUND_CEILING), 1, 1),
    "floor": (lambda number: number.to_integral_value(ROUND_FLOOR), 1, 1),
    "max": (max, 1, 20),
    "min": (min, 1, 20),
    "round": (_round, 1, 2),
    "sqrt": (lambda number: number.sqrt(_CONTEXT), 1, 1),
}
"""Name -> what it does, fewest and most arguments. `round` rounds half away from zero."""


class Unreadable(ValueError):
    """The text is no arithmetic."""


def names(text: str) -> Iterator[str]:
    """The elements an expression reads: bare names, or any name in braces."""
    yield from _parsed(text)[1]


def value(text: str, answers: Mapping[str, object]) -> Decimal | None:
    """What it comes to; None where an answer is missing or it cannot be worked out (a division by
    nothing, a number of more than 28 digits before the point)."""
    tree, _, braced = _parsed(text)
    try:
        found = _value(tree, answers, braced)
    except (DecimalException, TypeError, ValueError, OverflowError):
        return None
    if found is None or not found.is_finite() or found.adjusted() > MOST_DIGITS:
        return None
    # What is smaller than can be told is nothing.
    return found if found.adjusted() >= -MOST_DIGITS else Decimal(0)


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> tuple[ast.expr, tuple[str, ...], Mapping[str, str]]:
    if len(text) > LONGEST:
        raise Unreadable(f"is longer than {LONGEST} characters")
    braced = dict[str, str]()

    def stand_in(found: re.Match[str]) -> str:
        name = f"__{len(braced)}"
        braced[name] = found[1]
        return name

    try:
        tree = ast.parse(_NAME.sub(stand_in, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unreadable("is no arithmetic that can be read") from None
    found = tuple(dict.fromkeys(braced.get(name, name) for name in _checked(tree)))
    return tree, found, braced


def _checked(node: ast.expr) -> Iterator[str]:
    """The names in an expression; `Unreadable` for anything that is not allowed."""
    match node:
        case ast.BinOp(left, operation, right) if type(operation) in _OPERATORS:
            yield from _checked(left)
            yield from _checked(right)
        case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
            yield from _checked(operand)
        case ast.Constant(int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name(name):
            yield name
        case ast.Call(ast.Name(name), arguments, []) if name.lower() in _FUNCTIONS:
            _, fewest, most = _FUNCTIONS[name.lower()]
            if not fewest <= len(arguments) <= most:
                raise Unreadable(f"`{name}` takes {fewest} to {most} arguments")
            for argument in arguments:
                yield from _checked(argument)
        case _:
            raise Unreadable(
                "allows + - * / %, brackets, numbers, elements and " + ", ".join(_FUNCTIONS)
            )


def _value(
    node: ast.expr, answers: Mapping[str, object], braced: Mapping[str, str]
) -> Decimal | None:
    match node:
        case ast.BinOp(left, operation, right):
            one = _value(left, answers, braced)
            other = _value(right, answers, braced)
            if one is None or other is None:
                return None
            return _OPERATORS[type(operation)](one, other)
        case ast.UnaryOp(sign, operand):
            inner = _value(operand, answers, braced)
            return None if inner is None else -inner if isinstance(sign, ast.USub) else inner
        case ast.Constant(number):
            return Decimal(str(number))
        case ast.Name(name):
            given = answers.get(braced.get(name, name))
            return given if isinstance(given, Decimal) else number_in(str(given))
        case ast.Call(ast.Name(name), arguments):
            given_values = [_value(one, answers, braced) for one in arguments]
            known = [one for one in given_values if one is not None]
            if len(known) < len(given_values):
                return None
            return _FUNCTIONS[name.lower()][0](*known)
    raise AssertionError(node)
