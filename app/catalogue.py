"""
Which definitions are in force: those packaged, the deployer's own, and those published.

A published version is frozen in the database with its digest. From then on that document is the
one everybody works with, and another one under the same version is refused; only the end of its
acceptance window may still be set. `keep_current` is how a running process hears of a
publication or of a changed folder; it costs a query every few seconds at most.
"""

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from time import monotonic

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from app.database import NOTHING, Database
from app.errors import Conflict, InvalidDefinition, NotFound, Unprocessable, VersionNotTaken
from app.locks import Lock, take
from app.models.definition import PublishedDefinition
from app.registries.compare import incomparable
from app.registries.lineage import related
from app.registries.load import PACKAGED, SHARED, assemble, canonical, folders, load
from app.registries.schema import Definition
from app.registries.window import begins, ends
from app.settings import Settings

EVERY = 2.0
"""Seconds between two looks for changes."""

log = structlog.get_logger(__name__)

Versions = dict[str, dict[str, Definition]]


class Catalogue:
    """The definitions in force in this process."""

    def __init__(self, settings: Settings) -> None:
        self._own = settings.definitions
        self._mark: tuple[object, ...] = ()
        self._published_mark: tuple[int, datetime | None] = (0, None)
        self._looked = 0.0
        self._turn = asyncio.Lock()
        self._published: Versions = {}
        self._versions: Versions = {}
        self._mark = _mark(self._own)
        self._found = _from_folders(self._own)
        self._merge()

    def registries(self) -> list[Definition]:
        """The definition in force of every registry, by id."""
        return [self.in_force(one) for one in sorted(self._versions)]

    def versions(self, registry_id: str) -> list[Definition]:
        """Every version of a registry, newest first."""
        known = self._versions.get(registry_id)
        if known is None:
            raise NotFound("There is no such registry.")
        return sorted(known.values(), key=lambda one: one.newness, reverse=True)

    def in_force(self, registry_id: str) -> Definition:
        """The newest version that takes entries now; the newest that has begun if none does."""
        versions, at = self.versions(registry_id), datetime.now(UTC)
        begun = [one for one in versions if begins(one.accept_from) <= at] or versions
        return next((one for one in begun if one.accepts_at(at)), begun[0])

    def taking(self, registry_id: str, version: str | None, at: datetime) -> Definition:
        """
        The version that entries sent at a moment are taken in: the one named, or the one in force.

        NotFound when there is no such version, `VersionNotTaken` when it takes none at that moment.
        """
        if version is None:
            found = next((one for one in self.versions(registry_id) if one.accepts_at(at)), None)
            one = found or self.in_force(registry_id)
        else:
            one = self.registry(registry_id, version=version)
        if one.accepts_at(at):
            return one
        now = next((one for one in self.versions(registry_id) if one.accepts_at(at)), None)
        raise VersionNotTaken(
            one.version,
            begins(one.accept_from) if at < begins(one.accept_from) else None,
            ends(one.accept_until) if one.accept_until is not None else None,
            now.version if now is not None else None,
        )

    def registry(
        self, registry_id: str, *, at: datetime | None = None, version: str | None = None
    ) -> Definition:
        """A registry's definition: of a version, or the newest that takes entries at a moment."""
        if version is None and at is None:
            return self.in_force(registry_id)
        for one in self.versions(registry_id):
            if version in (None, one.version) and (at is None or one.accepts_at(at)):
                return one
        raise NotFound("The registry has no such version, or none that takes entries then.")

    # --- keeping current ---

    async def keep_current(self, database: Database) -> None:
        """Look for publications and changed folders, if it is time to."""
        if monotonic() - self._looked < EVERY and self._looked:
            return
        async with self._turn:
            if monotonic() - self._looked < EVERY and self._looked:
                return
            async with database.transaction(NOTHING) as session:
                await self.refresh(session)
            self._looked = monotonic()

    async def refresh(self, session: AsyncSession) -> None:
        """Look for publications and changed folders now."""
        mark = await asyncio.to_thread(_mark, self._own)
        changed = mark != self._mark
        if changed:
            self._mark = mark
            try:
                self._found = await asyncio.to_thread(_from_folders, self._own)
            except InvalidDefinition as error:
                # A folder in the middle of an edit must not stop a service that runs.
                log.warning("definitions were not read again", complaints=len(error.complaints))
                changed = False
        count, last = (
            await session.execute(
                select(func.count(), func.max(PublishedDefinition.published_at)).select_from(
                    PublishedDefinition
                )
            )
        ).one()
        if (count, last) != self._published_mark:
            self._published = _versions(
                [
                    await asyncio.to_thread(assemble, row.document, _until(row))
                    for row in await session.scalars(select(PublishedDefinition))
                ]
            )
            self._published_mark = (count, last)
            changed = True
        if changed:
            self._merge()

    def _merge(self) -> None:
        """What was published comes before what lies in a folder under the same version."""
        self._versions = {
            registry: {
                one.version: one
                for one in related(
                    list(
                        (self._found.get(registry, {}) | self._published.get(registry, {})).values()
                    )
                )
            }
            for registry in {*self._found, *self._published}
        }

    # --- publishing ---

    async def publish_packaged(self, session: AsyncSession) -> list[Definition]:
        """Publish whatever is packaged or in the deployer's folder and is not published yet."""
        found = sorted(
            (one for versions in self._found.values() for one in versions.values()),
            key=lambda one: (one.id, one.newness),
        )
        return [one for one in found if await self.publish(session, one)]

    async def publish(
        self, session: AsyncSession, definition: Definition, by: str | None = None
    ) -> bool:
        """
        Freeze a definition. Says whether anything changed; refuses another document under a
        version that is published, and a version whose cases could not be compared with earlier ones.
        """
        await take(session, Lock.PUBLISH)
        rows = (
            await session.scalars(
                select(PublishedDefinition).where(PublishedDefinition.registry_id == definition.id)
            )
        ).all()
        same = next((row for row in rows if row.version == definition.version), None)
        if same is not None:
            return _closed(same, definition)
        for row in rows:
            known = assemble(row.document)
            earlier, later = sorted((known, definition), key=lambda one: one.newness)
            if reasons := incomparable(earlier, later):
                raise Conflict(
                    f"{later.id} {later.version} cannot follow {earlier.version}: "
                    + " ".join(reasons)
                )
        await session.execute(
            insert(PublishedDefinition).values(
                registry_id=definition.id,
                version=definition.version,
                digest=definition.digest,
                document=canonical(definition),
                accept_from=begins(definition.accept_from).date(),
                **_end(definition.accept_until),
                published_by=by,
            )
        )
        return True

    async def end(
        self, session: AsyncSession, registry_id: str, version: str, until: date | datetime | None
    ) -> bool:
        """Set the last day, or second, of a published version, or lift it; whether that is new."""
        published = await session.get(
            PublishedDefinition, (registry_id, version), with_for_update=True
        )
        if published is None:
            raise NotFound("This version is not published: its folder says when it ends.")
        if until is not None and ends(until) <= max(
            datetime.now(UTC), begins(assemble(published.document).accept_from)
        ):
            raise Unprocessable("A version ends in time to come, and after it has begun.")
        return _ended(published, until)


