"""
The entries on their way into files: spooled as they come, then written door by door.

Everything is simulated person by person, and files are facility by facility; so entries wait in
one spool per sender and wave. Memory stays bounded however large the nation is.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from app.simulation.doors import MEDIA_TYPES, SUFFIXES, Doors
from app.simulation.entries import Entry
from app.simulation.places import Facility, Places
from app.simulation.plan import Plan

_FLUSH = 64 * 1024


@dataclass(slots=True)
class Submission:
    """One file, or one post, and what must come back."""

    number: int
    name: str
    wave: int
    sender: str
    door: str
    facilities: tuple[int, ...]
    corporate_account: int | None
    counts: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    path: str = ""

    def as_document(self) -> dict[str, Any]:
        """The submission as a line of `submissions.ndjson`."""
        accepted = sum(self.counts[one] for one in _ACCEPTED)
        return {
            "submission": self.name,
            "wave": self.wave,
            "door": self.door,
            "media_type": MEDIA_TYPES[self.door],
            "facilities": list(self.facilities),
            "corporate_account": self.corporate_account,
            "path": self.path,
            "entries": self.entries,
            "expect": {
                "accepted": accepted,
                "created": self.counts["accepted"],
                "amended": self.counts["amended"],
                "unchanged": self.counts["unchanged"],
                "withdrawn": self.counts["withdrawn"],
                "saved": self.counts["saved"],
                "waiting": self.counts["waiting"],
                "rejected": self.counts["rejected"],
            },
        }


_ACCEPTED = ("accepted", "amended", "unchanged", "withdrawn", "saved")


@dataclass(slots=True)
class _Sender:
    """The spool of one sender's wave."""

    name: str
    wave: int
    door: str
    facilities: tuple[int, ...]
    corporate_account: int | None
    path: Path
    singles: int
    waiting: list[bytes] = field(default_factory=list)
    bytes_waiting: int = 0
    written: int = 0
    submissions: list[Submission] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        self.waiting.append(line)
        self.bytes_waiting += len(line)
        self.written += 1
        if self.bytes_waiting > _FLUSH:
            self.flush()

    def flush(self) -> None:
        with self.path.open("ab") as file:
            file.writelines(self.waiting)
        self.waiting.clear()
        self.bytes_waiting = 0


class Outbox:
    """Where entries are put; `close` makes the files."""

    def __init__(self, plan: Plan, places: Places, doors: Doors, folder: Path) -> None:
        self._plan = plan
        self._doors = doors
        self._files = folder / "submissions"
        self._spool = folder / "spool"
        self._files.mkdir(parents=True)
        self._spool.mkdir()
        self._places = places
        self._senders: dict[tuple[int, int], _Sender] = {}
        self._number = 0

    def put(self, entry: Entry) -> Submission:
        """Spool one entry; it now knows its submission and row."""
        sender = self._sender(entry)
        row = sender.written
        if row < sender.singles:
            submission = self._begin(sender, "single", row)
            entry.row = 1
        else:
            row -= sender.singles
            part, entry.row = divmod(row, self._plan.rows_per_file)
            if entry.row == 0:
                door = "ndjson" if sender.door == "single" else sender.door
                submission = self._begin(sender, door, part)
            else:
                submission = sender.submissions[-1]
            entry.row += 1
        document = {"form": entry.form, "action": entry.action, "elements": entry.elements}
        sender.add(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        submission.entries += 1
        submission.counts[entry.outcome] += 1
        entry.submission = submission.number
        return submission

    def submissions(self) -> list[Submission]:
        """All of them, in the order in which they must be sent."""
        return sorted(
            (one for sender in self._senders.values() for one in sender.submissions),
            key=lambda one: (one.wave, one.sender, one.number),
        )

    def close(self) -> Iterator[Submission]:
        """Write every file; each submission is returned when its file is there."""
        for sender in self._senders.values():
            sender.flush()
            with sender.path.open("rb") as lines:
                for submission in sender.submissions:
                    path = self._files / f"{submission.name}.{SUFFIXES[submission.door]}"
                    self._doors.write(submission.door, islice(lines, submission.entries), path)
                    submission.path = f"submissions/{path.name}"
                    yield submission
            sender.path.unlink()
        self._spool.rmdir()

    def _begin(self, sender: _Sender, door: str, part: int) -> Submission:
        self._number += 1
        single = "single-" if door == "single" else ""
        submission = Submission(
            number=self._number,
            name=f"wave-{sender.wave}-{sender.name}-{single}{part + 1:03d}",
            wave=sender.wave,
            sender=sender.name,
            door=door,
            facilities=sender.facilities,
            corporate_account=sender.corporate_account,
        )
        sender.submissions.append(submission)
        return submission

    def _sender(self, entry: Entry) -> _Sender:
        facility = self._places.facilities[entry.facility]
        together = self._sends_together(facility, entry.wave)
        key = (-1 - facility.corporate_account if together else entry.facility, entry.wave)
        sender = self._senders.get(key)
        if sender is None:
            sender = self._senders[key] = self._meet(facility, entry.wave, together)
        return sender

    def _sends_together(self, facility: Facility, wave: int) -> bool:
        """Some organisations send the middle wave of all their facilities as one file."""
        account = self._places.corporate_accounts[facility.corporate_account]
        return wave == 1 and len(account.facilities) > 2 and account.place % 2 == 0

    def _meet(self, facility: Facility, wave: int, together: bool) -> _Sender:
        if together:
            account = self._places.corporate_accounts[facility.corporate_account]
            members = account.facilities
            name = f"account-{account.place + 1}"
            numbers = tuple(self._places.facilities[one].number for one in members)
            door = "ndjson"
        else:
            name, numbers, door = str(facility.number), (facility.number,), facility.door
        return _Sender(
            name=name,
            wave=wave,
            door=door,
            facilities=numbers,
            corporate_account=facility.corporate_account if together else None,
            path=self._spool / f"{name}-{wave}.ndjson",
            singles=self._plan.single_posts if door == "single" else 0,
        )
