"""
Lists of codes that others keep: a FHIR ValueSet or CodeSystem (R4, R5) as JSON, and CSV.

Code, display and system stay as they stand there; of codes within codes each becomes one of its own. What
is not a list, such as a filter that only a terminology server can carry out, is complained of.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.registries.document import LARGEST, Document, Place, WrittenFile, read_file

_COLUMNS = {"code": "code", "label": "label", "display": "label", "system": "system", "definition": "definition", "retired": "retired"}  # fmt: skip


@dataclass(slots=True)
class Listed:
    """The codes of a file, as `Code` has them, the line of each, and what the file says of itself."""

    name: str
    codes: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def add(self, line: int, **members: Any) -> None:
        """One code more, without what is not said of it."""
        self.codes.append({name: one for name, one in members.items() if one not in (None, "")})
        self.lines.append(line)


def reader_of(suffix: str) -> Callable[[Path, Path, Document], Listed] | None:
    """What reads a file of that ending, told of the definition's folder, the file and its document."""
    return {".json": read_fhir, ".csv": read_csv}.get(suffix.lower())


# --- FHIR -----------------------------------------------------------------------------------------


def read_fhir(folder: Path, path: Path, document: Document) -> Listed:
    """The codes of a ValueSet or a CodeSystem."""
    read = read_file(folder, path, document, rewritten=_as_yaml)
    listed = Listed(read.name)
    resource = read.data
    if read.failed:
        return listed
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind not in ("ValueSet", "CodeSystem"):
        _complain(document, read, (), "is neither a FHIR ValueSet nor a CodeSystem")
        return listed
    url, version = resource.get("url"), resource.get("version")
    title = resource.get("title") or resource.get("name")
    reference = f"{url}|{version}" if url and version else url
    listed.about = {k: v for k, v in (("title", title), ("reference", reference)) if v}
    reading = _Fhir(document, read, listed)
    if kind == "CodeSystem":
        reading.concepts(resource.get("concept"), ("concept",), url)
    elif "expansion" in resource:
        reading.expansion(resource["expansion"])
    else:
        reading.compose(resource.get("compose"))
    if not listed.codes:
        _complain(document, read, (), "lists no codes: import the expansion of the value set")
    return listed


class _Fhir:
    """One resource, as it is read into a list."""

    def __init__(self, document: Document, read: WrittenFile, listed: Listed) -> None:
        self._document, self._read, self._listed = document, read, listed
        self._whole = True
        self._seen = 0

    def concepts(self, some: Any, place: Place, system: Any, inner: str = "concept") -> None:
        """Concepts, and those within them."""
        for number, one in enumerate(some if isinstance(some, list) else ()):
            at = (*place, number)
            self._seen += 1
            if not isinstance(one, dict):
                self._complain(at, "is no concept")
                continue
            # A heading of an expansion is not for choosing.
            if one.get("abstract") != "true":
                self._concept(at, one, one.get("system") or system)
            self.concepts(one.get(inner), (*at, inner), one.get("system") or system, inner)

    def _concept(self, at: Place, one: dict[str, Any], system: Any) -> None:
        if not one.get("code"):
            self._complain(at, "has no `code`")
        elif not one.get("display"):
            self._complain(at, f"`{one['code']}` has no `display`: say what it means")
        else:
            self._listed.add(
                self._read.lines[(*at, "code")],
                code=one["code"],
                label=one["display"],
                definition=one.get("definition"),
                system=system,
                retired="true" if _inactive(one) else None,
            )

    def expansion(self, expansion: Any) -> None:
        """What a terminology server listed; a page of it is not the whole."""
        whole = expansion if isinstance(expansion, dict) else {}
        self.concepts(whole.get("contains"), ("expansion", "contains"), None, "contains")
        total = str(whole.get("total") or "")
        if self._whole and total.isdecimal() and int(total) > self._seen:
            says = f"is a page of {self._seen} of {total} codes: import all of them"
            self._complain(("expansion", "total"), says)

    def compose(self, compose: Any) -> None:
        """What the author included, where it is a list of codes."""
        whole = compose if isinstance(compose, dict) else {}
        if whole.get("exclude"):
            says = "leaves codes out: import the expansion of the value set"
            self._complain(("compose", "exclude"), says)
        some = whole.get("include")
        for number, one in enumerate(some if isinstance(some, list) else ()):
            at: Place = ("compose", "include", number)
            if not isinstance(one, dict) or "concept" not in one:
                says = "names no codes one by one: import the expansion of the value set"
                self._complain(at, says)
            else:
                self.concepts(one["concept"], (*at, "concept"), one.get("system"))

    def _complain(self, place: Place, message: str) -> None:
        self._whole = False
        _complain(self._document, self._read, place, message)


