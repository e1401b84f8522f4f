"""
Text: decoded under its character set, rid of identifiers, and encoded again.

Three nets, each enough for what it was made for: the object's own identifiers wherever they
stand and however they are written; patterns (dates, telephone numbers, addresses, titles with a
name, numbers like those of persons); and, for descriptors, a vocabulary outside which no word
survives. The second look (`verify.py`) shares none of this.
"""

import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

from app.deid.descriptors import Pass
from app.deid.folding import TOKEN, folded
from app.deid.identifiers import Own
from app.deid.vocabulary import vocabulary

__all__ = ["Cleaner", "cleaner", "decoded", "encoded", "encodings", "folded"]

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


class Cleaner:
    """Cleans the texts of one patient's objects: knows the identifiers, remembers its answers."""

    def __init__(self, names: Iterable[str], identifiers: Iterable[str]) -> None:
        self.own = Own(names, identifiers)
        self._known: dict[tuple[str, bool], str] = {}

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

    def _remembered(self, text: str, descriptor: bool) -> str:
        known = self._known.get((text, descriptor))
        if known is None:
            known, before = text.strip(" \0"), None
            while known != before:  # what came together may identify in its turn
                before = known
                known = Pass(self.own, before, descriptor).left()
            if len(self._known) < 4096:
                self._known[text, descriptor] = known
        return known


@lru_cache(maxsize=256)
def cleaner(names: frozenset[str], identifiers: frozenset[str]) -> Cleaner:
    """The cleaner of a set of identifiers: made once for a patient's hundreds of slices."""
    return Cleaner(names, identifiers)
