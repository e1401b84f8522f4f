"""What a structured report tells a registry: which answers of a reporting module fill which elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.registries.parts import Identifier, Part, Source

ModuleName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""What a module calls itself, or something in it: modules of others have names of their own kind."""


class Filled(Part):
    """One element, and the one thing that fills it."""

    element: Identifier
    answer: ModuleName | None = None
    """What was answered to an element of the module, or worked out by it."""
    end_point: Literal["id"] | None = None
    """The id of the end point that is reached."""
    follow_up: Literal["earliest", "latest"] | None = None
    """When the end point recommends to follow up, in whole months."""
    value: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """Always this, once an end point is reached."""
    codes: Mapping[str, str] = Field(default_factory=dict)
    """What the module says -> what the registry calls it. Given any, what is not named fills nothing."""
    source: Source = "confirmed"
    reference: str | None = None

    @model_validator(mode="after")
    def _by_one(self) -> Filled:
        given = [self.answer, self.end_point, self.follow_up, self.value]
        if sum(one is not None for one in given) != 1:
            raise ValueError("is filled by one of `answer`, `end_point`, `follow_up` and `value`")
        return self


class FilledRows(Part):
    """The rows of a group, one for each item of a module's group."""

    group: Identifier
    items: ModuleName
    """The module's group."""
    elements: Annotated[tuple[Filled, ...], Field(min_length=1)]


class Reported(Part):
    """How a module's report becomes an entry of a form."""

    module: ModuleName
    version: ModuleName | None = None
    """The one version it is written for; any when left out."""
    form: Identifier
    elements: Annotated[tuple[Filled, ...], Field(min_length=1)]
    groups: tuple[FilledRows, ...] = ()
