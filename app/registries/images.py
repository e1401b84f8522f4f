"""
How cases come to be from images, and where an element is read in them.

A definition says which objects speak of a form's cases (`images.yaml`), and each element where it
stands (`from_dicom`): an attribute of the header, or a content item of a structured report by the
concept names that lead to it (PS3.16). What does not identify is read after de-identification, so that
nothing that de-identification takes away can come back through an element.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.registries.parts import Identifier, Part, Slug, Source

Concept = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,16} [A-Za-z0-9_.^-]{1,64}$")]
"""`<scheme> <code>` of a coded concept: `DCM 113819`."""
Keywords = Annotated[
    str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*(/[A-Z][A-Za-z0-9]*){0,7}$")
]
"""A DICOM keyword, or several that lead through sequences: `CTExposureSequence/CTDIvol`."""
Uid = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+){2,}$", max_length=64)]
Take = Literal["first", "max", "min", "sum", "count", "only"]


class Reading(Part):
    """One place where an element may be read: an `attribute`, a `content` item, or an age.

    What several content items or documents of one case say is brought together by `take`: `only` is
    what all of them agree on, and `mixed` where they do not.
    """

    attribute: Keywords | None = None
    content: Annotated[tuple[Concept, ...], Field(max_length=8)] = ()
    """Concept names from a container down to the item; the last one's value is read."""
    age_on: Keywords | None = None
    """The date on which the patient's age, in years from the birth date, is wanted."""
    take: Take = "first"
    unit: str | None = None
    """UCUM unit of an attribute's number; a content item says its own."""
    codes: dict[str, str] = {}
    """What stands in the object -> the element's code. A coded value is `<scheme> <code>`."""
    otherwise: str | None = None
    """The element's code for what `codes` does not name; left out, it is not read."""
    mixed: str | None = None
    """With `only`: the element's code where they do not agree."""
    called: str | None = None
    """The place in words, for findings."""

    @model_validator(mode="after")
    def _one_place(self) -> Reading:
        places = (self.attribute is not None, bool(self.content), self.age_on is not None)
        if sum(places) != 1:
            raise ValueError("a reading has one of `attribute`, `content` and `age_on`")
        return self

    @property
    def place(self) -> str:
        """Where it is read, as a finding says it."""
        where = self.attribute or " > ".join(self.content) or f"age on {self.age_on}"
        return f"{self.called} ({where})" if self.called else where


class CrossCheck(Part):
    """How far what was typed may be from what was measured; without a number they must be equal.

    The wider of the two tolerances counts; `relative` is a share of what was measured.
    """

    absolute: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    relative: Annotated[Decimal, Field(ge=0, le=1)] = Decimal(0)


class Where(Part):
    """A text attribute that has one of some words in it, whatever their case."""

    attribute: Keywords
    says: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=2, max_length=64)], ...],
        Field(min_length=1),
    ]


class ImageSource(Part):
    """Objects that speak of a form's cases. All conditions given must hold.

    Two objects speak of the same case when they give the same key. With `each`, a document speaks of
    as many cases as it has containers of that concept, such as irradiation events.
    """

    id: Slug
    title: str = ""
    form: Identifier
    makes_cases: bool = True
    """FALSE: read only to be held against what is typed; no case comes of it alone."""
    sop_classes: tuple[Uid, ...] = ()
    modalities: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,16}$")], ...] = ()
    documents: tuple[Concept, ...] = ()
    """Titles of structured reports: the concept name of the root."""
    holding: tuple[Concept, ...] = ()
    """A structured report must have a content item of one of these concepts below its root."""
    where: tuple[Where, ...] = ()
    each: Concept | None = None
    source: Source = "confirmed"
    reference: str | None = None

    @model_validator(mode="after")
    def _of_something(self) -> ImageSource:
        if not self.sop_classes and not self.modalities:
            raise ValueError("a source needs `sop_classes` or `modalities`")
        return self
