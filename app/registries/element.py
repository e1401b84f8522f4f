"""What forms ask: elements, the codes and limits of their values, and groups of rows of elements."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.registries.images import CrossCheck, Reading
from app.registries.parts import Expression, Identifier, Limits, Part, Slug, Source

ValueType = Literal[
    "text", "code", "codes", "integer", "decimal", "date", "datetime", "boolean", "npi"
]
Precision = Literal["day", "month", "year"]
Identity = Literal["national_id", "local_id", "birth_date", "facility", "accession"]
RuleSeverity = Literal["reject", "warn"]


LONGEST_CODE = 64
"""Characters of a code; published value sets spell theirs out (`unchanged_for_6_12_months`)."""


class Code(Part):
    """One allowed code of a value set."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CODE)]
    label: str
    definition: str | None = None
    """What is meant, where the label alone does not say it."""
    system: str | None = None
    """The vocabulary it is of, as a URI; the registry's own when left out."""
    retired: bool = False
    """Understood in old data: taken, with a warning."""
    source: Source = "confirmed"
    radelement: str | None = None
    loinc: str | None = None
    snomed: str | None = None
    radlex: str | None = None

    @property
    def meaning(self) -> str:
        """The label, and what is meant by it."""
        return f"{self.label}: {self.definition}" if self.definition else self.label


class ValueSet(Part):
    """Allowed codes, in the order a form offers them."""

    id: Slug
    title: str
    codes: Annotated[tuple[Code, ...], Field(min_length=1)]
    exclusive: tuple[str, ...] = ()
    """Codes that say none or unknown, and so cannot stand beside another in a `codes` element."""
    source: Source = "confirmed"
    reference: str | None = None

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """The codes a sender should use: those that are not retired."""
        return tuple(code.code for code in self.codes if not code.retired)

    @cached_property
    def by_code(self) -> dict[str, Code]:
        return {code.code: code for code in self.codes}

    @cached_property
    def labels(self) -> dict[str, str]:
        return {code.code: code.label for code in self.codes}


class Range(Part):
    """Outside `soft` an entry is warned about, outside `hard` it is rejected."""

    soft: Limits | None = None
    hard: Limits | None = None


class ElementCodes(Part):
    """What other vocabularies call this element."""

    radelement: str | None = None
    loinc: str | None = None
    snomed: str | None = None
    radlex: str | None = None


class Lookup(Part):
    """Where a value that was left out is found: in the entry of a facility's own list that `by` names."""

    list: Identifier
    """The form of the list."""
    by: Identifier
    """The element of the same form whose value is the key of an entry of the list."""
    element: Identifier
    """The list's element whose value is taken."""


class Element(Part):
    """One common data element of a form."""

    id: Identifier
    source_name: str
    """What the registry's own documents call it; a heading in a file may use it as well."""
    title: str
    type: ValueType
    scale: Annotated[int, Field(ge=0, le=9)] = 0
    """Decimals that are kept, rounded half up; only decimals have a scale above 0."""
    precision: Precision = "day"
    """What is kept of a date: a month or a year is kept as its first day."""
    unit: str | None = None
    """UCUM."""
    value_set: Slug | None = None
    list: Identifier | None = None
    """For a code: the form of a facility's own list, whose key it must be."""
    unlisted: RuleSeverity = "reject"
    """What becomes of an entry with a code that is not on the list."""
    from_list: Lookup | None = None
    """Left out, it is what the facility's own list says; when the list changes, it follows."""
    range: Range | None = None
    unknown: tuple[str, ...] = ()
    """Sentinels that say "not known", spelled canonically: kept as sent, never counted as values."""
    required: bool = False
    """Needed to submit. A draft needs its key alone."""
    required_when: Expression | None = None
    relevant_when: Expression | None = None
    """When this is FALSE a value is out of place: a form hides the element, a check warns."""
    zone: Identifier | None = None
    """Of a datetime: the coded element that names the zone (IANA) of a time sent without an offset."""
    identifying: bool = False
    """Kept in the vault and nowhere else; no measure sees it."""
    identity: Identity | None = None
    """The part it plays in telling subjects, facilities and cases apart."""
    max_length: Annotated[int, Field(ge=1, le=4000)] = 255
    pattern: str | None = None
    """A regular expression that a text must match whole, after `strip`."""
    pattern_says: str | None = None
    """The same in words, for people: "9 digits, hyphens optional"."""
    strip: str | None = None
    """Characters taken out of a text before it is checked and kept, such as hyphens."""
    codes: ElementCodes = ElementCodes()
    computed: Expression | None = None
    """Worked out at check, never sent."""
    from_dicom: tuple[Reading, ...] = ()
    """Where it is read in images and dose reports; the first place that says something counts."""
    cross_check: CrossCheck | None = None
    """Hold what is typed against what was read there."""
    help: str | None = None
    question: str | None = None
    """How people are asked; the title when left out."""
    source: Source = "confirmed"
    reference: str | None = None


class Group(Part):
    """Rows of elements that a form asks for as often as there is something to say."""

    id: Identifier
    title: str
    at_least: Annotated[int, Field(ge=0, le=100)] = 0
    """Rows that are needed to submit; of a group inside a group, in each row of the outer one."""
    at_most: Annotated[int, Field(ge=1, le=100)] = 20
    elements: Annotated[tuple[Element, ...], Field(min_length=1)]
    groups: tuple[Group, ...] = ()
    """Rows inside each row; these have none of their own."""
    help: str | None = None
    source: Source = "confirmed"
    reference: str | None = None

    @cached_property
    def by_id(self) -> dict[str, Element]:
        return {element.id: element for element in self.elements}
