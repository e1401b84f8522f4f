"""
Who is spoken of: words that name somebody by what stands before them, and the houses they work in.

A title, a cue (`read by`), a given name or an initial makes a name of a word that could stay anywhere
else: `Dr June Field`, `MRS CHILD`, `F. Temple`. `MR FIELD MAP` and `DR CHEST` are studies.
"""

import re
from dataclasses import dataclass
from enum import Enum

from app.deid.folding import folded
from app.deid.vocabulary import vocabulary


class Fate(Enum):
    """What becomes of a token: it stays, or names the patient, somebody unknown, or went already."""

    STAYS = 1
    OWN = 2
    UNKNOWN = 3
    GONE = 4


_CUE_BEFORE = re.compile(r"(?:([^\W\d_]+)[ _]|[(;:,/-] ?)$")
_PHRASE_ENDS = re.compile(
    r"\s*(?:$|[^\s\w'’])|\s+(?:M\.?D|D\.?O|RT|Ph\.?D|FRCR|FACR)\b"
    r"|\s+(?:CTA?|MR[IAV]?|MRCP|IRM|RM|XR|RX|TDM|TC|US|PET|NM|MAMMO)\b"  # a study's title begins
)
_NEXT_WORD = re.compile(r"[ _-]([^\W\d_]+)")
_AFTER_TITLE = re.compile(r"[.:]?[ _]?[ ]?\(?")
_AFTER_INITIAL = re.compile(r"\.[ _-]?")
_SIDES = frozenset("clrstap")
"""Letters that stand before parts of the body: C. spine, L. knee, A.P. chest."""


_AMOUNT = re.compile(r"\d ?$")


def is_measured(plain: str, start: int) -> bool:
    """Is `ms` here no title but a unit, behind a number?"""
    return plain.startswith("ms", start) and bool(_AMOUNT.search(plain, max(0, start - 2), start))


def has_partner(plain: str, stop: int) -> bool:
    """Is what ends here said of technique: `LONG AXIS`, `FIELD MAP`?"""
    after = _NEXT_WORD.match(plain, stop)
    return after is not None and after[1] in vocabulary().partners


