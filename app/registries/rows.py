"""
Entries as rows: the columns a form has in SQL, and what expressions may see of them.

Nothing is run here. `sql_columns` and `unpacked` say how canonical values in JSON become typed
columns, the same for a batch being checked, for cases being observed and for the lake.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.registries.expressions import (
    BOOLEAN,
    DATE,
    DATETIME,
    INTEGER,
    LIST,
    TEXT,
    Type,
    Windows,
    decimal,
)
from app.registries.schema import Definition, Derived, Element, Form

RECEIVED_ON = "received_on"
"""The day a submission came, as a column; rules have no other clock."""
PARENT = "parent_"
"""What a follow-up's rules call the elements of the case it belongs to."""
SUBJECT_RECORD = "subject_record_"
"""What measures call the elements of a subject's own entry."""

CASE_COLUMNS: Mapping[str, Type] = {
    "case_token": TEXT,
    "facility_id": INTEGER,
    "subject_id": INTEGER,
    "case_date": DATE,
    "month": DATE,
}
"""What every row of a case relation has beside its elements."""


@dataclass(frozen=True, slots=True)
class Column:
    """A typed column and how it is read out of canonical JSON unpacked by `structure`."""

    name: str
    type: str
    """As DuckDB writes it."""
    expression: str
    """Over the unpacked struct `e`."""
    element: str
    shape: str = ""
    """The type that its JSON is read as, where that is another."""


def companions(element: Element) -> tuple[tuple[str, Type], ...]:
    """Columns beside an element's own, by what follows its name: whether it is known not to be known,
    and the day of a moment by the clock of the place that sent it."""
    found: tuple[tuple[str, Type], ...] = ()
    if element.unknown:
        found += (("_unknown", BOOLEAN),)
    if element.type == "datetime":
        found += (("_day", DATE),)
    return found


def type_of(element: Element) -> Type:
    """The type expressions see."""
    match element.type:
        case "integer":
            return Type("integer", 0, _digits(element))
        case "decimal":
            return Type("decimal", element.scale, _digits(element))
        case "date":
            return DATE
        case "datetime":
            return DATETIME
        case "boolean":
            return BOOLEAN
        case "codes":
            return LIST
        case "text" | "code" | "npi":
            return TEXT


def _digits(element: Element) -> int:
    """The most digits a value may have, its decimals counted."""
    hard = element.range.hard if element.range else None
    if hard is None or hard.low is None or hard.high is None:
        return 18
    furthest = max(abs(hard.low), abs(hard.high))
    return min(18, max(furthest.adjusted() + 1, 1) + element.scale)


def type_of_derived(one: Derived) -> Type:
    """The type expressions see of a derived column."""
    return {
        "integer": INTEGER,
        "decimal": decimal(one.scale),
        "date": DATE,
        "datetime": DATETIME,
        "boolean": BOOLEAN,
        "codes": LIST,
    }.get(one.type, TEXT)


def sql_type(element: Element | Derived) -> str:
    """The type of an element's column, or of a derived one, as DuckDB writes it."""
    match element.type:
        case "integer":
            return "BIGINT"
        case "datetime":
            return "BIGINT"  # seconds since 1970 in UTC
        case "decimal":
            return f"DECIMAL(18, {element.scale})"
        case "date":
            return "DATE"
        case "boolean":
            return "BOOLEAN"
        case "codes":
            return "VARCHAR[]"
        case "text" | "code" | "npi":
            return "VARCHAR"


def sql_columns(form: Form, *, arriving: bool = False) -> tuple[Column, ...]:
    """
    The columns of a form's elements, in order.

    A sentinel is NULL in its element's column and TRUE in `<element>_unknown`. A datetime is a number
    of seconds, and has its day in `<element>_day`. A case's columns hold
    computed elements and no identifying ones; those of an arriving entry are the other way round.
    """
    return columns_of(
        one
        for one in form.all_elements
        if not (
            one.computed is not None if arriving else one.identifying or one.identity == "facility"
        )
    )


def columns_of(elements: Iterable[Element], of: str = "e") -> tuple[Column, ...]:
    """The columns of some elements, in order, read out of a struct that has them as members."""
    found: list[Column] = []
    for element in elements:
        value = f'{of}."{element.id}"'
        if element.type == "datetime":
            second = f"CAST(epoch(CAST({value} AS TIMESTAMPTZ)) AS BIGINT)"
            day = f"CAST(left({value}, 10) AS DATE)"
            found.append(Column(element.id, sql_type(element), second, element.id, "VARCHAR"))
            found.append(Column(f"{element.id}_day", "DATE", day, element.id, "VARCHAR"))
            continue
        if not element.unknown:
            found.append(Column(element.id, sql_type(element), value, element.id))
            continue
        unknown = f"{value} IN ({', '.join(_literal(element, one) for one in element.unknown)})"
        found.append(
            Column(
                element.id,
                sql_type(element),
                f"CASE WHEN NOT {unknown} THEN {value} END",
                element.id,
            )
        )
        found.append(
            Column(f"{element.id}_unknown", "BOOLEAN", f"COALESCE({unknown}, FALSE)", element.id)
        )
    return tuple(found)


