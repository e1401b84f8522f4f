"""
One pass over one text: what goes is marked letter by letter, then the rest is put together.

A descriptor keeps known words and short numbers; technical text keeps what nothing speaks against.
Either loses the object's own identifiers and what identifies by its shape.
"""

import re
import unicodedata

from app.deid import patterns
from app.deid.addressed import Addressed, Fate, has_partner, is_measured
from app.deid.folding import TOKEN, folded, plain
from app.deid.identifiers import Nobody, Own
from app.deid.terms import is_listed_word
from app.deid.vocabulary import vocabulary

_PARTS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f々ー]+")
_BESIDE = re.compile(r"(?:[ .,^'’-]|_){1,3}|")
_DECIMALS = re.compile(r"(?<![\d.])\d{1,4}[.,]\d{1,6}(?![\d.])")
_UNIT = re.compile(
    r"\s?(?:[mcµu]?m\b|mm|ms\b|s\b|sec|min|hz\b|[kmg]hz|kvp?\b|ma[s]?\b|[mµu]?gy\b|mg|m[il]\b|cc\b|m?ci\b|[mgk]?bq"
    r"|hu\b|%|deg|°|t\b|x\b|w\b|frames?|fps|images?|slices?|phases?|views?|dirs?\b|directions|channels?|iu\b)"
)
_BEFORE_NUMBER = re.compile(
    r"(?:\b(?:b|tr|te|ti|td|fa|ww|wl|wc|w|l|c|hu|kv|kvp|mas?|fov|matrix|venc|tube|omnipaque|isovue|visipaque"
    r"|ultravist|optiray|x|vol|sl|im|img|image|series|se|frame|phase|slice|rev|bw|etl|nex)[ =:_]?|[x*])$"
)
_PARAMETERS = frozenset(["b", "w", "l", "c", "ww", "wl", "wc", "te", "tr", "ti", "td", "venc"])
_NO_INITIAL = re.compile(r" ?\d|-[a-z]")  # b 1000, C-arm
_OF_DOCTOR = re.compile(r"\s*([^\W\d_]+)")
_NUMBERED = re.compile(
    r"\d{1,3}([^\W\d_]{3,})|([^\W\d_]{3,})\d{1,2}"
)  # 70keV, whatever its capitals
_PLAIN_WORD = re.compile(r"[ _]([^\W\d_]+)(?![^\W_])")
_SMALL_WORD = re.compile(r" ([a-z]+)(?![^\W_])")
_GRADE = re.compile(r"[ _-]?(?:\d\b|i{1,3}[a-f]?\b|iv[ab]?\b|vi{0,3}\b)")
_STAGE = re.compile(
    r"[cpyr]{0,2}T(?:[0-4][a-d]?|x|is)(?:N[0-3x][a-c]?)?(?:M[01x][a-c]?)?", re.IGNORECASE
)
_WORD_AFTER = re.compile(
    r"(?:['’]?s)?[\s_-]+(?:[a-d] )?([^\W\d_]+)"
)  # Crohn's disease, Kerley B lines
_WORD_BEFORE = re.compile(r"([^\W\d_]+)[\s_-]+$")
# MR and DR in capitals are modalities.
_TITLE_BEFORE = re.compile(
    r"\b(?:[Pp]atient|[Pp]at|[Pp]t|PT|M(?:r|s|rs|iss)|Dr|Herr|Frau|M(?:me|lle)|Sra?)\b\.?[ _]{1,2}$"
)
_INITIAL_BEFORE = re.compile(r"(?<![^\W_])([a-z])\.[ _]?$")
_INITIAL_AFTER = re.compile(r",?[ _]([a-z])\.(?![^\W_])")
_POSSESSIVE = re.compile(r"['’]s\b")
_ODD = re.compile(r"[^\x00-\x7f\w°µ±×²³≤≥–—…‘’“”„]+|[\x00-\x08\x0b\x0e-\x1f\x7f]+")
_SEPARATOR = r"(?:[\s_.,;:/|^&#*'’=~?-]|(?<!\w)\+)*"  # BONE+ and +C keep their sign
_HOLES = re.compile(rf"\x01(?:{_SEPARATOR}\x01)+")
_EMPTY_BRACKETS = re.compile(
    rf"[(\[{{<]{_SEPARATOR}\x01{_SEPARATOR}[)\]}}>]|([\"“„]){_SEPARATOR}\x01{_SEPARATOR}[\"”“]"
)
_HOLE = re.compile(rf"({_SEPARATOR})\x01({_SEPARATOR})")


