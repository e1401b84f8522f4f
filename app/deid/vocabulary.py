"""The words that may stay in a descriptor, and what is known of them (`vocabulary.yaml`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from app.deid.folding import folded


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded words, by what may be done with them.

    `words` may stay; of these, `core` ones stay even when somebody is called so, and `names` go
    where they stand beside a name. `eponyms` only stay beside one of `eponym_of`. `ideographs` are
    the words of scripts without spaces. Then comes what stands beside names; soft titles are also
    modalities and abbreviations of radiology. `people` are common given and family names.
    """

    words: frozenset[str]
    core: frozenset[str]
    names: frozenset[str]
    eponyms: frozenset[str]
    eponym_of: frozenset[str]
    ideographs: re.Pattern[str]
    titles: frozenset[str]
    soft_titles: frozenset[str]
    particles: frozenset[str]
    suffixes: frozenset[str]
    cues: frozenset[str]
    houses: frozenset[str]
    people: frozenset[str]

    def joined(self, token: str) -> bool:
        """Is a folded token two core words written as one, as in `ABDOMENPELVIS`?"""
        return len(token) > 7 and any(
            token[:at] in self.core and token[at:] in self.core for at in range(4, len(token) - 3)
        )


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read once."""
    source = files("app.deid").joinpath("vocabulary.yaml").read_text(encoding="utf-8")
    lists = yaml.load(source, Loader=yaml.CSafeLoader)

    def said(*names: str) -> frozenset[str]:
        return frozenset(folded(word) for name in names for word in _flat(lists[name]))

    core, names = said("core"), said("names")
    ideographs = sorted(said("ideographs"), key=len, reverse=True)
    return Vocabulary(
        words=said("words", "radiology", "everyday", "languages") | core | names,
        core=core,
        names=names - core,
        eponyms=said("eponyms"),
        eponym_of=said("eponym_of"),
        ideographs=re.compile("(?:" + "|".join(map(re.escape, ideographs)) + ")+"),
        titles=said("titles", "soft_titles"),
        soft_titles=said("soft_titles"),
        particles=said("particles"),
        suffixes=said("suffixes"),
        cues=said("cues"),
        houses=said("houses"),
        people=said("people"),
    )


def _flat(value: str | Mapping[str, Any]) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for part in value.values() for word in _flat(part)]
