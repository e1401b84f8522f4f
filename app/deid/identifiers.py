"""
The object's own identifiers, and where they stand in a text.

Names and numbers are compared squeezed: folded, and letters and digits alone. So `QUIZZLEBERRY,
Ottoline`, `ottoline_quizzleberry`, `Q.U.I.Z…` and `773 00-15` are found by what they say and not by
how they are written; what stood between decides whether it was meant.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from app.deid.folding import TOKEN, folded
from app.deid.vocabulary import vocabulary

_MIXED_BUT_PLAIN = re.compile(
    r"t[12]w?|b\d{1,4}|[clts]\d{1,2}|[234]d|\d{1,3}(?:mm|cm|ms|mg|ml|mci|hz|t|w|y|d|m|s)?"
    r"|(?:ct|mr|us|nm|pt|cr|dx|xa|rf|mg|room|rm)\d{1,2}"
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "ß": "ss"})
_WRITTEN_OUT = re.compile(r"(?<=[a-z])([aou])e(?=[a-z])")
_LONGEST_GAP = 3
_COMMON = re.compile(r"\d{3}|(?:19|20)\d\d")
"""Parts of a longer number that tell nothing by themselves: an area, an exchange, a year."""
_DOTTED = re.compile(r"(?<![\w.])(?:[a-z]\. ?-?){1,3}[a-z]\.(?!\w)")
"""What may be somebody's initials: J.M.K., J. K."""
_NO_INITIALS = re.compile(r"[ap][mp]|pa|i[vmade]|po|sc|eg|m[lmd]|cm|st|dr|us")
"""What is written with points too, whoever is asked: views, ways of giving, times."""
_UNMARKED = re.compile(r"[\w ]*")
"""Letters and words with nothing that makes initials of them."""
_CUED = re.compile(
    r"(?:\b(?:id|mrn|pid|pat|patient|pt|no|nr|number|case|study|exam|acc|accession|chart)"
    r"\b\W{0,3}|#\s?)0*([1-9][0-9]?)(?![\w.])"
)


