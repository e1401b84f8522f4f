"""
The account of a run, in OUT: a line for each input before its output gets its name.

Lines come in batches, each ended by a mark, so that a run that was killed leaves whole batches and
at most one that does not count. The next run with the same key and policy goes on from there. No
line holds a name or a value: an input is known by a token that only the secret can make.
"""

import fcntl
import hmac
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from app.deid.files.outcomes import Row
from app.deid.files.sources import Source
from app.durable import settle
from app.errors import Conflict

FOLDER = ".hounsfield-deid"
"""The working folder in OUT: the journal, and drafts while a run goes on."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the journal says of one input."""

    input: str
    output: str | None
    reason: str | None
    sop_class: str
    size: int
    treatment: str
    actions: dict[str, int]
    traces: list[str]
    repeats: bool = False
    """The same object was there before; its output is the earlier one's."""

    def plain(self) -> dict[str, Any]:
        """As it is written; what it holds is shared, not copied."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = tuple(one.name for one in fields(Line))


class Journal:
    """An open journal, locked for this process."""

    def __init__(self, out: Path, heading: dict[str, Any], secret: bytes) -> None:
        folder = out / FOLDER
        folder.mkdir(exist_ok=True)
        self.path = folder / "journal.ndjson"
        self._key = hmac.digest(secret, b"hounsfield deid journal", "sha256")
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Conflict("Another run is writing to this folder.") from None
        except OSError:  # a file system without locks: nobody can be kept out
            pass
        self.known: dict[bytes, int] = {}
        """Token of an input to where its line stands."""
        self.treatments: dict[str, int] = {}
        """Digest of a treatment to where its rows stand."""
        try:
            self._take_up(heading)
        except BaseException:
            self._file.close()
            raise

    def _take_up(self, heading: dict[str, Any]) -> None:
        """Read what an earlier run left; what follows its last mark never counted."""
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):
            self._begin(heading)
            return
        earlier = _loaded(first) or {}
        self.rows = bool(earlier.get("rows"))
        if earlier | {"rows": True} != heading | {"rows": True}:
            raise Conflict(
                "The folder holds outputs of another key, scope, profile or version of this "
                "program. Choose a new folder: pseudonyms must not be mixed."
            )
        if heading["rows"] and not self.rows:  # totals were kept then, and more is asked for now
            self._begin(heading)
            return
        counted = self._file.tell()
        known: dict[bytes, int] = {}
        treatments: dict[str, int] = {}
        at = counted
        for line in self._file:
            said = _loaded(line) if line.endswith(b"\n") else None
            if said is None:
                break
            if "mark" in said:
                self.known |= known
                self.treatments |= treatments
                known, treatments = {}, {}
                counted = at + len(line)
            elif "rows" in said:
                treatments[said["treatment"]] = at
            else:
                known[bytes.fromhex(said["input"])] = at
            at += len(line)
        self._file.truncate(counted)
        self._file.seek(0, os.SEEK_END)

    def _begin(self, heading: dict[str, Any]) -> None:
        self.rows = bool(heading["rows"])
        self._file.truncate(0)
        self._file.write(orjson.dumps(heading) + b"\n")
        self._file.flush()
        settle([self.path, self.path.parent, self.path.parent.parent])

    def token(self, source: Source) -> bytes:
        """What an input is called here: 16 bytes from its name, size and time under the secret."""
        place = f"{source.name}\0{source.size}\0{source.stamp}\0{source.obstacle or ''}"
        return hmac.digest(self._key, place.encode("utf-8", "surrogateescape"), "sha256")[:16]

    def write(self, line: Line) -> dict[str, Any]:
        """Append a line; what it says."""
        said = line.plain()
        self.known[bytes.fromhex(line.input)] = self._append(said)
        return said

    def treatment(self, name: str, rows: tuple[Row, ...]) -> None:
        """Append the rows of a treatment that was not told before."""
        if rows and name not in self.treatments:
            self.treatments[name] = self._append({"treatment": name, "rows": rows})

    def mark(self) -> None:
        """End a batch: its lines count once they are written. Others put them on the disk."""
        self._append({"mark": 1})
        self._file.flush()

    def _append(self, said: dict[str, Any]) -> int:
        at = self._file.tell()
        self._file.write(orjson.dumps(said) + b"\n")
        return at

    def read(self, places: Iterable[int]) -> Iterator[dict[str, Any]]:
        """The lines at some places, through a handle of their own."""
        with self.path.open("rb") as stream:
            for place in places:
                stream.seek(place)
                yield orjson.loads(stream.readline())

    def close(self) -> None:
        """Unlock. What a full disk did not take is not tried again: it never counted."""
        with suppress(OSError):
            self._file.close()


def _loaded(line: bytes) -> dict[str, Any] | None:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None
