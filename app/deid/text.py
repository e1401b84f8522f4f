"""
Text: decoded under its character set, rid of identifiers, and encoded again.

Three nets, each enough for what it was made for: the object's own identifiers wherever they
stand and however they are written; patterns (dates, telephone numbers, addresses, titles with a
name, numbers like those of persons); and, for descriptors, a vocabulary outside which no word
survives. The second look (`verify.py`) shares none of this.
"""

import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, lru_cache
from importlib.resources import files

import yaml
from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

_DELIMITERS = {"PN": {"\\", "^", "="}}
_CONTROL = {"\\", "\r", "\n", "\t", "\f"}

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?[ap]\.?m\b\.?)?"
_PATTERNS = re.compile(
    "|".join(
        (
            r"[a-z][a-z0-9+.-]{1,10}://\S+|\bwww\.\S+",  # addresses of the web
            r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*",  # of mail
            r"\b[0-2](?:\.\d+){4,}\b",  # UIDs
            r"\b(?:\d{1,3}\.){3}\d{1,3}\b",  # of machines
            rf"\b\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}(?:[T ,]*{_TIME})?",  # 2020-01-31, 1/31/20
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?[-/. ]*(?:of )?{_MONTH}(?:[-/., ]*\d{{2,4}}\b)?(?![a-z])",
            rf"\b{_MONTH}[-/. ]*\d{{1,2}}(?:st|nd|rd|th)?\b(?:[-/., ]*\d{{2,4}}\b)?",
            rf"\b{_MONTH}[-/., ]*(?:19|20)\d\d\b",
            r"\b(?:19|20)\d{6}(?:[T_ ]?\d{4,6})?\b",  # 20200131
            rf"(?<![\d.]){_TIME}",
            r"\+?\(?\b\d{2,4}\)?[-. /]\d{3,4}[-. ]\d{3,4}\b",  # telephones, and 123-45-6789
            r"\b\d{3}[- ]\d{2}[- ]\d{4}\b",
            r"\b(?:dr|doctor|prof|professor|mr|mrs|ms|miss|md|frau|herr|sr|sra|tech|rt\(r\))"
            r"\b\.?[\s:]+[^\W\d_][\w'’.-]*(?:[ ,]+(?-i:[A-Z])[\w'’.-]*){0,2}",
            r"\b(?:mrn|ssn|dob|pid|acc(?:ession)?|npi|tel|phone|fax|id|case|chart|visit|account|acct)"
            r"\b\s*(?:no\.?|number|nr\.?|#)?\s*[:#=]?\s*(?=[\w-]*\d)[\w-]+",
            r"\b\d{1,6}[a-z]?\s+(?:[^\W\d_][\w'’.]*\s+){1,3}(?:street|str|st|avenue|ave|road|rd|lane"
            r"|drive|blvd|boulevard|way|court|ct|place|pl|square|sq|highway|hwy)\b\.?",
            r"\bp\.?\s?o\.?\s?box\s+\d+",
            r"\b[a-z]{2}\s+\d{5}(?:-\d{4})?\b",  # a state and its postal code
        )
    ),
    re.IGNORECASE,
)
# For technical text: what could only be a person's or a time; version numbers stay.
_HARD_PATTERNS = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|[a-z][a-z0-9+.-]{1,10}://\S+"
    r"|\b(?:19|20)\d\d[-/.]?(?:0[1-9]|1[0-2])[-/.]?(?:0[1-9]|[12]\d|3[01])(?:[T_ ]?\d{4,6})?(?!\d)"
    r"|\b(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:19|20)?\d\d\b"
    r"|\b\d{3}-\d{2}-\d{4}\b|\(?\b\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b|\b\d{7,}\b"
    r"|\b(?:dr|prof|mrs?|ms)\b\.?\s+[^\W\d_][\w'’-]*(?:\s(?-i:[A-Z])[\w'’-]*)?",
    re.IGNORECASE,
)
_TITLES = frozenset(
    ["mr", "mrs", "ms", "miss", "dr", "prof", "md", "phd", "jr", "sr", "ii", "iii", "iv", "rt"]
)
_TOKEN = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")
_SPELT_OUT = re.compile(r"\b[^\W\d_](?:[\s.\-_]{1,2}[^\W\d_]\b){2,}")
_SPACES = re.compile(r"[ \t]{2,}")
_LOOSE = re.compile(r"(?<![^\s])[-_/.,:;#&+*'’()\[\]=^]+(?![^\s])")


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


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """Without accents, case and width: what two spellings of one name have in common."""
    bare = unicodedata.normalize("NFKD", text)
    return "".join(char for char in bare if not unicodedata.combining(char)).casefold()


@cache
def vocabulary() -> frozenset[str]:
    """The words that may stay in a descriptor."""
    source = files("app.deid").joinpath("vocabulary.yaml").read_text(encoding="utf-8")
    return frozenset(yaml.load(source, Loader=yaml.CSafeLoader)["words"].split())


