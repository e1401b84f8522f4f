"""Registries: what each collects, and what to fill in its forms with."""

import asyncio
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app import errors
from app.access import Act
from app.api.dependencies import (
    NO_SUCH_REGISTRY,
    Asker,
    Catalogue,
    RegistryId,
    SettingsInForce,
)
from app.api.fields import VersionAsked
from app.api.pages import NOT_MODIFIED, TAGGED, Conditional, etag
from app.api.problems import problems
from app.ingest import judge
from app.ingest.checks import at_work
from app.ingest.findings import FINDINGS_OF_AN_ENTRY
from app.ingest.formats.sent import Sent
from app.registries import forms, peers, schema
from app.registries.dictionary.rows import DictionaryRow, dictionary
from app.registries.json_schema import entry_schema
from app.registries.questionnaire import questionnaire
from app.registries.schema import Definition
from app.registries.workbook import template

router = APIRouter(prefix="/registries", tags=["registries"])

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FHIR = "application/fhir+json"
JSON_SCHEMA = "application/schema+json"

NO_SUCH_FORM = "The registry has no such form of entries."


class FormSummary(BaseModel):
    """A kind of record."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    level: schema.Level
    part: bool = Field(description="Only carried by another form, never sent by itself.")
    key: list[str] = Field(description="The elements that tell two records apart.")
    otherwise_key: list[str] = Field(description="Used when an element of the key is left out.")
    parent: str | None
    includes: list[str] = Field(description="Forms whose elements an entry carries as well.")
    period: str | None


class RegistryModule(BaseModel):
    """An optional part of a registry."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    source: schema.Source


class RuleSummary(BaseModel):
    """A check across elements."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    form: str
    requires: str
    since: date | None = Field(description="The first day on which it holds.")
    until: date | None = Field(description="The last day on which it holds.")
    by: str | None = Field(description="The date that these days are of.")
    severity: schema.RuleSeverity
    place: str
    remedy: str
    source: schema.Source
    reference: str | None


class PeerGroupSummary(BaseModel):
    """A way to choose whom a facility is compared with."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    by: peers.Grouping
    groups: dict[str, str]
    source: schema.Source


class RegistrySummary(BaseModel):
    """A registry and the version of its definition that is in force."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: str
    title: str
    steward: str
    description: str
    accept_from: datetime | date = Field(
        description="The first day (in UTC), or the first second, at which entries are taken."
    )
    accept_until: datetime | date | None = Field(
        description="The last day, or the last second, at which they are."
    )
    digest: str


class Registry(RegistrySummary):
    """A registry, without the elements of its forms: those are in its dictionary."""

    modules: list[RegistryModule]
    policy: str = Field(
        description="Whether a flawed entry is rejected alone or with its whole file."
    )
    channels: list[str]
    forms: list[FormSummary]
    rules: list[RuleSummary]
    peers: list[PeerGroupSummary]
    measures: int = Field(description="How many there are; they have a page of their own.")


class Registries(BaseModel):
    """The registries within the asker's key."""

    registries: list[RegistrySummary]


class Dictionary(BaseModel):
    """The data dictionary of a definition."""

    registry: str
    version: str
    elements: list[DictionaryRow]


async def definition_asked(
    registry_id: RegistryId, catalogue: Catalogue, asker: Asker, version: VersionAsked = None
) -> Definition:
    """The definition of a version, or the one in force; 404 if it is not within the key."""
    asker.require(Act.READ_DEFINITIONS)
    if not asker.sees_registry(registry_id):
        raise errors.NotFound(NO_SUCH_REGISTRY)
    return catalogue.registry(registry_id, version=version)


DefinitionAsked = Annotated[Definition, Depends(definition_asked, scope="function")]


async def form_asked(
    definition: DefinitionAsked,
    form_id: Annotated[str, Path(description="A form's id.", min_length=1, max_length=100)],
) -> schema.Form:
    """A form that entries may name."""
    for form in definition.entry_forms:
        if form.id == form_id:
            return form
    raise errors.NotFound(NO_SUCH_FORM)


FormAsked = Annotated[schema.Form, Depends(form_asked, scope="function")]


@router.get("", response_model=Registries, responses=problems(401, 403))
async def list_registries(catalogue: Catalogue, asker: Asker) -> Registries:
    """The registries within your key, each in the version that is in force."""
    asker.require(Act.READ_DEFINITIONS)
    return Registries(
        registries=[
            RegistrySummary.model_validate(one)
            for one in catalogue.registries()
            if asker.sees_registry(one.id)
        ]
    )


