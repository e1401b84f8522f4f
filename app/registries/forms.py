"""
What a definition looks like to people and programs that fill in its forms.

The data dictionary and the description of a web form, both from the one document. The JSON Schema
of an entry is in `json_schema.py`, the FHIR Questionnaire in `questionnaire.py`, the Excel template
in `workbook.py`.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.registries.conditions import condition
from app.registries.schema import (
    Definition,
    Element,
    ElementCodes,
    Form,
    Group,
    Limits,
    Source,
    ValueSet,
)
from app.registries.sources import images_markdown

ACTIONS = ("save", "submit", "withdraw")
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
        for group, elements in _tables(form)
        for one in elements
    ]


def _tables(form: Form) -> Iterator[tuple[str | None, tuple[Element, ...]]]:
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


def dictionary_markdown(definition: Definition) -> str:
    """The data dictionary as a page: forms, rules, measures, value sets."""
    return "\n".join(_markdown(definition)) + "\n"


def _markdown(definition: Definition) -> Iterator[str]:
    yield f"# {definition.title}: data dictionary, version {definition.version}"
    yield ""
    yield "A mark in the last column says what no public source confirms."
    for form in definition.forms:
        yield from ("", f"## {form.title} (`{form.id}`)", "")
        if form.includes:
            inside = ", ".join(f"`{one}`" for one in form.includes)
            yield from (f"An entry carries the elements of {inside} as well.", "")
        for group, elements in _tables(form):
            if group is not None:
                yield from _group_markdown(form, group)
            yield "| element | source name | title | type | required | values | mark |"
            yield "|---|---|---|---|---|---|---|"
            yield from (_row_markdown(_row(definition, form, one, group)) for one in elements)
    yield from images_markdown(definition)
    yield from _rules_markdown(definition)
    yield from _measures_markdown(definition)
    yield from _case_mix_markdown(definition)
    for value_set in definition.value_sets.values():
        yield from _codes_markdown(value_set)


def _group_markdown(form: Form, path: str) -> Iterator[str]:
    """What a group is, above the elements of its rows."""
    *above, group = form.group_paths[path]
    inside = f"each of `{above[-1].id}`" if above else "an entry"
    yield from ("", f"### {group.title} (`{path}`)", "")
    yield f"{group.at_least} to {group.at_most} rows in {inside}." + (
        f" {group.help}" if group.help else ""
    )
    yield ""


def _row_markdown(row: DictionaryRow) -> str:
    required: str = row.required
    if row.required_when:
        required = f"when `{_flat(row.required_when)}`"
    if row.computed:
        required = "worked out"
    return _cells(
        f"`{row.element}`",
        row.source_name,
        row.title + (" (identifying)" if row.identifying else ""),
        row.type,
        required,
        _values(row),
        MARKS[row.source],
    )


def _rules_markdown(definition: Definition) -> Iterator[str]:
    if not definition.rules:
        return
    yield from ("", "## Rules", "", "| rule | form | requires | what it does | remedy | mark |")
    yield "|---|---|---|---|---|---|"
    for rule in definition.rules:
        does = "rejects" if rule.severity == "reject" else "warns"
        requires = f"`{_flat(rule.expression)}`"
        form = rule.form if rule.group is None else f"{rule.form}, each of `{rule.group}`"
        yield _cells(f"`{rule.id}`", form, requires, does, rule.remedy, MARKS[rule.source])


def _measures_markdown(definition: Definition) -> Iterator[str]:
    if not definition.measures:
        return
    yield from ("", "## Measures", "", "| measure | title | what it counts | shown after | mark |")
    yield "|---|---|---|---|---|"
    for one in definition.measures:
        after = f"{one.matures_after} months" if one.matures_after else ""
        yield _cells(f"`{one.id}`", one.title, one.description, after, MARKS[one.source])


def _case_mix_markdown(definition: Definition) -> Iterator[str]:
    adjusted = [one for one in definition.measures if one.case_mix]
    if not adjusted:
        return
    yield from ("", "## Case mix", "")
    yield "What patients bring, and is allowed for in what is expected of a facility."
    yield from ("", "| measure | factor | title | levels | compared with | mark |")
    yield "|---|---|---|---|---|---|"
    for measure in adjusted:
        for one in measure.case_mix:
            levels = "; ".join(f"`{level}` {one.label(level)}" for level in one.every)
            reference = f"`{one.reference}`"
            yield _cells(
                f"`{measure.id}`", f"`{one.id}`", one.title, levels, reference, MARKS[one.source]
            )


def _codes_markdown(value_set: ValueSet) -> Iterator[str]:
    yield from (
        "",
        f"## {value_set.title} (`{value_set.id}`)",
        "",
        "| code | meaning | mark |",
        "|---|---|---|",
    )
    for code in value_set.codes:
        marks = [MARKS[code.source]]
        marks += ["retired"] if code.retired else []
        marks += ["stands alone"] if code.code in value_set.exclusive else []
        yield _cells(f"`{code.code}`", code.meaning, ", ".join(one for one in marks if one))


def dictionary_values(definition: Definition, element: Element) -> str:
    """What an element may hold, in a sentence."""
    return _values(_row(definition, definition.forms[0], element))


def _values(row: DictionaryRow) -> str:
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


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


# --- for pages ------------------------------------------------------------------------------------


def web_form(definition: Definition, form_id: str) -> dict[str, Any]:
    """What a page needs to draw a form: sections, questions, choices, and when to show them."""
    form = definition.form(form_id)
    return {
        "registry": definition.id,
        "version": definition.version,
        "form": form.id,
        "title": form.title,
        "sections": [
            {
                "form": part.id,
                "title": part.title,
                "questions": [
                    _question(definition, form, one)
                    for one in part.elements
                    if one.computed is None
                ],
                "groups": [_rows_asked(definition, form, one) for one in part.groups],
            }
            for part in (form, *form.included)
        ],
    }


def _rows_asked(definition: Definition, form: Form, group: Group) -> dict[str, Any]:
    """A group for a page: it repeats the questions of a row, which a person adds or takes away."""
    return {
        "group": group.id,
        "title": group.title,
        "help": group.help,
        "at_least": group.at_least,
        "at_most": group.at_most,
        "questions": [
            _question(definition, form, one) | {"required": one.required}
            for one in group.elements
            if one.computed is None
        ],
        "groups": [_rows_asked(definition, form, one) for one in group.groups],
    }


def _question(definition: Definition, form: Form, element: Element) -> dict[str, Any]:
    value_set = definition.value_set(element)
    hard = element.range.hard if element.range else None
    shown = condition(element.relevant_when)
    needed = condition(element.required_when)
    return {
        "element": element.id,
        "title": element.title,
        "type": element.type,
        "precision": element.precision if element.type == "date" else None,
        "unit": element.unit,
        "required": element.required or element.id in form.key[:1],
        "required_when": needed.document() if needed else None,
        "shown_when": shown.document() if shown else None,
        "help": " ".join(one for one in (element.pattern_says, element.help) if one) or None,
        "mark": MARKS[element.source] or None,
        "max_length": element.max_length if element.type == "text" or element.list else None,
        "list": element.list,
        "minimum": str(hard.low) if hard and hard.low is not None else None,
        "maximum": str(hard.high) if hard and hard.high is not None else None,
        "step": format(Decimal(1).scaleb(-element.scale), "f")
        if element.type == "decimal"
        else None,
        "unknown": list(element.unknown),
        "choices": [
            {
                "code": one.code,
                "label": one.label,
                "alone": value_set is not None and one.code in value_set.exclusive,
            }
            for one in (value_set.codes if value_set else ())
            if not one.retired
        ],
    }
