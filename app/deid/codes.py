"""
Parts of codes: the value and the meaning of a public scheme's code stay, a local one's are text.

A code value stays when it is what its scheme's codes look like; SNOMED CT and LOINC codes carry a
check digit, so that a number of another kind is told from them. A meaning stays word by word: what
the scheme says is in the vocabulary, a name that was written behind it is not.
"""

import re
from functools import cache, lru_cache

from app.deid.folding import folded
from app.deid.terms import is_term
from app.deid.vocabulary import vocabulary

PUBLIC_SCHEMES = frozenset(
    (
        *(
            "DCM",
            "SCT",
            "SRT",
            "SNM3",
            "99SDM",
            "LN",
            "UCUM",
            "RADLEX",
            "FMA",
            "NCIt",
            "MDC",
            "NEU",
        ),
        *(
            "UMLS",
            "MSH",
            "IBSI",
            "RXNORM",
            "BI",
            "BARI",
            "PUBCHEM_CID",
            "NDC",
            "I9C",
            "I10",
            "I10P",
        ),
        *(
            "C4",
            "ICD10",
            "CPT",
            "RADELEMENT",
            "CID",
            "ISO3166_1",
            "ISO639_1",
            "ISO639_2",
            "RFC5646",
        ),
        *("NCDR [2.0b]", "CD8", "HPC", "IETF4646", "UBERON", "SRTX", "ITIS_TSN", "NYUMCCG", "POS"),
    )
)
_FORMS = {
    "DCM": re.compile(r"\d{4,6}|[A-Z]{1,3}"),
    "SCT": re.compile(r"\d{6,18}"),
    "LN": re.compile(r"(?:LP|LA)?\d{1,7}-\d"),
    "SRT": re.compile(r"[A-Z]\d?-[0-9A-F]{4,6}"),
    "SNM3": re.compile(r"[A-Z]\d?-[0-9A-F]{4,6}"),
    "99SDM": re.compile(r"[A-Z]\d?-[0-9A-F]{4,6}"),
    "RADLEX": re.compile(r"RID\d{1,6}"),
    "FMA": re.compile(r"\d{2,6}"),
    "NCIt": re.compile(r"C\d{2,7}"),
    "UMLS": re.compile(r"C\d{7}"),
    "MDC": re.compile(r"\d{1,6}|\d{1,3}-\d{1,6}|MDC_[A-Z0-9_]+"),
    "RXNORM": re.compile(r"\d{2,7}"),
    "NDC": re.compile(r"\d{4,5}-\d{3,4}-\d{1,2}"),
    "PUBCHEM_CID": re.compile(r"\d{1,9}"),
}
_ANY = re.compile(r"(?!.*\d{7})[A-Za-z0-9.:/%{}\[\]*^_()+-]{1,16}")
_WORD = re.compile(r"[^\W\d_]+")
_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


@lru_cache(maxsize=8192)
def is_code(scheme: str, value: str) -> bool:
    """Could this be a code of the scheme? Those that PS3.16 lists are."""
    if (scheme, value) in _listed()[0]:
        return True
    form = _FORMS.get(scheme)
    if form is None:
        return bool(_ANY.fullmatch(value)) and is_term(value)
    return bool(form.fullmatch(value)) and (scheme != "SCT" or len(value) < 8 or _checked(value))


@lru_cache(maxsize=8192)
def is_listed(scheme: str, value: str) -> bool:
    """Does PS3.16 list this code, so that it cannot be anybody's number?"""
    return (scheme, value) in _listed()[0]


@lru_cache(maxsize=8192)
def meaning(text: str) -> str:
    """The words of a public scheme's code meaning that such meanings are made of.

    A meaning that PS3.16 lists stays whole. Elsewhere its eponyms could be anybody's name.
    """
    if folded(text.strip()) in _listed()[1]:
        return text
    return _WORD.sub(lambda word: word[0] if _means(word[0]) else "", text)


def _means(word: str) -> bool:
    return is_term(word) or folded(word) in vocabulary().words


@cache
def _listed() -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """The codes of PS3.16 as pydicom holds them, and their meanings, folded."""
    from pydicom.sr._concepts_dict import concepts  # large, and most objects need none of it

    codes: set[tuple[str, str]] = set()
    meanings: set[str] = set()
    for scheme, keywords in concepts.items():
        for said in keywords.values():
            for value, (told, _) in said.items():
                codes.add((scheme, value))
                meanings.add(folded(told))
    return frozenset(codes), frozenset(meanings)


def _checked(digits: str) -> bool:
    """Does the last digit check the others, as Verhoeff's does in SNOMED CT?"""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = _TURN[turned]
        check = _TIMES[check][turned]
    return check == 0
