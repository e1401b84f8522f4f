"""The forms of a registry as FHIR R4 Questionnaires: what a form filler asks."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app import errors
from app.access import Act
from app.api.dependencies import Asker, Catalogue, RegistryInForce, SettingsInForce
from app.api.fhir.measures import base_of
from app.api.fhir.replies import RESOURCE, resource, searchset
from app.api.fields import VersionAsked
from app.registries.questionnaire import questionnaire
from app.registries.questionnaire import questionnaire_id as id_of

router = APIRouter(prefix="/Questionnaire")

QuestionnaireId = Annotated[
    str,
    Path(
        max_length=64,
        pattern=r"^[A-Za-z0-9.-]+$",
        description="As a search has named it: the registry's id and the form's.",
    ),
]


@router.get("", response_class=Response, responses=RESOURCE)
async def search_questionnaires(
    definition: RegistryInForce,
    catalogue: Catalogue,
    asker: Asker,
    settings: SettingsInForce,
    version: VersionAsked = None,
    url: Annotated[
        str | None, Query(max_length=1000, description="The one of this canonical address.")
    ] = None,
) -> Response:
    """Every form of the registry that entries are sent of, as a Bundle."""
    asker.require(Act.READ_DEFINITIONS)
    if version is not None:
        definition = catalogue.registry(definition.id, version=version)
    found = [questionnaire(definition, one.id, settings.address) for one in definition.entry_forms]
    here = f"{base_of(settings, definition.id)}/Questionnaire"
    return resource(searchset(here, [one for one in found if url in (None, one["url"])]))


@router.get("/{questionnaire_id}", response_class=Response, responses=RESOURCE)
async def read_questionnaire(
    definition: RegistryInForce,
    questionnaire_id: QuestionnaireId,
    asker: Asker,
    settings: SettingsInForce,
) -> Response:
    """A form of the version in force."""
    asker.require(Act.READ_DEFINITIONS)
    for one in definition.entry_forms:
        if id_of(definition, one) == questionnaire_id:
            return resource(questionnaire(definition, one.id, settings.address))
    raise errors.NotFound("The registry has no such form.")