class Pass:
    """One text of one patient's, under one of the two rules."""

    def __init__(self, own: Own | Nobody, text: str, descriptor: bool) -> None:
        self.own, self.descriptor = own, descriptor
        self.text = _visible(text)
        self.plain = plain(self.text)
        self.spaced = self.plain.replace("_", " ")
        self.gone = bytearray(len(self.text))
        self.known = vocabulary()

    def left(self) -> str:
        """What may stay of the text."""
        if not self.text.strip():
            return ""
        for found in patterns.WIRE.finditer(self.plain):
            self._mark(*found.span())
        for found in patterns.INITIALS.finditer(self.spaced):
            letters = found.span(found.lastindex or 0)
            if not self._begins_a_phrase(*letters):
                self._mark(*letters)
        for found in patterns.PERHAPS_STREET.finditer(self.spaced):
            if found[1] in self.known.titles or self.own.is_name(found[1]):
                continue  # 7, Ottoline St. Clair; 130, Mme St. Clair: no streets
            after = _OF_DOCTOR.match(self.spaced, found.end())
            if after and found[0].rstrip(".").endswith("dr") and after[1] not in self.known.core:
                continue  # 3 plane DR PARK
            if found[1] not in self.known.words or found[1] in self.known.names:
                self._mark(*found.span())
        for start, stop in self.own.places(self.spaced):
            numbered = any(map(str.isdigit, self.text[start:stop]))
            self._mark(start, stop, 1 if numbered else 2)  # beside a number no name stands
        shapes = patterns.IDENTIFYING if self.descriptor else patterns.HARD
        for pattern in shapes if any(map(str.isdigit, self.plain)) else ():  # all need a digit
            for found in pattern.finditer(self.spaced):
                self._mark(*found.span())
        if self.descriptor:
            for found in _ODD.finditer(self.text):
                self._mark(*found.span())
        self._tokens()
        if not any(self.gone):
            return self.text.strip(" \0")
        return self._joined()

    def _mark(self, start: int, stop: int, why: int = 1) -> None:
        self.gone[start:stop] = bytes([why]) * (stop - start)

    def _tokens(self) -> None:
        """Judge every token, then what stands beside names."""
        found: list[tuple[int, int, Fate]] = []
        for whole in TOKEN.finditer(self.text):
            if all(why == 2 for why in self.gone[whole.start() : whole.end()]):
                found.append((*whole.span(), Fate.OWN))
                continue
            for start, stop in self._whole_parts(*whole.span()):
                found.append((start, stop, self._fate(start, stop)))
        if self.descriptor:
            Addressed(self.text, self.plain, found).judged()
        self._neighbours(found)
        for start, stop, fate in found:
            if fate is not Fate.STAYS:
                possessive = _POSSESSIVE.match(self.plain, stop)
                self._mark(start, possessive.end() if possessive else stop)

    def _whole_parts(self, start: int, stop: int) -> list[tuple[int, int]]:
        """A token without what a pattern took from it, and ideographs apart from letters."""
        parts: list[tuple[int, int]] = []
        begin = start
        for place in range(start, stop + 1):
            if place == stop or self.gone[place]:
                if place > begin:
                    parts.append((begin, place))
                begin = place + 1
        split: list[tuple[int, int]] = []
        for one, two in parts:
            at = one
            for wide in _WIDE.finditer(self.text, one, two):
                if wide.start() > at:
                    split.append((at, wide.start()))
                split.append(wide.span())
                at = wide.end()
            if at < two:
                split.append((at, two))
        return split

    def _fate(self, start: int, stop: int) -> Fate:
        token = self.text[start:stop]
        word = folded(token)
        own, known = self.own, self.known
        if word in known.particles and own.is_family(word):
            of = known.beside.get(word, frozenset())
            return Fate.STAYS if self._beside(start, stop, of) else Fate.OWN
        if word in known.core:
            return self._of_radiology(word, stop)
        if own.is_word(word):
            if word.isdigit() and len(word.lstrip("0")) < 4 and self._measured(start, stop):
                return Fate.STAYS
            return Fate.OWN
        apart = word in known.words or word in known.eponyms  # no Field is in Hounsfield
        if not apart and own.inside(word) is not None:
            return self._without(start, stop, word)
        if word in known.words:
            return Fate.STAYS
        if not self.descriptor:
            # Makers and models have any name, but where nobody can tell how the patient's is
            # spelt in Latin letters, none that people have.
            somebody = own.foreign and word in known.people and not is_listed_word(word)
            somebody = somebody and not (word in known.eponyms and self._eponym(start, stop))
            if self._names_with_digits(token):
                return Fate.OWN
            return Fate.UNKNOWN if somebody else Fate.STAYS
        if word in known.beside and self._beside(start, stop, known.beside[word]):
            return Fate.STAYS
        if word in known.eponyms:
            return Fate.STAYS if self._eponym(start, stop) else Fate.UNKNOWN
        if word.isdigit():
            return Fate.STAYS if self._number_stays(word, start, stop) else Fate.GONE
        if known.joined(word):
            return Fate.STAYS
        if known.ideographs.fullmatch(word):
            return Fate.STAYS
        return Fate.STAYS if self._parts_stay(token) else Fate.UNKNOWN

    def _of_radiology(self, word: str, stop: int) -> Fate:
        """A word of anatomy or technique goes where somebody of the object is called so.

        That the hand was imaged is said by a code as well; that the patient is Hand must not be. `LONG
        AXIS` stays, and of technical text a part of the body where nobody is spoken of: a coil's.
        """
        if len(word) < 3 or not self.own.is_person(word):
            return Fate.STAYS
        if not self.descriptor and word in self.known.bodily:
            return Fate.OWN if self._is_addressed(stop - len(word), stop) else Fate.STAYS
        technique = word in self.known.called and has_partner(self.plain, stop)
        return Fate.STAYS if technique else Fate.OWN

    def _is_addressed(self, start: int, stop: int) -> bool:
        """`pt Hand`, `Mrs Hand`, `W. Hand`, `Hand W.`: of a patient Hand^Wendeline, no coil for hands."""
        if _TITLE_BEFORE.search(self.text[:start]):
            return True
        beside = _INITIAL_BEFORE.search(self.plain[:start]) or _INITIAL_AFTER.match(
            self.plain, stop
        )
        return beside is not None and beside[1] in self.own.initials

    def _names_with_digits(self, token: str) -> bool:
        """`Cruz01`, `CTcruz`: a name that something else was written to."""
        parts = _PARTS.findall(token)
        return len(parts) > 1 and any(
            len(part) > 2 and self.own.is_name(part) and part not in self.known.core
            for part in map(folded, parts)
        )

    def _is_number(self, token: str) -> bool:
        """A number, or one with letters: nobody's name stands beside it."""
        return any(map(str.isdigit, token)) and not self._names_with_digits(token)

    def _without(self, start: int, stop: int, word: str) -> Fate:
        """Take a long identifier out of a token; what is left stays when it is a word by itself."""
        inside = self.own.inside(word)
        assert inside is not None
        rest = [word[: inside[0]], word[inside[1] :]]
        if len(word) != stop - start:
            return Fate.OWN
        if not any(rest) or not all(one in self.known.core or not one for one in rest):
            return Fate.OWN
        self._mark(start + inside[0], start + inside[1])
        return Fate.STAYS

    def _measured(self, start: int, stop: int) -> bool:
        """Does this number have a unit, or stand where a parameter does?"""
        return bool(
            _UNIT.match(self.spaced, stop) or _BEFORE_NUMBER.search(self.spaced[:start])
        ) or any(found.start() <= start < found.end() for found in _DECIMALS.finditer(self.spaced))

    def _number_stays(self, digits: str, start: int, stop: int) -> bool:
        """Up to four digits, but not what could be a year: it would tell how far dates were moved."""
        if not digits.isascii():
            return False
        if len(digits) < 4:
            return True
        if len(digits) == 4:
            return not 1850 <= int(digits) <= 2100 or self._measured(start, stop)
        return len(digits) < 7 and any(
            found.start() < start and stop == found.end()
            for found in _DECIMALS.finditer(self.spaced)
        )

    def _beside(self, start: int, stop: int, of: frozenset[str]) -> bool:
        """`SKULL TOWNE`, `may represent`: does one of these words stand beside it, and no other mark?"""
        neighbours = (
            _WORD_AFTER.match(self.plain, stop),
            _WORD_BEFORE.search(self.plain[:start]),
        )
        return any(found is not None and found[1] in of for found in neighbours)

    def _eponym(self, start: int, stop: int) -> bool:
        """`Caldwell view`, `Crohn's disease`: only beside what it is the eponym of.

        Or its grade (`Bosniak IIF`), or the other half of a pair (`Ehlers-Danlos`).
        """
        after = _WORD_AFTER.match(self.plain, stop)
        before = _WORD_BEFORE.search(self.plain[:start])
        word = self.plain[start:stop]
        if word in self.known.graded and _GRADE.match(self.plain, stop):
            return True
        other = re.match(r"[-–]([^\W\d_]+)", self.plain[stop:])
        if other and f"{word}-{other[1]}" in self.known.pairs:
            return True
        other = re.search(r"([^\W\d_]+)[-–]$", self.plain[:start])
        if other and f"{other[1]}-{word}" in self.known.pairs:
            return True
        return any(
            found is not None and found[1] in self.known.eponym_of for found in (after, before)
        )

    def _parts_stay(self, token: str) -> bool:
        """Pieces as in `T2w`, `3MM`, `AbdPelvis`, `b1000`: words and short numbers."""
        if _STAGE.fullmatch(token):
            return True
        numbered = _NUMBERED.fullmatch(token)
        if numbered and self._is_plain(folded(numbered[1] or numbered[2])):
            return True
        parts = _PARTS.findall(token)
        if sum(part.isdigit() for part in parts) > 2 or "".join(parts) != token:
            return False
        parameter = len(parts) == 2 and not _PARAMETERS.isdisjoint(map(folded, parts))
        for part in parts:
            word = folded(part)
            if word.isdigit():
                if len(word) > (4 if parameter else 3):
                    return False
            elif self.own.is_person(word) or (
                word not in self.known.core
                and (
                    not word.isascii()
                    or self.own.is_word(word)
                    or (len(word) > 1 and word not in self.known.words)
                )
            ):
                return False
        return True

    def _is_plain(self, word: str) -> bool:
        """A word of the vocabulary that nobody is called by."""
        return (
            word in self.known.words and word not in self.known.names and not self.own.is_word(word)
        )

    def _neighbours(self, found: list[tuple[int, int, Fate]]) -> None:
        """Initials, titles, particles and words that are names too, where they stand beside a name."""
        changed = True
        while changed:
            changed = False
            for place, (start, stop, fate) in enumerate(found):
                if fate is not Fate.STAYS:
                    continue
                for other in (place - 1, place + 1):
                    if not 0 <= other < len(found):
                        continue
                    one, two, beside = found[other]
                    if beside not in (Fate.OWN, Fate.UNKNOWN):
                        continue
                    between = self.text[two:start] if other < place else self.text[stop:one]
                    if not _BESIDE.fullmatch(between) or self._is_number(self.text[one:two]):
                        continue
                    there = self.plain[one:two]
                    if self._goes_with(start, stop, beside, between, there, other > place):
                        found[place] = (start, stop, beside)
                        changed = True
                        break

    def _goes_with(
        self, start: int, stop: int, beside: Fate, between: str, other: str, before: bool
    ) -> bool:
        """Does a token go with a name that stands beside it, `before` it or behind?"""
        token, word = self.text[start:stop], self.plain[start:stop]
        named = beside is Fate.OWN
        if self.own.is_name(word):  # CONTRAST - Contrast Memorial: words of anatomy only with names
            return named and (word not in self.known.core or self.own.is_name(other))
        if not self.descriptor:
            return named and (
                word in self.known.titles - self.known.soft_titles
                or (word in self.known.particles and len(word) > 2)
            )
        if len(token) == 1 and token.isalpha():
            return self._initial(start, stop, named, between)
        if word in self.known.houses:
            return False
        if word in self.known.particles and (not token[0].isupper() or len(word) > 2):
            # A family name cut short is nobody's any more: DELLA ROVE. LA, DE and LE are of radiology.
            return (named or before) and word not in self.known.core
        if not token[0].isupper():
            return False
        if not before and len(other) > 2 and between == ". " and self._begins_a_sentence(stop):
            return False
        if word in self.known.suffixes and not before:
            return "," in between or named or word not in self.known.words
        if word in self.known.titles:
            return before and (named or not token.isupper()) and not is_measured(self.plain, start)
        return word in self.known.names

    def _begins_a_phrase(self, start: int, stop: int) -> bool:
        """`Dictated by: no acute fracture`, `Tech: CT CHEST`: a known word before another, no initials."""
        after = _PLAIN_WORD.match(self.plain, stop)
        if after is None or after[1] not in self.known.words:
            return False
        word, small = self.plain[start:stop], self.text[start : after.end()].islower()
        mass = small and word in self.known.words and not self.own.is_word(word)
        return mass or self._is_plain(word)

    def _begins_a_sentence(self, stop: int) -> bool:
        """`Quizzleberry. Ground level fall`: a small word goes on, and it is a known one."""
        after = _SMALL_WORD.match(self.text, stop)
        return after is not None and after[1] in self.known.words

    def _initial(self, start: int, stop: int, named: bool, between: str) -> bool:
        """`O. Quizzleberry`, `O'Brien`, but not the W of `Quizzleberry W/O CONTRAST`."""
        if between in ("'", "’"):
            return True
        if "/" in (self.text[start - 1 : start], self.text[stop : stop + 1]):
            return False
        if between != "-" and _NO_INITIAL.match(self.plain, stop):
            return False
        dotted = between.startswith(".") or self.text[stop : stop + 1] == "."
        if not dotted and (self.text[start - 1 : start] == "+" or between == " - "):
            return False  # +C - Quizzleberry
        if named:
            return dotted or (
                self.plain[start] in self.own.initials and self.plain[start] not in "wlr"
            )
        return dotted and self.text[start].isupper()

    def _joined(self) -> str:
        """What stays, with one of the separators where something went."""
        text = "".join(
            "\1" if gone else char for char, gone in zip(self.text, self.gone, strict=True)
        )
        before = ""
        while text != before:
            before = text
            text = _HOLES.sub("\1", text)
            text = _EMPTY_BRACKETS.sub("\1", text)
        return _HOLE.sub(self._separator, text).strip(" \t\0")

    @staticmethod
    def _separator(found: re.Match[str]) -> str:
        left, right = found[1], found[2]
        before = found.string[found.start() - 1 : found.start()]
        after = found.string[found.end() : found.end() + 1]
        if not before or not after:
            return ""
        if before in "([{<" or after in ")]}>":
            return ""
        if "\n" in left or "\r" in left:
            return left
        if "\n" in right or "\r" in right:
            return right
        left, right = left.replace("?", ""), right.replace("?", "")
        for telling in (left.strip(" _"), right.strip(" _")):
            if telling:
                return left if telling == left.strip(" _") else right
        return " " if " " in left + right else left or right


def _visible(text: str) -> str:
    """Composed, and without characters that are not seen: they would part a name from itself."""
    if text.isascii():
        return text.replace("\1", "")
    return "".join(
        char
        for char in unicodedata.normalize("NFC", text)
        if unicodedata.category(char) != "Cf" and char != "\1"
    )
