"""
A form as an Excel template: a row an entry, drop-down lists, notes, and a sheet of codes.

Columns of text and codes are formatted as text, so that Excel keeps leading zeros. Nothing is
written as a formula, and two templates of one definition are the same bytes.
"""

import io
from collections.abc import Iterator

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from app.registries.dictionary.rows import MARKS, values_told
from app.registries.forms import ACTIONS
from app.registries.schema import Definition, Element, Form, Group
from app.registries.window import begins

ROWS = 10_000
"""Rows that have drop-down lists; more may be filled in."""
FIRST_ROWS = 3
"""Rows of a group that a template has columns for; a sheet may have more of them added."""
SHEET_NAME = 31
"""The most characters that Excel lets a sheet's name have."""
_FORMATS = {"date": "yyyy-mm-dd", "integer": "0", "boolean": "General"}


def template(definition: Definition, form_id: str) -> bytes:
    """An empty workbook for entries of a form."""
    form = definition.form(form_id)
    made = io.BytesIO()
    book = xlsxwriter.Workbook(
        made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    started = begins(definition.accept_from).replace(tzinfo=None)
    book.set_properties(
        {
            "title": f"{definition.title} {definition.version}: {form.title}",
            "comments": definition.digest,
            "created": started,
        }
    )
    entries = book.add_worksheet(_sheet(definition, form))
    places = _codes(book, definition, form)
    _entries(book, entries, definition, form, places)
    _elements(book, definition, form)
    book.close()
    return made.getvalue()


def _sheet(definition: Definition, form: Form) -> str:
    """A sheet named after a form holds that form's rows, whatever its column `_form` leaves open."""
    if form.id == definition.first_case_form.id or len(form.id) > SHEET_NAME:
        return "Entries"
    return form.id


def _columns(form: Form) -> list[tuple[str, Element]]:
    """Heading and element of each column: of a group, those of its first few rows."""
    found = [(one.id, one) for one in form.all_elements if one.computed is None]
    for group in form.all_groups:
        found += _rows(group, "")
    return found


def _rows(group: Group, above: str) -> Iterator[tuple[str, Element]]:
    for number in range(1, min(group.at_most, FIRST_ROWS) + 1):
        here = f"{above}{group.id}.{number}."
        for element in group.elements:
            if element.computed is None:
                yield here + element.id, element
        for inner in group.groups:
            yield from _rows(inner, here)


def _asked_once(form: Form) -> list[tuple[str, Element]]:
    """Each element once; that of a row with the groups it stands in, and no number."""
    found = [("", form.all_elements)]
    found += [(f"{path}.", chain[-1].elements) for path, chain in form.group_paths.items()]
    return [
        (above + one.id, one) for above, elements in found for one in elements if not one.computed
    ]


def _entries(
    book: Workbook,
    sheet: Worksheet,
    definition: Definition,
    form: Form,
    places: dict[str, str],
) -> None:
    plain = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    needed = book.add_format(
        {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#DCE9F5"}
    )
    formats: dict[str, Format] = {}
    sheet.freeze_panes(1, 0)
    for column, (name, choices) in enumerate((("_form", [form.id]), ("_action", list(ACTIONS)))):
        sheet.write_string(0, column, name, plain)
        sheet.data_validation(1, column, ROWS, column, {"validate": "list", "source": choices})
        sheet.set_column(column, column, 12)
    open_for = definition.first_case_form.id if sheet.get_name() == "Entries" else form.id
    sheet.write_comment(0, 0, f"{form.id}; may stay empty if {open_for} is meant.")
    sheet.write_comment(0, 1, "save, submit or withdraw; empty means submit.")
    for column, (heading, element) in enumerate(_columns(form), start=2):
        # What is needed in a row is needed where there is a row.
        required = "." not in heading and (element.required or heading in form.key[:1])
        sheet.write_string(0, column, heading, needed if required else plain)
        sheet.write_comment(0, column, _note(definition, element), {"x_scale": 3, "y_scale": 2})
        shape = _shape(element)
        known = formats.setdefault(shape, book.add_format({"num_format": shape}))
        sheet.set_column(column, column, max(12, min(len(heading) + 2, 40)), known)
        if element.type == "code" and element.value_set:
            sheet.data_validation(
                1,
                column,
                ROWS,
                column,
                {
                    "validate": "list",
                    "source": places[element.value_set],
                    "error_title": element.title[:32],
                    "error_message": "Choose one of the codes; the sheet Codes says what they mean.",
                },
            )


def _shape(element: Element) -> str:
    if element.type == "decimal":
        return "0." + "0" * element.scale if element.scale else "0"
    if element.precision != "day":
        return "0" if element.precision == "year" else "yyyy-mm"
    return _FORMATS.get(element.type, "@")


def _note(definition: Definition, element: Element) -> str:
    lines = [element.title, values_told(definition, element), MARKS[element.source]]
    if element.required_when is not None:
        lines.append("Needed when " + " ".join(element.required_when.split()))
    if (value_set := definition.value_set(element)) is not None and len(value_set.codes) <= 14:
        lines += [f"{one.code} = {one.label}" for one in value_set.codes if not one.retired]
    return "\n".join(line for line in lines if line)[:2000]


def _codes(book: Workbook, definition: Definition, form: Form) -> dict[str, str]:
    """A sheet with every value set of the form; where each one's codes stand."""
    sheet = book.add_worksheet("Codes")
    bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
    for column, heading in enumerate(("value set", "code", "meaning", "mark")):
        sheet.write_string(0, column, heading, bold)
    sheet.set_column(0, 1, 24, text)
    sheet.set_column(2, 2, 60)
    sheet.set_column(3, 3, 28)
    sheet.freeze_panes(1, 0)
    places: dict[str, str] = {}
    row = 1
    for name in dict.fromkeys(one.value_set for _, one in _asked_once(form) if one.value_set):
        first = row
        for code in definition.value_sets[name].codes:
            if code.retired:
                continue
            cells = (name, code.code, code.meaning, MARKS[code.source])
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell, text if column < 2 else None)
            row += 1
        places[name] = f"=Codes!$B${first + 1}:$B${row}"
    return places


def _elements(book: Workbook, definition: Definition, form: Form) -> None:
    """A sheet that explains the columns."""
    sheet = book.add_worksheet("Elements")
    bold = book.add_format({"bold": True})
    headings = ("element", "source name", "title", "required", "values", "mark")
    for column, (heading, width) in enumerate(zip(headings, (34, 34, 44, 40, 60, 26), strict=True)):
        sheet.write_string(0, column, heading, bold)
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    for row, (name, element) in enumerate(_asked_once(form), start=1):
        required = "yes" if element.required or name in form.key[:1] else "no"
        if element.required_when is not None:
            required = "when " + " ".join(element.required_when.split())
        cells = (
            name,
            element.source_name,
            element.title,
            required,
            values_told(definition, element),
            MARKS[element.source],
        )
        for column, cell in enumerate(cells):
            sheet.write_string(row, column, cell)
