"""
The failures we expect, as one tree.

RegistryError
├── Unauthenticated            no key, or not one of ours
├── NotFound                   nothing by that name, or not yours to see
├── Forbidden                  you may see it, but not do this to it
├── Conflict                   it clashes with what we already hold
├── PreconditionFailed         it changed since you looked
├── Unprocessable              we understood the request and cannot use what it carries
│   ├── KeyUsedForOtherContent an Idempotency-Key came back with another body
│   ├── UnreadableSubmission   the whole delivery cannot be read
│   ├── VersionNotTaken        entries of that version of a definition are not taken at this moment
│   ├── InvalidDefinition      a definition has complaints
│   └── InvalidUseCase         an AI use case has complaints
├── Malformed                  not what the request's own headers promise
├── TooLarge                   more than the limit
├── UnsupportedMedia           a content type no door here takes
├── NotAcceptable              a content type we cannot answer in
├── Withheld                   it exists and may not be shown: a display or suppression rule
└── Unavailable                not now; ask again
    └── DiskFull               a disk has no room left for what had to be written

An error may name *our* things (a registry, a submission, an element, a row). It never
repeats a submitted value: messages are logged and sent out, and values may identify people.
"""

import errno
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID


class RegistryError(Exception):
    """An expected failure. Its message says what to do next."""

    code: ClassVar[str] = "registry-error"
    title: ClassVar[str] = "The request failed"


class Unauthenticated(RegistryError):
    """Nobody we know is asking."""

    code = "unauthenticated"
    title = "A valid key is needed"

    def __init__(
        self, message: str = "Send `Authorization: Bearer hk_…` with a key that is in force."
    ) -> None:
        super().__init__(message)


class NotFound(RegistryError):
    """Nothing by that name, or not the asker's to see: the two are not told apart."""

    code = "not-found"
    title = "Not found"


class Forbidden(RegistryError):
    """The asker may see it, but not do this to it."""

    code = "forbidden"
    title = "Not allowed with this key"


class Conflict(RegistryError):
    """It clashes with what is already held."""

    code = "conflict"
    title = "It clashes with what is already held"


class PreconditionFailed(RegistryError):
    """`If-Match` named a version that is no longer the current one."""

    code = "precondition-failed"
    title = "It changed since you looked"


class Unprocessable(RegistryError):
    """Understood, and of no use as it is."""

    code = "unprocessable"
    title = "The content cannot be used"


class KeyUsedForOtherContent(Unprocessable):
    """An Idempotency-Key came back with another body."""

    code = "idempotency-key-reused"
    title = "This Idempotency-Key belongs to other content"

    def __init__(self, earlier: UUID) -> None:
        super().__init__(
            f"This Idempotency-Key belongs to submission {earlier}. Use a new key for new content."
        )
        self.earlier = earlier


class UnreadableSubmission(Unprocessable):
    """The whole delivery cannot be read; `finding` is the code that says why."""

    code = "unreadable-submission"
    title = "The submission cannot be read"

    def __init__(self, message: str, finding: str = "unreadable") -> None:
        super().__init__(message)
        self.finding = finding


class VersionNotTaken(Unprocessable):
    """Entries of that version of a definition are not taken any more, or not yet; `successor` names the
    version that is taken now."""

    code = "version-not-taken"
    title = "Entries of this version are not taken now"

    def __init__(
        self,
        version: str,
        begins: datetime | None,
        ended: datetime | None,
        successor: str | None,
    ) -> None:
        if begins is not None:
            says = f"Entries of version {version} are taken from {_told(begins)}."
        elif ended is not None:
            says = f"Entries of version {version} were taken until {_told(ended - _SECOND)}."
        else:
            says = f"Entries of version {version} are not taken."
        then = f" Send entries of version {successor}." if successor else ""
        super().__init__(says + then)
        self.version, self.successor = version, successor
        self.taken_from = _told(begins) if begins is not None else None
        self.taken_until = _told(ended - _SECOND) if ended is not None else None


_SECOND = timedelta(seconds=1)


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class InvalidDefinition(Unprocessable):
    """A definition has complaints; each is one line with file and line number."""

    code = "invalid-definition"
    title = "The definition has complaints"

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = tuple(complaints)


class InvalidReportingModule(Unprocessable):
    """A reporting module has complaints; each is one line with its line number."""

    code = "invalid-reporting-module"
    title = "The reporting module has complaints"

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = tuple(complaints)


class InvalidUseCase(Unprocessable):
    """An AI use case has complaints; each is one line with its place: file and line, or a JSON Pointer."""

    code = "invalid-use-case"
    title = "The use case has complaints"

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = tuple(complaints)


class Malformed(RegistryError):
    """The bytes of a request are not what its headers promise."""

    code = "malformed"
    title = "The request is malformed"


class TooLarge(RegistryError):
    """More bytes than the limit; `limit` is in bytes."""

    code = "too-large"
    title = "Larger than the limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The limit is {limit} bytes. Split the content and send the parts.")
        self.limit = limit


class UnsupportedMedia(RegistryError):
    """A content type this door does not take; `allowed` lists those it does."""

    code = "unsupported-media-type"
    title = "This content type is not taken here"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("Send one of: " + ", ".join(allowed) + ".")
        self.allowed = tuple(allowed)


class NotAcceptable(RegistryError):
    """A content type we cannot answer in; `offered` lists those we can."""

    code = "not-acceptable"
    title = "Not available in that content type"

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__("Ask for one of: " + ", ".join(offered) + ".")
        self.offered = tuple(offered)


class Withheld(RegistryError):
    """It exists and may not be shown: a display or a suppression rule holds it back."""

    code = "withheld"
    title = "Not shown"


class Unavailable(RegistryError):
    """Not now; ask again."""

    code = "unavailable"
    title = "Not now"


class DiskFull(Unavailable):
    """A disk, or the quota on it, has no room left for what had to be written; `what` is kept there."""

    TOLD_BY: ClassVar[tuple[str, ...]] = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
    """What libraries that keep no error number repeat of the operating system's words."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The disk of {what} is full. Make room and start again: nothing was changed."
        )

    @classmethod
    def is_behind(cls, error: BaseException) -> bool:
        """Whether an error of a library or of the operating system comes of a full disk."""
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        return any(words in str(error) for words in cls.TOLD_BY)
