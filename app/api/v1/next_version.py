"""The next version of a registry's definition: what was accepted of it, as a folder of YAML."""

import asyncio
import io
import zipfile
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from app import errors
from app.api.dependencies import Transactions
from app.api.fields import VersionAsked, WindowBound
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional, etag
from app.api.problems import problems
from app.api.v1.registries import DefinitionAsked
from app.api.v1.versions import DefinitionChange, told_changes
from app.proposals import accepted, alterations_of, located
from app.registries.alteration import altered
from app.registries.writing import written

router = APIRouter(prefix="/registries/{registry_id}", tags=["proposals"])

ZIP = "application/zip"


class NextVersion(BaseModel):
    """A version with every accepted proposal in it, as a folder of YAML. It is not published."""

    registry: str
    since: str
    version: str
    proposals: list[int] = Field(
        description="Those accepted for the version before, in that order."
    )
    changes: list[DefinitionChange]
    complaints: list[str]
    files: dict[str, str] = Field(
        description="File name -> content. Comments, README.md and simulation.yaml are no part of "
        "what was published: keep your own."
    )


async def next_version(
    definition: DefinitionAsked,
    transactions: Transactions,
    accept_from: Annotated[
        WindowBound, Query(description="When it is to begin: a day in UTC, or a second.")
    ],
    number: Annotated[
        VersionAsked, Query(description="Its version; the next minor one when left out.")
    ] = None,
) -> NextVersion:
    """What a version comes to with every proposal that was accepted for it."""
    major, minor, _ = definition.newness
    number = number or f"{major}.{minor + 1}.0"
    if tuple(map(int, number.split("."))) <= definition.newness:
        raise errors.Unprocessable(f"The next version comes after {definition.version}.")
    async with transactions.begin() as session:
        rows = await accepted(session, definition)
    made = await asyncio.to_thread(
        altered, definition, alterations_of(*rows), version=number, accept_from=accept_from
    )
    if made.definition is None:
        raise errors.InvalidDefinition(located(made, rows))
    return NextVersion(
        registry=definition.id,
        since=definition.version,
        version=number,
        proposals=[row.id for row in rows],
        changes=told_changes(definition, made.definition),
        complaints=located(made, rows),
        files=written(made.definition),
    )


Next = Annotated[NextVersion, Depends(next_version, scope="function")]


@router.get(
    "/next-version",
    response_model=NextVersion,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_next_version(found: Next, conditions: Conditional) -> NextVersion | Response:
    """The next version with what was accepted, as files of YAML. Nothing is published."""
    return conditions.reply(found)


@router.get(
    "/next-version/folder",
    response_class=Response,
    responses={
        200: {
            **TAGGED,
            "description": "OK",
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        },
        304: NOT_MODIFIED,
        **problems(401, 403, 404, 422),
    },
)
async def download_next_version(found: Next, conditions: Conditional) -> Response:
    """The same folder to work on: unpack it, `hounsfield registry check` it, publish it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in found.files.items():
            # The same content makes the same file, whenever it is asked for.
            entry = zipfile.ZipInfo(f"{found.version}/{name}", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    name = f"{found.registry}-{found.version}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    file = Response(packed.getvalue(), media_type=ZIP, headers=headers)
    return conditions.file(file, etag(found.model_dump_json()))
