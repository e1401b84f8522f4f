"""
How entries of an earlier version are read as a later one's: the shape of `conversion.yaml`.

What both versions call and mean alike needs no word. An element that is called otherwise, coded
otherwise or new says where its value comes from; what is knowingly left behind is listed, so that a
conversion that forgot something can be told from one that is whole.
"""

from typing import Annotated

from pydantic import Field

from app.registries.parts import Expression, GroupPath, Identifier, Part, Version


class Converted(Part):
    """Where the value of one element comes from in entries of the earlier version."""

    form: Identifier
    group: GroupPath | None = None
    """For an element of a group's rows; the group is called alike in both versions."""
    element: Identifier
    """The element now."""
    was: Identifier | None = None
    """What it was called; its own name when left out."""
    expression: Expression | None = None
    """Or worked out from the earlier version's elements."""
    codes: dict[str, str | None] = Field(default_factory=dict)
    """The earlier code -> the code now; none: the value is not known. Others stay as they are."""
    default: str | None = None
    """Where there would be no value."""
    absent: bool = False
    """Earlier entries may lack it though it is needed now: measures see no value."""


class Left(Part):
    """An element, or a whole form, of the earlier version that is knowingly left behind."""

    form: Identifier
    group: GroupPath | None = None
    element: Identifier | None = None
    """None: the whole group or form."""
    because: Annotated[str, Field(min_length=1)]


class Conversion(Part):
    """What makes entries of one earlier version comparable with this version's."""

    converts: Version
    """The earlier version."""
    elements: tuple[Converted, ...] = ()
    left: tuple[Left, ...] = ()
