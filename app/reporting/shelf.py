"""The modules at hand: those shipped, and those imported, each in its versions."""

import asyncio
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Conflict, InvalidReportingModule, NotFound
from app.models.reporting import ImportedModule
from app.reporting.cards import read_cards
from app.reporting.module import Module
from app.reporting.own import packaged, read_own

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,79}")
_MOST_AT_HAND = 32
_at_hand = OrderedDict[str, Module]()
"""Imported modules that were read lately, by the digest of their document."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A module on the shelf. Shipped ones have no moment of import."""

    module: Module
    digest: str
    imported_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spine:
    """What a list tells of a module."""

    id: str
    version: str
    title: str
    description: str
    developed_by: str
    citation: str
    modalities: tuple[str, ...]
    source: str
    digest: str
    doubts: int
    imported_at: datetime | None


def spine(volume: Volume) -> Spine:
    """What a list tells of a volume."""
    one = volume.module
    return Spine(
        id=one.id,
        version=one.version,
        title=one.title,
        description=one.description,
        developed_by=one.developed_by,
        citation=one.citation,
        modalities=one.modalities,
        source=one.source,
        digest=volume.digest,
        doubts=len(one.doubts),
        imported_at=volume.imported_at,
    )


def document_kind(content: bytes) -> str:
    """Which form a document has, told by its first sign: `cards` or `own`."""
    return "cards" if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "own"


async def read_module(content: bytes) -> Module:
    """A document of either form. It is read beside the loop that answers others."""
    module = await _read(content, hashlib.sha256(content).hexdigest())
    wrong = [
        f"`{value}` cannot stand in an address: letters, digits and . _ : ~ - are allowed"
        for value in (module.id, module.version)
        if not _NAME.fullmatch(value)
    ]
    if wrong:
        raise InvalidReportingModule(wrong)
    return module


async def _read(content: bytes, digest: str) -> Module:
    kept = _at_hand.get(digest)
    if kept is None:
        reader = read_cards if document_kind(content) == "cards" else read_own
        kept = await asyncio.to_thread(reader, content)
        _at_hand[digest] = kept
        while len(_at_hand) > _MOST_AT_HAND:
            _at_hand.popitem(last=False)
    return kept


async def keep(session: AsyncSession, module: Module, content: bytes, by: str | None) -> bool:
    """Put a module, as it was read of its document, on the shelf; whether it is new. The same once
    more changes nothing; another document under the same version is refused."""
    digest = hashlib.sha256(content).hexdigest()
    if module.id in packaged():
        raise Conflict("A shipped module has this id. Give yours another.")
    added = await session.execute(
        insert(ImportedModule)
        .values(
            id=module.id,
            version=module.version,
            title=module.title,
            description=module.description,
            developed_by=module.developed_by,
            citation=module.citation,
            modalities=list(module.modalities),
            source=module.source,
            doubts=len(module.doubts),
            document_kind=document_kind(content),
            document=content,
            digest=digest,
            imported_by=by,
        )
        .on_conflict_do_nothing()
        .returning(ImportedModule.digest)
    )
    if added.scalar_one_or_none() is not None:
        return True
    kept = await session.scalar(
        select(ImportedModule.digest).where(
            ImportedModule.id == module.id, ImportedModule.version == module.version
        )
    )
    if kept != digest:
        raise Conflict("This version holds another document. Give yours a new ModuleVersion.")
    return False


async def shelf(session: AsyncSession) -> list[Spine]:
    """Every module in every version: by id, the newest import first."""
    kept = await session.execute(
        select(
            ImportedModule.id,
            ImportedModule.version,
            ImportedModule.title,
            ImportedModule.description,
            ImportedModule.developed_by,
            ImportedModule.citation,
            ImportedModule.modalities,
            ImportedModule.source,
            ImportedModule.digest,
            ImportedModule.doubts,
            ImportedModule.imported_at,
        ).order_by(ImportedModule.id, ImportedModule.imported_at.desc())
    )
    shipped = [spine(Volume(one, one.digest)) for one in packaged().values()]
    found = [
        *shipped,
        *(Spine(**{**row._mapping, "modalities": tuple(row.modalities)}) for row in kept),
    ]
    return sorted(found, key=lambda one: one.id)


async def taken(session: AsyncSession, module_id: str, version: str | None = None) -> Volume:
    """One module: of a version, or its newest. `NotFound` if there is none."""
    shipped = packaged().get(module_id)
    if shipped is not None and version in (None, shipped.version):
        return Volume(shipped, shipped.digest)
    wanted = select(
        ImportedModule.version, ImportedModule.digest, ImportedModule.imported_at
    ).where(ImportedModule.id == module_id)
    if version is not None:
        wanted = wanted.where(ImportedModule.version == version)
    found = await session.execute(wanted.order_by(ImportedModule.imported_at.desc()).limit(1))
    kept = found.one_or_none()
    if kept is None:
        raise NotFound("There is no such reporting module, or not in this version.")
    module = _at_hand.get(kept.digest)
    if module is None:
        document = await session.scalar(
            select(ImportedModule.document).where(
                ImportedModule.id == module_id, ImportedModule.version == kept.version
            )
        )
        assert document is not None
        module = await _read(document, kept.digest)
    return Volume(module, kept.digest, kept.imported_at)
