"""
Remember elements from one object to the next: slices of a series are mostly the same.

A top-level element's bytes, from its header to its end, decide alone what it says; equal bytes need
no second reading. `read` gives what `beginning.read` gives, made of stretches of elements that were
met before where there are any, and whoever works on a stretch may note on it what came of it.
Nothing here outlives the process, and only what was met lately is kept.
"""

from struct import Struct
from typing import Any

from app.deid.beginning import Beginning, begin
from app.deid.vrs import LONG_HEADER, VRS, vr_of
from app.deid.walk import PIXELS, Element, Instance, Malformed, Reader

_PLAIN = frozenset(VRS.values()) - {"SQ", "UN"}  # what is a value and nothing else
LONGEST = 1 << 16  # bytes of an element or stretch; larger ones are not worth it
SHORTEST = 3  # elements of a stretch
_TAG_AND_VR = 6  # bytes of a header of an explicit VR, before its length
_PRIVATE, _OF_BLOCKS = 1 << 16, 0xFF00  # bits of a tag: of an odd group; of what is no creator
_NONE: dict[int, Element] = {}


class Stretch:
    """One element of the top level, or several that stand together, and their bytes.

    `raw` is empty where it is too large to be remembered; `plain` where it is what the element would
    be written as, but for a length that is odd. `parts` are the single elements of a longer one.
    `odd` are the private ones, `elements` itself where all are, and `creators` those of them that
    name a block (PS3.5 7.8.1). `vr` is that of a single element. `next` is what followed it last time, `run` the longest stretch it was found to begin. `gathered`
    and `became` are notes of those who work on it, each beside what it depended on.
    """

    __slots__ = (
        *("became", "creators", "elements", "gathered", "next", "odd", "parts", "plain", "raw"),
        *("run", "vr"),
    )

    def __init__(
        self,
        elements: dict[int, Element],
        raw: bytes,
        parts: "tuple[Stretch, ...]" = (),
        plain: bool = False,
    ) -> None:
        self.elements, self.raw, self.parts, self.plain = elements, raw, parts, plain
        self.vr, self.odd, self.creators = "", _NONE, _NONE
        if len(elements) == 1:
            ((tag, (self.vr, _)),) = elements.items()
            if tag & _PRIVATE:
                self.odd = elements
                if not tag & _OF_BLOCKS:
                    self.creators = elements
        elif odd := {tag: element for tag, element in elements.items() if tag & _PRIVATE}:
            self.odd = elements if len(odd) == len(elements) else odd
            self.creators = {tag: one for tag, one in odd.items() if not tag & _OF_BLOCKS}
        self.next: Stretch | None = None
        self.run: Stretch | None = None
        self.gathered: Any = None
        self.became: Any = None


class Memory:
    """Elements met lately in streams of one encoding, by their bytes, up to `most` bytes of them."""

    def __init__(self, most: int = 8 << 20) -> None:
        self._most, self._size = most, 0
        self._young: dict[bytes, Stretch] = {}
        self._old: dict[bytes, Stretch] = {}
        self.start = Stretch({}, b"")

    def get(self, raw: bytes) -> Stretch | None:
        """The element of these bytes, if it was met lately."""
        met = self._young.get(raw)
        if met is None and (met := self._old.get(raw)) is not None:
            self.put(met)
        return met

    def put(self, met: Stretch) -> None:
        """Remember one; the older half is forgotten when there are too many."""
        self._young[met.raw] = met
        self._size += len(met.raw) + 600  # what Python needs for it
        if self._size > self._most // 2:
            for old in self._old.values():
                old.next = old.run = None
            self._young, self._old, self._size = {}, self._young, 0


class Memories:
    """A memory for each of the three encodings: the same bytes say different things in each."""

    def __init__(self) -> None:
        self._each = {(True, True): Memory(), (False, True): Memory(), (True, False): Memory()}

    def of(self, explicit: bool, little: bool) -> Memory:
        """The memory of an encoding."""
        return self._each[explicit, little]


def read(source: bytes, memories: Memories) -> tuple[Instance, list[Stretch]]:
    """As `beginning.read`, and the stretches the dataset is made of, in order. Raises `Malformed`."""
    beginning = begin(source)
    explicit, little = beginning.explicit, beginning.little
    taken = _Top(beginning, memories.of(explicit, little)).stretches()
    dataset: dict[int, Element] = {}
    count = 0
    for stretch in taken:
        dataset.update(stretch.elements)
        count += len(stretch.elements)
    if not dataset:
        raise Malformed("no-elements")
    if count != len(dataset):  # an element stands there twice: the last one counts, as for all
        taken = [Stretch(dict(dataset), b"")]
    return Instance(beginning.meta, dataset, beginning.transfer_syntax, explicit, little), taken


