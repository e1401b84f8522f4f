"""Definitions as commands are told of them: by a registry's id, or by the folder they lie in."""

from functools import cache, partial
from pathlib import Path

from app.catalogue import shared_of
from app.errors import InvalidDefinition, NotFound
from app.fitting import misfits
from app.registries.load import PACKAGED, folders, load, read
from app.registries.schema import Definition
from app.settings import Settings


def read_all(root: Path, *, worked: bool = False) -> tuple[list[Definition], list[str]]:
    """Every definition below a folder, and every complaint about them.

    With `worked`, their worked examples are counted too.
    """
    found = folders(root) if root.is_dir() else []
    if not found:
        return [], [f"{root}: there is no registry.yaml in this folder or below"]
    definitions: list[Definition] = []
    complaints: list[str] = []
    for folder in found:
        # A definition's neighbours may share value sets with it: registry/version or just version.
        shared = dict.fromkeys(
            one
            for home in (folder, folder.parent, folder.parent.parent, root)
            for one in shared_of(home)
        )
        definition, said = read(folder, tuple(shared), also=partial(misfits, worked=worked))
        complaints += [f"{folder}/{line}" for line in said]
        if definition is not None and not said:
            definitions.append(definition)
    return definitions, complaints


def home_of(registry: str, definitions: Path | None = None) -> Path | None:
    """The folder in which a registry is looked for beside the packaged ones, if there is one."""
    if _is_folder(registry):
        return Path(registry)
    return definitions or Settings().definitions


def _is_folder(registry: str) -> bool:
    """Whether a folder is meant: an id has no separator, and names none that holds a definition."""
    path = Path(registry)
    return path.is_dir() and (len(path.parts) > 1 or bool(folders(path)))


def newest(registry: str, definitions: Path | None = None) -> Definition:
    """The newest version of a registry, by its id or the folder it lies in."""
    home = home_of(registry, definitions)
    if _is_folder(registry):
        found, complaints = read_all(Path(registry))
        if complaints:
            raise InvalidDefinition(complaints)
        if len({one.id for one in found}) != 1:
            raise NotFound("Name the folder of one registry.")
        return max(found, key=lambda one: one.newness)
    own, complaints = read_all(home) if home is not None else ([], [])
    if complaints:
        raise InvalidDefinition(complaints)
    versions = [one for one in (*packaged(), *own) if one.id == registry]
    if not versions:
        raise NotFound("There is no registry of that name.")
    return max(versions, key=lambda one: one.newness)


@cache
def packaged() -> tuple[Definition, ...]:
    """The definitions of this release. They were checked before it: no command pays for that again."""
    return tuple(load(folder, sound=True) for folder in folders(PACKAGED))


def shown_first() -> str:
    """The packaged registry that is simulated when none is named."""
    return max(packaged(), key=lambda one: (one.simulation.shown_first, one.id)).id
