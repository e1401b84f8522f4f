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

    `words` may stay; of these, `core` ones are of anatomy and technique and go where a person in the
    object is called so, `bodily` ones of them (of anatomy) from descriptors alone; `called` ones go
    behind anybody's title or given name too and stay before `partners`; and `names` go where they stand
    beside a name.
    `eponyms` only stay beside one of `eponym_of`, `graded` ones before a grade too, `pairs` as they are
    joined; of `beside` the neighbours are no names' that a word stays with. `ideographs` are the words
    of scripts without spaces. Then comes what stands beside names; soft titles are also modalities and
    abbreviations of radiology; `relatives` are cues. `people` are common given and family names,
    `talk` what only sentences about people say. `beginnings` and `endings` make words of medicine,
    `of_families` names.
    """

    words: frozenset[str]
    core: frozenset[str]
    bodily: frozenset[str]
    called: frozenset[str]
    partners: frozenset[str]
    names: frozenset[str]
    eponyms: frozenset[str]
    eponym_of: frozenset[str]
    graded: frozenset[str]
    beside: Mapping[str, frozenset[str]]
    pairs: frozenset[str]
    ideographs: re.Pattern[str]
    titles: frozenset[str]
    soft_titles: frozenset[str]
    before_titles: frozenset[str]
    particles: frozenset[str]
    suffixes: frozenset[str]
    cues: frozenset[str]
    relatives: frozenset[str]
    houses: frozenset[str]
    people: frozenset[str]
    talk: frozenset[str]
    beginnings: frozenset[str]
    endings: tuple[str, ...]
    of_families: tuple[str, ...]

    def joined(self, token: str) -> bool:
        """Is a folded token one word made of known ones?

        Two core words (`ABDOMENPELVIS`), a word after what medicine puts before words
        (`peribronchial`, `nonobstructing`), or one that ends as only words of medicine do
        (`sialolithiasis`): nobody can list them all. People are called none of these.
        """
        if len(token) < 8 or token in self.people or token in self.names:
            return False
        if token.endswith(self.of_families):
            return False  # Longbottom, Waterfield
        if token.endswith(self.endings):
            return True
        return any(
            (token[:at] in self.core and token[at:] in self.core)
            or (token[:at] in self.beginnings and self._is_plain(token[at:]))
            for at in range(2, len(token) - 3)
        )

    def _is_plain(self, rest: str) -> bool:
        """A word of the vocabulary that is nobody's name and long enough not to come by chance."""
        return (
            len(rest) > 4
            and rest in self.words
            and rest not in self.names
            and rest not in self.people
        )


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read once."""
    source = files("app.deid").joinpath("vocabulary.yaml").read_text(encoding="utf-8")
    lists = yaml.load(source, Loader=yaml.CSafeLoader)

    def said(*names: str) -> frozenset[str]:
        return frozenset(folded(word) for name in names for word in _flat(lists[name]))

    core, names, pairs = said("core"), said("names"), said("pairs")
    ideographs = sorted(said("ideographs"), key=len, reverse=True)
    return Vocabulary(
        words=said("words", "radiology", "everyday", "languages", "beginnings") | core | names,
        core=core,
        bodily=frozenset(map(folded, lists["core"]["anatomy"].split())) - said("called"),
        called=said("called"),
        partners=said("partners"),
        names=names - core,
        eponyms=said("eponyms", "graded") | frozenset("-".join(pairs).split("-")),
        eponym_of=said("eponym_of"),
        graded=said("graded"),
        beside={word: frozenset(said_of.split()) for word, said_of in lists["beside"].items()},
        pairs=pairs,
        ideographs=re.compile("(?:" + "|".join(map(re.escape, ideographs)) + ")+"),
        titles=said("titles", "soft_titles"),
        soft_titles=said("soft_titles"),
        before_titles=said("before_titles"),
        particles=said("particles"),
        suffixes=said("suffixes"),
        cues=said("cues", "relatives"),
        relatives=said("relatives"),
        houses=said("houses"),
        people=said("people"),
        talk=said("talk", "titles"),
        beginnings=said("beginnings"),
        endings=tuple(sorted(said("endings"))),
        of_families=tuple(sorted(said("of_families"))),
    )


def _flat(value: str | Mapping[str, Any]) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for part in value.values() for word in _flat(part)]
