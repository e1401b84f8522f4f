"""Measures of a registry as FHIR R4 resources: the same populations and the same expressions."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app import errors
from app.access import Act
from app.api.dependencies import Asker, RegistryInForce, SettingsInForce
from app.api.fhir.replies import RESOURCE, resource, searchset
from app.registries.measure import Measure
from app.registries.schema import Definition
from app.settings import Settings

router = APIRouter(prefix="/Measure")

SCORING = "http://terminology.hl7.org/CodeSystem/measure-scoring"
POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
IMPROVEMENT = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
LANGUAGE = "application/sql"
"""Expressions are SQL over the elements of a form; RFC 6922 names its media type."""

FhirMeasureId = Annotated[
    str,
    Path(
        alias="measure_id",
        max_length=63,
        pattern=r"^[a-z][A-Za-z0-9_.-]*$",
        description="A measure's id, with `-` for `_` as FHIR spells ids.",
    ),
]


def base_of(settings: Settings, registry_id: str) -> str:
    """The FHIR base of a registry; never taken from the Host field."""
    return f"{settings.address}/fhir/{registry_id}"


def fhir_id(measure: Measure) -> str:
    """A measure's id in the letters that FHIR allows; ids of ours hold no hyphen."""
    return measure.id.replace("_", "-")


def measure_of(definition: Definition, asked: str) -> Measure:
    """The measure of an id in either spelling."""
    wanted = asked.replace("_", "-")
    for one in definition.measures:
        if fhir_id(one) == wanted:
            return one
    raise errors.NotFound("The registry has no such measure.")


def populations(measure: Measure) -> Iterator[tuple[str, str]]:
    """FHIR's codes of a measure's populations, with the expression of each, in FHIR's order."""
    of_mean = measure.scoring == "continuous-variable"
    yield "initial-population", measure.initial_population
    if measure.scoring == "cohort":
        return
    yield "measure-population" if of_mean else "denominator", measure.denominator
    if measure.denominator_exclusion is not None:
        code = "measure-population-exclusion" if of_mean else "denominator-exclusion"
        yield code, measure.denominator_exclusion
    if measure.denominator_exception is not None:
        yield "denominator-exception", measure.denominator_exception
    if measure.numerator is not None:
        yield "numerator", measure.numerator
    if measure.observation is not None:
        yield "measure-observation", measure.observation


def coded(system: str, code: str) -> dict[str, Any]:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def written(settings: Settings, definition: Definition, measure: Measure) -> dict[str, Any]:
    """A measure as a Measure resource."""
    group: dict[str, Any] = {
        "population": [
            {
                "code": coded(POPULATION, code),
                "criteria": {"language": LANGUAGE, "expression": expression},
            }
            for code, expression in populations(measure)
        ]
    }
    if measure.stratifiers:
        group["stratifier"] = [
            {
                "code": {"text": one.id},
                "description": one.title,
                "criteria": {"language": LANGUAGE, "expression": one.expression},
            }
            for one in measure.stratifiers
        ]
    found: dict[str, Any] = {
        "resourceType": "Measure",
        "id": fhir_id(measure),
        "url": f"{base_of(settings, definition.id)}/Measure/{fhir_id(measure)}",
        "version": definition.version,
        "name": measure.id,
        "title": measure.title,
        "status": "active",
        "publisher": definition.steward,
        "description": measure.description,
        "scoring": coded(SCORING, measure.scoring),
        "group": [group],
    }
    if measure.improvement != "none":
        found["improvementNotation"] = coded(IMPROVEMENT, measure.improvement)
    return found


@router.get("", response_class=Response, responses=RESOURCE)
async def search_measures(
    definition: RegistryInForce, asker: Asker, settings: SettingsInForce
) -> Response:
    """Every measure of the registry, as a Bundle."""
    asker.require(Act.READ_DEFINITIONS)
    found = [written(settings, definition, one) for one in definition.measures]
    return resource(searchset(f"{base_of(settings, definition.id)}/Measure", found))


@router.get("/{measure_id}", response_class=Response, responses=RESOURCE)
async def read_measure(
    definition: RegistryInForce, measure_id: FhirMeasureId, asker: Asker, settings: SettingsInForce
) -> Response:
    """A measure: its populations, each with its expression."""
    asker.require(Act.READ_DEFINITIONS)
    return resource(written(settings, definition, measure_of(definition, measure_id)))
