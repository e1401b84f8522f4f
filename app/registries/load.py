"""
Read a definition from its folder and say everything that is wrong with it at once.

Every complaint has a file and a line. Scalars are read as the text that was written, so that a code
`010` or a version `1.10` stays what its author typed; the schema gives each its type. What is
wrong in one element, rule or measure is complained of and set aside, so that the rest is still read.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from app.errors import InvalidDefinition
from app.registries.document import Document, Place, read_file
from app.registries.schema import Definition
from app.registries.shaped import shaped
from app.registries.soundness import unsound
from app.registries.soundness.conversions import holes
from app.registries.value_sets import value_sets

PACKAGED = Path(__file__).parent / "definitions"
SHARED = PACKAGED / "shared"


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
    folder: Path,
    shared: Sequence[Path] = (SHARED,),
    *,
    sound: bool = False,
    also: Callable[[Definition], Iterable[tuple[Place, str]]] = lambda _: (),
    beside: Sequence[Definition] = (),
) -> tuple[Definition | None, list[str]]:
    """As much of a definition as could be read, and every complaint about it.

    `also` judges what only another package can, once there is nothing else to complain of. Earlier
    versions that it converts are looked for `beside` it, then in the folders there.
    """
    if not (folder / "registry.yaml").is_file():
        return None, ["registry.yaml:1: there is no registry.yaml in this folder"]
    document = _gather(folder, shared)
    definition = shaped(document)
    if definition is None:
        return None, document.written()
    definition = definition.model_copy(update={"digest": digest(definition)})
    if not sound:
        for place, message, extra in unsound(definition, frozenset(document.aside)):
            document.complain(place, message, extra)
        # What was set aside would be missed by every conversion once more.
        for place, message in (
            () if document.aside else _unconverted(definition, folder, shared, beside)
        ):
            document.complain(place, message)
        for place, message in () if document.complaints else also(definition):
            document.complain(place, message)
    return definition, document.written()


def _unconverted(
    definition: Definition, folder: Path, shared: Sequence[Path], beside: Sequence[Definition]
) -> Iterator[tuple[Place, str]]:
    """What the conversions of earlier versions, which lie beside this one, lack."""
    known = {(one.id, one.version): one for one in beside}
    for number, conversion in enumerate(definition.conversions):
        place: Place = ("conversions", number)
        earlier = known.get((definition.id, conversion.converts)) or _neighbour(
            definition.id, conversion.converts, folder, shared
        )
        if earlier is None:
            says = f"the definition of {conversion.converts} is not beside this folder"
            yield (*place, "converts"), says
            continue
        for hole in holes(earlier, definition, conversion):
            yield (*place, *hole.place), hole.says


def _neighbour(
    registry: str, version: str, folder: Path, shared: Sequence[Path]
) -> Definition | None:
    """Another version of a registry: in a folder beside this one, or packaged."""
    home = _home(folder, registry, version)
    if home is None or home == folder.absolute():
        return None
    return read(home, shared, sound=True)[0]


def _home(folder: Path, registry: str, version: str) -> Path | None:
    """Where a definition lies: near a folder, as `version`, `registry/version` or `registry`, or packaged."""
    above = folder.absolute().parent
    beside = sorted(above.glob("*/registry.yaml"))
    near = sorted(above.parent.glob("*/*/registry.yaml"))
    for path in (*beside, *near, PACKAGED / registry / version / "registry.yaml"):
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if version not in text or registry not in text:
            continue
        said = read_file(path.parent, path, Document()).data
        if isinstance(said, dict) and (said.get("id"), said.get("version")) == (registry, version):
            return path.parent
    return None


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
    main = read_file(folder, folder / "registry.yaml", document)
    data = document.adopt((), main)
    document.data = data if isinstance(data, dict) else {}
    if not isinstance(data, dict):
        document.complain((), "registry.yaml must be a mapping")
    for taken in (
        "forms", "rules", "decisions", "derived", "measures", "peers", "improvement", "images",
        "worklists", "reported", "deid", "value_sets", "simulation", "conversions", "digest", "ancestry"
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
        ("conversions", "conversion.yaml"),
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
    document.data["value_sets"] = value_sets(document, folder, shared, partial(_home, folder))
    if (folder / "deid.yaml").is_file():
        document.data["deid"] = document.adopt(
            ("deid",), read_file(folder, folder / "deid.yaml", document, typed=True)
        )
    if (folder / "simulation.yaml").is_file():
        profile = read_file(folder, folder / "simulation.yaml", document)
        document.data["simulation"] = document.adopt(("simulation",), profile) or {}
    return document


def _one(document: Document, folder: Path, name: str, key: str) -> list[Any]:
    path = folder / name
    if not path.is_file():
        return []
    found = read_file(folder, path, document)
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
        found = read_file(folder, path, document)
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
            found = read_file(home, path, document)
            for number, table in enumerate(found.data if isinstance(found.data, list) else ()):
                if table.get("id") not in named - known:
                    continue
                for inner, line in found.lines.items():
                    if inner[:1] == (number,):
                        place = ("decisions", len(tables), *inner[1:])
                        document.lines[place] = (found.name, line)
                tables.append(table)
                known.add(table["id"])
