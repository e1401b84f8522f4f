"""
What an AI use case is written of: five sections, after the form of the ACR Data Science Institute's
Define-AI (overview, clinical implementation, dataset considerations, technical specification, future
development).

Number, version and state are not written in it: they are the resource's. An input or output refers to
an element of a registry's definition, which says what it is, or to a RadElement; see `soundness`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.registries.parts import LINE_PATTERN, PROSE_PATTERN, Identifier, Part, Source
from app.registries.reference import ElementReference, Reference

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=LINE_PATTERN),
]
Prose = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=8000, pattern=PROSE_PATTERN),
]
"""Several paragraphs; a blank line parts them. Plain text: nothing in it is markup."""
Lines = Annotated[tuple[Line, ...], Field(max_length=50)]
SomeLines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]

UseCaseId = Annotated[str, StringConstraints(pattern=r"^HUC-(0[1-9]|1[0-2])[0-9]{6}$")]
"""`HUC-MMYYNNNN`: month and year in which it was begun, and a number within them. Ours alone: the
numbers of Define-AI (`TAI-…`) are another list."""
RadElementId = Annotated[str, StringConstraints(pattern=r"^RDE[1-9][0-9]{0,5}$")]

Modality = Literal[
    "CR", "CT", "DX", "ES", "GM", "IO", "IVOCT", "IVUS", "MG", "MR", "NM", "OCT", "OP", "OPT", "PT",
    "PX", "RF", "RG", "SM", "US", "XA", "XC",
]  # fmt: skip
"""Acquisition modalities, as DICOM PS3.16 CID 29 abbreviates them."""
DataType = Literal["text", "code", "codes", "integer", "decimal", "date", "datetime", "boolean"]
Importance = Literal["primary", "secondary"]
Section = Literal[
    "overview",
    "clinical_implementation",
    "dataset_considerations",
    "technical_specification",
    "future_development",
]


class UseCaseOverview(Part):
    """Section 1: what it is for, and who stands behind it."""

    purpose: Prose
    tags: Lines = ()
    originator: Line
    panel: Line
    """What the panel that reviews it is called."""
    chair: Line | None = None
    reviewers: Lines = ()
    license: Line
    related: Annotated[tuple[UseCaseId, ...], Field(max_length=20)] = ()
    source: Source = "project"
    """Whether its facts were confirmed by a source."""
    references: Lines = ()


class Narrative(Part):
    """A situation in which it is used."""

    title: Line
    says: Prose


class ClinicalImplementation(Part):
    """Section 2: what it is worth, and where it stands in the work."""

    value_proposition: Prose
    narratives: Annotated[tuple[Narrative, ...], Field(min_length=1, max_length=10)]
    workflow: Prose


class AgeRange(Part):
    """Ages in years, both included; either may be open."""

    low: Annotated[int, Field(ge=0, le=130)] | None = None
    high: Annotated[int, Field(ge=0, le=130)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> AgeRange:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("the lowest age is above the highest")
        return self


class DatasetConsiderations(Part):
    """Section 3: whose images it has to be tried on."""

    procedures: SomeLines
    ages: AgeRange = AgeRange()
    sexes: Literal["any", "female", "male"] = "any"
    ethnicities: Prose | None = None
    positive_controls: Prose
    negative_controls: Prose
    confounders: Lines = ()
    comorbidities: Lines = ()


class InputStudy(Part):
    """Images that an algorithm is given."""

    procedure: Line
    views: SomeLines
    data_type: Line
    modality: Modality
    body_region: Line
    anatomic_focus: Line


class RadElementValue(Part):
    """An allowed value of a RadElement: its code and what it means."""

    code: Annotated[str, StringConstraints(pattern=r"^RDE[1-9][0-9]{0,5}\.[0-9]{1,4}$")]
    label: Line


class UseCaseSignal(Part):
    """What an algorithm is given or answers: an element of a definition, or a RadElement."""

    id: Identifier
    importance: Importance
    element: ElementReference | None = None
    """What it is, is said by the definition and nowhere else."""
    radelement: RadElementId | None = None
    """The members below say what this is: we keep no copy of RadElement."""
    label: Line | None = None
    definition: Prose | None = None
    data_type: DataType | None = None
    values: Annotated[tuple[RadElementValue, ...], Field(max_length=200)] = ()
    unit: Line | None = None
    note: Prose | None = None
    """What is particular to this use of it."""


class UseCaseInput(UseCaseSignal):
    """What an algorithm is given: images, or something known of the patient or the exam."""

    study: InputStudy | None = None


class UseCaseOutput(UseCaseSignal):
    """What an algorithm answers."""


class TechnicalSpecification(Part):
    """Section 4: inputs and outputs."""

    inputs: Annotated[tuple[UseCaseInput, ...], Field(min_length=1, max_length=50)]
    outputs: Annotated[tuple[UseCaseOutput, ...], Field(min_length=1, max_length=100)]


class UseCaseDocument(Part):
    """An AI use case as it is written."""

    title: Line
    overview: UseCaseOverview
    clinical_implementation: ClinicalImplementation
    dataset_considerations: DatasetConsiderations
    technical_specification: TechnicalSpecification
    future_development: Annotated[tuple[Prose, ...], Field(min_length=1, max_length=20)]
    """Section 5: what it does not do yet."""

    @property
    def signals(self) -> tuple[UseCaseSignal, ...]:
        """Inputs, then outputs."""
        tables = self.technical_specification
        return (*tables.inputs, *tables.outputs)

    def references(self) -> Iterator[Reference]:
        """The elements of definitions it refers to, in its order; one may come twice."""
        for one in self.signals:
            if one.element is not None:
                yield Reference.of(one.element)

    @property
    def registries(self) -> frozenset[str]:
        """The registries it refers to."""
        return frozenset(one.registry for one in self.references())

    @property
    def elements(self) -> list[str]:
        """`<registry>/<element>` of what it refers to, whatever the version; sorted, each once."""
        return sorted(
            {f"{one.registry}/{one.path.rpartition('.')[2]}" for one in self.references()}
        )