def _literal(element: Element, sentinel: str) -> str:
    return (
        sentinel if element.type in ("integer", "decimal") else f"{sql_type(element)} '{sentinel}'"
    )


def structure(
    form: Form,
    *,
    only: frozenset[str] | None = None,
    arriving: bool = False,
    rows: Iterable[Column] = (),
) -> str:
    """The shape for DuckDB's `json_transform`; it gives a struct with one member an element."""
    members = {
        column.element: column.shape or column.type
        for column in (*_some_columns(form, only, arriving), *rows)
        if not column.name.endswith("_unknown") or column.name == column.element
    }
    shapes = (f'"{name}": {_json_shape(kind)}' for name, kind in members.items())
    return "{" + ", ".join(shapes) + "}"


def _some_columns(form: Form, only: frozenset[str] | None, arriving: bool) -> list[Column]:
    return [
        column
        for column in sql_columns(form, arriving=arriving)
        if only is None or column.element in only
    ]


def _json_shape(kind: str) -> str:
    if kind.startswith("["):  # rows: see `gathered`
        return kind
    return '["VARCHAR"]' if kind == "VARCHAR[]" else f'"{kind}"'


def unpacked(
    form: Form,
    source: str,
    *,
    json: str = "elements",
    keep: Iterable[str] = (),
    only: frozenset[str] | None = None,
    arriving: bool = False,
    rows: Iterable[Column] = (),
) -> str:
    """
    SELECT the columns in `keep` and every element, typed, from a relation with canonical JSON.

    `source` is the relation's name, `json` its column of canonical elements as JSON text. With
    `only`, no other elements than these are unpacked. `rows` are columns of groups' rows to have beside.
    """
    kept = [f'"{name}"' for name in keep]
    beside = tuple(rows)
    columns = [*_some_columns(form, only, arriving), *beside]
    if not columns:
        return f"SELECT {', '.join(kept)} FROM {source}"
    selected = ", ".join(
        [*kept, *(f'{column.expression} AS "{column.name}"' for column in columns)]
    )
    shape = structure(form, only=only, arriving=arriving, rows=beside)
    inner = ", ".join([*kept, f"json_transform(\"{json}\", '{shape}') AS e"])
    return f"SELECT {selected} FROM (SELECT {inner} FROM {source})"


def element_types(elements: Iterable[Element], prefix: str = "") -> dict[str, Type]:
    """The columns expressions may name for these elements."""
    types: dict[str, Type] = {}
    for element in elements:
        types[prefix + element.id] = type_of(element)
        for beside, kind in companions(element):
            types[f"{prefix}{element.id}{beside}"] = kind
    return types


def rule_columns(definition: Definition, form: Form, group: str | None = None) -> dict[str, Type]:
    """What rules and conditions of a form may see: all of the entry, and its case if it has one.

    Those of a group see a row and what stands around it.
    """
    types = element_types((form if group is None else form.row_of(group)).all_elements)
    types[RECEIVED_ON] = DATE
    if form.parent is not None and group is None:
        parent = definition.form(form.parent)
        types |= element_types((one for one in parent.all_elements if not one.identifying), PARENT)
    return types


def case_columns(definition: Definition, form: Form) -> dict[str, Type]:
    """What measures and derived columns of a case form may see, derived columns aside."""
    types = dict(CASE_COLUMNS) | element_types(definition.visible_elements(form.id))
    for subject in definition.forms:
        if subject.level == "subject" and not subject.part:
            types |= element_types(definition.visible_elements(subject.id), SUBJECT_RECORD)
    return types


def follow_up_columns(definition: Definition, case: Form, follow_up: Form) -> dict[str, Type]:
    """What a derived column over follow-ups may see: the case's columns and the follow-up's."""
    own = element_types(definition.visible_elements(follow_up.id))
    return case_columns(definition, case) | own


def group_columns(definition: Definition, case: Form, group: str) -> dict[str, Type]:
    """What a derived column over rows may see: the case's columns, and a row's with those around it."""
    own = element_types(one for each in case.group_paths[group] for one in each.elements)
    return case_columns(definition, case) | own


def windows(form: Form) -> Windows:
    """How a subject's cases are ordered: by the period element, then the case key token."""
    return Windows("subject_id", (form.period or "case_date", "case_token"))
