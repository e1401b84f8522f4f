"""
Every way in which a name, a number or a day could be written in bytes, for the second look alone.

The cleaner's spellings are made elsewhere (`identifiers.py`): neither knows of the other.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from pydicom.datadict import DicomDictionary

# Words any object may hold, whatever its patient is called, besides the names of attributes: body
# parts (PS3.16 annex L), what is said of scans, and who makes the machines.
COMMON = (
    "abd abdomen abdominal adc adult angiography ankle anonymized anonymous aorta arm artery "
    "axial axilla baby back bilateral bladder bone bones bowel boy brain breast breath calf "
    "cardiac carotid caudal cerebral cervical chest child chin clavicle coccyx colon colour con "
    "contrast cor coronal coronary cranial cta decubitus delayed doctor dorsal dsa dwi ear elbow "
    "enhancement epi erect exam examination expiratory extremity eye eyes face facial fast fat "
    "feet female femur fibula field finger fingers flair foot foramen forearm forefoot frontal "
    "fse full gallbladder generic girl gre half hand hands head heart heel helical high hip hips "
    "humerus iliac image images infant inferior inspiration inspiratory jaw joint joints kidney "
    "kidneys knee knees larynx lat lateral left leg legs lip lips liver localiser long lumbar "
    "lung lungs male man mandible maxilla mean medial mediastinum middle minutes mip mode mouth "
    "movie mra mrcp mri mrv nasal native neck new newborn noncontrast none nose nurse obl old "
    "operator orbit orbits original other ovary palm palmar pancreas parotid patella patient ped "
    "pediatric pel pelv pelvic pelvis perfusion phantom physician pituitary plain plantar portal "
    "posterior primary prone prostate pulmonary radiologist recon reformat reformatted removed "
    "renal report rib ribs right routine sacrum sag sagittal sat save scan scapula scout screen "
    "sec secondary series sharp short shoulder shoulders sinus sinuses skin skull slow smooth "
    "spect spinal spine spleen standard static sternum stir stomach study superior supine "
    "suppressed survey surview swi technologist teeth temple test testis thick thigh thin "
    "thoracic thorax throat thumb thyroid tibia toe toes tof tongue tooth topogram total tra "
    "trachea trans tse unknown upright ureter urinary uterus vagina vascular vein venous ventral "
    "vertebra vessel view views water whole with without woman wrist "
    "agfa bruker canon carestream esaote fuji fujifilm general electric hitachi hologic kodak konica "
    "medical minolta philips picker samsung shimadzu siemens toshiba varian systems healthcare imaging"
)
_WORDS = re.compile(r"[^\W\d_]+")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_CODECS = ("utf-8", "utf-16-le", "utf-16-be")
_SCRIPT_CODECS = (
    "latin-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-15 "
    "tis-620 cp1250 cp1251 cp1252 gb18030 big5 shift_jis euc_jp euc_kr iso2022_jp iso2022_jp_2 iso2022_kr"
)


class Trace(StrEnum):
    """What kind of identifier remained, or what else speaks against an output."""

    NAME = "name"
    IDENTIFIER = "identifier"
    DATE = "date"
    UID = "uid"
    PATTERN = "pattern"
    MARKER = "marker"
    LEFT_OVER = "left-over"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """What to look for, as bytes in lower case: one for all slices of a patient, equal to itself.

    `needles` anywhere in the header; `cores`, long ones, in what lies among pixels too; `squeezed`
    in texts without their punctuation; `short` as words of texts; `days` written with months, where one of
    `months` stands.
    """

    needles: tuple[tuple[bytes, Trace], ...]
    cores: tuple[tuple[bytes, Trace], ...]
    squeezed: tuple[tuple[bytes, Trace], ...]
    short: re.Pattern[bytes] | None
    days: re.Pattern[bytes] | None
    months: tuple[bytes, ...]
    words: frozenset[str]

    def __repr__(self) -> str:
        return f"Identity({len(self.needles)} needles)"


@cache
def common() -> frozenset[str]:
    """Words that are no trace by themselves."""
    return frozenset(COMMON.split()) | frozenset(
        word.casefold() for entry in DicomDictionary.values() for word in _WORDS.findall(entry[2])
    )


class Spelt:
    """The spellings that were gathered."""

    def __init__(self) -> None:
        self.needles: dict[bytes, Trace] = {}
        self.cores: dict[bytes, Trace] = {}
        self.squeezed: dict[bytes, Trace] = {}
        self.short: set[bytes] = set()
        self.days: set[str] = set()
        self.words: set[str] = set()
        self.months: set[bytes] = set()

    def name(self, name: str) -> None:
        """One component group of a PN."""
        name = unicodedata.normalize("NFC", name.strip(" ^\0"))
        parts = [part for part in (part.strip() for part in name.split("^")) if part]
        told = [word for part in parts for word in _WORDS.findall(part)]
        telling = [word for word in told if word.casefold() not in common()]
        for word in telling:
            self.words.add(word.casefold())
            if word.isascii() and len(word) < 4:
                if len(word) == 3:
                    self.short.add(word.lower().encode())
                continue
            self.add(word, Trace.NAME, least=4)
            if word.isascii() and len(word) > 5:
                self.cores.setdefault(word.lower().encode(), Trace.NAME)
                if len(word) > 6:
                    self.squeezed.setdefault(word.lower().encode(), Trace.NAME)
        if len(parts) > 1 and telling and all(len(word) < 4 and word.isascii() for word in telling):
            # Longer words are found wherever they stand; short ones only in company.
            for spelling in _pairs(parts[0], parts[1]):
                self.add(spelling, Trace.NAME, least=5)

    def number(self, number: str) -> None:
        """An identifier: as it is written, without punctuation, without leading zeros."""
        digits = any(map(str.isdigit, number))
        if not digits and all(word.casefold() in common() for word in _WORDS.findall(number)):
            return
        bare = "".join(char for char in number if char.isalnum())
        short = bare.lstrip("0")
        for spelling in (number, bare, short):
            self.add(spelling, Trace.IDENTIFIER, least=6 if spelling.isdigit() else 5)
        if len(short) > 6 and short.isascii() and any(char.isdigit() for char in short):
            self.squeezed.setdefault(short.lower().encode(), Trace.IDENTIFIER)
        if len(number) > 5 and number.isascii():
            self.cores.setdefault(number.lower().encode(), Trace.IDENTIFIER)

    def place(self, place: str) -> None:
        """A place: as a whole, unless everybody's objects could say so."""
        if any(len(word) > 2 and word.casefold() not in common() for word in _WORDS.findall(place)):
            self.add(place, Trace.IDENTIFIER, least=6)

    def day(self, digits: str) -> None:
        """A day in the orders and with the marks in use."""
        year, month, day = digits[:4], digits[4:6], digits[6:]
        for one, two, three in ((year, month, day), (day, month, year), (month, day, year)):
            for between in ("", "-", "/", "."):
                self.add(between.join((one, two, three)), Trace.DATE, least=8)
        if month.isdigit() and 1 <= int(month) <= 12:
            self.months.add(_MONTHS[int(month) - 1].encode())
            said = _MONTHS[int(month) - 1] + "[a-z]{0,6}"
            gap, number = r"[ ,./_-]{0,2}", rf"0?{int(day)}(?:st|nd|rd|th)?"
            which = rf"(?:{year[:2]})?{year[2:]}(?!\d)"
            self.days.add(rf"(?<!\d){number}{gap}(?:of )?{said}{gap}{which}")
            self.days.add(rf"{said}{gap}{number}{gap}{which}")
            self.days.add(rf"(?<!\d){year}{gap}{said}{gap}{number}(?!\d)")

    def add(self, text: str, kind: Trace, least: int) -> None:
        """A text in every encoding it could have been written in, in both cases."""
        text = text.strip(" \0")
        if len(text) < (least if text.isascii() else 2):
            return
        if text.isascii():
            self.needles.setdefault(text.lower().encode(), kind)
            if kind is not Trace.DATE:  # both byte orders of UTF-16 have this in common
                self.needles.setdefault(text.lower().encode("utf-16-le")[:-1], kind)
            return
        for variant in {text, text.lower(), text.upper()}:
            for codec in (*_CODECS, *_SCRIPT_CODECS.split()):
                try:
                    raw = variant.encode(codec)
                except UnicodeEncodeError:
                    continue
                raw = raw.split(b"\x1b(")[0] if codec.startswith("iso2022") else raw
                if len(raw) > 3:
                    self.needles.setdefault(raw.lower(), kind)
        bare = "".join(
            char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)
        )
        if bare.isascii() and len(bare) >= least:
            self.add(bare, kind, least)

    def identity(self) -> Identity:
        """Ready to be looked for."""
        short = b"|".join(sorted(self.short))
        days = "|".join(sorted(self.days)).encode()
        return Identity(
            tuple(self.needles.items()),
            tuple(self.cores.items()),
            tuple(self.squeezed.items()),
            re.compile(rb"(?<![a-z])(?:" + short + rb")(?![a-z])") if short else None,
            re.compile(days) if days else None,
            tuple(sorted(self.months)),
            frozenset(word for word in self.words if len(word) > 3),
        )


def _pairs(one: str, two: str) -> Iterator[str]:
    for between in (" ", ", ", "_", "-", "", "^", ",", "."):
        yield f"{one}{between}{two}"
        yield f"{two}{between}{one}"
