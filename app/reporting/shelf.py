"""The modules at hand: those shipped, and those imported, each in its versions."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Conflict, InvalidReportingModule, NotFound
from app.models.reporting import ImportedModule
from app.reporting.cards import read_cards
from app.reporting.module import Module
from app.reporting.own import packaged, read_own

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,79}")


@dataclass(frozen=True, slots=True)
class Volume:
    """A module on the shelf. Shipped ones have no moment of import."""

    module: Module
    digest: str
    imported_at: datetime | None = None


def read_module(content: bytes) -> tuple[str, Module]:
    """A document of either form, told by its first sign: (`cards` or `own`, the module)."""
    form = "cards" if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "own"
    module = _read(form, content)
    wrong = [
        f"`{value}` cannot stand in an address: letters, digits and . _ : ~ - are allowed"
        for value in (module.id, module.version)
        if not _NAME.fullmatch(value)
    ]
    if wrong:
        raise InvalidReportingModule(wrong)
    return form, module


@lru_cache(maxsize=200)
def _read(form: str, content: bytes) -> Module:
    return read_cards(content) if form == "cards" else read_own(content)


async def keep(session: AsyncSession, content: bytes, by: str | None) -> tuple[Module, bool]:
    """Put a module on the shelf; whether it is new. The same once more changes nothing; another
    document under the same version is refused."""
    form, module = read_module(content)
    digest = hashlib.sha256(content).hexdigest()
    if module.id in packaged():
        raise Conflict("A shipped module has this id. Give yours another.")
    added = await session.execute(
        insert(ImportedModule)
        .values(
            id=module.id,
            version=module.version,
            title=module.title,
            form=form,
            document=content,
            digest=digest,
            imported_by=by,
        )
        .on_conflict_do_nothing()
        .returning(ImportedModule.digest)
    )
    if added.scalar_one_or_none() is not None:
        return module, True
    kept = await session.scalar(
        select(ImportedModule.digest).where(
            ImportedModule.id == module.id, ImportedModule.version == module.version
        )
    )
    if kept != digest:
        raise Conflict("This version holds another document. Give yours a new ModuleVersion.")
    return module, False


async def shelf(session: AsyncSession) -> list[Volume]:
    """Every module in every version: by id, the newest import first."""
    kept = await session.scalars(
        select(ImportedModule).order_by(ImportedModule.id, ImportedModule.imported_at.desc())
    )
    shipped = [Volume(one, one.digest) for one in packaged().values()]
    found = [*shipped, *(_volume(one) for one in kept)]
    return sorted(found, key=lambda one: one.module.id)


async def taken(session: AsyncSession, module_id: str, version: str | None = None) -> Volume:
    """One module: of a version, or its newest. `NotFound` if there is none."""
    shipped = packaged().get(module_id)
    if shipped is not None and version in (None, shipped.version):
        return Volume(shipped, shipped.digest)
    wanted = select(ImportedModule).where(ImportedModule.id == module_id)
    if version is not None:
        wanted = wanted.where(ImportedModule.version == version)
    kept = await session.scalar(wanted.order_by(ImportedModule.imported_at.desc()).limit(1))
    if kept is None:
        raise NotFound("There is no such reporting module, or not in this version.")
    return _volume(kept)


def _volume(kept: ImportedModule) -> Volume:
    return Volume(_read(kept.form, kept.document), kept.digest, kept.imported_at)
