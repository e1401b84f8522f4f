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
        known = names(definition)
        self._offset = offset + 1
        self._targets: list[tuple[int, str]] = []
        self._strangers: list[int] = []
        for column, cell in enumerate(cells):
            name = _reserved(cell) or known.get(spelled(cell))
            if name is not None:
                self._targets.append((column, name))
            else:
                self._strangers.append(column)
        self._width = len(cells)
        if not self._targets:
            raise UnreadableSubmission(
                "The first row must hold headings: element names as in the data dictionary."
            )

    def entry(self, cells: Sequence[object], form: str | None = None) -> RawEntry | None:
        """One row as an entry; nothing when the row is blank."""
        elements: dict[str, object] = {}
        repeated: list[str] = []
        width = len(cells)
        for column, name in self._targets:
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


def spelled(heading: object) -> str:
    """A heading without what people vary: case, surrounding blanks, spaces and hyphens."""
    if not isinstance(heading, str) or len(heading) > 200:
        return ""
    return "_".join(heading.strip().lower().replace("-", " ").replace("_", " ").split())


def names(definition: Definition) -> Mapping[str, str]:
    """Every heading a table of this registry may have, and the element it stands for."""
    return {
        spelled(name): element.id
        for form in definition.entry_forms
        for element in form.all_elements
        for name in (element.source_name, element.id)
    }


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
