"""
A document as a definition.

What the schema refuses in one element, rule or measure is complained of in words for whoever wrote
it and set aside, so that the rest is still read.
"""

from typing import Any

from pydantic import ValidationError

from app.registries.document import Document, Place
from app.registries.refused import said
from app.registries.schema import Definition

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
        "conversions",
        "left",
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
    "conversions": [],
    "worklists": [],
    "reported": [],
    "deid": {},
    "simulation": {},
}


def shaped(document: Document) -> Definition | None:
    """The document as a definition; parts the schema refuses are complained of and set aside."""
    for _ in range(200):
        try:
            return Definition.model_validate(document.data)
        except ValidationError as error:
            refused = error.errors(include_input=False, include_url=False)
        doomed: set[Place] = set()
        for one in refused:
            place = tuple(one["loc"])
            document.complain(place, said(Definition, place, one["type"], one["msg"]))
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
