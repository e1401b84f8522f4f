"""Entries as files for each door: JSON, NDJSON, comma and bar text, XLSX, single posts."""

import contextlib
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import xlsxwriter

from app.registries.schema import Channel, Definition, Element, Group
from app.simulation.drawn.sound import most_rows
from app.simulation.places import DOORS
from app.simulation.responses import bundle

MEDIA_TYPES = {
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "single": "application/json",
    "fhir": "application/fhir+json",
    "csv": "text/csv",
    "pipe": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SUFFIXES = {
    "ndjson": "ndjson",
    "json": "json",
    "single": "json",
    "fhir": "json",
    "csv": "csv",
    "pipe": "txt",
    "xlsx": "xlsx",
}

CHANNELS: Mapping[Channel, tuple[str, ...]] = {
    "ndjson": ("ndjson",),
    "delimited": ("csv", "pipe"),
    "json": ("json", "single"),
    "xlsx": ("xlsx",),
    "web-form": ("single",),
    "fhir": ("fhir",),
}
"""The doors of each channel; images come by another."""


def doors_of(definition: Definition) -> tuple[str, ...]:
    """The doors that a registry's channels open, in the order in which facilities take to them."""
    named = {door for one in definition.channels for door in CHANNELS.get(one, ())}
    return tuple(one for one in (*DOORS, "fhir") if one in named) or ("json",)


Sent = dict[str, Any]
"""One entry as written down: form, action, elements."""


class Doors:
    """Writes entries as each door takes them, spelled as its users spell."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        case = definition.first_case_form
        first = (case, *definition.follow_up_forms(case.id))
        self._columns: dict[str, Element] = {}
        for form in (*first, *definition.entry_forms):
            for element in form.all_elements:
                if element.computed is None:
                    self._columns.setdefault(element.id, element)
            for chain in form.group_paths.values():
                self._add_rows(chain, "")
        self._first_form = case.id
        self._decimals = frozenset(
            element.id for element in self._columns.values() if element.type == "decimal"
        )

    def _add_rows(self, chain: Sequence[Group], at: str) -> None:
        """Columns of a group's rows, `models.1.parts.2.material`: of as many as entries have."""
        group, *inner = chain
        for number in range(1, most_rows(group) + 1):
            here = f"{at}{group.id}.{number}."
            if inner:
                self._add_rows(inner, here)
                continue
            for element in group.elements:
                if element.computed is None:
                    self._columns.setdefault(here + element.id, element)

    def write(self, door: str, entries: Iterable[bytes], path: Path) -> None:
        """Write spooled entries (a JSON document each) to a file of this door."""
        match door:
            case "ndjson":
                with path.open("wb") as file:
                    file.writelines(entries)
            case "json":
                with path.open("wb") as file:
                    file.write(b'{"entries":[')
                    for number, entry in enumerate(self._numbered(entries)):
                        file.write(b",\n" if number else b"\n")
                        file.write(orjson.dumps(entry))
                    file.write(b"\n]}\n")
            case "single":
                (entry,) = self._numbered(entries)
                path.write_bytes(orjson.dumps(entry))
            case "fhir":
                path.write_bytes(orjson.dumps(bundle(self._definition, self._numbered(entries))))
            case "csv":
                self._write_text(path, entries, ",", "\n", str, list(self._columns))
            case "pipe":
                headings = [
                    one.removesuffix(element.id) + element.source_name
                    for one, element in self._columns.items()
                ]
                self._write_text(path, entries, "|", "\r\n", _american, headings)
            case "xlsx":
                self._write_workbook(path, entries)
            case _:
                raise ValueError("there is no such door")

    def _numbered(self, entries: Iterable[bytes]) -> Iterator[Sent]:
        """Decimals as JSON numbers, which is how most senders write them."""
        for line in entries:
            entry: Sent = orjson.loads(line)
            self._as_numbers(entry["elements"])
            yield entry

    def _as_numbers(self, elements: dict[str, Any]) -> None:
        for name, value in elements.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                for row in value:
                    self._as_numbers(row)
            elif name in self._decimals and value is not None:
                with contextlib.suppress(ValueError, TypeError):
                    elements[name] = float(value)

    def _write_text(
        self,
        path: Path,
        entries: Iterable[bytes],
        separator: str,
        line_end: str,
        spell_date: Callable[[str], str],
        headings: list[str],
    ) -> None:
        ids = list(self._columns)
        dates = [place for place, one in enumerate(self._columns.values()) if one.type == "date"]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=separator, lineterminator=line_end)
            writer.writerow(["_form", "_action", *headings])
            for line in entries:
                entry = orjson.loads(line)
                elements = flat(entry["elements"])
                row = [
                    ";".join(value) if isinstance(value := elements.get(name, ""), list) else value
                    for name in ids
                ]
                for place in dates:
                    if row[place]:
                        row[place] = spell_date(row[place])
                form = "" if entry["form"] == self._first_form else entry["form"]
                action = "" if entry["action"] == "submit" else entry["action"]
                writer.writerow([form, action, *row])

    def _write_workbook(self, path: Path, entries: Iterable[bytes]) -> None:
        memory = io.BytesIO()
        book = xlsxwriter.Workbook(memory, {"constant_memory": True, "strings_to_formulas": False})
        sheet = book.add_worksheet("entries")
        day = book.add_format({"num_format": "mm/dd/yyyy"})
        for place, heading in enumerate(("_form", "_action", *self._columns)):
            sheet.write_string(0, place, heading)
        for number, line in enumerate(entries, start=1):
            entry = orjson.loads(line)
            sheet.write_string(number, 0, entry["form"])
            sheet.write_string(number, 1, entry["action"])
            elements = flat(entry["elements"])
            for place, (name, element) in enumerate(self._columns.items(), start=2):
                value = elements.get(name)
                if value is None:
                    continue
                if isinstance(value, list):
                    value = ";".join(value)
                if element.type == "date" and (found := _day(value)) is not None:
                    sheet.write_datetime(number, place, found, day)
                elif element.type in ("integer", "decimal", "code") and _is_number(value):
                    sheet.write_number(number, place, float(value))
                else:
                    sheet.write_string(number, place, str(value))
        book.close()
        path.write_bytes(memory.getvalue())


def flat(elements: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Elements as the columns of a table name them: those of rows with the rows' numbers, from 1."""
    found: dict[str, Any] = {}
    for name, value in elements.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for number, row in enumerate(value, start=1):
                found |= flat(row, f"{at}{name}.{number}.")
        else:
            found[at + name] = value
    return found


def _american(day: str) -> str:
    """MM/DD/YYYY, even of a day the calendar does not have."""
    return f"{day[5:7]}/{day[8:10]}/{day[:4]}" if len(day) == 10 and day[4] == "-" else day


def _day(text: str) -> Any:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int) or (
        isinstance(value, str) and value.replace(".", "", 1).isdecimal()
    )
