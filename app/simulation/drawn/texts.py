"""Texts that match a pattern: a regular expression read backwards."""

import re
import string
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

from re import _constants as op  # type: ignore[attr-defined]  # isort: skip
from re import _parser  # type: ignore[attr-defined]  # isort: skip

MOST_REPEATS = 8
_TRIES = 200
_ANY = string.ascii_letters + string.digits
_CATEGORIES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_letters + string.digits,
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: string.ascii_letters,
    op.CATEGORY_NOT_WORD: "-",
    op.CATEGORY_NOT_SPACE: _ANY,
}
_PRINTED = string.ascii_letters + string.digits + " -.,'"

Writer = Callable[[Random], str]


@lru_cache(maxsize=1024)
def matching(pattern: str, longest: int) -> Writer | None:
    """A writer of texts that match the whole pattern and are short enough; None if it finds none."""
    parsed, whole = _parser.parse(pattern), re.compile(pattern)

    def write(rng: Random) -> str:
        for _ in range(_TRIES):
            text = _sequence(parsed, rng, {})
            if 0 < len(text) <= longest and text == text.strip() and whole.fullmatch(text):
                return text
        raise ValueError("no text was found that matches the pattern")

    try:
        write(Random(0))  # noqa: S311 - nothing here is a secret
    except ValueError:
        return None
    return write


def _sequence(parsed: Any, rng: Random, groups: dict[int, str]) -> str:
    return "".join(_one(kind, value, rng, groups) for kind, value in parsed)


def _one(kind: Any, value: Any, rng: Random, groups: dict[int, str]) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.NOT_LITERAL:
        return rng.choice([one for one in _ANY if one != chr(value)])
    if kind is op.ANY:
        return rng.choice(_ANY)
    if kind is op.IN:
        return rng.choice(_among(value) or _ANY)
    if kind is op.BRANCH:
        return _sequence(rng.choice(value[1]), rng, groups)
    if kind is op.SUBPATTERN:
        number, _, _, inner = value
        text = _sequence(inner, rng, groups)
        if number is not None:
            groups[number] = text
        return text
    if kind is op.GROUPREF:
        return groups.get(value, "")
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, most, inner = value
        most = min(int(most), int(least) + MOST_REPEATS)
        return "".join(_sequence(inner, rng, groups) for _ in range(rng.randint(least, most)))
    return ""  # a look around or an anchor: the whole text is held against the pattern afterwards


def _among(items: Any) -> list[str]:
    """The characters of a class, of those that are printed."""
    negated, found = False, set[str]()
    for kind, value in items:
        if kind is op.NEGATE:
            negated = True
        elif kind is op.LITERAL:
            found.add(chr(value))
        elif kind is op.RANGE:
            low, high = value
            found.update(chr(one) for one in range(low, min(high, low + 200) + 1))
        elif kind is op.CATEGORY:
            found.update(_CATEGORIES.get(value, _ANY))
    return sorted(set(_PRINTED) - found if negated else found)
