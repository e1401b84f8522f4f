"""
Fields that several resources speak, with their limits (registration of accounts and facilities).

Bodies are strict: an unknown member is refused, a number is not text, and no text carries control
characters or outer blanks, so that nothing a client sends can surprise PostgreSQL or a page.
"""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from app.registries.parts import LINE_PATTERN, PROSE_PATTERN
from app.registries.values.texts import is_npi
from app.registries.window import Bound

# What the source says (2 to 45 characters, first two letters) and no control characters.
NAME_PATTERN = r"^[A-Za-zÀ-ɏ]{2}[^\x00-\x1f\x7f-\x9f]{0,43}$"

Name = Annotated[str, StringConstraints(min_length=2, max_length=45, pattern=NAME_PATTERN)]
"""Of an account, a facility or an administrator: its first two characters are letters."""

PersonName = Annotated[str, StringConstraints(min_length=1, max_length=45, pattern=LINE_PATTERN)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=45, pattern=LINE_PATTERN)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=LINE_PATTERN)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=PROSE_PATTERN)]
"""A facility's own words, in several lines. No patient belongs in them."""

PostalCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9 -]{1,8}[A-Z0-9]$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""

State = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
"""Of the United States the two postal letters; elsewhere the subdivision part of ISO 3166-2."""

Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 ().x-]{5,28}[0-9]$")]
Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,5}$",
    ),
]
Tin = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
"""A taxpayer identification number, without its hyphen."""

RegistryName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
FacilityId = Annotated[int, Field(strict=True, ge=100_000, le=999_999)]
Count = Annotated[int, Field(strict=True, ge=0, le=100_000_000)]


def _checked(npi: str) -> str:
    if not is_npi(npi):
        raise ValueError("the check digit of the NPI is wrong")
    return npi


Npi = Annotated[
    str,
    StringConstraints(pattern=r"^[12][0-9]{9}$"),
    AfterValidator(_checked),
    Field(description="A National Provider Identifier with its Luhn check digit."),
]


def _text_only(value: Any) -> Any:
    """A day or moment is written as text: a bare number would be taken for seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("write it as text, as RFC 3339 has it")
    return value


Day = Annotated[date, BeforeValidator(_text_only)]
Moment = Annotated[AwareDatetime, BeforeValidator(_text_only)]


def _foreseeable(bound: date | datetime) -> date | datetime:
    if not 2000 <= bound.year < 2200:
        raise ValueError("lies outside 2000 to 2199")
    return bound


WindowBound = Annotated[Bound, BeforeValidator(_text_only), AfterValidator(_foreseeable)]
"""A day in UTC, or a second, at which a version of a definition begins or ends to be taken."""


class Sent(BaseModel):
    """A body as it is sent: nothing unknown, nothing coerced."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """A body as it is shown, read from the row it stands for."""

    model_config = ConfigDict(from_attributes=True)


class Address(Sent):
    """Where an account or a facility is, and how to reach it."""

    name: Name
    street_1: Line
    street_2: Line | None = None
    city: Line
    state: State
    postal_code: PostalCode
    country: Country = "US"
    phone: Phone


VersionAsked = Annotated[
    str | None,
    Query(
        description="A version of the definition; otherwise the one in force.",
        max_length=40,
        pattern=r"^\d{1,9}\.\d{1,9}\.\d{1,9}$",
    ),
]