@dataclass(slots=True)
class Addressed:
    """One text whose tokens have their first fates."""

    text: str
    plain: str
    found: list[tuple[int, int, Fate]]

    def judged(self) -> None:
        """Change the fates of those spoken of, in place."""
        for place in range(len(self.found) - 1):
            self._after_title(place)
            self._given_and_family(place)
        for place in reversed(range(len(self.found) - 1)):
            self._before_title(place)
        self._houses()

    def _name(self, place: int) -> None:
        start, stop, fate = self.found[place]
        self.found[place] = (start, stop, Fate.UNKNOWN if fate is Fate.STAYS else fate)

    def _after_title(self, place: int) -> None:
        """`Dr. Lung Field`, `by Grace`, `Dr C. Little`: a title takes the word after it along."""
        start, stop, _ = self.found[place]
        known = vocabulary()
        word, said = self.plain[start:stop], self.text[start:stop]
        role = word in known.before_titles and self.text[stop : stop + 1] == ":"  # Surgeon: Wood
        if word not in known.titles and word not in known.cues and not role:
            return
        if is_measured(self.plain, start):
            return
        if self._follows_a_name(place):
            self.found[place] = (start, stop, Fate.GONE)
            return
        between = self.text[stop : self.found[place + 1][0]]
        if not _AFTER_TITLE.fullmatch(between):
            return
        if between.startswith(".") and word in known.cues and len(word) > 4:
            return  # no abbreviation: a sentence ends
        first = self._after_initials(place + 1)
        after, until, fate = self.found[first]
        if not self.text[after].isalpha():
            return
        following = self.plain[after:until]
        if word in known.cues or role:
            takes = (following in known.names and self.text[after].isupper()) or (
                first > place + 1 and self._is_called(first)
            )
            related = word in known.relatives and self.text[after:until].istitle()
            takes = takes or (related and following in known.called)  # son Max
        elif first > place + 1:
            takes = self._is_called(first) or (
                following not in known.core
                and said.istitle()
                and self.text[after:until].istitle()
                and self.plain[self.found[first - 1][0]] not in _SIDES
            )
        elif word in known.soft_titles and not (said.istitle() or "." in between):
            takes = fate is not Fate.STAYS or self._is_called(first)
        else:
            takes = following not in known.core or "." in between
            takes = takes or self._said_of_somebody(place) or self._is_called(first)
            takes = takes and (self.text[after].isupper() or fate is not Fate.STAYS)
        if not takes:
            return
        if word in known.titles:
            self.found[place] = (start, stop, Fate.GONE)
        for taken in range(place + 1, first + 1):
            self._name(taken)
        if first + 1 < len(self.found):
            whole = "." in between or self._said_of_somebody(place)
            self._family_after(first, whole, fate is not Fate.STAYS)

    def _before_title(self, place: int) -> None:
        """`Dr. med.`: a title before one that went goes too, or it would take the next word along."""
        start, stop, _ = self.found[place]
        after, until, fate = self.found[place + 1]
        titles = vocabulary().titles
        if fate is not Fate.GONE or self.plain[start:stop] not in titles:
            return
        if is_measured(self.plain, start):
            return
        if self.plain[after:until] in titles and _AFTER_TITLE.fullmatch(self.text[stop:after]):
            self.found[place] = (start, stop, Fate.GONE)

    def _follows_a_name(self, place: int) -> bool:
        """`Ruth Miller, MD. Thyroid`: what somebody is after a name is no title of the next word."""
        known = vocabulary()
        start, stop, _ = self.found[place]
        if not place or self.plain[start:stop] not in known.suffixes:
            return False
        for other in (place - 1, place - 2):  # BROWN, BILL MD
            one, two, fate = self.found[other]
            if other < 0 or self.text[two:start] not in (" ", ", ", ","):
                return False
            before = self.plain[one:two]
            if fate is not Fate.STAYS or before in known.names or before in known.people:
                return True
            start = one
        return False

    def _after_initials(self, place: int) -> int:
        """The place of the first token from here that is no initial with a point."""
        while place + 1 < len(self.found):
            start, stop, _ = self.found[place]
            between = self.text[stop : self.found[place + 1][0]]
            initial = self.text[start:stop]
            if len(initial) > 1 or not initial.isupper() or not _AFTER_INITIAL.fullmatch(between):
                return place
            place += 1
        return place

    def _is_called(self, place: int) -> bool:
        """Is somebody called like this word, who could be meant here, after a title or an initial?

        Words of technique only where the phrase ends with them: `DR PAGE`, but `MR FIELD MAP`.
        """
        start, stop, fate = self.found[place]
        word, known = self.plain[start:stop], vocabulary()
        if word not in known.core or fate is Fate.OWN:
            return fate is not Fate.STAYS or word in known.names or word in known.people
        if word not in known.called or not self.text[start].isupper():
            return False
        return self._ends_phrase(stop) or self._speaks_of_people(place - 1)

    def _speaks_of_people(self, place: int) -> bool:
        """Does a word before this title tell that somebody is meant: `Patient MR FOOT`?"""
        before = _CUE_BEFORE.search(self.plain[: self.found[place][0]])
        return before is not None and before[1] in vocabulary().before_titles

    def _family_after(self, place: int, whole: bool, given_unknown: bool) -> None:
        """A family name after a given one: `Dr. Amelie Stone`; `Dr. Miller Thyroid` is none."""
        start, until, given = self.found[place]
        last, end, fate = self.found[place + 1]
        third = self.text[last:end]
        if not whole or self.text[until:last] != " " or len(third) < 2 or not third.isalpha():
            return
        plain, known = folded(third), vocabulary()
        if plain in known.core and (given_unknown or len(plain) < 3):
            return
        if fate is Fate.STAYS and not self._could_be_family(self.plain[start:until], given, plain):
            return
        if third.istitle() and plain not in known.houses:
            self._name(place + 1)

    @staticmethod
    def _could_be_family(given: str, fate: Fate, word: str) -> bool:
        """Could a word that may stay be a family name here: `Dr. Anna Stone`, no `Dr. Miller Portal`?

        What an eponym is of stands behind it already (`Whipple procedure`): only after what people
        are commonly given is it a name all the same. Who is known has no names beside the known ones.
        """
        known = vocabulary()
        if word in known.eponyms:
            return fate is not Fate.OWN and given in known.people
        return fate is not Fate.OWN or word in known.names or word in known.people

    def _given_and_family(self, place: int) -> None:
        """`June Field`, `FIELD, JUNE`: a given name makes one of a word that people are called."""
        known = vocabulary()
        start, stop, fate = self.found[place]
        after, until, beside = self.found[place + 1]
        between = self.text[stop:after]
        one, two = self.plain[start:stop], self.plain[after:until]
        if not (self.text[start].isupper() and self.text[after].isupper()):
            return
        given_first = between in (" ", "_", "^") and fate is Fate.UNKNOWN and one in known.people
        if given_first and two in known.called and self._ends_phrase(until):
            self._name(place + 1)
        behind_family = between in (", ", ",", "^") and fate in (Fate.OWN, Fate.UNKNOWN)
        titled = self.text[after:until].istitle() and not has_partner(self.plain, until)
        if behind_family and two in known.called and titled:  # Weber, Max
            self._name(place + 1)
        family_first = (
            between in (", ", ",", "^") and beside is Fate.UNKNOWN and two in known.people
        )
        if family_first and one in known.called:
            self._name(place)

    def _said_of_somebody(self, place: int) -> bool:
        """`Mrs Head`, `per Dr Field`, `(Dr Long)`: even a word of anatomy is a name then.

        `Mr Brain` and `Dr Chest` begin the titles of studies, in the letters of some machines.
        """
        start, stop, _ = self.found[place]
        after, until, _ = self.found[place + 1]
        if not (self.text[start:stop].istitle() and self.text[after:until].istitle()):
            return False
        if self.plain[start:stop] not in vocabulary().soft_titles:
            return True
        before = _CUE_BEFORE.search(self.plain[:start])
        if before is None:
            return False
        return (
            before[1] in vocabulary().before_titles
            if before[1]
            else self.text[until : until + 1] in (*"),;", "")
        )

    def _ends_phrase(self, stop: int) -> bool:
        return bool(_PHRASE_ENDS.match(self.text, stop))

    def _houses(self) -> None:
        """`Mount Carmine Clinic`: the capitalised words before a house are its name."""
        known, found = vocabulary(), self.found
        for place, (start, stop, fate) in enumerate(found):
            if self.plain[start:stop] not in known.houses or fate is not Fate.STAYS:
                continue
            after = start
            for other in range(place - 1, -1, -1):
                one, two, beside = found[other]
                word = self.plain[one:two]
                if self.text[two:after] not in (" ", "_", "-", "'s ", ". ") or word in known.core:
                    break
                if word not in known.names and beside is Fate.STAYS:
                    break
                found[other] = (one, two, Fate.OWN if beside is Fate.OWN else Fate.UNKNOWN)
                after = one
