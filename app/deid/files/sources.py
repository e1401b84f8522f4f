"""
What was given: files, folders and archives, walked in one order, a `Source` for each thing found.

The order is that of the inputs as given, then of names as bytes, so that two machines agree. Only
one folder's names are held at a time. Symbolic links inside an input are listed and not followed;
what is no regular file is never opened.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.deid.files import archives
from app.deid.files.archives import Archive, Unopened
from app.deid.files.outcomes import Obstacle

HEAD = 132
"""Bytes that show what a file is: the preamble and `DICM`, or a zip's signature."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing found. `name` is its path relative to the input: it may identify somebody."""

    name: str = field(repr=False)
    path: Path = field(repr=False)
    members: tuple[int, ...] = ()
    """The way through archives: a member's number in each."""
    size: int = 0
    """Bytes it takes where it lies (packed in an archive)."""
    stamp: int = 0
    """When its file last changed, in nanoseconds."""
    obstacle: Obstacle | None = None


def weighed(inputs: Sequence[Path]) -> int:
    """Bytes below the inputs, from folders alone: nothing is opened."""
    whole = 0
    for given in inputs:
        if given.is_dir():
            for folder, _, names in os.walk(given):
                for name in names:
                    try:
                        whole += os.lstat(os.path.join(folder, name)).st_size
                    except OSError:
                        continue
        elif given.is_file():
            whole += given.stat().st_size
    return whole


def walk(inputs: Sequence[Path]) -> Iterator[Source]:
    """Every file, member and obstacle below the inputs, in order."""
    for given, label in zip(inputs, _labels(inputs), strict=True):
        if given.is_dir():
            yield from _folder(given, f"{label}/" if label else "")
        else:
            yield from _file(given, label, alone=len(inputs) == 1)


def _labels(inputs: Sequence[Path]) -> list[str]:
    """What stands before the names: nothing for a single folder, else the input's own name."""
    if len(inputs) == 1 and inputs[0].is_dir():
        return [""]
    taken: set[str] = set()
    return [_unused(given.name or given.resolve().name or "input", taken) for given in inputs]


def _unused(name: str, taken: set[str]) -> str:
    """The name, or the first `name#2`, `name#3` … that was not given away."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    taken.add(free)
    return free


def _folder(folder: Path, label: str) -> Iterator[Source]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        yield Source(label.rstrip("/") or ".", folder, obstacle=Obstacle.CANNOT_BE_READ)
        return
    for entry in entries:
        name, path = f"{label}{entry.name}", Path(entry.path)
        if entry.is_symlink():
            yield Source(name, path, obstacle=Obstacle.SYMBOLIC_LINK)
        elif entry.is_dir(follow_symlinks=False):
            yield from _folder(path, f"{name}/")
        else:
            yield from _file(path, name)


def _file(path: Path, name: str, alone: bool = False) -> Iterator[Source]:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            yield Source(name, path, obstacle=Obstacle.NOT_A_FILE)
            return
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        yield Source(name, path, obstacle=Obstacle.CANNOT_BE_READ)
        return
    whole = Source(name, path, (), found.st_size, found.st_mtime_ns)
    # A DICOM preamble may be anything, a zip's signature too (PS3.10 7.1 lets it serve both).
    if archives.is_archive(head) and head[128:132] != b"DICM":
        yield from _archive(whole, "" if alone else f"{name}/")
    else:
        yield whole


def _archive(whole: Source, label: str) -> Iterator[Source]:
    try:
        archive = archives.opened(whole.path, whole.members)
    except Unopened as error:
        yield _stopped(whole, error.obstacle)
        return
    except OSError:
        yield _stopped(whole, Obstacle.CANNOT_BE_READ)
        return
    try:
        yield from _members(whole, archive, label)
    finally:
        archive.close()


def _members(whole: Source, archive: Archive, label: str) -> Iterator[Source]:
    taken: set[str] = set()
    for number, said, packed in archive.members():
        name = _unused(archives.plain(said), taken)  # an archive may hold a name twice
        found = Source(f"{label}{name}", whole.path, (*whole.members, number), packed, whole.stamp)
        try:
            head = archive.head(number, HEAD)
        except Unopened as error:
            yield _stopped(found, error.obstacle)
            continue
        if not archives.is_archive(head) or head[128:132] == b"DICM":
            yield found
        elif len(found.members) >= archives.DEEPEST:
            yield _stopped(found, Obstacle.ARCHIVE_TOO_DEEP)
        else:
            yield from _archive(found, f"{found.name}/")


def _stopped(source: Source, obstacle: Obstacle) -> Source:
    return Source(source.name, source.path, source.members, source.size, source.stamp, obstacle)
