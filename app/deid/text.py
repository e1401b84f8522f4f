"""
Text: decoded under its character set, rid of identifiers, and encoded again.

Three nets, each enough for what it was made for: the object's own identifiers wherever they
stand and however they are written; patterns (dates, telephone numbers, addresses, titles with a
name, numbers like those of persons); and, for descriptors, a vocabulary outside which no word
survives. The second look (`verify.py`) shares none of this.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

from app.deid.descriptors import Pass
from app.deid.folding import TOKEN, folded
from app.deid.identifiers import Nobody, Own
from app.deid.vocabulary import vocabulary

__all__ = ["Cleaner", "ForAnybody", "cleaner", "decoded", "encoded", "encodings", "folded"]

_DELIMITERS = {"PN": {"\\", "^", "="}}
_CONTROL = {"\\", "\r", "\n", "\t", "\f"}


@lru_cache(maxsize=256)
def encodings(character_sets: str) -> list[str] | None:
    """The codecs of a Specific Character Set; None when it names none, or one nobody knows."""
    names = [name.strip() for name in character_sets.split("\\")]
    if not any(names) or any(name and name not in python_encoding for name in names):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codecs: list[str] = convert_encodings(names)
    return codecs


def decoded(value: bytes, codecs: list[str] | None, vr: str = "LO") -> str:
    """Text of a value. Without a character set: UTF-8 if it is, else Latin-1, so nothing is lost."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    if codecs is None:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would repeat the value
        try:
            return str(decode_bytes(value, codecs, _DELIMITERS.get(vr, _CONTROL)))
        except (LookupError, UnicodeError):
            return value.decode("latin-1")


def encoded(text: str, codecs: list[str] | None) -> bytes:
    """Bytes of a text under the character set it came in; what that cannot say is left out."""
    if text.isascii():
        return text.encode("ascii")
    if codecs is not None:
        with warnings.catch_warnings(), suppress(LookupError, UnicodeError, UserWarning):
            warnings.simplefilter("error")  # a warning means that something was replaced
            return bytes(encode_string(text, codecs))
    return text.encode("ascii", "ignore")


_LONG = 1024
"""Letters from which a text is hardly met again."""


class Personal(Exception):
    """What this becomes cannot be told without knowing whom it is about."""


class Cleaning(ABC):
    """What can be done to a text, and asked of a code or number, where some identifiers are known."""

    own: Own | Nobody

    def clean(self, text: str) -> str:
        """A descriptor: own identifiers, patterns and every unknown word are gone."""
        return self._remembered(text, descriptor=True)

    def scrub(self, text: str) -> str:
        """Technical text: own identifiers and hard patterns are gone, the rest stays.

        Where a name is in another script alone, words that are people's names go too: they could
        be it in Latin letters.
        """
        return self._remembered(text, descriptor=False)

    def names_somebody(self, text: str) -> bool:
        """Does this code string hold one of the object's own identifiers?

        Words of the vocabulary do not count: a patient called Head must not cost the body part.
        """
        known, own = vocabulary(), self.own
        tokens = [token for token in TOKEN.findall(folded(text)) if token not in known.words]
        if any(len(token) > 2 and own.is_word(token) for token in tokens):
            return True
        if own.foreign and not known.people.isdisjoint(tokens):
            return True  # it could be the name in Latin letters
        return bool(tokens) and own.inside("".join(tokens)) is not None

    def is_own_number(self, text: str) -> bool:
        """Is one of these numbers (DS, IS) one of the object's identifiers, long enough to be one?"""
        return any(
            len(part) > 5 and self.own.is_word(part) for part in text.replace(" ", "").split("\\")
        )

    @abstractmethod
    def _remembered(self, text: str, descriptor: bool) -> str:
        """What may stay of a text."""


class Cleaner(Cleaning):
    """Cleans the texts of one patient's objects: knows the identifiers, remembers its answers."""

    own: Own

    def __init__(self, names: Iterable[str], identifiers: Iterable[str]) -> None:
        self.own = Own(names, identifiers)
        self._known: dict[tuple[str, bool], str] = {}

    def _remembered(self, text: str, descriptor: bool) -> str:
        known = self._known.get((text, descriptor))
        if known is None:
            if len(text) > _LONG:
                return _left(self.own, text, descriptor)
            known, asked = _anybodys(text, descriptor, self.own.foreign)
            if not self.own.untouched(asked):
                known = _left(self.own, text, descriptor)
            if len(self._known) < 4096:
                self._known[text, descriptor] = known
        return known


class ForAnybody(Cleaning):
    """Cleans texts as nobody's, and notes what that asked: for whom it is right, `own` can tell.

    Raises `Personal` for a text too long to be worth it.
    """

    own: Nobody

    def __init__(self, foreign: bool) -> None:
        self.own = Nobody(foreign)

    def _remembered(self, text: str, descriptor: bool) -> str:
        if len(text) > _LONG:
            raise Personal
        left, asked = _anybodys(text, descriptor, self.own.foreign)
        self.own.asked.append(asked)
        return left


def _left(own: Own | Nobody, text: str, descriptor: bool) -> str:
    """What may stay of a text beside these identifiers."""
    left, before = text.strip(" \0"), None
    while left != before:  # what came together may identify in its turn
        before = left
        left = Pass(own, before, descriptor).left()
    return left


@lru_cache(maxsize=8192)
def _anybodys(text: str, descriptor: bool, foreign: bool) -> tuple[str, str]:
    """What may stay of nobody's text, and the questions that had to be asked, in lines."""
    nobody = Nobody(foreign)
    left = _left(nobody, text, descriptor)
    asked = ""
    for question in sorted(nobody.asked, key=len, reverse=True):
        if question not in asked:
            asked = f"{asked}\n{question}"
    return left, asked


@lru_cache(maxsize=256)
def cleaner(names: frozenset[str], identifiers: frozenset[str]) -> Cleaner:
    """The cleaner of a set of identifiers: made once for a patient's hundreds of slices."""
    return Cleaner(names, identifiers)
