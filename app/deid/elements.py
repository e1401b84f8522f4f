"""
What becomes of one element: each action on each kind of value.

A `Treatment` belongs to one object: it knows its patient's pseudonym and offset, the keys, and the
cleaner that knows the object's own identifiers. One for anybody knows neither, and raises `Personal`
where they matter. None as an answer means that the element goes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.uid import UID_dictionary

from app.deid import codes, dates, icc, text, uids
from app.deid.actions import BINARY_SIZES, DATES, Action, Decision
from app.deid.folding import folded
from app.deid.identifiers import is_called
from app.deid.terms import (
    besides_terms,
    is_enumerated,
    is_term,
    only_terms,
    product,
    tidied,
    words_of,
)
from app.deid.text import Cleaning, Personal
from app.deid.uids import Keys
from app.deid.values import (
    DUMMIES,
    REMOVED,
    are_measures,
    is_code_string,
    is_like_a_date,
    is_long,
    is_number,
    may_repeat,
    suits,
)
from app.deid.vrs import TEXT_VRS, vr_of
from app.deid.walk import PIXEL_DATA, Element, Fragments, text_of


@dataclass(frozen=True, slots=True)
class Treatment:
    """How one object's elements are treated."""

    keys: Keys
    pseudonym: str | None
    days: int | None
    dates_kept: bool
    cleaner: Cleaning

    def apply(
        self,
        tag: int,
        element: Element,
        decision: Decision,
        codecs: list[str] | None,
        scheme: str,
    ) -> Element | None:
        """One element under one decision; None when it goes."""
        action, vr, value = decision.action, element.vr, element.value
        expected = vr_of(tag)
        if action is Action.REMOVE:
            return None
        if isinstance(value, Fragments):
            return element if tag == PIXEL_DATA else None
        assert not isinstance(value, list)
        if expected == "SQ":  # sent under another VR, unreadable as items
            return None
        if action is Action.EMPTY:
            return Element(expected, b"")
        if not value and action not in (Action.PATIENT_ID, Action.PATIENT_NAME):
            return Element(expected, b"")
        if action is Action.KEEP:
            return self._kept(tag, element, decision, codecs)
        if action is Action.DUMMY:
            return Element(expected, DUMMIES.get(expected, b""))
        if action in (Action.UID, Action.CLASS_UID):
            return Element("UI", self._uids(value, action))
        if action is Action.SHIFT:
            return self._shifted(value, expected, decision)
        if action is Action.AGE:
            aged = dates.capped_age(text_of(element))
            return Element("AS", aged.encode()) if aged else None
        if action in (Action.PATIENT_ID, Action.PATIENT_NAME):
            if self.pseudonym is None:
                raise Personal
            return Element(expected, self.pseudonym.encode())
        if action is Action.ACCESSION:
            return self._accession(value, codecs)
        if not suits(tag, vr) and vr not in TEXT_VRS and vr != "UN":
            return None
        return self._text(tag, value, decision, codecs, scheme)

    def kept_binary(self, tag: int, element: Element, decision: Decision) -> Element | None:
        """Numbers in binary form: the VR is the dictionary's and the size what the VM allows."""
        value = element.value
        if not isinstance(value, (bytes, memoryview)) or not suits(tag, element.vr):
            return None
        if len(value) % BINARY_SIZES[element.vr] or 0 < decision.longest < len(value):
            return None
        return element

    def private_stays(self, element: Element) -> bool:
        value = element.value
        if not isinstance(value, (bytes, memoryview)):
            return False
        if element.vr in BINARY_SIZES:
            return True
        said = bytes(value).decode("latin-1").strip(" \0")
        if element.vr in ("DS", "IS"):
            return not is_long(said) and all(map(self._is_number, said.split("\\")))
        if element.vr == "CS":
            return all(map(self._is_term, said.split("\\")))
        return said.isascii() and is_term(said) and self.cleaner.scrub(said) == said

    def _kept(
        self, tag: int, element: Element, decision: Decision, codecs: list[str] | None
    ) -> Element | None:
        """Kept, when the value is what its VR says and holds none of the object's identifiers."""
        vr, value = element.vr, element.value
        assert isinstance(value, (bytes, memoryview))
        if not suits(tag, vr):
            vr = vr_of(tag)
            if vr not in ("CS", "DS", "IS") or element.vr in BINARY_SIZES:
                return None
            element = Element(vr, value)  # text all the same, and judged like it
        if vr in ("CS", "DS", "IS"):
            return self._judged(tag, element, decision)
        if vr in DATES:
            return element if self.dates_kept else self._shifted(value, vr, decision)
        if tag == _ICC_PROFILE:
            made = icc.rebuilt(bytes(value))
            return Element(vr, made) if made else _without(vr, decision, icc.plain())
        return element

    def _judged(self, tag: int, element: Element, decision: Decision) -> Element | None:
        """A code string or number: each value stays or leaves a gap, for their places count."""
        vr, value = element
        assert isinstance(value, (bytes, memoryview))
        said = [part.strip() for part in bytes(value).decode("latin-1").strip(" \0").split("\\")]
        if vr == "CS":
            judged = [is_enumerated(tag, part) or self._is_term(part) for part in said]
        else:
            judged = [self._is_number(part) for part in said]
        if all(judged):
            return element
        told = [part if stay else "" for part, stay in zip(said, judged, strict=True)]
        if not any(told) or not may_repeat(tag):
            return _without(vr, decision)
        return Element(vr, "\\".join(told).rstrip("\\").encode("latin-1"))

    def _is_term(self, said: str) -> bool:
        if not is_code_string(said) or not is_term(said):
            return False
        own = self.cleaner.own
        if any(is_called(own, word) for word in words_of(said)):
            return False
        if len(said) == 2 and own.is_name(folded(said)):
            return False
        return not self.cleaner.names_somebody(besides_terms(said))

    def _is_number(self, said: str) -> bool:
        if not is_number(said) or self.cleaner.is_own_number(said):
            return False
        whole = said.strip().split(".")[0].lstrip("+-0")
        if len(whole) < 6:
            return True
        own = self.cleaner.own.inside(whole)
        return own != (0, len(whole)) and not is_like_a_date(said)

    def _uids(self, value: bytes | memoryview, action: Action) -> bytes:
        """Each UID replaced, except those the standard assigns and, for classes, all well-formed."""
        told = []
        for uid in bytes(value).decode("latin-1").split("\\"):
            uid = uid.strip("\0 ")
            well_known = uid in UID_dictionary  # others under DICOM's root are somebody's own
            is_class = action is Action.CLASS_UID and set(uid) <= set("0123456789.")
            stays = not uid or well_known or (is_class and len(uid) <= 64)
            told.append(uid if stays else uids.replaced(self.keys.uid, uid))
        return "\\".join(told).encode()

    def _shifted(self, value: bytes | memoryview, vr: str, decision: Decision) -> Element | None:
        if self.days is None and vr in dates.SHIFTED:
            raise Personal
        moved = [
            dates.shifted(vr, part.strip(" \0"), self.days or 0)
            for part in bytes(value).decode("latin-1").split("\\")
        ]
        if any(moved) and None not in moved:
            return Element(vr, "\\".join(part or "" for part in moved).encode())
        if decision.emptied is Action.DUMMY and vr in dates.DUMMIES:
            return Element(vr, dates.DUMMIES[vr].encode())
        return Element(vr, b"") if decision.emptied is not Action.REMOVE else None

    def _accession(self, value: bytes | memoryview, codecs: list[str] | None) -> Element:
        said = text.decoded(bytes(value), codecs).strip(" \0")
        return Element("SH", uids.token(self.keys.accession, said).encode() if said else b"")

    def _text(
        self,
        tag: int,
        value: bytes | memoryview,
        decision: Decision,
        codecs: list[str] | None,
        scheme: str,
    ) -> Element | None:
        """Text: scrubbed or cleaned, re-encoded only when it changed."""
        raw, vr = bytes(value), vr_of(tag)
        said = text.decoded(raw, codecs, vr)
        wash = self._wash(tag, vr, decision.action, scheme)
        several = vr in ("LO", "SH", "UC")
        before = said.rstrip(" \0").split("\\") if several else [said.rstrip(" \0")]
        after = [wash(part) for part in before]
        unchanged = after == [part.strip(" \0") for part in before]
        if unchanged and (codecs is not None or raw.isascii()):
            return Element(vr, value)
        if not any(after):
            if not any(part.strip() for part in before):
                return Element(vr, b"")
            dummy = b"REMOVED_LONG_CODE_VALUE" if tag == _LONG_CODE_VALUE else None
            return _without(vr, decision, dummy)
        encoded = text.encoded("\\".join(after), codecs).strip()
        if tag == _LONG_CODE_VALUE and len(encoded) <= 16:
            return _without(vr, decision, b"REMOVED_LONG_CODE_VALUE")
        return Element(vr, encoded) if encoded else _without(vr, decision)

    def _wash(self, tag: int, vr: str, action: Action, scheme: str) -> Callable[[str], str]:
        """How one value of text is rid of what identifies."""
        public = scheme in codes.PUBLIC_SCHEMES
        if vr not in TEXT_VRS or action is Action.CLEAN or (action is Action.CODE and not public):
            return self.cleaner.clean
        if action is Action.TERM:
            return lambda said: _left_of(said, only_terms(self.cleaner.scrub(said)))
        if action is Action.PRODUCT:
            return lambda said: _left_of(said, product(self.cleaner.scrub(said)))
        if action is Action.CODE and tag in _CODE_VALUES:
            return lambda said: said.strip(" \0") if self._is_code(scheme, said) else ""
        if action is Action.CODE and tag == _SCHEME:
            return lambda said: scheme
        if action is Action.CODE:
            return lambda said: _left_of(said, codes.meaning(self.cleaner.scrub(said)))
        return self._address if tag == _INSTITUTION_ADDRESS else self.cleaner.scrub

    def _address(self, said: str) -> str:
        """Of an institution that is to be known: a street is no trace, but for what else is there."""
        told = _TOLD_WITH_AN_ADDRESS.search(said) or self.cleaner.names_somebody(said)
        return self.cleaner.scrub(said) if told else said.strip(" \0")

    def _is_code(self, scheme: str, said: str) -> bool:
        said = said.strip(" \0")
        if codes.is_listed(scheme, said):
            return True
        own = self.cleaner.is_own_number(said) or self.cleaner.names_somebody(said)
        return not own and codes.is_code(scheme, said)


def is_measure(tag: int, element: Element) -> bool:
    """Numbers that stay as they are, whoever's they are."""
    vr, value = element
    if vr not in ("DS", "IS") or not isinstance(value, (bytes, memoryview)):
        return False
    return are_measures(value) and suits(tag, vr)


_INSTITUTION_ADDRESS = 0x00080081
_TOLD_WITH_AN_ADDRESS = re.compile(r"[@:]|\d(?:[-()./ ]*\d){6}")
"""Mail, a page, a telephone number or a day."""
_LONG_CODE_VALUE = 0x00080119
_CODE_VALUES = frozenset((0x00080100, _LONG_CODE_VALUE))
_SCHEME = 0x00080102
_ICC_PROFILE = 0x00282000


def _left_of(said: str, after: str) -> str:
    """Tidied where something went, and as it was where nothing did."""
    said = said.strip(" \0")
    return said if after == said else tidied(after)


def _without(vr: str, decision: Decision, dummy: bytes | None = None) -> Element | None:
    """What is left of a value of which nothing may stay."""
    if decision.emptied is Action.DUMMY:
        return Element(vr, DUMMIES.get(vr, REMOVED) if dummy is None else dummy)
    return Element(vr, b"") if decision.emptied is Action.EMPTY else None