def _closed(published: PublishedDefinition, definition: Definition) -> bool:
    """The same document again: only its end may be new, and the order of what it lists.

    A folder that says no end lifts none, which may have been set apart from it.
    """
    if published.digest != definition.digest:
        raise Conflict(
            f"{definition.id} {definition.version} is published with another content, and a "
            "published version never changes. Give the changed definition a new `version`, or a "
            "new `id` if it is another registry."
        )
    document = canonical(definition)
    if json.dumps(published.document) != json.dumps(document):
        # The digest does not know the order of strata and groups, but people read them in it.
        published.document, published.published_at = document, datetime.now(UTC)
        flag_modified(published, "document")  # as dictionaries they are equal
    return definition.accept_until is not None and _ended(published, definition.accept_until)


def _ended(published: PublishedDefinition, until: date | datetime | None) -> bool:
    if _until(published) == until:
        return False
    for name, value in _end(until).items():
        setattr(published, name, value)
    published.published_at = datetime.now(UTC)
    return True


def _end(until: date | datetime | None) -> dict[str, date | time | None]:
    """The end of a window as it is kept: the last day, and the last second of it if not its end."""
    if isinstance(until, datetime):
        return {"accept_until": until.date(), "accept_until_second": until.time()}
    return {"accept_until": until, "accept_until_second": None}


def _until(published: PublishedDefinition) -> date | datetime | None:
    """The end of a published version's window, as its definition writes it."""
    day, second = published.accept_until, published.accept_until_second
    return day if day is None or second is None else datetime.combine(day, second, UTC)


def _versions(definitions: Iterable[Definition]) -> Versions:
    found: Versions = {}
    for one in definitions:
        found.setdefault(one.id, {})[one.version] = one
    return found


def _from_folders(own: Path | None) -> Versions:
    """Every definition packaged and in the deployer's folder; all complaints at once."""
    complaints: list[str] = []
    found: dict[tuple[str, str], tuple[Path, Definition]] = {}
    for root in (PACKAGED, *([own] if own is not None else ())):
        if not root.is_dir():
            raise InvalidDefinition([f"{root}: HOUNSFIELD_DEFINITIONS is not a folder"])
        for folder in folders(root):
            try:
                # What is shipped was checked before it was; every start would pay for it again.
                one = _loaded(folder, shared_of(root), _mark(folder), root == PACKAGED)
            except InvalidDefinition as error:
                complaints += [f"{folder}/{line}" for line in error.complaints]
                continue
            first = found.setdefault((one.id, one.version), (folder, one))
            if first[1].digest != one.digest:
                complaints.append(
                    f"{folder}/registry.yaml:1: {one.id} {one.version} is another document in "
                    f"{first[0]}; give this one an `id` or a `version` of its own"
                )
    if complaints:
        raise InvalidDefinition(complaints)
    return _versions(one for _, one in found.values())


@lru_cache(maxsize=64)
def _loaded(
    folder: Path, shared: tuple[Path, ...], mark: tuple[object, ...], sound: bool
) -> Definition:
    """A folder that did not change is not read twice."""
    return load(folder, shared, sound=sound)


def shared_of(root: Path) -> tuple[Path, ...]:
    """Where value sets are looked for: the folder's own `shared`, then the packaged one."""
    return tuple(folder for folder in (root / "shared", SHARED) if folder.is_dir())


def _mark(own: Path | None) -> tuple[object, ...]:
    """Differs once a file of the deployer's folder does."""
    if own is None:
        return ()
    found: Mapping[str, tuple[int, int]] = {
        str(path): (status.st_mtime_ns, status.st_size)
        for path in own.rglob("*")
        if path.suffix in (".yaml", ".json", ".csv") and (status := _status(path)) is not None
    }
    return tuple(sorted(found.items()))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # gone between listing and looking
        return None
