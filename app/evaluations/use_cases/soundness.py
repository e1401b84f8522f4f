"""What does not hold together in an AI use case, each complaint with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from app.errors import InvalidUseCase
from app.evaluations.use_cases.document import (
    UseCaseDocument,
    UseCaseInput,
    UseCaseSignal,
)
from app.registries.document import Place
from app.registries.reference import NoSuchElement, Reference, ToldElement, element_named, told
from app.registries.schema import Definition

Definitions = Callable[[str, str], Definition | None]
"""Registry and version -> the definition, or None where there is none for whoever writes."""

_OF_RADELEMENT = ("label", "definition", "data_type", "values", "unit")
_CODED = ("code", "codes")
_NUMBERS = ("integer", "decimal")


def unsound(document: UseCaseDocument, definitions: Definitions) -> Iterator[tuple[Place, str]]:
    """Complaints, each with its place; none repeats what was written."""
    tables = document.technical_specification
    both: dict[str, Sequence[UseCaseSignal]] = {"inputs": tables.inputs, "outputs": tables.outputs}
    for name, rows in both.items():
        place: Place = ("technical_specification", name)
        yield from _twice(place, rows)
        if all(one.importance != "primary" for one in rows):
            yield place, "at least one of them is primary"
        for number, one in enumerate(rows):
            yield from _signal((*place, number), one, definitions)
    if not any(one.study is not None and one.importance == "primary" for one in tables.inputs):
        yield ("technical_specification", "inputs"), "at least one primary input is a `study`"


def require_sound(document: UseCaseDocument, definitions: Definitions) -> None:
    """Raise `InvalidUseCase` with every complaint, each after a JSON Pointer into the document."""
    complaints = [
        f"/{'/'.join(map(str, place))}: {message}"
        for place, message in unsound(document, definitions)
    ]
    if complaints:
        raise InvalidUseCase(complaints)


def told_of(signal: UseCaseSignal, definitions: Definitions) -> ToldElement | None:
    """What the definition says of an input or output; None where it refers to none at hand."""
    if signal.element is None:
        return None
    found = Reference.of(signal.element)
    definition = definitions(found.registry, found.version)
    try:
        return None if definition is None else told(definition, found.path)
    except NoSuchElement:
        return None


def _twice(place: Place, rows: Sequence[UseCaseSignal]) -> Iterator[tuple[Place, str]]:
    for member in ("id", "element", "radelement"):
        named = [getattr(one, member) for one in rows]
        times = Counter(one for one in named if one is not None)
        for number, name in enumerate(named):
            if times[name] > 1 and name in named[:number]:
                yield (*place, number, member), f"the same `{member}` stands above"


def _signal(
    place: Place, one: UseCaseSignal, definitions: Definitions
) -> Iterator[tuple[Place, str]]:
    ways: dict[str, object] = {"element": one.element, "radelement": one.radelement}
    if isinstance(one, UseCaseInput):
        ways["study"] = one.study
    if sum(way is not None for way in ways.values()) != 1:
        yield place, f"it is one of these and no second: {', '.join(f'`{way}`' for way in ways)}"
        return
    if one.radelement is not None:
        yield from _radelement(place, one)
        return
    for member in _OF_RADELEMENT:
        if getattr(one, member):
            says = "the definition says it" if one.element else "a study has none"
            yield (*place, member), f"{says}: leave `{member}` out"
    if one.element is not None:
        yield from _element((*place, "element"), Reference.of(one.element), definitions)


def _element(
    place: Place, reference: Reference, definitions: Definitions
) -> Iterator[tuple[Place, str]]:
    definition = definitions(reference.registry, reference.version)
    if definition is None:
        yield place, "there is no such version of such a registry, or it is not within your key"
        return
    try:
        _, element = element_named(definition, reference.path)
    except NoSuchElement as none:
        yield place, str(none)
        return
    if element.identifying:
        yield place, "it identifies people: no algorithm is given it, and none answers it"


def _radelement(place: Place, one: UseCaseSignal) -> Iterator[tuple[Place, str]]:
    for member in ("label", "definition", "data_type"):
        if getattr(one, member) is None:
            yield (*place, member), f"`{member}` is missing: a RadElement is told here"
    if (one.data_type in _CODED) != bool(one.values) and one.data_type is not None:
        yield (*place, "values"), "`values` belong to a `code` or `codes`, and it needs them"
    if one.unit is not None and one.data_type not in _NUMBERS:
        yield (*place, "unit"), "a `unit` belongs to an integer or a decimal"
    seen: set[str] = set()
    for number, value in enumerate(one.values):
        if value.code.partition(".")[0] != one.radelement:
            yield (*place, "values", number, "code"), "the code is another RadElement's"
        if value.code in seen:
            yield (*place, "values", number, "code"), "the code stands above"
        seen.add(value.code)
