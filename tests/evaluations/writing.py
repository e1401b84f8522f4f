"""Use cases to send: an example as a document, and changes to it."""

import copy
from typing import Any

import yaml

from app.catalogue import Catalogue
from app.evaluations.use_cases.kept import at_hand
from app.evaluations.use_cases.read import examples
from app.evaluations.use_cases.soundness import Definitions
from app.settings import Settings

NODULES, COVID = "lung-nodule-detection", "covid-19-thoracic-ct"


def packaged() -> Definitions:
    """The packaged definitions, looked up as the commands do."""
    return at_hand(Catalogue(Settings()))


def written(example: str = NODULES, **change: Any) -> dict[str, Any]:
    """An example as somebody would send it in JSON, with other members at its top."""
    document: dict[str, Any] = yaml.safe_load(examples()[example].read_bytes())
    return document | change


def other(document: dict[str, Any], value: Any, *place: str | int) -> dict[str, Any]:
    """A copy with something else at a place; None leaves it out."""
    made = copy.deepcopy(document)
    owner: Any = made
    for step in place[:-1]:
        owner = owner[step]
    if value is None:
        del owner[place[-1]]
    elif isinstance(owner, dict):
        owner[str(place[-1])] = value
    else:
        owner[place[-1]] = value
    return made
