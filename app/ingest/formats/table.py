"""Rows under headings: what delimited text and worksheets have in common."""

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Any

from app.errors import UnreadableSubmission
from app.ingest.formats.sent import RawEntry, packed
from app.registries.findings import FindingCode
from app.registries.schema import Definition

FORM, ACTION = "_form", "_action"
STRANGERS_NAMED = 100
"""Headings nobody knows are named one by one up to here; more say nothing new."""


class Headings:
    """What each column of a table stands for."""

    def __init__(self, cells: Sequence[object], definition: Definition, offset: int = 0) -> None:
        """`offset` is how many columns lie left of the first cell."""
        self._offset = offset + 1
        self._first = definition.first_case_form.id
        self._form = [column for column, cell in enumerate(cells) if _reserved(cell) == FORM]
        self._targets: dict[str, list[tuple[int, str]]] = {}
        meant = [(column, _reserved(cell), spelled(cell)) for column, cell in enumerate(cells)]
        for form, known in names(definition).items():
            found = ((column, own or known.get(name)) for column, own, name in meant)
            self._targets[form] = [(column, name) for column, name in found if name is not None]
        told = {column for column, _ in self._targets[self._first]}
        self._strangers = [column for column in range(len(cells)) if column not in told]
        self._width = len(cells)
        if not told:
            raise UnreadableSubmission(
                "The first row must hold headings: element names as in the data dictionary."
            )

    def entry(self, cells: Sequence[object], form: str | None = None) -> RawEntry | None:
        """One row as an entry; nothing when the row is blank."""
        elements: dict[str, object] = {}
        repeated: list[str] = []
        width = len(cells)
        for column, name in self._targets[self._form_of(cells, form)]:
            if column < width:
                cell = cells[column]
                if cell != "" and cell is not None:
                    if name in elements:
                        repeated.append(name)
                    else:
                        elements[name] = cell
        strangers = [
            f"column {column + self._offset}"
            for column in self._strangers
            if column < width and not _blank(cells[column])
        ]
        if width > self._width and not all(_blank(cell) for cell in cells[self._width :]):
            return RawEntry(b"", FindingCode.TOO_MANY_CELLS)
        if not strangers and all(_blank(cell) for cell in elements.values()):
            return None
        entry: dict[str, Any] = {
            "form": elements.pop(FORM, form),
            "action": elements.pop(ACTION, None),
            "elements": elements,
        }
        return packed(entry, repeated=repeated, strangers=strangers[:STRANGERS_NAMED])

    def _form_of(self, cells: Sequence[object], form: str | None) -> str:
        """The form whose headings a row is read by; a form that is none is found at check."""
        for column in self._form:
            if column < len(cells) and isinstance(named := cells[column], str):
                form = named.strip().lower() or form
        return form if form in self._targets else self._first


def spelled(heading: object) -> str:
    """A heading without what people vary: case, surrounding blanks, spaces and hyphens."""
    if not isinstance(heading, str) or len(heading) > 200:
        return ""
    return "_".join(heading.strip().lower().replace("-", " ").replace("_", " ").split())


def names(definition: Definition) -> Mapping[str, Mapping[str, str]]:
    """By form: every heading a table of this registry may have, and the element it stands for.

    Forms may call different elements alike; a heading that only another form knows is that form's.
    """
    of_form = {
        form.id: {
            spelled(name): element.id
            for element in form.all_elements
            for name in (element.source_name, element.id)
        }
        for form in definition.entry_forms
    }
    anywhere = {name: meant for known in of_form.values() for name, meant in known.items()}
    return {form: anywhere | known for form, known in of_form.items()}


def plain(cell: object) -> object:
    """A worksheet's cell as JSON can say it."""
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, time):
        return cell.isoformat()
    return cell


def _reserved(cell: object) -> str | None:
    name = cell.strip().lower() if isinstance(cell, str) else ""
    return name if name in (FORM, ACTION) else None


def _blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))
