"""
De-identify everything below some inputs into one folder.

Workers leave outputs under temporary names. Here the lines of the batches that are ready go into the
journal, then lines and outputs are on the disk, and only then the outputs get their names; workers
are at the next batches meanwhile. What is killed in between is found by the next run of the same key
and policy, which goes on. Inputs are only ever read.
"""

import filecmp
import hashlib
import hmac
import os
import re
import secrets
import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from app.deid.files.account import Map, Totals, reasons_beside, report
from app.deid.files.crew import Batch, Bench, Crew, Results
from app.deid.files.journal import FOLDER, Journal, Line
from app.deid.files.outcomes import Fate, Obstacle, Treated, fate
from app.deid.files.sources import Source, walk
from app.deid.profile import METHOD, Profile
from app.deid.uids import Keys
from app.durable import settle
from app.errors import Conflict, NotFound, Unavailable, Unprocessable

OF_NO_STUDY: Final = "of-no-study"
"""The folder of hanging protocols, palettes and templates, which are about nobody."""

TOGETHER: Final = 32
BYTES_TOGETHER: Final = 64 << 20
"""Sources of one batch, and their bytes; a larger one is a batch by itself."""

TRIED_AGAIN: Final = frozenset((Obstacle.FAILED.value, Obstacle.CANNOT_BE_READ.value))
"""Reasons that another run may not find any more."""

Told = Callable[[int, Fate], None]
"""Called for each input that ended: its size where it lay, and how it ended."""
Show = Callable[[], AbstractContextManager[Told]]
"""What shows how far it is. It begins after the workers did, so that it may have threads."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: from where, to where, by which policy and under which key."""

    inputs: Sequence[Path]
    out: Path
    profile: Profile
    secret: bytes = field(repr=False)
    scope: str = field(default="", repr=False)
    jobs: int = 1
    map_file: Path | None = None
    report_file: Path | None = None

    def heading(self) -> dict[str, Any]:
        """What outputs that belong together have in common; nothing in it leads to the secret."""
        mark = hmac.digest(
            self.secret, b"hounsfield deid fingerprint\0" + self.scope.encode(), "sha256"
        )
        return {
            "format": 1,
            "method": METHOD,
            "policy": self.profile.digest[:32],
            "options": list(self.profile.choices.options),
            "key": mark[:8].hex(),
        }


def run(order: Order, show: Show = lambda: nullcontext(lambda size, ended: None)) -> Totals:
    """Carry it out. Raises a `RegistryError` when it cannot begin or go on."""
    check(order)
    with Crew(order.jobs) as crew, show() as told:
        try:
            return _carried_out(order, crew, told)
        except OSError as error:
            raise _unwritable(error) from None


def _carried_out(order: Order, crew: Crew, told: Told) -> Totals:
    order.out.mkdir(parents=True, exist_ok=True)
    heading = order.heading()
    journal = Journal(order.out, heading | {"rows": order.report_file is not None}, order.secret)
    drafts = order.out / FOLDER / f"drafts-{secrets.token_hex(8)}"
    mapped = None
    try:
        for old in (order.out / FOLDER).glob("drafts-*"):
            shutil.rmtree(old, ignore_errors=True)
        drafts.mkdir()
        mapped = Map(order.map_file) if order.map_file else None
        work = _Run(order, journal, drafts, mapped, told)
        work.carry_out(crew)
        if mapped is not None:
            mapped.finish()
        if order.report_file is not None:
            report(
                order.report_file,
                heading,
                work.totals,
                journal.read(work.places),
                journal.read([journal.treatments[name] for name in sorted(work.treatments)]),
            )
        return work.totals
    finally:
        if mapped is not None:
            mapped.drop()
        shutil.rmtree(drafts, ignore_errors=True)
        journal.close()


def check(order: Order) -> None:
    """Refuse what would mix or harm: an input that is not there, an output among inputs."""
    out = order.out.resolve()
    if order.out.exists() and not order.out.is_dir():
        raise Conflict("OUT must be a folder.")
    if out.is_dir() and not (out / FOLDER).is_dir() and any(out.iterdir()):
        raise Conflict("OUT must be a new or empty folder, or one of an earlier run.")
    files = [path for path in (order.map_file, order.report_file) if path is not None]
    if order.map_file is not None:
        files.append(reasons_beside(order.map_file))
    written = [path.resolve() for path in files]
    for number, given in enumerate(order.inputs, 1):
        if not given.exists():
            raise NotFound(f"Input {number} does not exist.")
        root = given.resolve()
        if out == root or root in out.parents or out in root.parents:
            raise Conflict("OUT and the inputs must lie beside each other, not within each other.")
        if any(path == root or root in path.parents for path in written):
            raise Conflict("The map and the report must not lie among the inputs.")
    if len(set(written)) != len(written):
        raise Conflict("The map, its reasons and the report must be files of their own.")
    if any(path.is_dir() or not (path.parent.is_dir() or path.parent == out) for path in written):
        raise Unprocessable("The map and the report are files in a folder that exists.")


def batches(sources: Iterator[Source]) -> Iterator[Batch]:
    """Sources in their order, cut the same way whatever the number of workers."""
    number, size = 0, 0
    together: list[Source] = []
    for source in sources:
        if together and (len(together) >= TOGETHER or size + source.size > BYTES_TOGETHER):
            yield Batch(number, together)
            number, together, size = number + 1, [], 0
        together.append(source)
        size += source.size
    if together:
        yield Batch(number, together)


