"""
What PS3.3 says of a kind of object: which attributes it may carry, and which it must.

`iods.json` holds the facts (modules, information object definitions, storage SOP classes),
`families.yaml` decides which definitions share one list. An attribute that is on no list of its
object's family does not stay, whatever it is called.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml
from pydicom.datadict import tag_for_keyword

OPTIONAL = "3"
UNKNOWN = ""  # a place no definition speaks of: anything might be required there
_STRICTEST_FIRST = ("1", "1C", "2", "2C", OPTIONAL)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its family's list of attributes, and the types its own definition gives.

    `iod` is empty for SOP classes nobody knows; `allowed` holds tags at any depth.
    """

    family: str
    title: str
    iod: str
    allowed: frozenset[int] = field(repr=False)
    types: Mapping[int, str] | None = field(repr=False, default=None)

    def type_of(self, tag: int, inside: int = 0) -> str:
        """`1`, `1C`, `2`, `2C` or `3` (PS3.5 7.4) at the top, or in the sequence `inside`.

        `UNKNOWN` where no definition is known. In sequences it is the strictest of all modules.
        """
        if inside:
            known = _nested().get(inside)
            return UNKNOWN if known is None else known.get(tag, OPTIONAL)
        return UNKNOWN if self.types is None else self.types.get(tag, OPTIONAL)


@lru_cache(maxsize=1024)  # what was sent names the class: bounded
def kind_of(sop_class: str) -> Kind:
    """The kind of a SOP class by its UID; `general` for one that nobody knows."""
    iod = _classes().get(sop_class)
    return _general() if iod is None else _kinds()[iod]


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind, the general one first."""
    return (_general(), *_kinds().values())


@cache
def sop_classes() -> dict[str, tuple[str, ...]]:
    """The SOP classes of each family, by UID."""
    told: dict[str, list[str]] = {kind.family: [] for kind in kinds()}
    for uid in _classes():
        told[kind_of(uid).family].append(uid)
    return {family: tuple(sorted(uids)) for family, uids in told.items()}


@cache
def types_anywhere() -> dict[int, frozenset[str]]:
    """Every type an attribute has somewhere: what its action may depend on."""
    told: dict[int, set[str]] = {}
    for kind in _kinds().values():
        for tag, type_ in (kind.types or {}).items():
            told.setdefault(tag, set()).add(type_)
    for inside in _nested().values():
        for tag, type_ in inside.items():
            told.setdefault(tag, set()).add(type_)
    return {tag: frozenset(types) for tag, types in told.items()}


@cache
def _kinds() -> dict[str, Kind]:
    facts, chosen = _facts(), _chosen()
    found: dict[str, Kind] = {}
    for name, family in chosen["families"].items():
        iods = family["iods"].split()
        modules = {module for iod in iods for module in facts["iods"][iod].split()}
        modules.update(family.get("modules", "").split(), chosen["general"]["modules"].split())
        allowed = _allowed(modules) | frozenset(_tags(family.get("more", "")))
        for iod in iods:  # a definition belongs to the first family that names it
            if iod not in found:
                types = _types(facts["iods"][iod].split())
                found[iod] = Kind(name, family["title"], iod, allowed, types)
    return found


@cache
def _general() -> Kind:
    general = _chosen()["general"]
    return Kind("general", general["title"], "", _allowed(general["modules"].split()))


def _allowed(modules: Iterable[str]) -> frozenset[int]:
    """Every attribute of some modules, at the top or inside their sequences."""
    facts = _facts()["modules"]
    return frozenset(
        tag for name in modules for words in facts[name].values() for tag in _tags(words)
    )


def _types(modules: Iterable[str]) -> dict[int, str]:
    """The strictest type each attribute has at the top level of some modules."""
    facts = _facts()["modules"]
    told: dict[int, str] = {}
    for name in modules:
        for type_ in _STRICTEST_FIRST[:-1]:
            for tag in _tags(facts[name].get(type_, "")):
                told[tag] = min(told.get(tag, OPTIONAL), type_, key=_STRICTEST_FIRST.index)
    return told


@cache
def _nested() -> dict[int, dict[int, str]]:
    return {
        parent: {tag: type_ for type_, words in types.items() for tag in _tags(words)}
        for keyword, types in _facts()["nested"].items()
        for parent in _tags(keyword)
    }


@cache
def _classes() -> dict[str, str]:
    return {**_facts()["sop_classes"], **_chosen()["sop_classes"]}


def _tags(keywords: str) -> list[int]:
    return [tag for word in keywords.split() if (tag := tag_for_keyword(word)) is not None]


@cache
def _facts() -> dict[str, Any]:
    return dict(json.loads(files("app.deid").joinpath("iods.json").read_text(encoding="utf-8")))


@cache
def _chosen() -> dict[str, Any]:
    source = files("app.deid").joinpath("families.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(source, Loader=yaml.CSafeLoader))
