"""
The value sets of a definition as they are written: its own, shared ones that it uses, and imported ones.

An `import` takes the codes of a file beside it, or of another definition, as they stand there. They
become part of the document, so that its digest tells when they change, and a complaint names the line
they were read from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.registries.codings import Listed, reader_of
from app.registries.document import Document, Place, read_file

Homes = Callable[[str, str], Path | None]
"""The folder of another definition, by its registry's id and version."""

_IMPORTED = {
    frozenset({"file"}),
    frozenset({"registry", "version", "value_set"}),
    frozenset({"value_set"}),
}
_ASKED = (
    "`import` names a `file`, or a `registry`, its `version` and a `value_set`, or a shared "
    "`value_set`"
)


@dataclass(frozen=True, slots=True)
class _Written:
    """A value set as it was written, where, and the lines of its parts."""

    home: Path
    name: str
    item: dict[str, Any]
    lines: Mapping[Place, int]


def value_sets(
    document: Document, folder: Path, shared: Sequence[Path], homes: Homes
) -> dict[str, Any]:
    """The definition's own value sets, and the shared ones that it uses, imports carried out."""
    used = {
        element.get("value_set")
        for form in document.data.get("forms", ())
        for element in _elements_within(form)
    }
    sets: dict[str, Any] = {}
    for home in (folder, *shared):
        for found in _written(document, home):
            key = str(found.item["id"])
            if key in sets or key in document.aside or (home != folder and key not in used):
                continue
            place: Place = ("value_sets", key)
            for inner, line in found.lines.items():
                document.lines[(*place, *inner)] = (found.name, line)
            whole = _whole(document, place, found, shared, homes, frozenset())
            if whole is None:
                document.aside.add(key)
            else:
                sets[key] = whole
    return sets


def _written(document: Document, home: Path) -> Iterator[_Written]:
    """Every value set in a folder's `value_sets`."""
    for path in sorted((home / "value_sets").glob("*.yaml")):
        read = read_file(home, path, document)
        items = read.data if isinstance(read.data, list) else [read.data]
        for number, item in enumerate(items):
            if not isinstance(item, dict) or "id" not in item:
                if not read.failed:
                    document.complain(("value_sets",), f"{read.name}: a value set needs an id")
                continue
            start: Place = (number,) if isinstance(read.data, list) else ()
            lines = {
                inner[len(start) :]: line
                for inner, line in read.lines.items()
                if inner[: len(start)] == start
            }
            yield _Written(home, read.name, item, lines)


def _whole(
    document: Document,
    place: Place,
    found: _Written,
    shared: Sequence[Path],
    homes: Homes,
    above: frozenset[tuple[Path, str]],
) -> dict[str, Any] | None:
    """A value set with the codes that it imports, if it does; None where that cannot be."""
    asked = found.item.get("import")
    if "import" not in found.item:
        return found.item
    # Its own members stand over those of what is imported.
    own = {key: one for key, one in found.item.items() if key != "import"}
    at = (*place, "import")
    if "codes" in own:
        document.complain(at, "has `codes` of its own or an `import`, not both")
        return own
    if not isinstance(asked, dict) or frozenset(asked) not in _IMPORTED:
        document.complain(at, _ASKED)
        return None
    if "file" in asked:
        return _of_file(document, place, found, own, str(asked["file"]))
    home = homes(str(asked["registry"]), str(asked["version"])) if "registry" in asked else None
    if "registry" in asked and home is None:
        says = f"there is no definition of {asked['registry']} {asked['version']} beside this one"
        document.complain(at, says)
        return None
    places = [home, *shared] if home is not None else list(shared)
    for one in places:
        for other in _written(document, one):
            if other.item["id"] != asked["value_set"]:
                continue
            if (one, other.item["id"]) in above:
                document.complain(at, f"`{asked['value_set']}` imports itself")
                return None
            for inner, line in other.lines.items():
                if inner[:1] == ("codes",):
                    document.lines[(*place, *inner)] = (other.name, line)
            further = above | {(one, other.item["id"])}
            whole = _whole(document, place, other, shared, homes, further)
            return None if whole is None else whole | own
    document.complain(at, f"there is no value set `{asked['value_set']}` there")
    return None


def _of_file(
    document: Document, place: Place, found: _Written, own: dict[str, Any], name: str
) -> dict[str, Any] | None:
    """A value set with the codes of a file that lies beside it."""
    at = (*place, "import")
    path = found.home / "value_sets" / name
    read = reader_of(path.suffix)
    if "/" in name or "\\" in name or name.startswith(".") or read is None:
        document.complain(at, "name a .json or .csv file that lies beside it, in value_sets/")
        return None
    if not path.is_file():
        document.complain(at, f"there is no file value_sets/{name}")
        return None
    listed: Listed = read(found.home, path, document)
    for number, line in enumerate(listed.lines):
        document.lines[(*place, "codes", number)] = (listed.name, line)
    if not listed.codes:
        return None
    return listed.about | own | {"codes": listed.codes}


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