@router.get(
    "/{registry_id}",
    response_model=Registry,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_registry(
    definition: DefinitionAsked, conditions: Conditional
) -> Registry | Response:
    """What a registry collects: forms, rules, peer groups."""
    shown = {name: getattr(definition, name) for name in Registry.model_fields}
    shown["measures"] = len(definition.measures)
    return conditions.reply(Registry.model_validate(shown, from_attributes=True))


@router.get(
    "/{registry_id}/dictionary",
    response_model=Dictionary,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(401, 403, 404, 422)},
)
async def show_dictionary(
    definition: DefinitionAsked, conditions: Conditional
) -> Dictionary | Response:
    """The data dictionary: every element of every form, its codes, limits, conditions and sources."""
    return conditions.reply(
        Dictionary(
            registry=definition.id,
            version=definition.version,
            elements=dictionary(definition),
        )
    )


@router.get(
    "/{registry_id}/forms/{form_id}",
    response_model=dict[str, Any],
    responses=problems(401, 403, 404, 422),
)
async def show_form(definition: DefinitionAsked, form: FormAsked) -> dict[str, Any]:
    """What a page needs to draw a form: questions, choices, and when to ask them."""
    return forms.web_form(definition, form.id)


def _answers(media_type: str, kind: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {
        200: {**TAGGED, "description": "OK", "content": {media_type: {"schema": kind}}},
        304: NOT_MODIFIED,
        **problems(401, 403, 404, 422),
    }


def _file(
    conditions: Conditional,
    definition: Definition,
    what: str,
    body: bytes,
    media_type: str,
    **headers: str,
) -> Response:
    """A file that changes only with the definition."""
    file = Response(body, media_type=media_type, headers=headers)
    return conditions.file(file, etag(f"{definition.digest} {what}"))


@router.get(
    "/{registry_id}/forms/{form_id}/schema",
    response_class=Response,
    responses=_answers(JSON_SCHEMA, {"type": "object"}),
)
async def show_schema(
    definition: DefinitionAsked, form: FormAsked, settings: SettingsInForce, conditions: Conditional
) -> Response:
    """JSON Schema of an entry of a form, in canonical values."""
    body = orjson.dumps(entry_schema(definition, form.id, settings.address))
    return _file(conditions, definition, f"schema {form.id}", body, JSON_SCHEMA)


class Tried(BaseModel):
    """An entry that is looked at and not kept."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["save", "submit", "withdraw"] = "submit"
    elements: dict[str, Any] = Field(description="As they would be sent.", max_length=2000)


class TriedFinding(BaseModel):
    """One thing wrong at one place; never the value that stood there."""

    place: str
    code: str
    severity: Literal["reject", "warn", "information"]
    remedy: str
    allowed: list[str]


class Trial(BaseModel):
    """What the check says of an entry."""

    registry: str
    version: str
    form: str
    accepted: bool = Field(
        description="Whether it would be taken; lists are asked when it is sent."
    )
    findings: list[TriedFinding]
    computed: dict[str, Any] = Field(description="What would be worked out of it.")


@router.post(
    "/{registry_id}/forms/{form_id}/trials",
    response_model=Trial,
    responses=problems(400, 401, 403, 404, 422),
)
async def try_entry(definition: DefinitionAsked, form: FormAsked, tried: Tried) -> Trial:
    """Try an entry: every finding that it would earn today, by any version. Nothing is kept."""
    sent = Sent(form.id, tried.action, tried.elements)
    entry = await asyncio.to_thread(
        judge.tried, at_work(definition), sent, datetime.now(UTC).date()
    )
    computed = {one.id for one in form.all_elements if one.computed is not None}
    return Trial(
        registry=definition.id,
        version=definition.version,
        form=form.id,
        accepted=not entry.rejected,
        findings=[
            TriedFinding(
                place=one.place,
                code=one.code.value,
                severity=one.severity.value,
                remedy=one.remedy,
                allowed=list(one.allowed),
            )
            for one in entry.flaws[:FINDINGS_OF_AN_ENTRY]
        ],
        computed={name: value for name, value in entry.values.items() if name in computed},
    )


@router.get(
    "/{registry_id}/forms/{form_id}/questionnaire",
    response_class=Response,
    responses=_answers(FHIR, {"type": "object"}),
)
async def show_questionnaire(
    definition: DefinitionAsked, form: FormAsked, settings: SettingsInForce, conditions: Conditional
) -> Response:
    """The form as a FHIR R4 Questionnaire."""
    body = orjson.dumps(questionnaire(definition, form.id, settings.address))
    return _file(conditions, definition, f"questionnaire {form.id}", body, FHIR)


@router.get(
    "/{registry_id}/forms/{form_id}/template",
    response_class=Response,
    responses=_answers(WORKBOOK, {"type": "string", "format": "binary"}),
)
async def download_template(
    definition: DefinitionAsked, form: FormAsked, conditions: Conditional
) -> Response:
    """An Excel template: a row an entry, with drop-down lists, notes and a sheet of codes."""
    body = await asyncio.to_thread(template, definition, form.id)
    name = f"{definition.id}-{form.id}-{definition.version}.xlsx"
    disposition = f'attachment; filename="{name}"'
    return _file(
        conditions,
        definition,
        f"template {form.id}",
        body,
        WORKBOOK,
        **{"Content-Disposition": disposition},
    )
