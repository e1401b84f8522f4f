"""
What a worker does to a batch of sources: read, de-identify, look again, write under temporary names.

A batch is the same whatever the number of workers, so that the one instance of each series and
batch that is looked at value by value is the same too. Nothing a source held is in what comes back.
"""

import hashlib
import os
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import orjson

from app.deid import codes, iods, terms
from app.deid.deidentify import Deidentified, Report, Told, deidentify
from app.deid.files import archives
from app.deid.files.archives import OBJECT_LIMIT, Archive, Unopened
from app.deid.files.outcomes import Obstacle, OutputFailed, Row, Treated
from app.deid.files.sources import HEAD, Source
from app.deid.pixels import Reason, has_pixels
from app.deid.private import safe
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look
from app.deid.vocabulary import vocabulary
from app.deid.write import save
from app.durable import send

DICM = b"DICM"
GROUPS = frozenset((b"\2\0", b"\4\0", b"\10\0", b"\20\0", b"\0\2", b"\0\10", b"\0\20"))
"""How an object without preamble can begin: a first group, in either byte order."""


@dataclass(slots=True)
class Bench:
    """What a worker holds: the policy, the keys, and the folder for drafts."""

    profile: Profile
    keys: Keys = field(repr=False)
    drafts: Path
    rows: bool
    """Tell of every attribute, not of totals alone."""
    _archive: tuple[tuple[Path, tuple[int, ...]], Archive] | None = field(default=None, repr=False)
    _digests: dict[int, tuple[tuple[Told, ...], str, dict[str, int]]] = field(default_factory=dict)

    def batch(self, number: int, sources: Sequence[Source]) -> list[Treated]:
        """Treat a batch; its drafts are written when this returns, if not yet on the disk.

        Raises `OutputFailed`.
        """
        seen: set[str] = set()
        try:
            return [
                self._one(source, f"{number:x}-{place:x}", seen)
                for place, source in enumerate(sources)
            ]
        except OSError as error:
            raise OutputFailed(error.strerror or "unknown") from None

    def _one(self, source: Source, draft: str, seen: set[str]) -> Treated:
        try:
            content = self._read(source)
        except Unopened as error:
            return Treated(error.obstacle.value)
        except OSError:
            return Treated(Obstacle.CANNOT_BE_READ.value)
        if content is None:
            return Treated(Reason.NOT_DICOM.value)
        try:
            treated = self._treated(content, draft, seen)
        except MemoryError:
            return Treated(Obstacle.TOO_LARGE.value)
        except Exception as error:  # its text could hold what the object says: never told
            return Treated(Obstacle.FAILED.value, traces=(where(error),))
        if isinstance(treated, Treated):
            return treated
        outcome, result = treated
        with FileIO(self.drafts / draft, "w") as stream:
            save(stream.fileno(), outcome.parts)
            send(stream.fileno())
        return result

    def _treated(
        self, content: bytes, draft: str, seen: set[str]
    ) -> Treated | tuple[Deidentified, Treated]:
        profile = self.profile
        outcome = deidentify(content, profile, self.keys)
        if not isinstance(outcome, Deidentified):
            return Treated(outcome.reason.value)
        series = outcome.series_instance_uid
        traces = second_look(
            content,
            outcome.content,
            decode=series not in seen or not has_pixels(outcome.dataset),
            staying=profile.staying,
        )
        if traces:  # the rest of its series is looked at as closely, until one is clean
            return Treated(
                Reason.IDENTIFIER_REMAINS.value,
                sop_class=outcome.sop_class_uid,
                traces=tuple(sorted(trace.value for trace in traces)),
            )
        seen.add(series)
        treatment, actions, rows = self._account(outcome.report)
        return outcome, Treated(
            patient=outcome.patient_pseudonym,
            study=outcome.study_instance_uid,
            series=series,
            instance=outcome.sop_instance_uid,
            sop_class=outcome.sop_class_uid,
            size=sum(map(len, outcome.parts)),
            draft=draft,
            actions=actions,
            treatment=treatment,
            rows=rows,
        )

    def _account(self, report: Report) -> tuple[str, dict[str, int], tuple[Row, ...]]:
        """The digest of what was done, how often what, and its rows when this worker tells them first."""
        quick = hash(report.places)  # slices of a series are treated alike: count them once
        known = self._digests.get(quick)
        if known is not None and known[0] == report.places:
            return known[1], known[2], ()
        rows = gathered(report.places) if self.rows else ()
        name = hashlib.sha256(orjson.dumps(rows)).hexdigest()[:16] if self.rows else ""
        if len(self._digests) >= 256:
            self._digests.clear()
        self._digests[quick] = (report.places, name, report.actions)
        return name, report.actions, rows

    def _read(self, source: Source) -> bytes | None:
        """A source's bytes; None when its first ones are not those of any object."""
        if source.obstacle is not None:
            raise Unopened(source.obstacle)
        if not source.members:
            # Without a buffer: what is read behind one is copied twice.
            with source.path.open("rb", buffering=0) as stream:
                if os.fstat(stream.fileno()).st_size > OBJECT_LIMIT:
                    raise Unopened(Obstacle.TOO_LARGE)
                if not looks_like_dicom(stream.read(HEAD)):
                    return None
                stream.seek(0)
                return stream.readall()
        *way, last = source.members
        place = (source.path, tuple(way))
        if self._archive is None or self._archive[0] != place:
            self.close()
            self._archive = (place, archives.opened(*place))
        archive = self._archive[1]
        return archive.read(last) if looks_like_dicom(archive.head(last, HEAD)) else None

    def close(self) -> None:
        """Let the archive go that was read last."""
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None


def load() -> None:
    """Read the tables that nearly every object needs: once, before processes are copied from this one."""
    iods.kinds()
    codes.is_listed("", "")
    terms.is_term("")
    vocabulary()
    safe()


def looks_like_dicom(head: bytes) -> bool:
    """Can these first 132 bytes be an object's? Its preamble may be missing, with or without DICM."""
    return DICM in (head[128:132], head[:4]) or (len(head) >= 8 and head[:2] in GROUPS)


def gathered(places: Iterable[tuple[str, str, str]]) -> tuple[Row, ...]:
    """Rows from what a report lists, items of one sequence taken together and counted."""
    counted: dict[tuple[str, str, str], int] = {}
    for place, action, rule in places:
        if "[" in place:
            place = "/".join(level.partition("[")[0] for level in place.split("/"))
        key = (place, str(action), rule)
        counted[key] = counted.get(key, 0) + 1
    return tuple((*key, times) for key, times in sorted(counted.items()))


def where(error: Exception) -> str:
    """The kind of a failure and the line of ours it came from, without its words."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "deid" in Path(frame.filename).parts] or frames
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
