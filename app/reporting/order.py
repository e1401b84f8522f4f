"""What builds on what: computed answers in the order they can be worked out, texts in texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from app.reporting.arithmetic import names
from app.reporting.module import (
    Arithmetic,
    Computed,
    Counted,
    Decision,
    Insert,
    Joined,
    Looked,
    Maybe,
    Partial,
    Passage,
    Piece,
    Taken,
    Words,
    Working,
    Worst,
    within,
)

DEEPEST_PARTIALS = 20
Partials = Mapping[str, tuple[Passage, ...]]


def nested(graph: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], str | None]:
    """Names so that each comes after those it builds on (a name -> what it builds on); or none, and
    one that builds on itself."""
    sorter = TopologicalSorter({name: sorted(set(on)) for name, on in graph.items()})
    try:
        return tuple(sorter.static_order()), None
    except CycleError as cycle:
        return (), str(cycle.args[1][0])


def ordered(
    computed: tuple[Computed, ...], partials: Partials
) -> tuple[tuple[Computed, ...], str | None]:
    """Computed answers, each after those it reads; as they were, and one that reads itself, where
    that cannot be."""
    said = {name: set(_inserted(within(passages))) for name, passages in partials.items()}
    own = {one.id: one for one in computed}
    order, looped = nested({one.id: set(_reads(one.working, said)) for one in computed})
    if looped is not None:
        return computed, looped
    return tuple(own[name] for name in order if name in own), None


def endless(partials: Partials) -> Iterator[str]:
    """Complaints of partials that stand within themselves, or too deep within one another."""
    graph = {
        name: {
            piece.id
            for passage in within(passages)
            for piece in passage.pieces
            if isinstance(piece, Partial)
        }
        for name, passages in partials.items()
    }
    order, looped = nested(graph)
    if looped is not None:
        yield f"the TemplatePartial `{looped}` inserts itself"
    depths = dict[str, int]()
    for name in order:
        depths[name] = 1 + max((depths[one] for one in graph.get(name, ())), default=0)
    if max(depths.values(), default=0) > DEEPEST_PARTIALS:
        yield f"TemplatePartials stand deeper than {DEEPEST_PARTIALS} in one another"


def _reads(working: Working, said: Mapping[str, set[str]]) -> Iterator[str]:
    match working:
        case Arithmetic(text):
            yield from names(text)
        case Words(pieces):
            yield from _in_pieces(pieces, said)
        case Decision(branches, otherwise):
            for when, then in branches:
                yield from when.elements()
                yield from _reads(then, said)
            if otherwise is not None:
                yield from _reads(otherwise, said)
        case Looked(table, _):
            yield from (one.id for one in table.inputs)
        case Worst(element) | Joined(element) | Counted(element) | Taken(element):
            yield element


def _inserted(passages: Iterable[Passage]) -> Iterator[str]:
    for passage in passages:
        if passage.when is not None:
            yield from passage.when.elements()
        yield from _in_pieces(passage.pieces, {})


def _in_pieces(pieces: Iterable[Piece], said: Mapping[str, set[str]]) -> Iterator[str]:
    for piece in pieces:
        match piece:
            case Insert(name):
                yield name
            case Maybe(inner):
                yield from _in_pieces(inner, said)
            case Partial(name):
                yield from said.get(name, ())
