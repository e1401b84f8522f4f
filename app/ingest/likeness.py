"""
How like two names are, word by word: what a list could say of a name that is not on it.

Deterministic, and about the words alone. Shorthand is spelled out (`w/o` is `without`), the beginning of
a word stands for it (`abd` for `abdomen`), a slip in a long word is let pass. `with` and `without` are
never alike.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

ENOUGH: Final = 0.5
"""Of names that are less alike nothing is suggested."""
MOST: Final = 3
_SHORTEST_BEGINNING = 3
_SLIP = 0.8
_SHORTHAND: Final = {
    "w": ("with",), "wo": ("without",), "wout": ("without",), "wwo": ("with", "without"), "non": ("without",),
}  # fmt: skip
_SLASHED = re.compile(r"\b(w)\s*/\s*(wo|o|out)?\b", re.IGNORECASE)
_SIDES: Final = frozenset({"with", "without"})
_BARE: Final = frozenset({"and", "or", "of", "the", "a", "an", "for", "in"})
_WORD = re.compile(r"[a-z0-9]+")


class Suggestion(NamedTuple):
    """A code, and how like its name is: from 0 to 1."""

    code: str
    score: float


@lru_cache(maxsize=4_096)
def words(name: str) -> frozenset[str]:
    """The words that a name is told by."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    plain = _SLASHED.sub(lambda found: f" w{found[2] or ''} ", plain)
    found = (one for word in _WORD.findall(plain) for one in _SHORTHAND.get(word, (word,)))
    return frozenset(found) - _BARE


def likeness(one: str, other: str, said_by: Mapping[str, int] = MappingProxyType({})) -> float:
    """How like two names are: 1 for the same words, 0 for none in common or opposite ones.

    What many things are called by (`said_by`: word -> how many) tells little of any of them.
    """
    mine, its = words(one), words(other)
    if not mine or not its or (mine & _SIDES and its & _SIDES and mine & _SIDES != its & _SIDES):
        return 0.0
    weighed = [(word, its, _weight(word, said_by)) for word in sorted(mine)]
    weighed += [(word, mine, _weight(word, said_by)) for word in sorted(its)]
    shared = sum(weight * _best(word, others) for word, others, weight in weighed)
    return round(shared / sum(weight for _, _, weight in weighed), 3)


def suggestions(name: str, called: Mapping[str, Iterable[str]]) -> list[Suggestion]:
    """The codes whose names (`called`) are most like a name, the likest first, else in their order."""
    names_of = {code: tuple(names) for code, names in called.items()}
    said_by = Counter(
        word
        for names in names_of.values()
        for word in frozenset().union(*(words(one) for one in names))
    )
    scored = [
        Suggestion(code, max((likeness(name, one, said_by) for one in names), default=0.0))
        for code, names in names_of.items()
    ]
    enough: Sequence[Suggestion] = [one for one in scored if one.score >= ENOUGH]
    return sorted(enough, key=lambda one: -one.score)[:MOST]


def _weight(word: str, said_by: Mapping[str, int]) -> float:
    return 0.5 if word in _SIDES else 1 / max(said_by.get(word, 1), 1)


def _best(word: str, others: Iterable[str]) -> float:
    return max(_alike(word, one) for one in others)


def _alike(word: str, other: str) -> float:
    if word == other:
        return 1.0
    if {word, other} & _SIDES:
        return 0.0
    short, long = sorted((word, other), key=len)
    if len(short) >= _SHORTEST_BEGINNING and long.startswith(short):
        return 0.9
    if len(short) <= 2 * _SHORTEST_BEGINNING - 2:
        return 0.0
    found = SequenceMatcher(None, short, long, autojunk=False).ratio()
    return found if found >= _SLIP else 0.0
