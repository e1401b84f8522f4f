"""Rows under headings: what delimited text and worksheets have in common."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import time, timedelta
from typing import Any, TypeAlias

from app.errors import UnreadableSubmission
from app.ingest.formats.sent import RawEntry, packed
from app.registries.findings import FindingCode
from app.registries.schema import Definition, Element, Form

Path: TypeAlias = tuple[str | int, ...]
"""An element in a row: `("models", 0, "parts", 1, "material")`. A known heading has, in the place of
a row's number, how many rows there may be."""
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
        self._targets: dict[str, tuple[list[tuple[int, str]], list[tuple[int, Path]]]] = {}
        meant = [(column, _reserved(cell), spelled(cell)) for column, cell in enumerate(cells)]
        for form, known in names(definition).items():
            found = [(column, own or _target(known, name)) for column, own, name in meant]
            self._targets[form] = (
                [(column, name) for column, name in found if isinstance(name, str)],
                [(column, name) for column, name in found if isinstance(name, tuple)],
            )
        told = {column for some in self._targets[self._first] for column, _ in some}
        self._strangers = [column for column in range(len(cells)) if column not in told]
        self._width = len(cells)
        if not told:
            raise UnreadableSubmission(
                "The first row must hold headings: element names as in the data dictionary."
            )

    def entry(self, cells: Sequence[object], form: str | None = None) -> RawEntry | None:
        """One row as an entry; nothing when the row is blank."""
        elements: dict[str, Any] = {}
        repeated: list[str] = []
        width = len(cells)
        named = self._form_of(cells, form) if self._form else form or self._first
        targets, inner = self._targets[named]
        for column, name in targets:
            if column < width:
                cell = cells[column]
                if cell != "" and cell is not None:
                    if name in elements:
                        repeated.append(name)
                    else:
                        elements[name] = cell
        rows: dict[Path, object] = {}
        for column, path in inner:
            if column < width and not _blank(cell := cells[column]):
                if path in rows:
                    repeated.append(_written(path))
                else:
                    rows[path] = cell
        strangers = [
            f"column {column + self._offset}"
            for column in self._strangers
            if column < width and not _blank(cells[column])
        ]
        if width > self._width and not all(_blank(cell) for cell in cells[self._width :]):
            return RawEntry(b"", FindingCode.TOO_MANY_CELLS)
        if not strangers and not rows and all(_blank(cell) for cell in elements.values()):
            return None
        entry: dict[str, Any] = {
            "form": elements.pop(FORM, form),
            "action": elements.pop(ACTION, None),
            "elements": _nested(elements, rows) if rows else elements,
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


def names(definition: Definition) -> Mapping[str, Mapping[str, Path]]:
    """By form: every heading a table of this registry may have, and what it stands for.

    A heading of a row is known without its numbers, `models.kind`, and stands for as many rows as the
    group may have. Forms may call different elements alike; a heading that only another form knows
    is that form's.
    """
    of_form = {form.id: dict(_headings(form)) for form in definition.entry_forms}
    anywhere = {name: meant for known in of_form.values() for name, meant in known.items()}
    return {form: anywhere | known for form, known in of_form.items()}


def _headings(form: Form) -> Iterator[tuple[str, Path]]:
    levels: list[tuple[Path, Iterable[Element]]] = [((), form.all_elements)]
    for chain in form.group_paths.values():
        above = tuple(part for group in chain for part in (group.id, group.at_most))
        levels.append((above, chain[-1].elements))
    for above, elements in levels:
        around = "".join(f"{name}." for name in above[::2])
        for element in elements:
            for name in (element.source_name, element.id):
                yield around + spelled(name), (*above, element.id)


def _target(known: Mapping[str, Path], heading: str) -> str | Path | None:
    """The element a heading stands for; in a row of a group as `("models", 0, "kind")`."""
    parts = heading.split(".")
    numbers = parts[1:-1:2]
    if (
        len(parts) % 2
        and len(parts) > 1
        and all(one.isdecimal() and len(one) < 5 for one in numbers)
    ):
        path = known.get(".".join(parts[::2]), ())
        rows = [int(one) for one in numbers]
        # A row beyond what the group may have is nobody's column.
        if len(path) == len(parts) and all(
            1 <= row <= int(most) for row, most in zip(rows, path[1::2], strict=True)
        ):
            return tuple(
                part if place % 2 == 0 else rows[place // 2] - 1 for place, part in enumerate(path)
            )
    path = known.get(heading, ())
    return str(path[0]) if len(path) == 1 else None


def _nested(elements: dict[str, Any], rows: Mapping[Path, object]) -> dict[str, Any]:
    """Elements with the rows that their flat columns speak of; one that was left out is empty."""
    for path, cell in rows.items():
        level = elements
        for group, number in zip(path[:-1:2], path[1::2], strict=True):
            within = level.setdefault(str(group), [])
            within += [{} for _ in range(int(number) + 1 - len(within))]
            level = within[int(number)]
        level[str(path[-1])] = cell
    return elements


def _written(path: Path) -> str:
    above = "".join(
        f"{group}[{number}]." for group, number in zip(path[:-1:2], path[1::2], strict=True)
    )
    return f"{above}{path[-1]}"


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
