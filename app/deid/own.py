"""The names and the other identifiers that an object holds, at every level, from what is taken out."""

from app.deid import text
from app.deid.memory import Stretch
from app.deid.profile import Policy
from app.deid.vrs import TEXT_VRS, VRS
from app.deid.walk import Dataset, Fragments, text_of

CHARACTER_SET = 0x00080005
_NAMING = TEXT_VRS | {"AE"}
_LONGEST = 1024
"""Bytes of a value; what is longer is a text and no identifier."""
_SILENT = frozenset(VRS.values()) - _NAMING - {"SQ"}  # most are numbers
Found = tuple[frozenset[str], frozenset[str]]
"""Names, and other identifiers."""


class View:
    """What an element's meaning depends on, beside its bytes."""

    __slots__ = ("charset", "nothing", "policy")

    def __init__(self, policy: Policy, charset: str) -> None:
        self.policy, self.charset = policy, charset
        self.nothing: tuple[View, None] = self, None

    def own(self, stretches: list[Stretch]) -> tuple[Found, ...]:
        """The names and the other identifiers; a stretch that was met before is not asked again."""
        found: list[Found] = []
        for stretch in stretches:
            if stretch.vr in _SILENT:
                continue
            gathered = stretch.gathered
            if gathered is None or gathered[0] is not self:
                gathered = stretch.gathered = self._gathered(stretch)
            if gathered[1] is not None:
                found.append(gathered[1])
        return tuple(found)

    def _gathered(self, stretch: Stretch) -> "tuple[View, Found | None]":
        names: set[str] = set()
        identifiers: set[str] = set()
        self._gather(stretch.elements, 0, self.charset, names, identifiers)
        if not names and not identifiers:
            return self.nothing
        return self, (frozenset(names), frozenset(identifiers))

    def _gather(
        self, dataset: Dataset, inside: int, charset: str, names: set[str], identifiers: set[str]
    ) -> None:
        charset = text_of(dataset.get(CHARACTER_SET)) or charset
        codecs = text.encodings(charset)
        level = self.policy.level(inside)
        for tag, (vr, value) in dataset.items():
            if isinstance(value, list):
                for item in value:
                    self._gather(item, tag, charset, names, identifiers)
            elif vr not in _NAMING or tag >> 16 & 1 or isinstance(value, Fragments) or not value:
                continue
            elif vr == "PN":
                for name in text.decoded(bytes(value), codecs, "PN").split("\\"):
                    if name.strip(" \0^="):
                        names.add(name)
            elif len(value) <= _LONGEST and level[tag].identifies:
                for part in text.decoded(bytes(value), codecs).split("\\"):
                    if part := part.strip(" \0\r\n"):
                        identifiers.add(part)
