"""
Hold outputs against the answer key.

Every identity is searched in the output's bytes, inflated where deflated, in every character set and
case; everything else is read with pydicom. Nothing here shares code with what is scored.
"""

import re
import unicodedata
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from tests.deid.adversary.answers import Case, Category, Path, Secret
from tests.deid.adversary.door import Through
from tests.deid.adversary.planting import at
from tests.deid.adversary.seen import pixels

CODECS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
STANDARD = "1.2.840.10008."
CODES = {"113100", "113101", "113103", "113104", "113105", "113107", "113108", "113111"}


@dataclass(slots=True)
class Score:
    """Checks that held and checks there were, by category; what failed; what leaked where."""

    held: Counter[Category] = field(default_factory=Counter)
    asked: Counter[Category] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    leaks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    withheld: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Percent of all checks."""
        return 100 * self.held.total() / max(1, self.asked.total())

    def check(self, category: Category, holds: bool, case: Case, place: str) -> bool:
        """Count one check."""
        self.asked[category] += 1
        self.held[category] += holds
        if not holds:
            self.failures.append(f"{case.name}: {category}: {place}")
        return holds

    def told(self) -> str:
        """The score in lines."""
        lines = [
            f"{self.total:.3f} % of {self.asked.total()} checks; {len(self.leaks)} objects leaking"
        ]
        for category in Category:
            if self.asked[category]:
                share = 100 * self.held[category] / self.asked[category]
                lines.append(f"  {category:20} {share:7.2f} % of {self.asked[category]}")
        return "\n".join(lines)


def scored(cases: Sequence[Case], treat: Callable[[bytes], Through]) -> Score:
    """Put a set through and hold every output against its key."""
    score = Score()
    seen = _Consistency(score)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases:
            one = treat(case.source)
            if one.content is None:
                score.withheld[case.name] = one.reason
                score.check(Category.OUTPUT, case.document, case, f"withheld: {one.reason}")
                if one.first_look is not None:
                    _removed(score, case, one.first_look, "first look, held back: ")
                continue
            score.check(Category.OUTPUT, True, case, "")
            _object(score, seen, case, one.content)
    seen.finish()
    return score


def _object(score: Score, seen: "_Consistency", case: Case, output: bytes) -> None:
    _removed(score, case, output)
    try:
        after = dcmread(BytesIO(output))
        for element in after.iterall():
            element.value  # noqa: B018 - decodes
    except Exception as error:
        score.check(Category.VALID, False, case, f"pydicom cannot read it: {type(error).__name__}")
        return
    score.check(Category.VALID, True, case, "readable")
    for path, value in case.kept:
        found = at(after, path)
        score.check(
            Category.RETAINED,
            _same(found, value),
            case,
            f"{told(path)} was {value!r} is {found!r}"[:200],
        )
    spoken = set(_spoken(after))
    for secret in case.secrets:
        if "word" in secret.codecs:
            gone = secret.value.upper() not in spoken
            if not gone:
                score.leaks[case.name].append(f"{secret.value!r} {secret.place}")
            score.check(Category.REMOVED, gone, case, f"the word {secret.value!r} stands in a text")
    for path, words in case.words:
        text = f" {_text(at(after, path))} "
        for word in words:
            score.check(
                Category.TEXT_KEPT,
                _holds(text, word),
                case,
                f"{told(path)} lost {word!r}: {text[:90]!r}",
            )
    for path in case.absent:
        score.check(Category.REMOVED, at(after, path) is None, case, f"{told(path)} is there")
    for path in case.present:
        score.check(Category.VALID, bool(_text(at(after, path))), case, f"{told(path)} is empty")
    seen.see(case, after)
    _markers(score, case, after, output)
    _whole(score, case, after)
    for category, holds, place in pixels(case, output):
        score.check(category, holds, case, place)


def _spoken(dataset: Dataset) -> Iterator[str]:
    """The words of every text, in capitals."""
    for element in dataset.iterall():
        if element.VR in ("LO", "SH", "ST", "LT", "UT", "UC", "PN"):
            for value in _values(element.value):
                yield from re.findall(r"[^\W\d_]+", value.upper())


# --- what must be gone ----------------------------------------------------------------------


def inflated(output: bytes) -> bytes:
    """The bytes of a file, its dataset inflated where it is deflated."""
    start = 144 + int.from_bytes(output[140:144], "little")
    syntax = DeflatedExplicitVRLittleEndian.encode() + b"\0"
    if syntax in output[:start] or output[:start].endswith(syntax[:-1]):
        return output[:start] + zlib.decompress(output[start:], -zlib.MAX_WBITS)
    return output


def needles(secret: Secret) -> Iterator[bytes]:
    """How a value could stand in bytes."""
    if "hex" in secret.codecs:
        yield bytes.fromhex(secret.value)
        return
    if "word" in secret.codecs:
        return  # too short to be looked for in bytes
    folded = "".join(
        char
        for char in unicodedata.normalize("NFKD", secret.value)
        if not unicodedata.combining(char)
    )
    said = {
        secret.value,
        secret.value.upper(),
        secret.value.lower(),
        folded,
        folded.upper(),
        folded.lower(),
    }
    said |= {unicodedata.normalize("NFD", secret.value)}
    for text in said:
        for codec in (*CODECS, *secret.codecs):
            try:
                needle = text.encode(codec)
            except (UnicodeEncodeError, LookupError):
                continue
            if codec == "iso2022_jp":
                needle = (
                    needle.replace(b"\x1b$B", b"").replace(b"\x1b(B", b"").replace(b"\x1b$@", b"")
                )
            if len(needle) > 3:
                yield needle


def _removed(score: Score, case: Case, output: bytes, before: str = "") -> None:
    body = inflated(output)
    plain = body.lower()
    for secret in case.secrets:
        exact = "hex" in secret.codecs
        # In one case of letters what is ASCII is a few needles, not some dozens.
        wanted = dict.fromkeys(
            (one, False) if exact or not one.isascii() else (one.lower(), True)
            for one in needles(secret)
        )
        found = next((one for one, small in wanted if one in (plain if small else body)), None)
        where = ""
        if found is not None:
            where = f"planted at {secret.place}, found {_located(body, output, found)}"
            if not before:
                score.leaks[case.name].append(f"{secret.value[:40]!r} {where}")
        score.check(Category.REMOVED, found is None, case, f"{before}{secret.value[:40]!r} {where}")


def _located(body: bytes, output: bytes, needle: bytes) -> str:
    """Where in an output a value stands: the path of the element, or the offset."""
    try:
        after = _read(output)
        paths = list(_holding(after, needle, ()))
        paths += [
            f"meta {element.keyword}"
            for element in after.file_meta
            if needle.lower() in str(element.value).lower().encode("utf-8", "ignore")
        ]
        if paths:
            return ", ".join(paths[:4])
    except Exception:
        return "in an unreadable output"
    return f"at byte {body.lower().find(needle.lower())} of {len(body)}"


@lru_cache(maxsize=1)
def _read(output: bytes) -> Dataset:
    """An output that holds one value often holds another."""
    return dcmread(BytesIO(output))


def _holding(dataset: Dataset, needle: bytes, path: Path) -> Iterator[str]:
    for element in dataset:
        here = (*path, element.keyword or f"{element.tag:08X}")
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _holding(item, needle, (*here, number))
            continue
        value = element.value
        if isinstance(value, bytes):
            said = [value]
        else:
            text = (
                "\\".join(map(str, value)) if isinstance(value, (list, MultiValue)) else str(value)
            )
            said = [
                text.encode(codec, "ignore")
                for codec in (
                    "utf-8",
                    "latin-1",
                    "iso2022_jp",
                    "gb18030",
                    "euc_kr",
                    "iso8859_5",
                    "iso8859_7",
                    "shift_jis",
                )
            ]
        if any(needle.lower() in one.lower() for one in said):
            yield told(here)


# --- what must be the same everywhere -------------------------------------------------------


class _Consistency:
    """UIDs, pseudonyms and date offsets over all objects of a set."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.uids: dict[str, str] = {}
        self.pseudonyms: dict[int, str] = {}
        self.offsets: dict[int, int] = {}
        self.originals: set[str] = set()

    def see(self, case: Case, after: Dataset) -> None:
        """Take one object in."""
        check = self.score.check
        before = case.dataset
        for path in case.uids:
            old, new = str(at(before, path)), _text(at(after, path))
            changed = (
                new.startswith("2.25.") and len(new) <= 64 and new != old and UID(new).is_valid
            )
            check(Category.UID_CHANGED, changed, case, f"{told(path)}: {new[:40]!r}")
            known = self.uids.setdefault(old, new) if new else ""
            check(Category.UID_CONSISTENT, bool(new) and known == new, case, told(path))
        theirs = {one for one in _uids(before) if not one.startswith(STANDARD)}
        self.originals |= theirs
        left = [one for one in _uids(after) if one in theirs]
        check(Category.UID_CHANGED, not left, case, "an original UID is left")
        meta = str(after.file_meta.get("MediaStorageSOPInstanceUID", ""))
        check(
            Category.UID_CONSISTENT,
            meta == str(after.get("SOPInstanceUID", "")),
            case,
            "file meta UID",
        )
        check(
            Category.VALID,
            after.file_meta.get("MediaStorageSOPClassUID") == after.get("SOPClassUID"),
            case,
            "file meta SOP class",
        )
        self._patient(case, after)
        self._dates(case, after)

    def _patient(self, case: Case, after: Dataset) -> None:
        new = _text(after.get("PatientID"))
        known = self.pseudonyms.setdefault(case.patient, new)
        self.score.check(Category.PATIENT_CONSISTENT, bool(new) and known == new, case, "PatientID")
        if case.age is not None:
            aged = _text(after.get("PatientAge"))
            good = (case.age,) if case.age != "089Y" else ("089Y", "090Y", "089Y+")
            self.score.check(
                Category.RETAINED,
                aged in good,
                case,
                f"PatientAge is {aged!r}, is to be {case.age}",
            )
        born = _text(after.get("PatientBirthDate"))
        self.score.check(
            Category.REMOVED,
            born != _text(case.dataset.get("PatientBirthDate")) or not born,
            case,
            "birth date",
        )

    def _dates(self, case: Case, after: Dataset) -> None:
        for path in case.dated:
            for old, new in zip(
                _values(at(case.dataset, path)), _values(at(after, path)) or [""], strict=False
            ):
                one, two = _day(old), _day(new)
                if one is None or two is None:
                    self.score.check(
                        Category.DATE_SHIFTED, False, case, f"{told(path)}: {old!r} is {new!r}"
                    )
                    continue
                days = (one - two).days
                known = self.offsets.setdefault(case.patient, days)
                same = days == known and days != 0 and old[8:] == new[8:]
                self.score.check(
                    Category.DATE_SHIFTED,
                    same,
                    case,
                    f"{told(path)}: {old!r} is {new!r}, {days} not {known}",
                )

    def finish(self) -> None:
        """What can only be said of all: nothing was mapped onto one."""
        nobody = Case("all", -1)
        new = [uid for uid in self.uids.values() if uid]
        self.score.check(
            Category.UID_CONSISTENT, len(set(new)) == len(new), nobody, "two UIDs became one"
        )
        people = list(self.pseudonyms.values())
        self.score.check(
            Category.PATIENT_CONSISTENT,
            len(set(people)) == len(people),
            nobody,
            "two patients became one",
        )
        days = Counter(self.offsets.values()).most_common(1)
        self.score.check(
            Category.DATE_SHIFTED,
            not days or days[0][1] < max(3, len(self.offsets) // 4),
            nobody,
            "offsets alike",
        )


def _uids(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.VR == "UI" and element.value:
            yield from _values(element.value)


# --- markers and form -----------------------------------------------------------------------


def _markers(score: Score, case: Case, after: Dataset, output: bytes) -> None:
    def check(holds: bool, place: str) -> None:
        score.check(Category.MARKERS, holds, case, place)

    check(after.get("PatientIdentityRemoved") == "YES", "PatientIdentityRemoved")
    check(bool(after.get("DeidentificationMethod")), "DeidentificationMethod")
    named = {
        str(code.get("CodeValue")) for code in after.get("DeidentificationMethodCodeSequence", [])
    }
    check(named >= CODES, f"DeidentificationMethodCodeSequence lacks {sorted(CODES - named)}")
    check(
        after.get("LongitudinalTemporalInformationModified") == "MODIFIED", "LongitudinalTemporal"
    )
    if "PixelData" in case.dataset or "FloatPixelData" in case.dataset:
        check(after.get("BurnedInAnnotation") == "NO", "BurnedInAnnotation")
    check(output[:128] == bytes(128) and output[128:132] == b"DICM", "preamble")
    meta = {element.keyword for element in after.file_meta}
    own = {
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
        "ImplementationClassUID",
        "ImplementationVersionName",
    }
    check(meta <= own, f"file meta holds {sorted(meta - own)}")


TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
TYPE_1 = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")


def _whole(score: Score, case: Case, after: Dataset) -> None:
    for keyword in TYPE_1:
        score.check(Category.VALID, bool(_text(after.get(keyword))), case, f"{keyword} is empty")
    for keyword in TYPE_2:
        score.check(Category.VALID, keyword in after, case, f"{keyword} is missing")
    score.check(
        Category.VALID,
        "PixelData" not in case.dataset or "PixelData" in after,
        case,
        "PixelData is missing",
    )
    empty = [
        element.keyword
        for element in after.iterall()
        if element.VR == "SQ" and any(len(item) == 0 for item in element.value) and element.value
    ]
    had = [
        element.keyword
        for element in case.dataset.iterall()
        if element.VR == "SQ" and any(len(item) == 0 for item in element.value)
    ]
    score.check(
        Category.VALID, not set(empty) - set(had), case, f"empty items in {sorted(set(empty))}"
    )


# --- comparing ------------------------------------------------------------------------------


def told(path: Iterable[str | int]) -> str:
    """A path in words."""
    return "/".join(
        f"{step:08X}" if isinstance(step, int) and step > 10**5 else str(step) for step in path
    )


def _values(value: object) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, (list, tuple, MultiValue)):
        return [str(one) for one in value]
    return [str(value)]


def _text(value: object) -> str:
    if hasattr(value, "value"):
        value = value.value
    return "\\".join(_values(value))


def _same(found: object, value: object) -> bool:
    if found is None:
        return False
    if isinstance(value, bytes) or isinstance(found, bytes):
        return (
            bytes(found) == bytes(value)
            if isinstance(found, bytes) and isinstance(value, bytes)
            else False
        )
    one, two = _values(found), _values(value)
    if one == two:
        return True
    try:
        return len(one) == len(two) and all(
            abs(float(a) - float(b)) <= 1e-6 * max(1, abs(float(b)))
            for a, b in zip(one, two, strict=True)
        )
    except ValueError:
        return [each.strip() for each in one] == [each.strip() for each in two]


def _holds(text: str, word: str) -> bool:
    """The word stands in the text, by itself."""
    start = -1
    while (start := text.find(word, start + 1)) >= 0:
        end = start + len(word)
        if not (text[start - 1].isalnum() and word[0].isalnum()) and not (
            end < len(text) and text[end].isalnum() and word[-1].isalnum()
        ):
            return True
    return False


def _day(value: str) -> date | None:
    try:
        return datetime.strptime(value[:8], "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