class Cleaner:
    """Cleans the texts of one patient's objects: knows the identifiers, remembers its answers."""

    def __init__(self, names: Iterable[str], identifiers: Iterable[str]) -> None:
        words: set[str] = set()
        wholes: set[str] = set()
        for name in names:
            parts = [
                part
                for part in _TOKEN.findall(folded(name))
                if len(part) > 1 and part not in _TITLES
            ]
            words.update(parts)
            wholes.update(_wholes(parts))
            wholes.update("".join(pair) for pair in itertools.pairwise(parts))
        for identifier in identifiers:
            parts = _TOKEN.findall(folded(identifier))
            known = vocabulary()
            words.update(
                part
                for part in parts
                if (len(part) > 2 or not part.isascii())
                and part not in known
                and not (part.isdigit() and len(part) < 4)
            )
            wholes.update(_wholes(parts))
        self.words = frozenset(words)
        # Looked for inside of runs too: long enough not to be found by chance.
        inside = {word for word in words if len(word) > 4 or not word.isascii()}
        inside |= {whole for whole in wholes if len(whole) > 5}
        self._inside = re.compile("|".join(map(re.escape, sorted(inside, key=len, reverse=True))))
        self._has_inside = bool(inside)
        self._known: dict[tuple[str, bool], str] = {}

    def clean(self, text: str) -> str:
        """A descriptor: own identifiers, patterns and every unknown word are gone."""
        return self._remembered(text, descriptor=True)

    def scrub(self, text: str) -> str:
        """Technical text: own identifiers and hard patterns are gone, the rest stays."""
        return self._remembered(text, descriptor=False)

    def names_somebody(self, text: str) -> bool:
        """Does this code string hold one of the object's own identifiers?

        Words of the vocabulary do not count: a patient called Head must not cost the body part.
        """
        tokens = [token for token in _TOKEN.findall(folded(text)) if token not in vocabulary()]
        if any(token in self.words and len(token) > 2 for token in tokens):
            return True
        return bool(tokens) and self._has_inside and bool(self._inside.search("".join(tokens)))

    def is_own_number(self, text: str) -> bool:
        """Is one of these numbers (DS, IS) one of the object's identifiers, long enough to be one?"""
        return any(
            len(part) > 5 and part in self.words for part in text.replace(" ", "").split("\\")
        )

    def _remembered(self, text: str, descriptor: bool) -> str:
        known = self._known.get((text, descriptor))
        if known is None:
            known = self._cleaned(text, descriptor)
            if len(self._known) < 4096:
                self._known[text, descriptor] = known
        return known

    def _cleaned(self, text: str, descriptor: bool) -> str:
        text = unicodedata.normalize("NFC", text)
        pattern = _PATTERNS if descriptor else _HARD_PATTERNS
        rest = _SPELT_OUT.sub(self._spelt, pattern.sub(" ", text))
        keep = self._descriptor if descriptor else self._technical
        rest = _TOKEN.sub(keep, rest)
        if self._has_inside and self._inside.search(_squeezed(folded(rest))):
            # Written with something in between (D-O-E, J.O.H.N): the value as a whole goes.
            return ""
        if rest == text:
            return text.strip(" \0")
        rest = _SPACES.sub(" ", _LOOSE.sub(" ", rest))
        return rest.strip(" \t\0-_/,:;=^&")

    def _spelt(self, found: re.Match[str]) -> str:
        """`D.O.E` and `J o h n`: single letters that together are one of the identifiers."""
        together = _squeezed(folded(found[0]).replace("_", ""))
        return " " if any(word in together for word in self.words if len(word) > 2) else found[0]

    def _technical(self, found: re.Match[str]) -> str:
        plain = folded(found[0])
        if plain in self.words or (self._has_inside and self._inside.search(plain)):
            return ""
        return found[0]

    def _descriptor(self, found: re.Match[str]) -> str:
        token = found[0]
        plain = folded(token)
        if plain in self.words or (self._has_inside and self._inside.search(plain)):
            return ""
        if plain in vocabulary():
            return token
        if plain.isdigit():
            return token if _plain_number(plain) else ""
        parts = _PARTS.findall(token)
        if sum(part.isdigit() for part in parts) > 2 or "".join(parts) != token:
            return ""
        return token if all(self._part_stays(part, parts) for part in parts) else ""

    def _part_stays(self, part: str, parts: list[str]) -> bool:
        """A piece of `T2w`, `3MM`, `AbdPelvis`, `b1000`: words and short numbers."""
        plain = folded(part)
        if plain.isdigit():
            return len(plain) <= (4 if any(folded(other) == "b" for other in parts) else 3)
        return (
            plain.isascii()
            and (len(plain) == 1 or plain in vocabulary())
            and (plain not in self.words)
        )


def _plain_number(digits: str) -> bool:
    """Up to four digits, but not what could be a year: it would tell how far dates were moved."""
    return digits.isascii() and (
        len(digits) < 4 or (len(digits) == 4 and not 1900 <= int(digits) <= 2100)
    )


def _squeezed(text: str) -> str:
    return "".join(_TOKEN.findall(text))


def _wholes(parts: list[str]) -> set[str]:
    return {"".join(parts), "".join(reversed(parts))} if parts else set()


@lru_cache(maxsize=256)
def cleaner(names: frozenset[str], identifiers: frozenset[str]) -> Cleaner:
    """The cleaner of a set of identifiers: made once for a patient's hundreds of slices."""
    return Cleaner(names, identifiers)
