"""What a schema refuses in a document, in words for whoever wrote it."""

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from app.registries.document import Place


def said(root: type[BaseModel], place: Place, kind: str, message: str) -> str:
    """A complaint of the schema that begins with `root`, in words for whoever wrote the document."""
    name = str(place[-1]) if place else "the document"
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(name, _members(root, place[:-1]), 1)
        return f"`{name}` is not known here" + (f"; did you mean `{close[0]}`?" if close else "")
    if kind == "missing":
        return f"`{name}` is missing"
    inner = [str(step) for step in place if isinstance(step, str)]
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"`{inner[-1] if inner else name}` {text[:1].lower()}{text[1:]}"


def kinds(root: type[BaseModel], place: Place) -> Iterator[Any]:
    """What the schema has at each step of a place, the document first; None where it has nothing."""
    kind: Any = root
    yield kind
    for step in place:
        if is_part(kind):
            member = kind.model_fields.get(str(step))
            kind = None if member is None else _bare(member.annotation)
        elif typing.get_origin(kind) is tuple and isinstance(step, int):
            kind = _bare(typing.get_args(kind)[0])
        elif typing.get_origin(kind) in (dict, Mapping):
            kind = _bare(typing.get_args(kind)[1])
        else:
            kind = None
        yield kind


def is_part(kind: Any) -> bool:
    """Whether it is a part with members of its own, rather than a value or a list."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _members(root: type[BaseModel], place: Place) -> list[str]:
    """The keys that may stand at a place of the document."""
    *_, kind = kinds(root, place)
    if not is_part(kind):
        return []
    return [name for name, member in kind.model_fields.items() if not member.exclude]


def _bare(annotation: Any) -> Any:
    """The type without its constraints and without None."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    options = [one for one in typing.get_args(annotation) if one is not type(None)]
    if type(None) in typing.get_args(annotation) and len(options) == 1:
        return _bare(options[0])
    return annotation
