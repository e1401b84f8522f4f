"""What a schema refuses in a document, in words for whoever wrote it."""

import difflib
import typing
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


def _members(root: type[BaseModel], place: Place) -> list[str]:
    """The keys that may stand at a place of the document."""
    kind: Any = root
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
            elif typing.get_origin(kind) is dict and step not in root.model_fields:
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