class Own:
    """The identifiers of one patient's objects, ready to be looked for.

    `words` are tokens that name somebody or something by themselves; `wholes` are squeezed
    identifiers of several tokens, `small` ones of names whose words could be anything (Le Van, V. Le,
    Mr Le); `short` are numbers too short to be taken out without a cue; `initials` begin the parts
    of names, and `dotted` ones are of a whole name, as in `.o.q.`; `families` are particles that are a
    family name by themselves; `persons` are words of anatomy and technique that somebody is
    called. `foreign`: a name is in another script alone, so that nobody can
    say how it would be written in Latin letters.
    """

    def __init__(self, names: Iterable[str], identifiers: Iterable[str]) -> None:
        words: set[str] = set()
        of_names: set[str] = set()
        wholes: set[str] = set()
        small: set[str] = set()
        short: set[str] = set()
        initials: set[str] = set()
        dotted: set[str] = set()
        families: set[str] = set()
        persons: set[str] = set()
        self.foreign = False
        for name in names:
            telling, together, little, letters, foreign = _of_name(name)
            families |= _families(name) if little else set()
            of_names |= telling
            persons |= _of_somebody(telling)
            wholes |= together | little
            small |= little
            initials |= letters
            dotted |= _dotted(name)
            self.foreign |= foreign
        for identifier in identifiers:
            parts, together, numbers = _of_identifier(identifier)
            words |= parts
            wholes |= together
            short |= numbers
        self.names = frozenset(of_names)
        self.initials = frozenset(initials)
        self.dotted = frozenset(dotted)
        self.words = frozenset(words | of_names)
        self.persons = frozenset(persons)
        self.short = frozenset(short - {"0"})
        self.small = frozenset(small)
        self.families = frozenset(families)
        sought = {
            one
            for one in wholes | self.words
            if len(one) > 2 or (len(one) > 1 and (one in small or not one.isascii()))
        }
        self._sought = tuple(sorted(sought, key=len, reverse=True))
        least = [*self.words, *(f"#{number}#" for number in self.short), *self.dotted]
        least += [f"~{word}~" for word in families]
        least += [_as_person(word) for word in persons]
        for whole in wholes & sought - self.words:
            for word in self.words:
                if word in whole:  # whoever is asked of the whole is asked of the word
                    break
            else:
                least.append(whole)
        self._least = tuple(least)

    def is_word(self, token: str) -> bool:
        """Is this folded token one of the identifiers by itself?"""
        if token in self.words:
            return True
        return token.isdigit() and token.isascii() and token.lstrip("0") in self.words

    def is_name(self, token: str) -> bool:
        """Is this plain token part of a name?"""
        return token in self.names

    def is_person(self, token: str) -> bool:
        """Is this word of radiology part of somebody's name: Hand, in Hand^Barbara?"""
        return token in self.persons

    def is_family(self, token: str) -> bool:
        """Is this particle all or part of a family name that is of nothing else: Le, Van?"""
        return token in self.families

    def untouched(self, asked: str) -> bool:
        """Would every question that `Nobody` noted (in lines) have had the answer it gave?"""
        return not asked or True not in map(asked.__contains__, self._least)

    def inside(self, token: str) -> tuple[int, int] | None:
        """Where in a folded token a long identifier stands, if one does."""
        for one in self._sought:
            if len(one) > 4 or not one.isascii():
                at = token.find(one)
                if at >= 0:
                    return at, at + len(one)
        return None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where in a plain text identifiers of several tokens, or spelt out ones, stand."""
        for cued in _CUED.finditer(text) if self.short else ():
            if cued[1] in self.short:
                yield cued.span()
        for letters, start, stop in _initials(text) if self.dotted else ():
            if letters in self.dotted:
                yield start, stop
        at = [place for place, char in enumerate(text) if char.isalnum()]
        run = "".join(text[place] for place in at)
        for one in self._sought:
            start = run.find(one)
            while start >= 0:
                stop = start + len(one)
                if self._meant(text, at[start:stop], one):
                    begin = at[start]
                    while one.isdigit() and text[begin - 1 : begin] == "0":
                        begin -= 1
                    yield begin, at[stop - 1] + 1
                start = run.find(one, start + 1)

    def _meant(self, text: str, at: list[int], one: str) -> bool:
        """Is a find one, or letters that came together by chance?"""
        first, last = at[0], at[-1]
        gaps = [after - before - 1 for before, after in itertools.pairwise(at)]
        broken = sum(map(bool, gaps))
        if gaps and max(gaps) > _LONGEST_GAP:
            return False
        if one.isdigit():
            before = text[:first].rstrip("0")[-1:]
            after = text[last + 1 : last + 2]
            if before.isdigit() or after.isdigit() or (broken and after.isalpha()):
                return False
            if broken == len(at) - 1:  # 5 8 5 0 9 4
                return len(one) > 4 and not before.isalpha()
            least = 5 if text[first : last + 1].count("-") == broken == 1 else 6  # 213-47
            return (len(one) >= least and not before.isalpha()) if broken else len(one) > 3
        alone = not text[first - 1 : first].isalnum() and not text[last + 1 : last + 2].isalnum()
        if not broken:
            # Whole tokens and their insides are judged where tokens are.
            return False
        if not one.isascii():  # of a title and a name: `Dr 王`, but not `CHEST 王`
            return alone or not one[0].isascii()
        if len(one) == 2:  # J. O, but no J O
            return alone and not _UNMARKED.fullmatch(text[first : last + 2])
        if broken == len(at) - 1 and alone:
            return True  # s.p.e.l.t o-u-t
        tokens = TOKEN.findall(text[first : last + 1])
        if one in self.small:
            told = min(map(len, tokens)) > 1 or tokens[0] in vocabulary().titles
            return alone and (told or not _UNMARKED.fullmatch(text[first : last + 2]))
        if not any(token in self.words for token in tokens) and len(one) < 7:
            return False
        known = vocabulary().words
        spoken = all(token in known and token not in self.words for token in tokens)
        return alone and (not spoken or len(one) > 9)


class Nobody:
    """Somebody without identifiers, who notes what is asked of him.

    What was found out with his answers is true of everybody whose identifiers are in no question,
    as `Own.untouched` tells: the same questions would have had the same answers. `foreign` is as in
    `Own`, and is no question: there is one nobody of each kind.
    """

    initials: frozenset[str] = frozenset()  # only asked for beside a name that was found

    def __init__(self, foreign: bool) -> None:
        self.foreign = foreign
        self.asked: list[str] = []

    def is_word(self, token: str) -> bool:
        """No."""
        self.asked.append(token)
        return False

    is_name = is_word

    def is_person(self, token: str) -> bool:
        """No."""
        self.asked.append(_as_person(token))
        return False

    def is_family(self, token: str) -> bool:
        """No."""
        self.asked.append(f"~{token}~")
        return False

    def inside(self, token: str) -> tuple[int, int] | None:
        """Nowhere."""
        self.asked.append(token)
        return None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """None."""
        self.asked.append("".join(filter(str.isalnum, text)))
        self.asked += [f"#{cued[1]}#" for cued in _CUED.finditer(text)]
        self.asked += [letters for letters, *_ in _initials(text)]
        return iter(())


def is_called(own: Own | Nobody, token: str) -> bool:
    """Is it an identifier by itself, of radiology's own words only what somebody is called?"""
    return own.is_person(token) if token in vocabulary().core else own.is_word(token)


_OfName = tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str], bool]
_OfIdentifier = tuple[frozenset[str], frozenset[str], frozenset[str]]


@lru_cache(maxsize=4096)  # the names of those who refer, perform and report come again and again
def _of_name(name: str) -> _OfName:
    """The words of a name, what they make together, and of small words; its initials; is it foreign?"""
    known = vocabulary()
    titles, suffixes = known.titles, known.suffixes
    words: set[str] = set()
    wholes: set[str] = set()
    small: set[str] = set()
    initials: set[str] = set()
    for group in name.split("="):
        for spelt in _spellings(group):
            parts = [
                part for part in TOKEN.findall(spelt) if part not in titles and part not in suffixes
            ]
            words.update(part for part in parts if len(part) > 1 and part not in known.particles)
            wholes.update(_wholes(parts))
            small.update(_of_small_family(TOKEN.findall(spelt.partition("^")[0]), parts))
            initials.update(part[0] for part in parts)
    foreign = bool(words) and not any(word.isascii() for word in words)
    small |= wholes if not words else set()
    return frozenset(words), frozenset(wholes), frozenset(small), frozenset(initials), foreign


