"""Versions of a registry's definition: which there are, how one is published, and when one ends."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path as Folder
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from app import access, audit, errors
from app.access import Act
from app.api.dependencies import NO_SUCH_REGISTRY, Asker, Catalogue, RegistryId, Transactions
from app.api.fields import Sent, WindowBound
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional, Unchanged, etag_of, tagged
from app.api.problems import problems
from app.catalogue import Catalogue as DefinitionsInForce
from app.fitting import misfits
from app.registries.compare import compare
from app.registries.load import SHARED, read
from app.registries.schema import Definition

router = APIRouter(prefix="/registries/{registry_id}/versions", tags=["registries"])

MOST_FILES = 300
LONGEST_FILE = 1024 * 1024
LARGEST_FOLDER = 8 * 1024 * 1024
"""Characters of all files together."""

FileName = Annotated[
    str,
    StringConstraints(
        max_length=150,
        pattern=r"^((elements|measures|decisions|improvement|value_sets)/[A-Za-z0-9][A-Za-z0-9_.-]*"
        r"\.(yaml|json|csv)|[a-z]+\.yaml|README\.md)$",
    ),
]
VersionNamed = Annotated[
    str, Path(description="A version.", max_length=40, pattern=r"^\d{1,9}\.\d{1,9}\.\d{1,9}$")
]


class RegistryVersion(BaseModel):
    """One version of a registry's definition."""

    model_config = ConfigDict(from_attributes=True)

    version: str
    accept_from: datetime | date
    accept_until: datetime | date | None
    digest: str
    in_force: bool


class RegistryVersions(BaseModel):
    """Every version of a registry, newest first."""

    registry: str
    versions: list[RegistryVersion]


class DefinitionChange(BaseModel):
    """One difference between two versions, as `hounsfield registry compare` tells it."""

    model_config = ConfigDict(from_attributes=True)

    weight: Literal["refused", "breaks", "new", "changed"]
    place: str
    says: str
    covered: bool | None = Field(
        description="Whether a conversion says how earlier entries are read; null where none is "
        "written, or nothing about entries has changed."
    )


class DefinitionFolder(Sent):
    """A definition's folder."""

    files: Annotated[
        dict[FileName, Annotated[str, StringConstraints(max_length=LONGEST_FILE)]],
        Field(
            description="File name -> content: `registry.yaml`, `elements/exam.yaml`, …",
            min_length=1,
            max_length=MOST_FILES,
        ),
    ]


class PublishedVersion(RegistryVersion):
    """A version that was published, or only checked, and what it changes."""

    published: bool = Field(description="Whether it is now; not when it was only checked.")
    since: str | None = Field(description="The version that it is compared with.")
    changes: list[DefinitionChange]


class Sunset(Sent):
    """When a version ends."""

    accept_until: WindowBound | None = Field(
        description="The last day (in UTC), or the last second, at which its entries are taken; null "
        "lifts the end."
    )


def told_changes(before: Definition, after: Definition) -> list[DefinitionChange]:
    """What a definition changes of another one, the gravest first."""
    return [DefinitionChange.model_validate(one) for one in compare(before, after)]


def _shown(one: Definition, in_force: str | None) -> RegistryVersion:
    return RegistryVersion(
        version=one.version,
        accept_from=one.accept_from,
        accept_until=one.accept_until,
        digest=one.digest,
        in_force=one.version == in_force,
    )


def _known(catalogue: DefinitionsInForce, registry_id: str) -> Sequence[Definition]:
    """A registry's versions; none of one that is yet to come."""
    try:
        return catalogue.versions(registry_id)
    except errors.NotFound:
        return ()


@router.get("", response_model=RegistryVersions, responses=problems(401, 403, 404, 422))
async def list_versions(
    registry_id: RegistryId, catalogue: Catalogue, asker: Asker
) -> RegistryVersions:
    """Every version of a registry's definition, and when its entries are taken."""
    asker.require(Act.READ_DEFINITIONS)
    if not asker.sees_registry(registry_id):
        raise errors.NotFound(NO_SUCH_REGISTRY)
    in_force = catalogue.in_force(registry_id).version
    return RegistryVersions(
        registry=registry_id,
        versions=[_shown(one, in_force) for one in catalogue.versions(registry_id)],
    )


