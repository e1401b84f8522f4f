"""A set as it is written, in either edition of the schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import Unprocessable

_LEFT = ("contributors", "references", "images", "body_parts", "modalities")


class UnreadableSet(Unprocessable):
    """A document is no RadElement set; each complaint is one line."""

    code = "unreadable-element-set"
    title = "The element set cannot be read"

    def __init__(self, complaints: Iterable[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(self.complaints))


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Adorned(_Read):
    """What may carry more than a definition has a word for."""

    contributors: Any = None
    references: Any = None
    images: Any = None
    body_parts: Any = None
    modalities: Any = None

    def left(self) -> Iterator[str]:
        """Those that say something. Empty lists and objects of empty lists do not."""
        for name in _LEFT:
            found = getattr(self, name)
            if any(found.values()) if isinstance(found, Mapping) else found:
                yield name


class IndexCode(_Read):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Version(_Read):
    number: int
    date: str | None = None


class Value(_Adorned):
    code: str
    value: str | None = None
    name: str
    definition: str | None = None
    index_codes: tuple[IndexCode, ...] | IndexCode = ()


class Values(_Read):
    min_cardinality: int = 1
    max_cardinality: int | None = None
    values: Annotated[tuple[Value, ...], Field(min_length=1)]


class Number(_Read):
    min: Decimal | None = None
    max: Decimal | None = None
    step: Decimal | None = None
    unit: str | None = None


class RadElement(_Adorned):
    """One element of a set, of exactly one kind."""

    id: Annotated[str, Field(pattern=r"^(RDE|TO_BE_DETERMINED)\d+$")]
    name: str
    definition: str | None = None
    question: str | None = None
    element_version: Version
    index_codes: tuple[IndexCode, ...] = ()
    integer_value: Number | None = None
    float_value: Number | None = None
    value_set: Values | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> RadElement:
        if (
            sum(one is not None for one in (self.integer_value, self.float_value, self.value_set))
            != 1
        ):
            raise ValueError("needs exactly one of integer_value, float_value and value_set")
        return self


class RadElementSet(_Adorned):
    """A set of elements, in either edition of the schema."""

    id: Annotated[str, Field(pattern=r"^(RDES|TO_BE_DETERMINED)\d+$")]
    name: str
    description: str = ""
    set_version: Version
    status: dict[str, Any] = Field(validation_alias=AliasChoices("current_status", "status"))
    index_codes: tuple[IndexCode, ...] = ()
    elements: Annotated[tuple[RadElement, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> RadElementSet:
        for name, times in Counter(one.id for one in self.elements).items():
            if times > 1:
                raise ValueError(f"{name} is there twice")
        return self


def read_set(document: object) -> RadElementSet:
    """The set in a JSON document, also in the envelope (`data`) that the registry's service answers
    with; `UnreadableSet` with every complaint."""
    if isinstance(document, Mapping) and "id" not in document and "data" in document:
        document = document["data"]
    if isinstance(document, Mapping) and isinstance(document.get("elements"), list):
        referred = [
            number
            for number, one in enumerate(document["elements"])
            if isinstance(one, Mapping) and "element_ref_id" in one
        ]
        if referred:
            raise UnreadableSet(
                f"elements.{number}: refers to an element elsewhere; fetch the set with its elements"
                for number in referred
            )
    try:
        return RadElementSet.model_validate(document)
    except ValidationError as error:
        raise UnreadableSet(
            f"{'.'.join(str(part) for part in one['loc']) or 'document'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        ) from None
