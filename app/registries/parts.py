"""What every part of a definition is made of: names with a shape, marks of origin, and the strict base."""

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=4000)]

Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]

GroupPath = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]
"""A group of a form, or a group inside one: `models`, `models.parts`."""

Source = Literal["confirmed", "unconfirmed", "project"]

LINE_PATTERN = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
"""Text in one line: no control characters, no outer blanks."""
PROSE_PATTERN = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
"""As `LINE_PATTERN`, in several lines."""


class Part(BaseModel):
    """What every part of a definition is: frozen, and strict about what it may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    def __copy__(self) -> Self:
        """A copy, which may be given other members, without what was worked out of the first."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class Limits(Part):
    """Lowest and highest, both included; either may be open."""

    low: Decimal | None = None
    high: Decimal | None = None
