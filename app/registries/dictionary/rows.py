"""Elements as a data dictionary shows them: each with its type, when it is asked, and what it may hold."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.registries.schema import (
    Definition,
    Element,
    ElementCodes,
    Form,
    Limits,
    Source,
)

_OF_PERIODS = {"month": "month, YYYY-MM", "year": "year, YYYY"}
MARKS: dict[Source, str] = {
    "confirmed": "",
    "unconfirmed": "not confirmed by a source",
    "project": "this project's own",
}
_TYPES = {
    "text": "text",
    "code": "one code",
    "codes": "codes, separated by semicolons",
    "integer": "whole number",
    "decimal": "decimal number",
    "date": "date, YYYY-MM-DD or MM/DD/YYYY",
    "datetime": "day, time and offset from UTC, such as 2026-03-01T14:05:00-05:00",
    "boolean": "true or false",
    "npi": "National Provider Identifier, 10 digits",
}


class DictionaryCode(BaseModel):
    """An allowed code and what it means."""

    model_config = ConfigDict(frozen=True)

    code: str
    label: str
    system: str | None = Field(default=None, description="The vocabulary it is of, if another's.")
    retired: bool = False
    exclusive: bool = Field(default=False, description="Cannot stand beside another code.")
    source: Source = "confirmed"


class DictionaryRow(BaseModel):
    """One element of one form, as the data dictionary shows it."""

    model_config = ConfigDict(frozen=True)

    form: str
    group: str | None = Field(
        default=None, description="The group whose rows have it: `models`, or `models.parts`."
    )
    element: str = Field(description="Its id, and its name in an entry.")
    source_name: str = Field(description="What the registry's own documents call it.")
    title: str
    type: str
    unit: str | None = Field(default=None, description="UCUM.")
    decimals: int | None = None
    required: Literal["yes", "conditional", "no"]
    required_when: str | None = None
    relevant_when: str | None = None
    usual: str | None = Field(default=None, description="Outside it, an entry is warned about.")
    possible: str | None = Field(default=None, description="Outside it, an entry is rejected.")
    unknown: list[str] = Field(description="Values that say: not known.")
    longest: int | None = Field(default=None, description="The most characters.")
    must: str | None = Field(default=None, description="What its text must look like.")
    identifying: bool = Field(description="Kept in the vault, apart from the case.")
    computed: str | None = Field(default=None, description="Worked out here, never sent.")
    value_set: str | None = None
    codes: list[DictionaryCode]
    coding: ElementCodes
    help: str | None = None
    source: Source = Field(description="Whether a public source confirms it.")
    reference: str | None = None


def dictionary(definition: Definition) -> list[DictionaryRow]:
    """Every element of every form, in order; an included form's elements stand under their own."""
    return [
        _row(definition, form, one, group)
        for form in definition.forms
        for group, elements in tables(form)
        for one in elements
    ]


def tables(form: Form) -> Iterator[tuple[str | None, tuple[Element, ...]]]:
    """A form's own elements, then those of its own groups' rows, by the group's path."""
    yield None, form.elements
    for group in form.groups:
        yield group.id, group.elements
        for inner in group.groups:
            yield f"{group.id}.{inner.id}", inner.elements


def _row(
    definition: Definition, form: Form, element: Element, group: str | None = None
) -> DictionaryRow:
    value_set = definition.value_set(element)
    soft = element.range.soft if element.range else None
    hard = element.range.hard if element.range else None
    required: Literal["yes", "conditional", "no"] = "no"
    if element.required or (group is None and element.id in form.key[:1]):
        required = "yes"
    elif element.required_when is not None:
        required = "conditional"
    return DictionaryRow(
        form=form.id,
        group=group,
        element=element.id,
        source_name=element.source_name,
        title=element.title,
        type=f"one of the facility's own `{element.list}`"
        if element.list
        else _OF_PERIODS.get(element.precision, _TYPES[element.type]),
        unit=element.unit,
        decimals=element.scale if element.type == "decimal" else None,
        required=required,
        required_when=element.required_when,
        relevant_when=element.relevant_when,
        usual=_span(soft),
        possible=_span(hard),
        unknown=list(element.unknown),
        longest=element.max_length if element.type == "text" or element.list else None,
        must=element.pattern_says,
        identifying=element.identifying,
        computed=element.computed,
        value_set=element.value_set,
        codes=[
            DictionaryCode(
                code=one.code,
                label=one.label,
                system=one.system,
                retired=one.retired,
                exclusive=value_set is not None and one.code in value_set.exclusive,
                source=one.source,
            )
            for one in (value_set.codes if value_set else ())
        ],
        coding=element.codes,
        help=element.help,
        source=element.source,
        reference=element.reference,
    )


def _span(limits: Limits | None) -> str | None:
    if limits is None:
        return None
    if limits.low is None:
        return f"at most {limits.high}"
    if limits.high is None:
        return f"at least {limits.low}"
    return f"{limits.low} to {limits.high}"


def values_told(definition: Definition, element: Element) -> str:
    """What an element may hold, in a sentence."""
    return told_values(_row(definition, definition.forms[0], element))


def told_values(row: DictionaryRow) -> str:
    """What a row's element may hold, in a sentence."""
    parts = [
        f"value set `{row.value_set}`" if row.value_set else "",
        row.unit or "",
        f"{row.possible}" if row.possible else "",
        f"usually {row.usual}" if row.usual else "",
        f"{', '.join(row.unknown)} = unknown" if row.unknown else "",
        f"{row.decimals} decimals" if row.decimals else "",
        f"at most {row.longest} characters" if row.longest and not row.must else "",
        row.must or "",
        f"`{_flat(row.computed)}`" if row.computed else "",
        row.help or "",
    ]
    return "; ".join(part.rstrip(".") for part in parts if part)


def _flat(text: str) -> str:
    return " ".join(text.split())
