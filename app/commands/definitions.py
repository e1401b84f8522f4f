"""Definitions as commands are told of them: by a registry's id, or by the folder they lie in."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.benchmarks.engine import Engine
from app.benchmarks.examples import miscounted
from app.catalogue import shared_of
from app.deid.choices import choices_of
from app.deid.profile import Profile
from app.deid.readable import against, strangers
from app.errors import InvalidDefinition, NotFound
from app.registries.document import Place
from app.registries.load import PACKAGED, folders, load, read
from app.registries.schema import Definition
from app.registries.sources import readings
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
        definition, said = read(folder, tuple(shared), also=_worked if worked else _in_use)
        complaints += [f"{folder}/{line}" for line in said]
        if definition is not None and not said:
            definitions.append(definition)
    return definitions, complaints


def _in_use(definition: Definition) -> Iterator[tuple[Place, str]]:
    """What speaks against its deid.yaml, which only the package that carries it out can judge."""
    try:
        choices_of(definition.deid)
    except ValueError as error:
        for line in str(error).split("\n"):
            yield _place_in_deid(definition, line), line
        return
    yield from _unreadable(definition)


def _worked(definition: Definition) -> Iterator[tuple[Place, str]]:
    """The same, and what does not come out of its worked examples."""
    yield from _in_use(definition)
    with tempfile.TemporaryDirectory() as spill:
        for one in miscounted(Engine("1GB", "1GB", Path(spill)), definition):
            yield one.place, one.says


def _place_in_deid(definition: Definition, says: str) -> Place:
    """Where in deid.yaml a complaint about an option or an override belongs, by the name it quotes."""
    options, overrides = (definition.deid.get(one) for one in ("options", "overrides"))
    for number, option in enumerate(options if isinstance(options, list) else ()):
        if f"'{option}'" in says:
            return ("deid", "options", number)
    for name in overrides if isinstance(overrides, dict) else ():
        if f"'{name}'" in says or f" {name}:" in says:
            return ("deid", "overrides", name)
    return ("deid",)


def _unreadable(definition: Definition) -> Iterator[tuple[Place, str]]:
    """What is read of images and may not be, or is not there."""
    for number, source in enumerate(definition.images):
        for inner, where in enumerate(source.where):
            for one in strangers(where.attribute):
                yield ("images", number, "where", inner), f"`{source.id}` asks {one}"
    found = list(readings(definition))
    profile = Profile.of(definition.deid) if found else None
    places = {
        (form.id, element.id): ("forms", number, "elements", inner, "from_dicom")
        for number, form in enumerate(definition.forms)
        for inner, element in enumerate(form.elements)
    }
    for form, element, reading in found:
        carriers = {form.id, *(one.id for one in definition.forms if form.id in one.includes)}
        classes = {
            uid for one in definition.images if one.form in carriers for uid in one.sop_classes
        }
        keywords = reading.attribute or reading.age_on
        if keywords is None or profile is None:
            continue
        wrong = strangers(keywords)
        if not wrong and not element.identifying:
            day = reading.age_on is not None or element.type == "date"
            wrong = against(profile, classes, keywords, day=day)
        place: Place = places[form.id, element.id]
        yield from ((place, f"`{element.id}` reads {one}") for one in wrong)


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
    packaged = [load(folder) for folder in folders(PACKAGED)]
    own, complaints = read_all(home) if home is not None else ([], [])
    if complaints:
        raise InvalidDefinition(complaints)
    versions = [one for one in (*packaged, *own) if one.id == registry]
    if not versions:
        raise NotFound("There is no registry of that name.")
    return max(versions, key=lambda one: one.newness)


def shown_first() -> str:
    """The packaged registry that is simulated when none is named."""
    packaged = [load(folder) for folder in folders(PACKAGED)]
    return max(packaged, key=lambda one: (one.simulation.shown_first, one.id)).id
