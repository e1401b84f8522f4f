"""
What follows from a few attributes, worked out once for all objects that say the same in them.

The slices of a series share most of what they say. `Facts` hands whoever works something out the
named attributes and nothing else, so that it cannot depend on more than it is remembered by.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from app.deid.walk import Dataset, Element

T = TypeVar("T")
_MOST = 512
_LONGEST = 1024
"""Bytes of a value that is remembered: a longer one could keep a whole object in memory."""


class Facts(Generic[T]):
    """`follow(said, *besides)` of those of the attributes `tags` that are there; never None."""

    def __init__(self, tags: tuple[int, ...], follow: Callable[..., T]) -> None:
        self._tags, self._follow = tags, follow
        self._known: dict[Hashable, T] = {}

    def of(self, dataset: Dataset, *besides: Hashable) -> T:
        """What follows for this object; `besides` are what else it depends on."""
        elements = tuple(map(dataset.get, self._tags))
        try:
            known = self._known.get((elements, besides))
        except (TypeError, ValueError):  # items, or fragments of a writable buffer
            return self._worked_out(dataset, besides)
        if known is None:
            known = self._worked_out(dataset, besides)
            if all(element is None or _is_short(element) for element in elements):
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[elements, besides] = known
        return known

    def _worked_out(self, dataset: Dataset, besides: tuple[Hashable, ...]) -> T:
        said = {tag: dataset[tag] for tag in self._tags if tag in dataset}
        return self._follow(said, *besides)


def _is_short(element: Element) -> bool:
    return isinstance(element.value, bytes) and len(element.value) <= _LONGEST