class _Run:
    """A run under way."""

    def __init__(
        self, order: Order, journal: Journal, drafts: Path, mapped: Map | None, told: Told
    ) -> None:
        self.order, self.journal, self.drafts, self.mapped, self.told = (
            order,
            journal,
            drafts,
            mapped,
            told,
        )
        self.totals = Totals()
        self.places = array("Q")
        """Where the line of each input stands in the journal, in the order of inputs."""
        self.treatments: set[str] = set()
        self._taken: set[bytes] = set()
        """Digests of the output names given away in this run."""
        self._folders: set[str] = set()
        """Folders below OUT that outputs came into."""

    def carry_out(self, crew: Crew) -> None:
        order = self.order
        make = partial(
            _bench,
            order.profile,
            Keys.of(order.secret, order.scope),
            self.drafts,
            self.journal.rows,
        )
        coming = map(self._known, batches(walk(order.inputs)))
        for together in crew.results(make, coming):
            self._commit(together)
            for batch, _ in together:
                for one in zip(batch.sources, batch.tokens, batch.done, strict=True):
                    self._count(*one)
        settle(order.out / folder for folder in ("", *sorted(self._folders)))

    def _known(self, batch: Batch) -> Batch:
        """A batch with what an earlier run says, if that is true of every source of it."""
        journal = self.journal
        batch.tokens = [journal.token(source) for source in batch.sources]
        found = [journal.known.get(token) for token in batch.tokens]
        places = [place for place in found if place is not None]
        if len(places) == len(found):
            lines = list(journal.read(places))
            if all(self._stands(line) for line in lines):
                batch.done = lines
        return batch

    def _stands(self, line: dict[str, Any]) -> bool:
        if line["output"] is None:
            return line["reason"] not in TRIED_AGAIN
        try:
            return bool((self.order.out / line["output"]).stat().st_size == line["size"])
        except OSError:
            return False

    def _count(self, source: Source, token: bytes, line: dict[str, Any]) -> None:
        self.places.append(self.journal.known[token])
        self.totals.add(line)
        if line["output"] is not None:
            self._taken.add(_digest(line["output"]))
            if line["treatment"]:
                self.treatments.add(line["treatment"])
        if self.mapped is not None:
            self.mapped.add(source.name, line["output"], line["reason"])
        self.told(source.size, fate(line["reason"]))

    def _commit(self, together: Results) -> None:
        """The lines of these batches and their outputs on the disk, then outputs under their names.

        A line that is there before its output is harmless: the next run finds that it is not so.
        """
        renames: dict[str, str] = {}
        for batch, results in together:
            if results is not None:
                batch.done = [
                    self._line(token, treated, renames)
                    for token, treated in zip(batch.tokens, results, strict=True)
                ]
                self.journal.mark()
        if all(results is None for _, results in together):
            return
        settle([self.journal.path, *renames.values()])
        for output, draft in renames.items():
            folder = output.rpartition("/")[0]
            if folder not in self._folders:
                self._make(folder)
            os.replace(draft, f"{self.order.out}/{output}")

    def _line(self, token: bytes, treated: Treated, renames: dict[str, str]) -> dict[str, Any]:
        """What the journal says of an input from now on."""
        output, repeats = self._named(treated, renames)
        line = Line(
            input=token.hex(),
            output=output,
            reason=treated.reason,
            sop_class=treated.sop_class,
            size=treated.size,
            treatment=treated.treatment,
            actions=dict(sorted(treated.actions.items())),
            traces=list(treated.traces),
            repeats=repeats,
        )
        self.journal.treatment(treated.treatment, treated.rows)
        return self.journal.write(line)

    def _make(self, folder: str) -> None:
        """A folder for outputs, and those above it; all get new names and have to be settled."""
        Path(self.order.out, folder).mkdir(parents=True, exist_ok=True)
        while folder:
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]

    def _named(self, treated: Treated, renames: dict[str, str]) -> tuple[str | None, bool]:
        """An output's name from its new UIDs; is it the same object as one before?"""
        if treated.reason is not None:
            return None, False
        draft = f"{self.drafts}/{treated.draft}"
        places = (treated.patient, treated.study, treated.series)
        folder = "/".join(map(_plain, places)) if treated.study else OF_NO_STUDY
        name = _plain(treated.instance)
        number = 1
        while True:
            output = f"{folder}/{name}{'' if number == 1 else f'-{number}'}.dcm"
            if output not in renames and _digest(output) not in self._taken:
                renames[output] = draft
                return output, False
            earlier = renames.get(output) or self.order.out / output
            if filecmp.cmp(earlier, draft, shallow=False):
                os.unlink(draft)
                return output, True
            number += 1  # a SOP Instance UID that was used for two objects: both are kept


def _bench(profile: Profile, keys: Keys, drafts: Path, rows: bool) -> Bench:
    from app.deid.files import treat  # what de-identifies is loaded where that is done

    return treat.Bench(profile, keys, drafts, rows)


@lru_cache(maxsize=1024)  # most objects share patient, study and series with others
def _plain(part: str) -> str:
    """A UID or pseudonym that can be a name; what cannot is told by its digest."""
    if re.fullmatch(r"[0-9A-Za-z]+(\.[0-9A-Za-z]+)*", part) and len(part) <= 64:
        return part
    return hashlib.sha256(part.encode()).hexdigest()[:32]


def _digest(output: str) -> bytes:
    return hashlib.blake2b(output.encode(), digest_size=16).digest()


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        f"OUT, the map or the report cannot be written ({error.strerror or 'unknown'}). Nothing is "
        "half written: make room and run the same command again, it goes on from here."
    )
