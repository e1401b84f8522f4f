"""
The second look: does an output still say who it was?

It shares nothing with the first look but pydicom's dictionary, and reads the original for itself
(`flat.py`, `identity.py`, `spellings.py`). Three searches: every byte of the output but the extent of its samples,
inflated where deflated, for the original's identifiers in every spelling and character set; its
texts for what is shaped like an identifier; and, when asked, every value as pydicom decodes it. A
trace names a kind and never what was found.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.tag import BaseTag

from app.deid.flat import PIXELS, Flat, Unreadable, flat
from app.deid.identity import identity, read
from app.deid.spellings import Identity, Trace

__all__ = ["Trace", "second_look"]

_FREE_TEXT = frozenset([b"LO", b"LT", b"SH", b"ST", b"UC", b"UT", b"PN", b"AE", b"UR"])
_UID = re.compile(rb"[0-2](?:\.\d+){3,}")
_WORDS = re.compile(r"[^\W\d_]+")
_SHAPES = (
    r"\b\d{3}-\d{2}-\d{4}\b|\w@[\w-]+\.\w|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b"
    r"|\b(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:19|20)\d\d\b|\b(?:19|20)\d\d-[01]\d-[0-3]\d\b"
    r"|\b(?:MRN|SSN|DOB)\b[ :#=]{1,3}[A-Z]?\d{5}|https?://(?!removed\.invalid)"
)
_SHAPES_OF_TEXT, _SHAPES_OF_BYTES = re.compile(_SHAPES), re.compile(_SHAPES.encode())
_STAND_IN = re.compile(r"[A-Z2-7]{16}|REMOVED|")
_TEXT = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "UR", "CS"))
_BULK = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "UN"))
_PUNCTUATION = b" -./_,^=\t\0"
_SMALL = 1 << 16
_FRAGMENT_HEAD, _FRAGMENT_TAIL = 4096, 1024


logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # it repeats values too


def second_look(
    source: bytes, output: bytes, *, decode: bool = True, staying: frozenset[int] = frozenset()
) -> frozenset[Trace]:
    """Read an original and look for it in its output; what cannot be read cannot be cleared.

    `decode` asks for the third search too; `staying` are the tags whose values the policy lets stay,
    such as an institution's that is to be known.
    """
    try:
        told, uids = read(flat(source, whole=False), staying)
        known = identity(told)
        seen = flat(output)
    except Unreadable:
        return frozenset({Trace.UNREADABLE})
    traces = _searched(known, uids, output, seen)
    if decode:
        # pydicom's warnings repeat values: they must reach no log.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traces |= _decoded(output, known.words)
    return frozenset(traces)


def _searched(known: Identity, uids: frozenset[bytes], output: bytes, seen: Flat) -> set[Trace]:
    """The first two searches: all bytes, and all texts."""
    traces: set[Trace] = set()
    if any(output[:128]) or output[128:132] != b"DICM":
        traces.add(Trace.LEFT_OVER)
    header, among = _parted(seen)
    for needle, kind in known.needles:
        if kind not in traces and _stands(header, needle):
            traces.add(kind)
    if any(uid in header for uid in uids) and not uids.isdisjoint(_UID.findall(header)):
        traces.add(
            Trace.UID
        )  # what is among those found stands in the header: that is quicker told
    for needle, kind in known.cores if among else ():
        if _stands(among, needle):
            traces.add(kind)
    texts = b"\n".join(
        seen.body[start:stop] for tag, vr, start, stop in seen.values if vr in _FREE_TEXT
    )
    searched = _in_texts if len(texts) < _SMALL else _in_texts.__wrapped__
    return traces | searched(known, texts)


@lru_cache(maxsize=64)  # most slices of a series say the same
def _in_texts(known: Identity, texts: bytes) -> frozenset[Trace]:
    """The second search: texts, one a line."""
    traces: set[Trace] = set()
    if _SHAPES_OF_BYTES.search(texts):
        traces.add(Trace.PATTERN)
    texts = texts.lower()
    spoken = any(month in texts for month in known.months)
    if spoken and known.days is not None and known.days.search(texts):
        traces.add(Trace.DATE)
    if known.short is not None and known.short.search(texts):
        traces.add(Trace.NAME)
    if known.squeezed:
        bare = texts.translate(None, _PUNCTUATION)
        for needle, kind in known.squeezed:
            if _stands(bare, needle, least=7):
                traces.add(kind)
    return frozenset(traces)


def _parted(seen: Flat) -> tuple[bytes, bytes]:
    """In lower case: all that is no sample, and what lies at the seams of samples or hides there.

    Samples are skipped by their extent: of native pixels what Rows, Columns and the rest say, of
    compressed ones what is between the head (with its comments) and the tail of each fragment.
    """
    body = seen.body
    skipped: list[tuple[int, int]] = []
    among: list[bytes] = []
    for tag, _, start, stop in seen.values:
        if tag == PIXELS and stop - start > _SMALL:
            end = min(stop, start + _extent(seen))
            skipped.append((start, end))
        elif tag == PIXELS:
            skipped.append((start, stop))
            among.append(body[start:stop])
    for _, _, start, stop in seen.fragments:
        head, tail = start + _FRAGMENT_HEAD, stop - _FRAGMENT_TAIL
        if head >= tail:
            head = tail = stop
        among.append(body[start:head])
        among.append(body[tail:stop])
        skipped.append((start, stop))
    kept: list[bytes] = []
    at = 0
    for start, stop in sorted(skipped):
        kept.append(body[at:start])
        at = stop
    kept.append(body[at:])
    return b"\n".join(kept).lower(), b"\n".join(among).lower()


def _extent(seen: Flat) -> int:
    """Bytes that the samples of native pixel data take."""
    order = "little" if seen.little else "big"
    said: dict[int, bytes] = {}
    for tag, _, start, stop in seen.values:
        if tag in _LAYOUT and tag not in said:  # the first one, wherever it stands
            said[tag] = seen.body[start:stop]

    def number(tag: int, otherwise: int) -> int:
        value = said.get(tag, b"")[:2]
        return int.from_bytes(value, order) if value else otherwise  # type: ignore[arg-type]

    frames = said.get(0x00280008, b"").strip(b"\0 ")
    samples = number(0x00280010, 0) * number(0x00280011, 0) * number(0x00280002, 1)
    bits = samples * (int(frames) if frames.isdigit() else 1) * number(0x00280100, 16)
    if said.get(0x00280004, b"").strip(b"\0 ") == b"YBR_FULL_422":
        bits = bits * 2 // 3
    return (bits + 7) // 8


def _stands(body: bytes, needle: bytes, least: int = 11) -> bool:
    """Is it there? Short ones count where no letter or digit touches them, long ones everywhere."""
    at = body.find(needle)
    if at < 0:
        return False
    if len(needle) >= least and not needle.isdigit():
        return True
    numeric, apart = needle.isdigit(), _LETTERS if needle.isalpha() else _DIGITS
    while at >= 0:
        begin = at
        while numeric and body[begin - 1 : begin] == b"0":
            begin -= 1
        before, after = body[begin - 1 : begin], body[at + len(needle) : at + len(needle) + 1]
        touched = before in apart or after in apart
        if not (touched or (numeric and (before == b"." or after == b"."))):
            return True
        at = body.find(needle, at + 1)
    return False


_LAYOUT = frozenset((0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100))
_LETTERS = frozenset(bytes([code]) for code in b"abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset(bytes([code]) for code in b"0123456789")


def _decoded(output: bytes, words: frozenset[str]) -> set[Trace]:
    """Every value as pydicom reads it: shapes, stand-ins, markers, and what must be gone."""
    traces: set[Trace] = set()
    try:
        read = dcmread(BytesIO(output))
        for tag, vr, value in _values(read):
            traces |= _wrong(tag, vr, value, words)
        marked = read.get("PatientIdentityRemoved") == "YES" and bool(
            read.get("DeidentificationMethodCodeSequence")
        )
        same = read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    except Exception:  # whatever pydicom cannot read, nobody should be sent
        return {Trace.UNREADABLE}
    if not marked or not same:
        traces.add(Trace.MARKER)
    return traces


def _values(dataset: Dataset) -> Iterator[tuple[BaseTag, str, object]]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _values(item)
        else:
            yield element.tag, element.VR, element.value


def _wrong(tag: BaseTag, vr: str, value: object, words: frozenset[str]) -> set[Trace]:
    if tag.group & 0xFF00 in (0x5000, 0x6000) and not tag.group & 1:
        return {Trace.LEFT_OVER}
    if tag in (0x04000561, 0xFFFCFFFC, 0xFFFAFFFA, 0x00880200, 0x00420011):
        return {Trace.LEFT_OVER}
    if vr in _BULK or value in (None, "") or vr not in _TEXT:
        return set()
    text = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    if vr == "PN" and not all(_STAND_IN.fullmatch(part) for part in re.split(r"[\\^=]", text)):
        return {Trace.NAME}
    found = {Trace.PATTERN} if _SHAPES_OF_TEXT.search(text) else set()
    if words and any(word.casefold() in words for word in _WORDS.findall(text)):
        found.add(Trace.NAME)
    return found
