"""
What identifies by its shape, whoever it belongs to: dates, numbers of persons, addresses.

All patterns read the plain form of a text (`folding.plain`): lower case, without accents, letter for
letter as long as the text itself, underscores as spaces. Times of day stay when no date stands
beside them and a duration is meant; numbers stay with units.
"""

import re

# Long and short names of months: English, German, French, Spanish, Italian, Portuguese, Dutch.
_MONTHS = (
    "jan(?:uary|uar|vier|eiro|uari)?|january|janner|enero|ene|gennaio|feb(?:ruary|ruar|braio|rero"
    "|ruari)?|fevrier|fevereiro|fev|mar(?:ch|z|s|zo|co)?|marz|maerz|maart|mrt|apr(?:il|ile)?|avril|avr"
    "|abril|abr|may|mai|mayo|maggio|maio|mei|june?|juni|juin|junio|giugno|giu|junho|july?|juli"
    "|juillet|juil|julio|luglio|lug|julho|aug(?:ust|ustus)?|aout|agosto|sept?(?:ember|embre"
    "|tembre|iembre|tiembre)?|set(?:tembre|embro)|oct(?:ober|obre|ubre)?|okt(?:ober)?|ottobre|ott"
    "|outubro|nov(?:ember|embre|iembre|embro)?|dec(?:ember|embre)?|dez(?:ember|embro)?"
    "|dic(?:iembre|embre)?"
)
_MONTH = rf"(?:{_MONTHS})\b\.?"
_ORDINAL = (
    r"(?:(?:twenty[- ]|thirty[- ])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|eleventh"
    r"|twelfth|(?:thir|four|fif|six|seven|eigh|nine)teenth|twentieth|thirtieth)"
)
_BETWEEN = r"[-/., ]{0,3}"
_YEAR = r"(?:(?:18|19|20)\d\d|['’]?\d\d)\b"
_FULL_YEAR = r"(?:18|19|20)\d\d\b"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b\.?)?(?:\s?(?:uhr|h|utc|gmt)\b)?"
_ZONE = r"(?:z\b|\s?[+-]\d\d:?\d\d)?"
_WEEKDAY = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?,?\s+(?=\d|(?:"
    + _MONTHS
    + r")\b))?"
)
_THEN_TIME = rf"(?:(?:[t ,]|\s+at\s+|\s+um\s+){{1,3}}{_TIME}{_ZONE})?"

_LONG_UNIT = (
    r"\s?(?:(?:[mcµ]m|ml|cc|mg|[cm]gy|m?as|kvp?|ms|sec|min|[mk]?hz|m?ci|[mgk]bq|hu"
    r"|views?|images?|slices?|phases?|frames?)\b|%)"
)

SPOKEN_DATES = (
    # 31 Jan 2020, 31st of January, 31-JAN-20, 31JAN2020, 31. Januar 2020, 31 de enero de 2020
    rf"{_WEEKDAY}(?<![\d.+])\d{{1,2}}(?:st|nd|rd|th|er|[.ºª])?[-/ ]?\s?(?:of |de |den )?(?:{_MONTHS})"
    rf"(?![a-z])\.?(?:{_BETWEEN}(?:de )?{_YEAR})?{_THEN_TIME}",
    # January 31st, 2020; Jan 31; JAN-2020; January 2020
    rf"{_WEEKDAY}\b{_MONTH}{_BETWEEN}\d{{1,2}}(?:st|nd|rd|th)?\b(?![.,]?\d|\s?[x*]|{_LONG_UNIT})"
    rf"(?:{_BETWEEN}{_YEAR})?{_THEN_TIME}",
    rf"\b{_MONTH}{_BETWEEN}(?:de )?(?:{_FULL_YEAR}|['’]\d\d\b)",
    rf"\b{_FULL_YEAR}{_BETWEEN}{_MONTH}(?:{_BETWEEN}\d{{1,2}}\b)?",  # 2020-Jan-31
    # third of May 2020, May the 3rd, '20; the day of a year; 3-V-2020
    rf"\b(?:the )?{_ORDINAL}[ -](?:of |day of )?(?:{_MONTHS})\b\.?(?:{_BETWEEN}{_YEAR})?{_THEN_TIME}",
    rf"\b{_MONTH} (?:the )?(?:{_ORDINAL}|\d{{1,2}}(?:st|nd|rd|th))\b(?:,? (?:of )?{_YEAR})?{_THEN_TIME}",
    rf"\bday \d{{1,3}},? (?:of |in )?{_FULL_YEAR}",
    rf"(?<![\d.])\d{{1,2}}([-./])(?:x?i{{1,3}}|i?[vx]|vi{{1,3}})\1(?:{_FULL_YEAR}|\d\d\b)",
    rf"(?<![\d.])\d{{1,2}} (?:x?i{{1,3}}|i?[vx]|vi{{1,3}}) {_FULL_YEAR}",  # 14 x 11 mm is a size
)
_IDEOGRAPHIC_DATE = (  # 2020年1月31日, 昭和35年3月1日, 2020년 1월 31일
    r"(?:明治|大正|昭和|平成|令和|(?<![a-z\d])[mtshr])?\s?\d{1,4}\s?[年년]\s?\d{1,2}\s?[月월](?:\s?\d{1,2}\s?[日일])?"
)
DATES = (
    # 2020-01-31, 2020.1.31, 2020/01/31T10:11:12.5+01:00
    rf"(?<![\d.])(?:18|19|20)\d\d([-/. ])\d{{1,2}}\1\d{{1,2}}(?!\d|\.\d){_THEN_TIME}",
    # 31.01.2020, 1/31/20, 1-31-2020; dotted ones with two-digit years only where days can be meant
    rf"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])([-/ ])(?:0?[1-9]|[12]\d|3[01])\1{_YEAR}(?!\d|\.\d){_THEN_TIME}",
    rf"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])\.\s?(?:0?[1-9]|1[0-2])\.\s?(?:{_FULL_YEAR}|\d\d\b)"
    rf"(?!\.\d){_THEN_TIME}",
    rf"(?<![\d.])(?:0?[1-9]|1[0-2])\.(?:0?[1-9]|[12]\d|3[01])\.{_FULL_YEAR}(?!\.\d){_THEN_TIME}",
    rf"(?<![\d.])(?:0?[1-9]|1[0-2])[./-]{_FULL_YEAR}(?!\.\d)",  # 01/2020
    rf"\b{_FULL_YEAR}[/-](?:0?[1-9]|1[0-2])\b(?!\d|\.\d)",  # 2020-01
    *SPOKEN_DATES,
    _IDEOGRAPHIC_DATE,
    r"\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일]",
    # on 3/14, vom 03.04.; `on 3/4` may be a part of something
    r"\b(?:on|since|dated|vom|seit|am) (?![1-3]/[2-4]\b)(?:0?[1-9]|[12]\d|3[01])(?:/(?:0?[1-9]|[12]\d|3[01])"
    r"|\.(?:0?[1-9]|1[0-2])\.)(?![\d/.])",
    # 20200131, 20200131101112.5, 31012020
    r"(?<![\d.])(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[t ]?\d{4,6}(?:\.\d+)?)?(?!\d)",
    r"(?<![\d.])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|[12]\d|3[01])(?:19|20)\d\d(?!\d)",
)
_TIMES = (
    # Clock times; `1:30 min delay`, `2:1` and `delay 1:30` are none.
    rf"(?<![\d.:]){_TIME}{_ZONE}(?!\s?(?:min|sec|delay|post|ratio|\d|o['’]?clock"
    r"|n\b|fn\b|cmfn|position|(?:anti)?radial|axis|(?:sub|peri|retro)areolar))",  # 2:00 N 4 cm: in a breast
    r"\b(?:1[0-2]|0?[1-9])\s?[ap]\.?m\b\.?",
)
# A small number with a unit is a measurement, whatever stands before it: `call +49 30 12345 90 ml`.
_NO_MEASURE = rf"(?!\d{{1,3}}(?:[.,]\d{{1,6}})?(?:{_LONG_UNIT}| ?[gms]\b))"
_PHONES = (
    # +49 (0)30 123456-7, but not in 3+4. 12
    rf"(?<!\d)\+\s?\d{{1,3}}(?:[ .()/-]{{1,2}}{_NO_MEASURE}\d{{1,8}}){{2,6}}\b",
    r"(?<![\d.])(?:1[-. ])?\(?\d{3}\)?[-. /]{1,2}\d{3}[-. ]\d{4}(?!\d)(?:\s?(?:x|ext\.?)\s?\d+)?",
    r"(?<![\d.])\d{3}[-.]\d{4}(?!\d|\.\d)",  # 555-0117
    rf"(?<![\d.])0\d{{1,4}}[-/ ]\d{{2,4}}[-/ ]?\d{{2,4}}(?:[- /]{_NO_MEASURE}\d{{2,4}}){{0,2}}"
    r"(?!\d|\.\d)",  # 030/1234567
    r"(?<![\d.])\d{2}(?:[. ]\d{2}){4}(?!\d|\.\d)",  # 01 23 45 67 89
    r"\(0\d{0,4}\)[ -]?\d{3,4}(?:[- ]?\d{2,4}){1,2}(?!\d|\.\d)",  # (03) 9010 4417
)
_PERSON_NUMBERS = (
    r"(?<!\d)\d{3}[- .]\d{2}[- .]\d{4}(?!\d)",  # SSN
    r"\blast[- ]?(?:4|four)\b(?: digits?| of| ssn| social(?: security)?)*[\s.:#=]*\d{4}(?!\d)",  # and its end
    r"(?<![\w*])[x*]{3}[- ]?[x*]{2}[- ]?\d{4}(?!\d)",
    r"\b(?:mrn|ssn|pid|mpi|id|account|acct|card|phone|number) (?:ends|ending)(?: in| with)?[\s.:#=]*\d{3,}(?!\d)",
    r"\b[1-9][a-z][a-z\d]\d-?[a-z][a-z\d]\d-?[a-z]{2}\d\d\b",  # MBI of Medicare
    r"(?<![\w.-])[a-z]{1,3}[- ]?\d\d[-.]\d{3,6}(?![\w.-])",  # of pathology: S19-4471
    r"(?<!\d)\d{3}[- ]\d{3}[- ]\d{3,4}(?!\d)",  # SIN, NHS number
    r"(?<![\w.])(?:\d{2}([- ])\d{3}\1\d{3,4}|\d{3}\.\d{3}\.\d{3,4})(?!\d|\.\d)",  # others in groups
    r"(?<!\d)\d{6}[-+]\d{3}[\da-z](?!\w)",  # Nordic numbers of persons
    r"(?<![\d.])\d{4}[- ]\d{3}[- ]\d{3}(?:[- ]?[a-z]{2})?(?![\w-])|(?<![\d.])\d{4} \d{5} \d(?!\w)",  # of health cards
    r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)",  # CPF
    # NIR; Aadhaar and numbers of cards and accounts; AHV, Belgium, Korea, National Insurance
    r"(?<![\d.])[12]\s?\d\d\s?(?:0[1-9]|1[0-2]|[2-9]\d)\s?(?:\d\d|2[ab])\s?\d{3}\s?\d{3}(?:\s?\d\d)?(?!\d)",
    r"(?<![\d.])(?:\b[a-z]{2}\d\d[ -])?\d{4}[ -]\d{4}[ -]\d{4}(?:[ -]\d{1,4}){0,4}(?!\d|\.\d)",
    r"(?<!\d)756\.\d{4}\.\d{4}\.\d\d(?!\d)|(?<!\d)\d\d\.\d\d\.\d\d-\d{3}\.\d\d(?!\d)",
    r"(?<!\d)\d{6}-\d{7}(?!\d)|\b[a-ceghj-prstw-z]{2}(?:\d{6}| \d\d \d\d \d\d )[a-d]\b",
    r"\b(?:mrn|ssn|nhs|npi|pid|mpi|dob|hrn|umrn|urn|emrn|medrec)\b[\s.:#=-]*(?:no\.?|number|nr\.?)?"
    rf"[\s.:#=]*{_NO_MEASURE}(?=[\w-]*\d)[\w-]+(?:[-./]\d+(?!\w)| \d{{3,}}(?![\w.]))*",
    r"\b(?:medical record|accession|encounter|admission|policy|member|insurance|passport|license"
    r"|licence|social security|hospital|patient|pat|pt|chart|account|acct|acc|order|req|claim|versicherten"
    r")\b[\s.:]*(?:id|no|number|num|nr|nummer|#)[\s.:#=]*(?=[\w-]*\d)[\w-]+",
    r"\b(?:account|acct|acc|accession|chart|encounter|order|patient|pat|pt|id|fall|case|visit|no|nr)"
    r"\s?[.:#=]{1,2}\s*(?=[\w-]*\d{3})[\w-]+",
    r"\b(?:account|acct|acc|accession|chart|encounter|order|patient|pat|pt|id|case|visit)"
    r"\s+(?=[\w-]*\d{4})[\w-]+",
    r"#\s?\d{3,}\b",
)
_CONTACT = (
    r"(?:(?<=\bcall )|(?<=\bcalled )|(?<=\bring ))(?=[\d()./+ -]{6})\+?\(?\d[\d()./ -]*\d",
    r"\b(?:tel|ph|phone|telephone|telefon|handy|gsm|fax|pager|beeper|mobile|cell|ext)\b\.?[\s.:#]*\+?\(?\d[\d()./-]*"
    rf"(?:\s{_NO_MEASURE}[\d()./-]{{2,}}(?![a-z]))*",
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)",  # of machines
    r"(?<!\w)[0-2](?:\.\d+){4,}(?!\d)",  # UIDs
    r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b",  # of network cards
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
)
_STREET = (
    r"(?:street|str|st|avenue|ave|av|road|rd|lane|ln|drive|dr|blvd|boulevard|way|court|place|square|sq"
    r"|highway|hwy|terrace|ter|parkway|pkwy|circle(?!\s+of\b)|cir|close|crescent)"
)
# The number of a house and which way the street runs; `4500 ms` and `12 views` are none.
_HOUSE = rf"(?<![\w.])(?<!\d[:/-])(?!\d{{1,6}}{_LONG_UNIT})\d{{1,6}}[a-z]?,?\s+(?:[ns][ew]?\.?\s+)?"
_NAMED = r"(?:(?:\d{1,3}(?:st|nd|rd|th)|[^\W\d_][\w'’.]*)\s+)"
"""A word of the name of a street: Maple, W., 42nd."""
_ADDRESSES = (
    rf"{_HOUSE}{_NAMED}{{1,3}}{_STREET}\b(?<!\bdr)(?<!\bst)\.?"
    r"(?:,?\s+(?:apt|suite|ste|unit|floor|rm|room)\b\.?\s*#?\s*\w+)?",
    # `12 views, Dr. Miller` and `2 from St. Mary's` are no drive and no street.
    rf"{_HOUSE}{_NAMED}{{1,3}}"
    r"(?:dr|st)\b(?!\.?\s*(?!(?:apt|suite|ste|unit|floor|rm|room)\b)[^\W\d_])\.?",
    r"\b[^\W\d_]{3,}(?:strasse|straße|str\.|gasse|allee|platz)\s+\d{1,4}\s?[a-z]?\b",
    r"\b(?:rue|avenue|av|calle|via|viale|piazza|rua|plaza)\s+(?:(?:de|du|des|la|le|del|della|da|do)\s+)*"
    r"[^\W\d_]+(?:\s+[^\W\d_]+)?,?\s+(?:n[°º.]?\s?)?\d{1,4}\b",
    r"\b\d{1,4}(?:\s?bis)?,?\s+(?:rue|avenue|boulevard|place|chemin|quai)\s+(?:(?:de|du|des|la|le)\s+)*"
    r"[^\W\d_]+",
    # PO Box 4418, RR 2 Box 118A, HC 61, Box 4
    r"\b(?:p\.?\s?o\.?|r\.?r\.?|hc|psc|cmr|(?:rural|star|highway contract) route)(?:\s?#?\d+)?,?\s?box\s+#?\d+[a-z]?\b",
    r"\b(?:apartado(?: postal)?|casilla(?: de correo)?|case postale|caixa postal|casella postale)\s+\d[\d-]*",
    r"\bpostfach\s+[\d ]+\b",
    r"\b(?:zip|plz|postal code|postcode)\b[\s.:]*(?=\w*\d)\w+(?:\s?\d[a-z\d]{2}\b|-\d{4}\b)?",
    r"\b[a-z]{1,2}\d[a-z\d]?\s\d[abd-hjlnp-uw-z]{2}\b",  # UK
    r"\b[a-ceghj-nprstvxy]\d[a-z]\s\d[a-z]\d\b",  # Canada
)
# Ages over 89 are of few enough to be known by.
_AGES = (
    r"(?<![\d.])(?:9\d|1[0-3]\d)[- ]?(?:y\b\.?/?\s?o\b\.?|yo\b|yrs?\b|y\b|years?\b)(?:[- ]?old\b)?",
    r"\b(?:age|aged|alter)\b[\s:=]*(?:9\d|1[0-3]\d)\b(?!\s?[mc]m)",
)

