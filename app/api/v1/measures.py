"""Measures: what a registry counts, in the words it is counted by."""

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from app import errors
from app.access import Act
from app.api.dependencies import Asker, RegistryInForce
from app.api.problems import problems
from app.registries.measure import Improvement, Scoring
from app.registries.measure import Measure as DefinedMeasure
from app.registries.parts import Source
from app.registries.schema import Definition

router = APIRouter(prefix="/registries/{registry_id}/measures", tags=["benchmarks"])


class ShownWhen(BaseModel):
    """Another measure that must reach a value before this one is shown."""

    model_config = ConfigDict(from_attributes=True)

    measure: str
    at_least: float


class Stratifier(BaseModel):
    """A way to split a measure."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    expression: str
    strata: dict[str, str]


class Factor(BaseModel):
    """Something that patients bring to an outcome, in levels; whatever is in none is `unknown`."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    expression: str
    levels: dict[str, str] = Field(description="Label of each level, in the order of display.")
    reference: str = Field(description="The level that others are compared with.")
    source: Source


class Measure(BaseModel):
    """A measure, in FHIR's words. Expressions are SQL over element ids."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    description: str
    module: str | None
    form: str
    scoring: Scoring
    initial_population: str
    denominator: str
    denominator_exclusion: str | None
    denominator_exception: str | None
    numerator: str | None
    observation: str | None
    stratifiers: list[Stratifier]
    case_mix: list[Factor] = Field(
        description="What is allowed for in what is expected of a facility (`include=adjusted`)."
    )
    improvement: Improvement
    matures_after: int
    shown_when: ShownWhen | None
    minimum_cases: int
    caution_below: int
    per: int
    unit: str | None
    section: str | None
    source: Source
    reference: str | None


class Measures(BaseModel):
    """The measures of a registry's definition in force."""

    registry: str
    definition_version: str
    measures: list[Measure]


@router.get("", response_model=Measures, responses=problems(401, 403, 404))
async def list_measures(definition: RegistryInForce, asker: Asker) -> Measures:
    """Every measure of the definition in force."""
    asker.require(Act.READ_DEFINITIONS)
    return Measures(
        registry=definition.id,
        definition_version=definition.version,
        measures=[Measure.model_validate(one) for one in definition.measures],
    )


@router.get("/{measure_id}", response_model=Measure, responses=problems(401, 403, 404))
async def show_measure(
    definition: RegistryInForce,
    asker: Asker,
    measure_id: str = Path(description="A measure's id.", min_length=1, max_length=100),
) -> DefinedMeasure:
    """One measure."""
    asker.require(Act.READ_DEFINITIONS)
    return known_measure(definition, measure_id)


def known_measure(definition: Definition, measure_id: str) -> DefinedMeasure:
    """A measure of a definition; 404 when it has none of that id."""
    try:
        return definition.measure(measure_id)
    except KeyError:
        raise errors.NotFound("This registry has no such measure.") from None
