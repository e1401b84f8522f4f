"""
Private attributes: kept only when a shipped list knows creator, element and VR as safe.

A block is re-created properly: its creator stands at (gggg,0010+n) and nothing else of it stays
(PS3.5 7.8.1, PS3.15 E.3.10).
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

from app.deid.actions import BINARY_SIZES
from app.deid.walk import Dataset, Element, text_of


class Safe(NamedTuple):
    """What a safe private attribute must look like."""

    vr: str
    most: int
    meaning: str


@cache
def safe() -> dict[tuple[str, int, int], Safe]:
    """(creator, group, offset) to what stands there."""
    shipped = yaml.safe_load(
        files("app.deid").joinpath("safe_private.yaml").read_text(encoding="utf-8")
    )
    return {
        (creator, block["group"], offset): Safe(*entry)
        for creator, blocks in shipped.items()
        for block in (blocks if isinstance(blocks, list) else [blocks])
        for offset, entry in block["elements"].items()
    }


@cache
def _creators() -> frozenset[tuple[int, str]]:
    return frozenset((group, creator) for creator, group, _ in safe())


def any_known(creators: Dataset) -> bool:
    """Does the list know any of these creators (gggg,0010–00FF)?"""
    return any((tag >> 16, text_of(said)) in _creators() for tag, said in creators.items())


def kept(dataset: Dataset) -> Iterator[tuple[int, Element, Safe | None]]:
    """The private elements that may stay, each after its creator (which has no `Safe`)."""
    blocks: dict[int, str] = {}
    for tag in dataset:
        number = tag & 0xFFFF
        if tag >> 16 & 1 and 0x10 <= number <= 0xFF:
            creator = text_of(dataset[tag])
            if (tag >> 16, creator) in _creators():
                blocks[tag] = creator
    told: set[int] = set()
    for tag in sorted(dataset) if blocks else ():
        group, number = tag >> 16, tag & 0xFFFF
        block = group << 16 | number >> 8
        if not group & 1 or block not in blocks:
            continue
        known = safe().get((blocks[block], group, number & 0xFF))
        element = dataset[tag]
        vr = _looks_right(element, known) if known is not None else ""
        if not vr:
            continue
        if block not in told:
            told.add(block)
            yield block, Element("LO", blocks[block].encode("ascii")), None
        yield tag, Element(vr, element.value), known


def _looks_right(element: Element, known: Safe) -> str:
    """The VR it has: a listed one (or what UN stands for, as in an implicit stream) of its size.

    Nothing when it does not look right. Of several listed VRs UN stands for the first, as
    whoever reads it will take it.
    """
    value, listed = element.value, known.vr.split()
    vr = listed[0] if element.vr == "UN" else element.vr
    if vr not in listed or not isinstance(value, (bytes, memoryview)):
        return ""
    size = BINARY_SIZES.get(vr)
    if size:
        whole = 0 < len(value) <= size * known.most and not len(value) % size
        return vr if whole and not _is_text(bytes(value)) else ""
    parts = bytes(value).split(b"\\")
    return vr if value and len(parts) <= known.most and max(map(len, parts)) <= 64 else ""


def _is_text(value: bytes) -> bool:
    """Numbers of eight bytes and more that would all be printed are text in their place."""
    return len(value) >= 8 and all(0x20 <= one < 0x7F for one in value)
