"""
The content tree of a structured report (PS3.3 C.17.3), from the DICOM JSON model (PS3.18 F.2).

The tree is laid flat once: each item with the place where what is below it ends, so that a path of
concept names is found without walking the tree again, however many elements ask.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Json = Mapping[str, Any]

MOST_ITEMS: Final = 100_000
"""More content items than any report of doses has."""
DEEPEST: Final = 32

_CONTENT, _NAME, _SCHEME = "0040A730", "0040A043", "00080102"
_CODES: Final = ("00080100", "00080119", "00080120")
"""Code Value, Long Code Value, URN Code Value (PS3.3 8.8)."""
_SAME_SCHEME: Final = {"SNM3": "SRT", "99SDM": "SRT"}
"""Designators of one scheme that older systems write (PS3.16 8.1), as they are written since."""


class Unmanageable(Exception):
    """A tree larger or deeper than is looked at; nothing of it is told."""


@dataclass(slots=True)
class Tree:
    """Content items in the order of the document; the root is item 0."""

    items: list[Json] = field(default_factory=list)
    sent: list[Json | None] = field(default_factory=list)
    """Each item as it was sent, where it is known which that is."""
    ends: list[int] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)
    """Concept name -> the items of that name, in order."""

    @property
    def title(self) -> str | None:
        """The concept name of the root."""
        return concept(self.items[0].get(_NAME))

    def below(self, path: Sequence[str], tops: Iterable[int] = (0,)) -> list[int]:
        """The items that a path of concept names leads to, each name somewhere below the one before."""
        found = list(tops)
        for name in path:
            places = self.places.get(name, [])
            steps: dict[int, None] = {}
            for top in found:
                for at in range(bisect_left(places, top + 1), len(places)):
                    if places[at] >= self.ends[top]:
                        break
                    steps[places[at]] = None
            found = list(steps)
            if not found:
                break
        return found


def tree_of(document: Json, sent: Json | None = None) -> Tree:
    """The content tree of a document, beside the one it was made of. Raises `Unmanageable`."""
    tree = Tree()
    # An item waits with its depth; its end is written when what follows its last descendant is met.
    waiting: list[tuple[Json | int, Json | None, int]] = [(document, sent, 0)]
    while waiting:
        item, before, depth = waiting.pop()
        if isinstance(item, int):
            tree.ends[item] = len(tree.items)
            continue
        if depth > DEEPEST or len(tree.items) >= MOST_ITEMS:
            raise Unmanageable
        at = len(tree.items)
        tree.items.append(item)
        tree.sent.append(before)
        tree.ends.append(at + 1)
        name = concept(item.get(_NAME))
        if name is not None and at:
            tree.places.setdefault(name, []).append(at)
        waiting.append((at, None, depth))
        below = _paired(values(item, _CONTENT), values(before or {}, _CONTENT))
        waiting += [(one, other, depth + 1) for one, other in reversed(below)]
    return tree


def _paired(items: Sequence[Json], sent: Sequence[Json]) -> list[tuple[Json, Json | None]]:
    """Items beside what they were made of: all in their order, some of those sent left out."""
    if len(items) == len(sent):
        return [(one, other) for one, other in zip(items, sent, strict=True) if one]
    pairs: list[tuple[Json, Json | None]] = []
    left = iter(sent)
    for one in items:
        name = concept(one.get(_NAME))
        pairs.append(
            (one, next((other for other in left if concept(other.get(_NAME)) == name), None))
        )
    return pairs


def values(item: Json, tag: str) -> list[Any]:
    """The values of an attribute, none where it is not there."""
    attribute = item.get(tag)
    found = attribute.get("Value") if isinstance(attribute, Mapping) else None
    return list(found) if isinstance(found, list) else []


def concept(attribute: object) -> str | None:
    """`<scheme> <code>` of a code sequence's first item."""
    found = attribute.get("Value") if isinstance(attribute, Mapping) else None
    if not isinstance(found, list) or not found or not isinstance(found[0], Mapping):
        return None
    code = found[0]
    for tag in _CODES:
        said = values(code, tag)
        if said and said[0]:
            scheme = str(next(iter(values(code, _SCHEME)), None) or "")
            return f"{_SAME_SCHEME.get(scheme, scheme)} {said[0]}".strip()
    return None
