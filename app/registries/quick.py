"""
The quick type of a form's entries: a pydantic type that takes in one native call what is canonical
and usual beyond doubt. It says nothing of what it does not take; `entries.py` has the careful look.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
)

from app.registries import moments
from app.registries.schema import Definition, Element, Form, Group, ValueSet
from app.registries.values.numbers import usual_decimal, usual_limits
from app.registries.values.texts import is_npi, usual_text

# 29 February and the ends of the calendar are left to the careful look. The native pattern takes any
# script's digits for \d.
_DAY = (
    r"^(?:19|20)[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))$"
)
_FIRST_DAYS = {
    "day": _DAY,
    "month": r"^(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-01$",
    "year": r"^(?:19|20)[0-9]{2}-01-01$",
}
"""Of a month or a year, its first day stands for it."""
_MOMENT = _DAY.removesuffix("$") + moments.USUAL_TIME + "$"
_PLAIN = "^[!-~](?:[ -~]*[!-~])?$"
_STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def quick_type(definition: Definition, form: Form) -> type[BaseModel]:
    """The type of one form's entries. What the form itself requires is asked elsewhere, since a draft
    may lack it; what a group's row requires is asked here."""
    sent = [one for one in form.all_elements if one.computed is None]
    members = _members(sent, definition) | _group_members(form.all_groups, definition, len(sent))
    return _made(f"{form.id}_entry", members)


def _made(name: str, members: Any) -> type[BaseModel]:
    made: type[BaseModel] = create_model(name, __config__=_STRICT, **members)
    return made


def _members(
    sent: Sequence[Element], definition: Definition, *, asked: bool = False
) -> dict[str, Any]:
    """The members of a level; `asked`, those that are required must be there."""
    return {
        # A member of a model may not shadow the model's own words, such as `copy`.
        f"m_{number}": (
            _quick(one, definition.value_set(one)),
            Field(alias=one.id) if asked and one.required else Field(default=None, alias=one.id),
        )
        for number, one in enumerate(sent)
    }


def _group_members(
    groups: Sequence[Group], definition: Definition, after: int, *, asked: bool = False
) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for number, group in enumerate(groups, start=after):
        sent = [one for one in group.elements if one.computed is None]
        inner = _group_members(group.groups, definition, len(sent), asked=True)
        row = _made(f"{group.id}_row", _members(sent, definition, asked=True) | inner)
        rows = Annotated[
            list[Annotated[row, AfterValidator(_says_something)]],  # type: ignore[valid-type]
            Field(min_length=max(1, group.at_least), max_length=group.at_most),
        ]
        needed = asked and group.at_least > 0
        members[f"m_{number}"] = (
            rows,
            Field(alias=group.id) if needed else Field(default=None, alias=group.id),
        )
    return members


def _says_something(row: BaseModel) -> BaseModel:
    if not row.model_fields_set:
        raise ValueError
    return row


def _quick(element: Element, value_set: ValueSet | None) -> Any:
    match element.type:
        case "code" if element.list is not None:
            return Annotated[str, StringConstraints(pattern=_PLAIN, max_length=element.max_length)]
        case "code":
            assert value_set is not None
            return Literal[value_set.allowed]
        case "codes":
            assert value_set is not None
            return Annotated[list[str], AfterValidator(_usual_codes(value_set))]
        case "integer":
            low, high = usual_limits(element)
            return Annotated[
                int, Field(ge=int(low.to_integral_value("ROUND_CEILING")), le=int(high))
            ]
        case "decimal":
            return Annotated[str, AfterValidator(_remembered(_only(usual_decimal(element))))]
        case "date":
            return Annotated[str, StringConstraints(pattern=_FIRST_DAYS[element.precision])]
        case "datetime":
            return Annotated[str, StringConstraints(pattern=_MOMENT)]
        case "boolean":
            return bool
        case "npi":
            return Annotated[str, AfterValidator(_remembered(_only(is_npi)))]
        case "text" if element.pattern or element.strip:
            return Annotated[str, AfterValidator(_only(usual_text(element)))]
        case "text":
            return Annotated[str, StringConstraints(pattern=_PLAIN, max_length=element.max_length)]


def _only(usual: Callable[[str], bool]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if usual(text):
            return text
        raise ValueError

    return check


def _remembered(check: Callable[[str], str]) -> Callable[[str], str]:
    """A check of values of which few different ones are sent, and which identify no patient."""
    return lru_cache(maxsize=16_384)(check)


def _usual_codes(value_set: ValueSet) -> Callable[[list[str]], list[str]]:
    allowed, exclusive = frozenset(value_set.allowed), frozenset(value_set.exclusive)

    def check(codes: list[str]) -> list[str]:
        found = set(codes)
        alone = len(codes) == 1 or not found & exclusive
        if not codes or codes != sorted(found) or not found <= allowed or not alone:
            raise ValueError
        return codes

    return check
