"""
Read a definition from its folder and say everything that is wrong with it at once.

Every complaint has a file and a line. Scalars are read as the text that was written, so that a code
`010` or a version `1.10` stays what its author typed; the schema gives each its type. What is
wrong in one element, rule or measure is complained of and set aside, so that the rest is still read.
"""

import difflib
import hashlib
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from app.errors import InvalidDefinition
from app.registries.schema import Definition
from app.registries.soundness import unsound

PACKAGED = Path(__file__).parent / "definitions"
SHARED = PACKAGED / "shared"

Place = tuple[str | int, ...]
_LISTS = frozenset(
    (
        "elements",
        "groups",
        "codes",
        "rules",
        "derived",
        "measures",
        "peers",
        "stratifiers",
        "case_mix",
        "examples",
        "modules",
        "forms",
        "decisions",
        "rows",
        "inputs",
        "outputs",
        "improvement",
        "background",
        "interventions",
        "worksheet",
        "images",
        "from_dicom",
        "worklists",
        "reported",
    )
)
_STAND_INS: dict[str, Any] = {
    "id": "nameless",
    "version": "0.0.0",
    "title": "",
    "steward": "",
    "description": "",
    "modules": [],
    "accept_from": "2000-01-01",
    "accept_until": None,
    "policy": "per-entry",
    "channels": ["json"],
    "rules": [],
    "decisions": [],
    "derived": [],
    "measures": [],
    "peers": [],
    "improvement": [],
    "images": [],
    "worklists": [],
    "reported": [],
    "deid": {},
    "simulation": {},
}
LARGEST = 4 * 1024 * 1024
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """What was written, and the file and line of each part of it."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, tuple[str, int]] = field(default_factory=dict)
    complaints: dict[tuple[str, int, str], None] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    """Ids of parts that were complained of and set aside; nobody is told that they are missing."""

    def complain(self, place: Place, message: str, extra: int = 0) -> None:
        """Note a complaint where `place` was written, or where what holds it was."""
        at = place
        while at and at not in self.lines:
            at = at[:-1]
        file, line = self.lines.get(at, ("registry.yaml", 1))
        self.complaints[(file, line + extra, message)] = None

    def adopt(self, place: Place, read: "_File") -> Any:
        """Put a file's data at a place of the document."""
        for inner, line in read.lines.items():
            self.lines[(*place, *inner)] = (read.name, line)
        return read.data

    def written(self) -> list[str]:
        """The complaints as lines, in the order of files and lines."""
        return [f"{file}:{line}: {message}" for file, line, message in sorted(self.complaints)]


@dataclass(slots=True)
class _File:
    name: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    failed: bool = False


def load(folder: Path, shared: Sequence[Path] = (SHARED,), *, sound: bool = False) -> Definition:
    """
    The definition in a folder, or `InvalidDefinition` with every complaint.

    One that is known to be `sound` is not looked through for what does not fit together, which
    takes longer than to read it.
    """
    definition, complaints = read(folder, shared, sound=sound)
    if definition is None or complaints:
        raise InvalidDefinition(complaints or ["registry.yaml:1: nothing could be read"])
    return definition


def read(
    folder: Path, shared: Sequence[Path] = (SHARED,), *, sound: bool = False
) -> tuple[Definition | None, list[str]]:
    """As much of a definition as could be read, and every complaint about it."""
    if not (folder / "registry.yaml").is_file():
        return None, ["registry.yaml:1: there is no registry.yaml in this folder"]
    document = _gather(folder, shared)
    definition = _shaped(document)
    if definition is None:
        return None, document.written()
    for place, message, extra in () if sound else unsound(definition, frozenset(document.aside)):
        document.complain(place, message, extra)
    return definition.model_copy(update={"digest": digest(definition)}), document.written()


def assemble(document: Mapping[str, Any], accept_until: date | None = None) -> Definition:
    """A definition out of its canonical document, as it was published."""
    definition = Definition.model_validate({**document, "accept_until": accept_until})
    return definition.model_copy(update={"digest": digest(definition)})


