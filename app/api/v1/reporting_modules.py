"""Structured reporting modules: what is asked, and what answers come to. Nothing answered is kept."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from app import audit
from app.access import Act
from app.api.bodies import whole
from app.api.dependencies import Asker, Transactions
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional
from app.api.problems import problems
from app.api.v1.evaluated import CodedConcept, Evaluated, Given, told
from app.registries.decisions import DecisionTable
from app.reporting import markup, module
from app.reporting.evaluate import evaluate
from app.reporting.shelf import Spine, keep, read_module, shelf, spine, taken

router = APIRouter(prefix="/reporting-modules", tags=["reporting modules"])

ModuleId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,79}$")]
ModuleVersion = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,79}$", description="The newest when left out."),
]


class ReportingModuleSummary(BaseModel):
    """A module and where it comes from."""

    id: str
    version: str
    title: str
    description: str
    developed_by: str
    citation: str
    modalities: list[str]
    source: str = Field(description="Whether what it says is confirmed.")
    shipped: bool
    imported_at: datetime | None
    digest: str
    doubts: int = Field(description="How many places read as a slip of its author.")

    @classmethod
    def members(cls, one: Spine) -> dict[str, Any]:
        return {**asdict(one), "shipped": one.imported_at is None}


class ReportingModules(BaseModel):
    """The modules at hand, in every version."""

    modules: list[ReportingModuleSummary]


class Choice(BaseModel):
    value: str
    label: str
    hint: str
    default: bool


class ModuleElement(BaseModel):
    """One question."""

    id: str
    kind: module.Kind
    label: str
    hint: str
    unit: str
    group: str | None = Field(description="The group it is answered in, once per thing found.")
    choices: list[Choice]
    minimum: Decimal | None
    maximum: Decimal | None
    codes: list[CodedConcept]


class ModuleGroup(BaseModel):
    """Elements answered once per thing found."""

    id: str
    title: str
    at_most: int


class ReportingModule(ReportingModuleSummary):
    """A module, whole."""

    doubts: list[str] = Field(  # type: ignore[assignment]  # the summary counts what this lists
        description="Places that read as a slip of its author, kept as they were written."
    )
    groups: list[ModuleGroup]
    elements: list[ModuleElement]
    end_points: list[str]
    tables: list[DecisionTable] = Field(description="The decision tables it judges by.")
    references: list[str]


class Imported(BaseModel):
    """A module that was put on the shelf."""

    id: str
    version: str
    new: bool
    doubts: list[str]


@router.get(
    "",
    response_model=ReportingModules,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403)},
)
async def list_reporting_modules(
    asker: Asker, transactions: Transactions, conditions: Conditional
) -> ReportingModules | Response:
    """The modules at hand, shipped and imported."""
    asker.require(Act.READ_DEFINITIONS)
    async with transactions.begin() as session:
        spines = await shelf(session)
    return conditions.reply(
        ReportingModules(
            modules=[
                ReportingModuleSummary(**ReportingModuleSummary.members(one)) for one in spines
            ]
        )
    )


@router.post(
    "",
    status_code=201,
    response_model=Imported,
    responses={200: {"model": Imported}, **problems(401, 403, 409, 413, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A CAR/DS 2.0 document (XML), or one of our own form (YAML).",
            "content": {
                kind: {"schema": {"type": "string"}}
                for kind in ("application/xml", "application/yaml")
            },
        }
    },
)
async def import_reporting_module(
    request: Request, response: Response, asker: Asker, transactions: Transactions
) -> Imported:
    """Put a module on the shelf. A version is frozen; the same document once more changes nothing."""
    asker.require(Act.PUBLISH)
    document = await whole(request, markup.LARGEST)
    found = await read_module(document)
    async with transactions.begin() as session:
        new = await keep(session, found, document, asker.key_id)
        if new:
            await audit.record(
                session,
                asker,
                "import",
                "reporting-module",
                found.id,
                details={"version": found.version},
            )
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1{router.prefix}/{found.id}?version={found.version}"
    return Imported(id=found.id, version=found.version, new=new, doubts=list(found.doubts))


@router.get(
    "/{module_id}",
    response_model=ReportingModule,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404)},
)
async def read_reporting_module(
    module_id: ModuleId,
    asker: Asker,
    transactions: Transactions,
    conditions: Conditional,
    version: ModuleVersion = None,
) -> ReportingModule | Response:
    """A module: its questions, its tables, where it can end."""
    asker.require(Act.READ_DEFINITIONS)
    async with transactions.begin() as session:
        volume = await taken(session, module_id, version)
    one = volume.module
    shown = ReportingModule(
        **ReportingModuleSummary.members(spine(volume)) | {"doubts": list(one.doubts)},
        groups=[
            ModuleGroup(id=each.id, title=each.title, at_most=each.at_most) for each in one.groups
        ],
        elements=[
            ModuleElement(
                id=each.id,
                kind=each.kind,
                label=each.label,
                hint=each.hint,
                unit=each.unit,
                group=each.group,
                choices=[
                    Choice(
                        value=choice.value,
                        label=choice.label,
                        hint=choice.hint,
                        default=choice.default,
                    )
                    for choice in each.choices
                ],
                minimum=each.minimum,
                maximum=each.maximum,
                codes=[CodedConcept.of(code) for code in each.codings],
            )
            for each in one.elements
        ],
        end_points=[each.id for each in one.end_points],
        tables=list(one.tables),
        references=list(one.references),
    )
    return conditions.reply(shown)


@router.post(
    "/{module_id}/evaluate", response_model=Evaluated, responses=problems(400, 401, 403, 404, 422)
)
async def evaluate_reporting_module(
    module_id: ModuleId,
    given: Given,
    asker: Asker,
    transactions: Transactions,
    version: ModuleVersion = None,
) -> Evaluated:
    """What answers come to: end point, report text by section, codes, recommended follow-up.

    Send what is answered so far; the questions tell what to ask next.
    """
    asker.require(Act.READ_DEFINITIONS)
    async with transactions.begin() as session:
        volume = await taken(session, module_id, version)
    return told(volume.module, evaluate(volume.module, given.answers))