def _complain(document: Document, read: WrittenFile, place: Place, message: str) -> None:
    while place and place not in read.lines:
        place = place[:-1]
    document.complaints[(read.name, read.lines.get(place, 1), message)] = None


def _inactive(concept: dict[str, Any]) -> bool:
    """Whether a code is kept for what is old: by an expansion, or by a property of a code system."""
    if concept.get("inactive") == "true":
        return True
    return any(
        (one.get("code") == "inactive" and one.get("valueBoolean") == "true")
        or (one.get("code") == "status" and one.get("valueCode") in ("retired", "inactive"))
        for one in concept.get("property") or ()
        if isinstance(one, dict)
    )


_ESCAPED = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)", re.DOTALL
)


def _as_yaml(text: str) -> str:
    """JSON as YAML, line by line the same; ValueError where it is no JSON.

    YAML takes JSON as it is, save for characters that are escaped as two and for an escaped `/`.
    """
    json.loads(text)
    return _ESCAPED.sub(
        lambda found: (
            json.loads(f'"{found[0]}"') if len(found[0]) > 2 else found[0].replace("\\/", "/")
        ),
        text,
    )


# --- CSV ------------------------------------------------------------------------------------------


def read_csv(folder: Path, path: Path, document: Document) -> Listed:
    """The codes of a table with the columns `code` and `label`, and `system`, `definition` or `retired`."""
    listed = Listed(path.relative_to(folder).as_posix())

    def complain(line: int, message: str) -> None:
        document.complaints[(listed.name, line, message)] = None

    content = path.read_bytes()
    try:
        if len(content) > LARGEST:
            raise ValueError(f"larger than {LARGEST} bytes")
        text = content.decode("utf-8-sig")
        rows = list(_rows(text))
    except UnicodeDecodeError as error:
        complain(content.count(b"\n", 0, error.start) + 1, "not UTF-8: save it as CSV UTF-8")
        return listed
    except (ValueError, csv.Error) as error:
        complain(1, f"not CSV: {error}")
        return listed
    header = [one.strip().lower() for one in rows[0][1]] if rows else []
    names = [_COLUMNS.get(one) for one in header]
    for one in sorted({each for each in header if each not in _COLUMNS}):
        complain(1, f"`{one}` is no column of a value set; there are {', '.join(_COLUMNS)}")
    if not {"code", "label"} <= set(names):
        complain(1, "needs the columns `code` and `label`")
        return listed
    for line, row in rows[1:]:
        if not any(one.strip() for one in row):
            continue
        members = {n: one.strip() for n, one in zip(names, row, strict=False) if n is not None}
        if len(row) != len(header):
            complain(line, f"has {len(row)} fields, the heading has {len(header)}")
        elif not members["code"] or not members["label"]:
            complain(line, f"has no {'`code`' if not members['code'] else '`label`'}")
        else:
            listed.add(line, **members)
    if len(rows) < 2:
        complain(1, "lists no codes")
    return listed


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row and the line it begins on; the separator is the one of the heading."""
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1
    for row in reader:
        yield line, row
        line = reader.line_num + 1