def canonical(definition: Definition) -> dict[str, Any]:
    """
    The document that is frozen when a definition is published.

    What was left at its default is left out, so that a release which knows more members than the
    one that published reads the same document. So is the SQL of a column that a decision table
    decides: the table says it, and a later release may write it otherwise.
    """
    document: dict[str, Any] = definition.model_dump(
        mode="json", exclude={"digest", "accept_until", "simulation"}, exclude_defaults=True
    )
    for derived in document.get("derived", ()):
        if "decision" in derived:
            derived.pop("expression", None)
    return document


def digest(definition: Definition) -> str:
    """
    SHA-256 of the canonical document.

    The end of the acceptance window is no part of it: a version learns when it ends only when its
    successor is known.
    """
    text = json.dumps(
        canonical(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def folders(root: Path) -> list[Path]:
    """The folders under `root` that hold a definition, however deep its owner nested them."""
    return sorted(found.parent for found in root.rglob("registry.yaml") if found.is_file())


# --- from files to one document -------------------------------------------------------------------


def _gather(folder: Path, shared: Sequence[Path]) -> Document:
    document = Document()
    main = _read_file(folder, folder / "registry.yaml", document)
    data = document.adopt((), main)
    document.data = data if isinstance(data, dict) else {}
    if not isinstance(data, dict):
        document.complain((), "registry.yaml must be a mapping")
    for taken in (
        "forms", "rules", "decisions", "derived", "measures", "peers", "improvement", "images",
        "worklists", "reported", "deid", "value_sets", "simulation", "digest"
    ):  # fmt: skip
        if taken in document.data:
            document.complain((taken,), f"`{taken}` has a file of its own; it does not stand here")
            del document.data[taken]
    document.data["forms"] = _listed(document, folder, "elements", "forms")
    for key, where in (
        ("rules", "rules.yaml"),
        ("peers", "peers.yaml"),
        ("derived", "derived.yaml"),
        ("images", "images.yaml"),
        ("worklists", "worklists.yaml"),
        ("reported", "reported.yaml"),
    ):
        document.data[key] = _one(document, folder, where, key)
    document.data["measures"] = _listed(document, folder, "measures", "measures")
    document.data["decisions"] = _listed(document, folder, "decisions", "decisions")
    _take_shared_decisions(document, shared)
    document.data["improvement"] = _listed(document, folder, "improvement", "improvement")
    for number, form in enumerate(document.data["forms"]):
        if isinstance(form, dict) and "included" in form:
            document.complain(("forms", number, "included"), "write `includes`")
            del form["included"]
    document.data["value_sets"] = _value_sets(document, folder, shared)
    if (folder / "deid.yaml").is_file():
        document.data["deid"] = document.adopt(
            ("deid",), _read_file(folder, folder / "deid.yaml", document, typed=True)
        )
    if (folder / "simulation.yaml").is_file():
        profile = _read_file(folder, folder / "simulation.yaml", document)
        document.data["simulation"] = document.adopt(("simulation",), profile) or {}
    return document


def _one(document: Document, folder: Path, name: str, key: str) -> list[Any]:
    path = folder / name
    if not path.is_file():
        return []
    found = _read_file(folder, path, document)
    if found.failed or found.data is None:
        return []
    if not isinstance(found.data, list):
        document.adopt((key,), found)
        document.complain((key,), f"{name} must be a list")
        return []
    return list(document.adopt((key,), found))


def _listed(document: Document, folder: Path, name: str, key: str) -> list[Any]:
    """The files of a folder as one list; a file is one item, or a list of them."""
    items: list[Any] = []
    for path in sorted((folder / name).glob("*.yaml")):
        found = _read_file(folder, path, document)
        if found.failed:
            continue
        together = found.data if isinstance(found.data, list) else [found.data]
        for number, item in enumerate(together):
            start: Place = (number,) if isinstance(found.data, list) else ()
            for inner, line in found.lines.items():
                if inner[: len(start)] == start:
                    document.lines[(key, len(items), *inner[len(start) :])] = (found.name, line)
            items.append(item)
    return items


def _take_shared_decisions(document: Document, shared: Sequence[Path]) -> None:
    """The shared decision tables that a derived column names and the definition has not itself."""
    tables = document.data["decisions"]
    known = {one.get("id") for one in tables if isinstance(one, dict)}
    named = {
        str(one["decision"]).partition(".")[0]
        for one in document.data["derived"]
        if isinstance(one, dict) and one.get("decision")
    }
    if not named - known:
        return
    for home in shared:
        for path in sorted((home / "decisions").glob("*.yaml")):
            found = _read_file(home, path, document)
            for number, table in enumerate(found.data if isinstance(found.data, list) else ()):
                if table.get("id") not in named - known:
                    continue
                for inner, line in found.lines.items():
                    if inner[:1] == (number,):
                        place = ("decisions", len(tables), *inner[1:])
                        document.lines[place] = (found.name, line)
                tables.append(table)
                known.add(table["id"])


def _value_sets(document: Document, folder: Path, shared: Sequence[Path]) -> dict[str, Any]:
    """The definition's own value sets, and the shared ones that it uses."""
    used = {
        element.get("value_set")
        for form in document.data.get("forms", ())
        for element in _elements_within(form)
    }
    sets: dict[str, Any] = {}
    for home, own in ((folder, True), *((one, False) for one in shared)):
        for path in sorted((home / "value_sets").glob("*.yaml")):
            found = _read_file(home, path, document)
            items = found.data if isinstance(found.data, list) else [found.data]
            for number, item in enumerate(items):
                if not isinstance(item, dict) or "id" not in item:
                    if not found.failed:
                        document.complain(("value_sets",), f"{found.name}: a value set needs an id")
                    continue
                key = str(item["id"])
                if key in sets or (not own and key not in used):
                    continue
                start: Place = (number,) if isinstance(found.data, list) else ()
                for inner, line in found.lines.items():
                    if inner[: len(start)] == start:
                        place = ("value_sets", key, *inner[len(start) :])
                        document.lines[place] = (found.name, line)
                sets[key] = item
    return sets


def _elements_within(part: Any) -> Iterator[dict[str, Any]]:
    """Every element of a form or a group as it was written, those of its groups too."""
    if not isinstance(part, dict):
        return
    for name in ("elements", "groups"):
        for one in part[name] if isinstance(part.get(name), list) else ():
            if name == "groups":
                yield from _elements_within(one)
            elif isinstance(one, dict):
                yield one


# --- YAML with lines ------------------------------------------------------------------------------


def _read_file(folder: Path, path: Path, document: Document, *, typed: bool = False) -> _File:
    name = path.relative_to(folder).as_posix()
    found = _File(name if folder.name != "shared" else f"shared/{name}")
    try:
        if path.stat().st_size > LARGEST:
            raise yaml.YAMLError(f"larger than {LARGEST} bytes")
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        found.failed = True
        line = mark.line + 1 if mark is not None else 1
        document.complaints[(found.name, line, f"not YAML: {problem}")] = None
        return found
    if node is not None:
        found.data = _value(node, (), found, document, typed, frozenset())
    return found


def _value(
    node: yaml.Node,
    place: Place,
    found: _File,
    document: Document,
    typed: bool,
    above: frozenset[int],
) -> Any:
    found.lines[place] = node.start_mark.line + 1
    if id(node) in above:
        document.complaints[(found.name, node.start_mark.line + 1, "an alias contains itself")] = (
            None
        )
        return None
    above = above | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(item, (*place, number), found, document, typed, above)
            for number, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in made:
                document.complaints[(found.name, line, f"`{key}` is written twice")] = None
                continue
            made[key] = _value(value_node, (*place, key), found, document, typed, above)
            if isinstance(value_node, yaml.ScalarNode) and value_node.style in ("|", ">"):
                line += 1  # the text starts below its key
            found.lines[(*place, key)] = line
        return made
    assert isinstance(node, yaml.ScalarNode)
    if typed:
        # deid.yaml is read by another package, which has its own schema: YAML's own types serve it.
        loader = yaml.SafeLoader("")
        return loader.construct_object(node, deep=True)
    plain = not node.style
    return None if plain and node.value in ("", "~", "null") else node.value


# --- the schema, and what it says -----------------------------------------------------------------


def _shaped(document: Document) -> Definition | None:
    """The document as a definition; parts the schema refuses are complained of and set aside."""
    for _ in range(200):
        try:
            return Definition.model_validate(document.data)
        except ValidationError as error:
            refused = error.errors(include_input=False, include_url=False)
        doomed: set[Place] = set()
        for one in refused:
            place = tuple(one["loc"])
            document.complain(place, _said(place, one["type"], one["msg"]))
            if (part := _part(place)) is not None:
                doomed.add(part)
            elif not _stand_in(document, str(place[0])):
                return None
        for part in sorted(doomed, key=_latest_first):
            _set_aside(document, part)
    return None


def _stand_in(document: Document, key: str) -> bool:
    """Let something sound stand for what was wrong at the top, so that the rest is still read."""
    if key in _STAND_INS:
        document.data[key] = _STAND_INS[key]
    elif key in document.data and key not in Definition.model_fields:
        del document.data[key]
    else:
        return False
    return True


def _latest_first(place: Place) -> tuple[int, int]:
    return (-len(place), -place[-1] if isinstance(place[-1], int) else 0)


def _part(place: Place) -> Place | None:
    """The innermost part of the document that can be set aside without taking its owner along."""
    for end in range(len(place), 0, -1):
        if isinstance(place[end - 1], int) and end >= 2 and place[end - 2] in _LISTS:
            return place[:end]
    if len(place) >= 2 and place[0] == "value_sets":
        return place[:2]
    return None


def _set_aside(document: Document, part: Place) -> None:
    """Take a part out, and move the lines of its later siblings up with them."""
    owner: Any = document.data
    for step in part[:-1]:
        owner = owner[step]
    gone = owner[part[-1]]
    if isinstance(gone, dict) and isinstance(gone.get("id"), str):
        document.aside.add(gone["id"])
    elif part[0] == "value_sets":
        document.aside.add(str(part[1]))
    del owner[part[-1]]
    if not isinstance(part[-1], int):
        return
    above, depth, last = part[:-1], len(part) - 1, part[-1]
    moved: dict[Place, tuple[str, int]] = {}
    for place, line in document.lines.items():
        sibling = place[depth] if len(place) > depth and place[:depth] == above else None
        if isinstance(sibling, int) and sibling >= last:
            if sibling > last:
                moved[(*above, sibling - 1, *place[depth + 1 :])] = line
        else:
            moved[place] = line
    document.lines = moved


def _said(place: Place, kind: str, message: str) -> str:
    """A complaint of the schema, in words for whoever wrote the document."""
    name = str(place[-1]) if place else "the document"
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(name, _members(place[:-1]), 1)
        return f"`{name}` is not known here" + (f"; did you mean `{close[0]}`?" if close else "")
    if kind == "missing":
        return f"`{name}` is missing"
    inner = [str(step) for step in place if isinstance(step, str)]
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"`{inner[-1] if inner else name}` {text[:1].lower()}{text[1:]}"


def _members(place: Place) -> list[str]:
    """The keys that may stand at a place of the document."""
    kind: Any = Definition
    for step in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            member = kind.model_fields.get(str(step))
            if member is None:
                return []
            kind = _bare(member.annotation)
        inner = typing.get_args(kind)
        if inner and not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            if isinstance(step, int) and typing.get_origin(kind) is tuple:
                kind = _bare(inner[0])
            elif typing.get_origin(kind) is dict and step not in Definition.model_fields:
                kind = _bare(inner[1])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [name for name, member in kind.model_fields.items() if not member.exclude]
    return []


def _bare(annotation: Any) -> Any:
    """The type without its constraints and without None."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    options = [one for one in typing.get_args(annotation) if one is not type(None)]
    if type(None) in typing.get_args(annotation) and len(options) == 1:
        return _bare(options[0])
    return annotation