def _of_somebody(words: frozenset[str]) -> frozenset[str]:
    """Those of a name's words that descriptors are full of, where the name is somebody's.

    Nobody's is one that says nothing else: `HEAD^PHANTOM`.
    """
    known = vocabulary()
    core = {word for word in words & known.core if len(word) > 2}
    somebody = not words <= known.core or words & known.called
    return frozenset(core if somebody else ())


def _as_person(word: str) -> str:
    """The question for a word of radiology: in capitals, as no other question is within it."""
    return f"~{word.upper()}~"


@lru_cache(maxsize=4096)
def _of_identifier(identifier: str) -> _OfIdentifier:
    """The words and long numbers of an identifier, what they make together, its short numbers."""
    known = vocabulary()
    words: set[str] = set()
    wholes: set[str] = set()
    short: set[str] = set()
    parts = TOKEN.findall(folded(identifier))
    called = {
        one for one, other in itertools.pairwise(parts) if other in known.eponym_of
    } & known.eponyms  # a topic may be `Hounsfield units above 130`
    for part in parts:
        if part in called:
            continue
        if part.isdigit() and part.isascii():
            bare = part.lstrip("0")
            if len(parts) == 1 or not _COMMON.fullmatch(part):
                (words if len(bare) > 2 else short).add(bare or "0")
        elif (
            part not in known.words
            and (len(part) > 2 or not part.isascii())
            and not _MIXED_BUT_PLAIN.fullmatch(part)
        ):
            words.add(part)
    whole = "".join(parts)
    spoken = all(part in known.words for part in parts)
    if len(whole) > (9 if spoken else 4) and (len(parts) > 1 or not spoken):
        wholes.add(whole)
    digits = "".join(char for char in whole if char.isdigit() and char.isascii())
    if len(digits) >= 9:  # a telephone without its area, a number without its prefix
        wholes.update((digits.lstrip("0"), digits[-7:]))
    elif len(digits) > 4:
        wholes.add(digits.lstrip("0"))
    if len(digits) > 6:  # backwards, with whatever stands between
        wholes.add(digits[::-1].lstrip("0"))
    return frozenset(words), frozenset(wholes), frozenset(short)


def _spellings(name: str) -> set[str]:
    """A name folded, and as it is spelt where its letters are not known: Müller, Mueller, Muller."""
    plain_one = folded(name)
    spelt = {plain_one, folded(unicodedata.normalize("NFC", name).lower().translate(_UMLAUTS))}
    if plain_one.isascii():
        spelt.add(_WRITTEN_OUT.sub(r"\1", plain_one))
    return spelt


def _of_small_family(family: list[str], parts: list[str]) -> Iterator[str]:
    """A family name of particles or of a letter, with a title or with the initial of the given one."""
    known = vocabulary()
    if not family or any(len(one) > 1 and one not in known.particles for one in family):
        return
    whole = "".join(family)
    for title in (*known.titles, "m"):
        yield title + whole
    if len(parts) > len(family):
        initial = parts[len(family)][0]
        yield whole + initial
        yield initial + whole


@lru_cache(maxsize=4096)
def _families(name: str) -> set[str]:
    """The particles that are a family name by themselves."""
    parts = TOKEN.findall(folded(name.partition("=")[0].partition("^")[0]))
    small = all(len(part) == 1 or part in vocabulary().particles for part in parts)
    return {part for part in parts if len(part) > 1 and part.isascii()} if small else set()


def _initials(text: str) -> Iterator[tuple[str, int, int]]:
    """Letters with points in a plain text, as `.j.k.`, and where."""
    for found in _DOTTED.finditer(text):
        letters = TOKEN.findall(found[0])
        if not _NO_INITIALS.fullmatch("".join(letters)):
            yield f".{'.'.join(letters)}.", *found.span()


@lru_cache(maxsize=4096)
def _dotted(name: str) -> frozenset[str]:
    """The initials of a name in both orders, with those of further given names and without."""
    orders: list[list[str]] = []
    for group in name.split("="):
        family, *given = [part[0] for part in TOKEN.findall(folded(group))][:4] or [""]
        for some in (given, given[:1]):
            orders += [[family, *some], [*some, family]] if some else []
    return frozenset(f".{'.'.join(one)}." for one in orders)


def _wholes(parts: list[str]) -> Iterator[str]:
    """All parts in both orders, pairs of neighbours, and first with last."""
    if len(parts) < 2:
        return
    yield "".join(parts)
    yield "".join(reversed(parts))
    pairs = [*itertools.pairwise(parts), (parts[0], parts[-1])]
    for one, two in pairs:
        if len(one) > 1 and len(two) > 1:
            yield one + two
            yield two + one
