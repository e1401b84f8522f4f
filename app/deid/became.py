"""
What became of a stretch of elements, noted on it for the objects that come after.

What an element becomes depends on its bytes, on a ground (profile, keys, kind of object, character
set) and for some on the patient. `Became` says which, so that the next object asks no more than it must.
"""

from collections.abc import Sequence
from itertools import groupby

from app.deid.memory import Stretch
from app.deid.outcome import Told
from app.deid.walk import Dataset, Element

Ready = dict[int, tuple[Element, bytes]]
_NONE: Dataset = {}
_NOTHING: Ready = {}
_UNTOLD: list[Told] = []


class Became:
    """What a stretch became.

    What stays, the same encoded, and what is told of it, but for private elements, which are decided
    together. `ground` is what that depends on; None when
    on the patient too. Else it is true of all whose identifiers are not in `asked`. `of` is the last
    treatment of which it was found to be true. `pieces` are what to make it of for the next patient.

    The dictionaries and the list of one that was just made are shared by all: they are replaced,
    never added to.
    """

    __slots__ = ("asked", "ground", "kept", "of", "pieces", "ready", "told")

    def __init__(self, ground: object, of: object) -> None:
        self.ground, self.of = ground, of
        self.kept, self.ready, self.told = _NONE, _NOTHING, _UNTOLD
        self.asked = ""
        self.pieces: tuple[Stretch, ...] = ()


def total(each: Sequence[Became], ground: object, of: object) -> Became:
    """What several stretches became, as one."""
    made = Became(ground, of)
    kept: Dataset = {}
    ready: Ready = {}
    told: list[Told] = []
    asked: list[str] = []
    for became in each:
        if became.ground is not ground:
            made.ground = None
        if became.asked:
            asked.append(became.asked)
        told += became.told
        kept.update(became.kept)
        ready.update(became.ready)
    made.kept, made.ready, made.told = kept, ready, told
    if made.ground is not None:
        made.asked = "\n".join(asked)
    return made


def pieces(
    stretches: Sequence[Stretch], each: Sequence[Became], ground: object, of: object
) -> tuple[Stretch, ...]:
    """What is personal by itself, and what stands between put together once and for all."""
    made: list[Stretch] = []
    told = zip(stretches, each, strict=True)
    for common, group in groupby(told, lambda one: one[1].ground is ground):
        some = list(group)
        if not common or len(some) == 1:
            made += [stretch for stretch, _ in some]
            continue
        piece = Stretch({}, b"", tuple(stretch for stretch, _ in some))
        piece.became = total([became for _, became in some], ground, of)
        made.append(piece)
    return tuple(made)