@router.post(
    "",
    status_code=201,
    response_model=PublishedVersion,
    responses={200: {"model": PublishedVersion}, **problems(400, 401, 403, 404, 409, 413, 422)},
)
async def publish_version(
    registry_id: RegistryId,
    folder: DefinitionFolder,
    response: Response,
    catalogue: Catalogue,
    asker: Asker,
    transactions: Transactions,
    check: Annotated[
        bool, Query(description="Only check it, and tell what it would change.")
    ] = False,
) -> PublishedVersion:
    """
    Publish a version: from then on its document never changes.

    Its entries are taken from its `accept_from` on, which may lie ahead; until then the version
    before stays in force. Complaints name file and line, as `hounsfield registry check` does.
    """
    asker.require(Act.DECIDE)
    if not asker.sees_registry(registry_id):
        raise errors.NotFound(NO_SUCH_REGISTRY)
    if sum(map(len, folder.files.values())) > LARGEST_FOLDER:
        raise errors.TooLarge(LARGEST_FOLDER)
    earlier = _known(catalogue, registry_id)
    definition = await asyncio.to_thread(_read, folder.files, earlier)
    if definition.id != registry_id:
        raise errors.Unprocessable("The `id` in registry.yaml is another registry's.")
    older = [one for one in earlier if one.newness < definition.newness]
    before = max(older, key=lambda one: one.newness, default=None)
    new = False
    if not check:
        async with transactions.begin() as session:
            new = await catalogue.publish(session, definition, asker.key_id)
            if new:
                await _note(session, asker, "publish", registry_id, definition.version)
        await _look_again(catalogue, transactions)
    response.status_code = 201 if new else 200
    if new:
        response.headers["Location"] = f"/v1/registries/{registry_id}/versions/{definition.version}"
    known = _known(catalogue, registry_id)
    shown = _shown(definition, catalogue.in_force(registry_id).version if known else None)
    return PublishedVersion(
        **shown.model_dump(),
        published=not check,
        since=before.version if before is not None else None,
        changes=told_changes(before, definition) if before is not None else [],
    )


def _read(files: Mapping[str, str], earlier: Sequence[Definition]) -> Definition:
    """The definition in a folder that was sent; `InvalidDefinition` with every complaint."""
    with tempfile.TemporaryDirectory() as apart:
        home = Folder(apart) / "sent" / "definition"  # what lies near a folder can be imported
        for name, content in files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        definition, complaints = read(
            home, (SHARED,), also=partial(misfits, worked=True), beside=earlier
        )
    if definition is None or complaints:
        raise errors.InvalidDefinition(complaints)
    return definition


async def version_asked(
    registry_id: RegistryId, version: VersionNamed, catalogue: Catalogue, asker: Asker
) -> Definition:
    """The version in the address; 404 if there is none, or it is not within the key."""
    if not asker.sees_registry(registry_id):
        raise errors.NotFound(NO_SUCH_REGISTRY)
    return catalogue.registry(registry_id, version=version)


OneVersion = Annotated[Definition, Depends(version_asked, scope="function")]


@router.get(
    "/{version}",
    response_model=RegistryVersion,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_version(
    one: OneVersion, catalogue: Catalogue, asker: Asker, conditions: Conditional
) -> RegistryVersion | Response:
    """One version, and when its entries are taken."""
    asker.require(Act.READ_DEFINITIONS)
    return conditions.reply(_shown(one, catalogue.in_force(one.id).version))


@router.put(
    "/{version}/sunset",
    response_model=RegistryVersion,
    responses={200: TAGGED, **problems(400, 401, 403, 404, 412, 422)},
)
async def set_sunset(
    one: OneVersion,
    sunset: Sunset,
    expected: Unchanged,
    response: Response,
    catalogue: Catalogue,
    asker: Asker,
    transactions: Transactions,
) -> RegistryVersion:
    """Say when a published version ends, or that it does not: the one thing of it that may change."""
    asker.require(Act.DECIDE)
    expected.require(etag_of(_shown(one, catalogue.in_force(one.id).version)))
    async with transactions.begin() as session:
        if await catalogue.end(session, one.id, one.version, sunset.accept_until):
            await _note(session, asker, "sunset", one.id, one.version)
    await _look_again(catalogue, transactions)
    now = catalogue.registry(one.id, version=one.version)
    return tagged(response, _shown(now, catalogue.in_force(one.id).version))


async def _note(
    session: AsyncSession, asker: access.Asker, action: str, registry_id: str, version: str
) -> None:
    await audit.record(
        session,
        asker,
        action,
        "definition",
        f"{registry_id} {version}",
        registry_id=registry_id,
    )


async def _look_again(catalogue: DefinitionsInForce, transactions: Transactions) -> None:
    """Let this process know at once; the others look every few seconds."""
    async with transactions.begin() as session:
        await catalogue.refresh(session)
