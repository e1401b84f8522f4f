"""
Parts of codes: the value and the meaning of a public scheme's code stay, a local one's are text.

A code value stays when it is what its scheme's codes look like; SNOMED CT codes say what they number,
so that a number of another kind is told from them. A meaning stays word by word: what
the scheme says is in the vocabulary, a name that was written behind it is not.
"""

import re
from functools import cache, lru_cache

from app.deid import patterns
from app.deid.folding import folded, plain
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
        # other designators of PS3.16 table 8-1, and how the same are met in the field
        *(
            "SCPECG",
            "ACR",
            "ICDO3",
            "ICDO",
            "I9",
            "I11",
            "IC10",
            "C5",
            "CD2",
            "HCPCS",
            "ICNP",
            "ISO_3166",
        ),
        *(
            "LOINC",
            "RadLex",
            "RADLEX3",
            "SNOMED",
            "SNOMED-CT",
            "SNOMED_CT",
            "SNOMEDCT",
            "SNM",
            "SNT",
        ),
        *(
            "ICD-10",
            "ICD-10-CM",
            "ICD10CM",
            "ICD-9",
            "ICD9",
            "ICD-O-3",
            "MESH",
            "NCIT",
            "ATC",
            "CDE",
        ),
        *(
            "RADREPORT",
            "UML",
            "JC8",
            "JC10",
            "JJ1017",
            "MGI",
            "MVX",
            "RC",
            "UNITS",
            "CDT-2",
            "ISO 3166",
        ),
    )
)
_FORMS = {
    "DCM": re.compile(r"\d{4,6}|[A-Z]{1,3}"),
    "SCT": re.compile(r"\d{6,18}"),
    "LN": re.compile(r"(?:LP|LA)?\d{1,7}-\d"),
    "SRT": re.compile(r"[A-Z]\d?-[0-9A-F]{4,6}"),
    "SNM3": re.compile(r"[A-Z]\d?-[0-9A-F]{4,6}"),
    "99SDM": re.compile(r"[A-Z]\d?-[0-9A-F]{4,6}"),
    "RADLEX": re.compile(r"(?:RID|RPID|RDE|RDES)\d{1,6}"),
    "RadLex": re.compile(r"(?:RID|RPID)\d{1,6}"),
    "LOINC": re.compile(r"(?:LP|LA)?\d{1,7}-\d"),
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
_LONG_NUMBER = re.compile(r"(?<![\d.])\d{5,}(?!\.?\d)")


@lru_cache(maxsize=8192)
def is_code(scheme: str, value: str) -> bool:
    """Could this be a code of the scheme? Those that PS3.16 lists are."""
    if (scheme, value) in _listed()[0]:
        return True
    form = _FORMS.get(scheme)
    if form is None:
        return bool(_ANY.fullmatch(value)) and is_term(value)
    return bool(form.fullmatch(value)) and (scheme != "SCT" or _partitioned(value))


@lru_cache(maxsize=8192)
def is_listed(scheme: str, value: str) -> bool:
    """Does PS3.16 list this code, so that it cannot be anybody's number?"""
    return (scheme, value) in _listed()[0]


@lru_cache(maxsize=8192)
def meaning(text: str) -> str:
    """The words of a public scheme's code meaning that such meanings are made of.

    A meaning that PS3.16 lists stays whole. Elsewhere its eponyms could be anybody's name, and what
    is shaped like somebody's number, day or address is that.
    """
    if folded(text.strip()) in _listed()[1]:
        return text
    left, spaced = list(text), plain(text).replace("_", " ")
    for shape in (patterns.WIRE, patterns.INITIALS, *patterns.IDENTIFYING, _LONG_NUMBER):
        for found in shape.finditer(spaced):
            start, stop = found.span(found.lastindex or 0 if shape is patterns.INITIALS else 0)
            left[start:stop] = " " * (stop - start)
    return _WORD.sub(lambda word: word[0] if _means(word[0]) else "", "".join(left))


def _means(word: str) -> bool:
    plain_one, known = folded(word), vocabulary()
    if plain_one in known.words or known.joined(plain_one):
        return True
    return is_term(word)


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


def _partitioned(digits: str) -> bool:
    """Do the digits before the last say that a concept of SNOMED CT is numbered (00, or 10)?

    The last one checks the others; codes are mistyped there, and one number of ten passes by chance.
    """
    return digits[-3:-1] == "00" or (len(digits) > 10 and digits[-3:-1] == "10")
