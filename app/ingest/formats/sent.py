"""
One entry as it was sent, packed so that it can be sealed and opened again.

JSON entries are kept byte for byte. What a door learned beside the entry (headings nobody knows,
a member given twice) travels with it, because only the check turns it into findings.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import UnreadableSubmission
from app.registries.findings import FindingCode

ENTRY_LIMIT = 1024 * 1024
"""Bytes of one entry; no form of any registry comes near."""

ENTRY = "entry"
"""The purpose under which entries as sent are sealed."""

_AS_SENT = b"0"
_ENVELOPE = b"1"


@dataclass(frozen=True, slots=True)
class RawEntry:
    """What a door hands on: packed content, or what makes it unusable."""

    content: bytes
    flaw: FindingCode | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An opened entry. `flaw` says that there is nothing to check."""

    form: object = None
    action: object = None
    elements: dict[str, Any] | None = None
    repeated: Sequence[str] = ()
    """Members of `elements` given more than once."""
    strangers: Sequence[str] = ()
    """Places of members or columns that the entry should not have."""
    flaw: FindingCode | None = None


def as_sent(content: bytes) -> RawEntry:
    """An entry that is a JSON text of its own."""
    if len(content) > ENTRY_LIMIT:
        return RawEntry(b"", FindingCode.TOO_LARGE)
    return RawEntry(_AS_SENT + content)


def packed(
    entry: object, *, repeated: Sequence[str] = (), strangers: Sequence[str] = ()
) -> RawEntry:
    """An entry that was taken apart by its door."""
    try:
        content = orjson.dumps({"entry": entry, "repeated": repeated, "strangers": strangers})
    except TypeError:  # nested deeper than orjson writes
        return RawEntry(b"", FindingCode.NOT_AN_ENTRY)
    if len(content) > ENTRY_LIMIT:
        return RawEntry(b"", FindingCode.TOO_LARGE)
    return RawEntry(_ENVELOPE + content)


def opened(content: bytes) -> Sent:
    """The entry behind packed content."""
    if not content:
        return Sent(flaw=FindingCode.NOT_AN_ENTRY)
    try:
        document = orjson.loads(memoryview(content)[1:])
    except orjson.JSONDecodeError:
        return Sent(flaw=FindingCode.NOT_AN_ENTRY)
    repeated: Sequence[str] = ()
    strangers: list[str] = []
    if content[:1] == _ENVELOPE:
        repeated, strangers, document = (
            document["repeated"],
            document["strangers"],
            document["entry"],
        )
    elif not _is_plain(document, colons := content.count(b":")) and members(document) != colons:
        repeated = repeated_members(content[1:])
    if type(document) is not dict or type(document.get("elements")) is not dict:
        return Sent(flaw=FindingCode.NOT_AN_ENTRY)
    if not document.keys() <= _MEMBERS:
        strangers = [
            *strangers,
            *(
                f"member {number}"
                for number, name in enumerate(document, 1)
                if name not in _MEMBERS
            ),
        ]
    return Sent(
        document.get("form"),
        document.get("action"),
        document["elements"],
        repeated,
        strangers,
    )


_MEMBERS = frozenset({"form", "action", "elements"})


def _is_plain(document: object, colons: int) -> bool:
    """Whether the members of an entry and of its elements account for every colon.

    Most entries hold no other object and no colon in a value: they need not be walked through.
    """
    if type(document) is not dict:
        return False
    elements = document.get("elements")
    return type(elements) is dict and len(document) + len(elements) == colons


def members(document: object) -> int:
    """How many members all the objects of a document have.

    Every member has a colon. If a text has no more colons than its document has members, then
    no member was given twice: the common case is settled without a second parser.
    """
    count = 0
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            count += len(value)
            waiting += [one for one in value.values() if type(one) is dict or type(one) is list]
        elif type(value) is list:
            waiting += [one for one in value if type(one) is dict or type(one) is list]
    return count


class Members(dict[str, Any]):
    """An object that remembers which of its members were given more than once."""

    repeated: tuple[str, ...] = ()


def read_closely(text: bytes) -> Any:
    """A JSON document whose objects are `Members`: slower, and it sees what a dict forgets."""
    try:
        return json.loads(text, object_pairs_hook=_remember)
    except (ValueError, RecursionError):
        raise UnreadableSubmission("Send JSON that is nested less deeply.") from None


def repeated_members(text: bytes) -> Sequence[str]:
    """The members of one entry given more than once, its own and those of its elements."""
    try:
        entry = read_closely(text)
    except UnreadableSubmission:
        return ()
    if not isinstance(entry, Members):
        return ()
    return given_twice(entry)


def given_twice(entry: Members) -> Sequence[str]:
    """Members of an entry given more than once; in a row of a group as `models[0].kind`."""
    return (*entry.repeated, *_given_twice(entry.get("elements"), ""))


def _given_twice(level: object, at: str) -> Iterator[str]:
    if not isinstance(level, Members):
        return
    yield from (at + name for name in level.repeated)
    for name, rows in level.items():
        for number, row in enumerate(rows) if isinstance(rows, list) else ():
            yield from _given_twice(row, f"{at}{name}[{number}].")


def _remember(pairs: list[tuple[str, Any]]) -> Members:
    found = Members(pairs)
    if len(found) != len(pairs):
        given = Counter(name for name, _ in pairs)
        found.repeated = tuple(name for name, times in given.items() if times > 1)
    return found