# Read before underscores become spaces.
WIRE = re.compile(
    r"\x1b[^\x1b]*(?:\x1b\([bj])?"  # ISO 2022 that the character set did not announce
    r"|[a-z][a-z0-9+.-]{1,10}://\S+|\bwww\.\S+|[^\W_][^\W_.+-]*(?:[.+-]+[^\W_.+-]+)*@[^\W_]+(?:[.-]+[^\W_]+)*"
    r"|(?<!\w)/(?:data|home|users?|mnt|media|srv|var|tmp|opt|export|import|archive|pacs|images?|patients?"
    r"|studies|volumes)(?:/[\w.-]+)+"
    r"|\\\\[\w.-]+(?:\\[\w$. -]+)+|\b[a-z]:\\\S+"
    r"|(?<!\w)(?:[^\W\d_][ .-]){4,}[^\W\d_](?!\w)"  # s p e l t out, whosoever it is
    # letters written as their numbers: of URLs and quoted-printable, of HTML, of JSON, of MIME
    r"|\w*(?:%[0-9a-f]{2}[\w.+~-]*){2,}|(?:=[0-9a-f]{2}){2}(?:=[0-9a-f]{2}|[\w.+~-])*|(?:&(?:#\d+|#x[0-9a-f]+);[\w.-]*)+"
    r"|(?:[\\/]u\{?[0-9a-f]{4,6}\}?\w*)+|(?:\\x[0-9a-f]{2}\w*)+|=\?[\w-]+\?[bq]\?\S*"
)
# Of those who were at work, and of patients with points; the letters alone (group 1 or 2) go.
INITIALS = re.compile(
    r"\b(?:pt|pat|patient|initials|name)\b[.:]? ((?:[a-z]\.[ -]?){1,2}[a-z]\.)(?!\w)|"
    r"\b(?:tech|technologist|operator|op|mta|mtra|reader|initials|init|signed|typed|dictated)(?: by)?"
    r" ?[:=] ?(?!(?:mrs?|ms|dr|prof|miss|sr|sra)\b)([a-z]{2,4})(?!\w)"
)
# `1144 Willowbrook St. AX T1`, but also `12 leads, Dr. Miller`: a street unless the vocabulary knows
# the word before (group 1).
PERHAPS_STREET = re.compile(
    rf"{_HOUSE}(?:[^\W\d_][\w'’.]*\s+){{0,2}}"
    r"([^\W\d_][\w'’]*|\d{1,3}(?:st|nd|rd|th))\s+(?:dr|st)\b\.?"
)
IDENTIFYING = tuple(
    re.compile(one)
    for one in (*DATES, *_PERSON_NUMBERS, *_CONTACT, *_PHONES, *_TIMES, *_ADDRESSES, *_AGES)
)
# For technical text: what could only be a person's or a day; version numbers stay.
HARD = tuple(
    re.compile(one)
    for one in (
        r"(?<![\d.])(?:19|20)\d\d([-/. ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?:[t ]?\d{4,6})?(?!\d|\.\d)",
        r"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])([-/])(?:0?[1-9]|[12]\d|3[01])\1(?:(?:19|20)?\d\d)(?!\d|\.\d)",
        *SPOKEN_DATES,
        *_PERSON_NUMBERS,
        # 9.9.24 is a version, unless something tells that a day is meant
        r"\b(?:prior|prev|previous|compared?(?: to| with)?|since|dob|born|seen|dated|exam|visit"
        r"|scanned|biopsy|surgery|vom|geboren|geb)\W{1,3}"
        r"(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.\d\d(?!\d|\.\d)",
        _PHONES[0],
        _PHONES[-1],
        # 01 23 45 67 89, 030 1234 5678; with points it is a version
        r"(?<![\d.])(?:0\d(?: \d\d){4}|0\d{1,4}[ -]\d{3,4}[ -]\d{4})(?!\d|\.\d)",
        r"(?<![\d.])(?:18|19|20)\d\d([-/])\d{1,2}\1\d{1,2}(?!\d|\.\d)",
        _IDEOGRAPHIC_DATE,
        r"\bip\b[ :=]*(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)",
        *_CONTACT[:2],
        r"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])([. ])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d(?!\d|\.\d)",
        *_ADDRESSES[:-2],
        # of machines at home; versions have four parts too
        r"(?<![\d.])(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?!\d|\.\d)",
        *_AGES,
        r"(?<![\d.])\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}(?!\d)",
        r"(?<![\d.])\d{7,}(?!\d|\.\d)",
    )
)
