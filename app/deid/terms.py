"""
Words that a code string and technical text may hold: defined terms, not names.

A code string is a word of the standard or of a machine. What is written in one that neither the
vocabulary nor `code_words.yaml` knows could be anybody's name, whoever else is named in the object.
"""

import re
from functools import cache, lru_cache
from importlib.resources import files

import yaml
from pydicom.datadict import tag_for_keyword

from app.deid.folding import folded
from app.deid.vocabulary import vocabulary

SHORT = 3
"""Letters up to which a word is an abbreviation: too short to be told from one."""
ABBREVIATION = 5
"""Capitals up to which a word of technical text is one, when nobody is known to be called so."""
_OF_COMPANIES = (
    *(
        "technik",
        "tech",
        "med",
        "medical",
        "medica",
        "scan",
        "systems",
        "graphics",
        "graphix",
        "onics",
    ),
    *("imaging", "vision", "tronic", "tronics", "soft", "dyne", "logic", "logics", "labs", "works"),
    *("metrics", "health", "care", "dynamics", "sciences"),
)
"""Ends of words that companies call themselves by: Medtronic, Fonix Imaging, Vidiscan."""
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_RUN = re.compile(r"[^\W_]+")
_SPACES = re.compile(r"[ \t]{2,}")
_LOOSE = re.compile(r"(?<!\S)[-_/.,:;#&+*'’()\[\]=^]+(?!\S)")


@cache
def _lists() -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]:
    """The words of code strings, those of makers, products and traits too, makers, companies' words."""
    source = files("app.deid").joinpath("code_words.yaml").read_text(encoding="utf-8")
    lists = {
        name: frozenset(folded(word) for word in _WORD.findall(said))
        for name, said in yaml.load(source, Loader=yaml.CSafeLoader).items()
    }
    codes = lists["standard"] | lists["vendor"]
    makers, companies = lists["makers"], lists["companies"]
    return (
        codes,
        codes | lists["products"] | lists["traits"] | makers | companies,
        makers,
        companies,
    )


@lru_cache(maxsize=16384)
def is_term(text: str) -> bool:
    """Is every longer word of this code string a known one?"""
    return all(_known(word, _lists()[0]) for word in _WORD.findall(text))


def is_listed_word(word: str) -> bool:
    """Is this folded word one of those that code strings are made of?"""
    return word in _lists()[1]


@lru_cache(maxsize=16384)
def is_enumerated(tag: int, text: str) -> bool:
    """Is this one of the values that the standard itself lists for the attribute?"""
    return text in _enumerated().get(tag, ())


@lru_cache(maxsize=16384)
def besides_terms(text: str) -> str:
    """What a code string says beside listed words."""
    return _WORD.sub(lambda word: " " if folded(word[0]) in _lists()[0] else word[0], text)


@lru_cache(maxsize=16384)
def words_of(text: str) -> tuple[str, ...]:
    """The folded words of a code string that somebody could be called like, if no part of a body is meant."""
    bodily = vocabulary().bodily
    plain = (folded(word) for word in _WORD.findall(text))
    return tuple(word for word in plain if len(word) > 2 and word not in bodily)


@cache
def _enumerated() -> dict[int, frozenset[str]]:
    source = files("app.deid").joinpath("enumerated.yaml").read_text(encoding="utf-8")
    lists = yaml.load(source, Loader=yaml.CSafeLoader)
    told = {}
    for keyword, words in lists.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        values = str(words).split()
        told[tag] = frozenset(values) | {value.replace("_", " ") for value in values}
    return told


@lru_cache(maxsize=16384)
def only_terms(text: str) -> str:
    """Technical text without its unknown words; what holds a digit is a version, and stays."""
    return _RUN.sub(lambda found: found[0] if _stays(found[0]) else "", text)


def tidied(text: str) -> str:
    """Text without the spaces and joints that lost words leave behind."""
    return _SPACES.sub(" ", _LOOSE.sub(" ", text)).strip(" \t\0-_/,:;=^&") if text else ""


@lru_cache(maxsize=16384)
def product(text: str) -> str:
    """A maker or a product without people's names.

    Nobody knows all makers, so an unknown word stays where it stands as a maker's does: alone,
    beside a number, or beside what companies call themselves. It goes when people are called so,
    beside a maker we know, whose products we know too, where somebody is spoken of, and beside
    another unknown or everyday word, as in a given and a family name.
    """
    runs = list(_RUN.finditer(text))
    words = frozenset(map(folded, _WORD.findall(text)))
    beside = not words.isdisjoint(_lists()[2] | vocabulary().talk)
    company = any(map(_is_of_companies, words))
    unknown = [place for place, run in enumerate(runs) if not _stays(run[0])]
    gone = {
        place
        for place in unknown
        if beside
        or folded(runs[place][0]) in vocabulary().people
        or (not company and _is_somebodys(runs, place, unknown))
    }
    for place in unknown:  # Wolfram Eisenhauer: one of them is known to be a name
        if {place - 1, place + 1} & gone and not company:
            gone.add(place)
    left = list(text)
    for place in gone:
        left[slice(*runs[place].span())] = [""] * len(runs[place][0])
    return "".join(left)


def _is_somebodys(runs: list[re.Match[str]], place: int, unknown: list[int]) -> bool:
    """Does an unknown word stand beside another, or beside one that is no product's?"""
    for other in (place - 1, place + 1):
        if 0 <= other < len(runs):
            between = runs[other][0]
            if other in unknown or (between.isalpha() and not _known(between, _lists()[1])):
                return True
            if len(between) > SHORT and between.isalpha() and not is_listed_word(folded(between)):
                return True
    return False


def _is_of_companies(word: str) -> bool:
    """Is this folded word, or its end, what companies call themselves?"""
    return word in _lists()[3] or (len(word) > 6 and word.endswith(_OF_COMPANIES))


def _stays(run: str) -> bool:
    if any(char.isdigit() for char in run):  # a model or a version, but not Smith01
        words = frozenset(map(folded, _WORD.findall(run)))
        return words.isdisjoint(vocabulary().people - _lists()[1])
    if _known(run, _lists()[1]):
        return True
    if run.isupper() and len(run) <= ABBREVIATION and run.isascii():  # LEHR, MEGP
        return folded(run) not in vocabulary().people
    parts = _CAMEL.findall(run)  # BoneDetail, GrowCut
    return len(parts) > 1 and all(_known(part, _lists()[1]) for part in parts)


def _known(word: str, listed: frozenset[str]) -> bool:
    if len(word) <= SHORT and word.isascii():
        return True
    plain, known = folded(word), vocabulary()
    if plain in listed or plain in known.core:
        return True
    return plain in known.words and plain not in known.names
