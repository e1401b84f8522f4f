"""Which profile `hounsfield deid` was asked for, and what it does, line by line."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from app.deid.profile import Profile
from app.errors import NotFound, Unprocessable

if TYPE_CHECKING:  # loaded when it is asked for
    from app.deid.explain import Explanation

DEFAULT = "default"
# Read as files: a registry's whole definition would take longer to load than all else here.
DEFINITIONS = Path(str(files("app.registries"))) / "definitions"


def policy(wanted: str) -> Profile:
    """The profile of a file, of a packaged registry, or the default one."""
    if wanted == DEFAULT:
        return Profile()
    path = Path(wanted) if Path(wanted).is_file() else packaged().get(wanted)
    if path is None:
        known = ", ".join((DEFAULT, *packaged()))
        raise NotFound(f"There is no profile of that name: give a file, or one of {known}.")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise Unprocessable(f"The profile cannot be read as YAML{place}.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise Unprocessable("The profile cannot be read as YAML.") from None
    if document is not None and not isinstance(document, dict):
        raise Unprocessable("The profile must be a mapping: profile, edition, options …")
    try:
        return Profile.of(document)
    except ValueError as error:
        raise Unprocessable(f"The profile has complaints:\n{error}") from None


def packaged() -> dict[str, Path]:
    """The `deid.yaml` of the newest version of each packaged registry, by the registry's id."""
    found = sorted(
        DEFINITIONS.glob("*/*/deid.yaml"),
        key=lambda path: (path.parts[-3], [int(part) for part in path.parts[-2].split(".")]),
    )
    return {path.parts[-3]: path for path in found}


def lines(told: "Explanation") -> Iterator[str]:
    """An explanation, for a terminal, `less` and `grep`: a line for each thing that it tells."""
    yield f"{told.method}, edition {told.edition}, policy {told.digest[:12]}"
    yield "\nOPTIONS (PS3.15 Annex E)"
    for option in told.options:
        force = "in force" if option.in_force else "not chosen"
        yield f"{option.code:7} {option.option:36} {force:11} {option.effect}"
    yield "\nWHAT IS NO ATTRIBUTE"
    for rest in told.rest:
        yield f"{rest.place:36} {rest.action:24} {rest.why}"
    yield "\nATTRIBUTES"
    for one in told.attributes:
        families = f" Only in: {', '.join(one.families)}." if one.families else ""
        deviation = f" Departs from the table: {one.deviation}" if one.deviation else ""
        name = one.keyword or one.name
        said = f"{one.why} [{one.rule}]{families}{deviation}"
        yield f"{one.tag} {name:56} {one.vr:2} {one.action:24} {said}"
    yield "\nCONTENT ITEMS (Table E.3.4-1)"
    for item in told.content_items:
        deviation = f" Departs from the table: {item.deviation}" if item.deviation else ""
        name = f"{item.meaning} ({item.value_type})"
        yield f"{item.scheme:8} {item.code:14} {name:64} {item.action:24} {item.rule}.{deviation}"
    yield "\nPRIVATE ATTRIBUTES THAT MAY STAY"
    for private in told.private:
        yield f"{private.tag} {private.creator:36} {private.vr:2} {private.meaning}"
    yield "\nFAMILIES OF SOP CLASSES"
    for family in told.families:
        yield f"{family.family:28} {family.title} ({family.attributes} attributes)"
        yield from (f"{'':28} {uid}" for uid in family.sop_classes)