class _Top:
    """One pass over the top level.

    First the stretch that is expected here, because it followed the last one before: if its bytes
    stand here, it is here again, and no header of it needs to be looked at.
    """

    def __init__(self, beginning: Beginning, memory: Memory) -> None:
        self.source, self.start, self.memory = beginning.source, beginning.start, memory
        self.explicit, self.little = beginning.explicit, beginning.little
        self.view = memoryview(beginning.source)
        self.reader = Reader(self.view, self.explicit, self.little)
        order = "<" if self.little else ">"
        self.length = Struct(order + "H")
        self.header, self.implicit = Struct(order + "HH2sHL"), Struct(order + "HHL")

    def stretches(self) -> list[Stretch]:
        """All of them. Raises `Malformed`."""
        source, at, end = self.source, self.start, len(self.view)
        stands, explicit = source.startswith, self.explicit
        taken: list[Stretch] = []
        streak: list[Stretch] = []
        last = self.memory.start
        while at < end:
            expected = last.next
            if expected is not None:
                run = expected.run
                if run is not None and stands(run.raw, at):
                    streak = _closed(streak)
                    taken.append(run)
                    at += len(run.raw)
                    last = run.parts[-1]
                    continue
                if stands(expected.raw, at):
                    streak.append(expected)
                    taken.append(expected)
                    at += len(expected.raw)
                    last = expected
                    continue
                if expected.plain and explicit and stands(expected.raw[:_TAG_AND_VR], at):
                    changed, stop = self._changed(expected, at)
                    if stop <= end:
                        streak = _closed(streak)
                        taken.append(changed)
                        if changed.next is None:
                            changed.next = expected.next  # another value, and then as before
                        last.next = last = changed
                        at = stop
                        continue
            streak = _closed(streak)
            try:
                met, at = self._met(at, end)
            except Malformed:  # as in `beginning.read`: what follows the pixels is left out
                if all(PIXELS.isdisjoint(one.elements) for one in taken):
                    raise
                break
            if met is None:
                break
            taken.append(met)
            if met.raw:
                if (
                    met.next is None
                    and expected is not None
                    and met.elements.keys() == expected.elements.keys()
                ):
                    met.next = expected.next  # another value, and then as before
                last.next = met
            last = met
        _closed(streak)
        return taken

    def _changed(self, expected: Stretch, at: int) -> tuple[Stretch, int]:
        """The element that was expected at a place, with another value there, and its end."""
        source = self.source
        value = at + _TAG_AND_VR + 2
        if value > len(source):
            return expected, value
        stop = value + self.length.unpack_from(source, value - 2)[0]
        raw = source[at:stop]
        met = self.memory.get(raw)
        if met is None:
            (tag,) = expected.elements
            met = Stretch({tag: Element(expected.vr, source[value:stop])}, raw, plain=True)
            if stop <= len(source):
                self.memory.put(met)
        return met, stop

    def _met(self, at: int, end: int) -> tuple[Stretch | None, int]:
        """The element at a place, remembered or decoded, and its end; None for trailing padding."""
        tag, vr, value, stop = self._header(at, end)
        if at < stop <= end and stop - at <= LONGEST:
            raw = self.source[at:stop]
            known = self.memory.get(raw)
            if known is not None:
                return known, stop
            if vr in _PLAIN and tag >> 16 != 0xFFFE:
                met = Stretch({tag: Element(vr, raw[value:])}, raw, plain=vr not in LONG_HEADER)
                self.memory.put(met)
                return met, stop
            if vr == "SQ":
                return self._kept(raw), stop
        explicit, little = self.explicit, self.little
        found, stop = self.reader.elements(at, end, 0, explicit, little, only=True)
        if not found:
            return None, stop
        if stop - at > LONGEST:
            return Stretch(found, b""), stop
        # Decoded again from bytes of its own: a slice would keep the whole object in memory.
        return self._kept(bytes(self.view[at:stop])), stop

    def _kept(self, raw: bytes) -> Stretch:
        """The element of these bytes, remembered."""
        reader = Reader(memoryview(raw), self.explicit, self.little)
        found, _ = reader.elements(0, len(raw), 0, self.explicit, self.little, only=True)
        met = Stretch(found, raw)
        self.memory.put(met)
        return met

    def _header(self, at: int, end: int) -> tuple[int, str, int, int]:
        """Tag, VR, length of the header, and the element's end, 0 where that is not easily told."""
        if at + 12 > end:
            return 0, "", 0, 0
        if not self.explicit:
            group, number, long = self.implicit.unpack_from(self.source, at)
            tag = group << 16 | number
            return tag, vr_of(tag), 8, at + 8 + long
        group, number, code, short, long = self.header.unpack_from(self.source, at)
        vr = VRS.get(code)
        if vr is None:
            return 0, "", 0, 0
        if vr in LONG_HEADER:
            return group << 16 | number, vr, 12, at + 12 + long
        return group << 16 | number, vr, 8, at + 8 + short


def _closed(streak: list[Stretch]) -> list[Stretch]:
    """Elements that were each expected become one stretch for the next time."""
    if not streak:
        return streak
    if len(streak) >= SHORTEST and sum(len(one.raw) for one in streak) <= LONGEST:
        elements: dict[int, Element] = {}
        for one in streak:
            elements.update(one.elements)
        if len(elements) == len(streak):
            raw = b"".join([one.raw for one in streak])
            streak[0].run = Stretch(elements, raw, tuple(streak))
    return []
