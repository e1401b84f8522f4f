"""
YAML as it was written: the text of each scalar, and the file and line of each part.

Scalars stay text, so that a code `010` or a version `1.10` is what its author typed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Place = tuple[str | int, ...]
LARGEST = 4 * 1024 * 1024
MOST = 500_000
"""Parts of a file, counted as often as an alias repeats them."""

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

    def adopt(self, place: Place, read: "WrittenFile") -> Any:
        """Put a file's data at a place of the document."""
        for inner, line in read.lines.items():
            self.lines[(*place, *inner)] = (read.name, line)
        return read.data

    def written(self) -> list[str]:
        """The complaints as lines, in the order of files and lines."""
        return [f"{file}:{line}: {message}" for file, line, message in sorted(self.complaints)]


@dataclass(slots=True)
class WrittenFile:
    name: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    failed: bool = False
    parts: int = 0


def read_file(
    folder: Path,
    path: Path,
    document: Document,
    *,
    typed: bool = False,
    rewritten: Callable[[str], str] | None = None,
) -> WrittenFile:
    """A file's data and the line of each part. `rewritten` makes YAML of JSON, line by line."""
    name = path.relative_to(folder).as_posix()
    found = WrittenFile(name if folder.name != "shared" else f"shared/{name}")
    try:
        if path.stat().st_size > LARGEST:
            raise yaml.YAMLError(f"larger than {LARGEST} bytes")
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(rewritten(text) if rewritten else text, Loader=_LOADER)
    except json.JSONDecodeError as error:
        found.failed = True
        document.complaints[(found.name, error.lineno, f"not JSON: {error.msg}")] = None
        return found
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
    found: WrittenFile,
    document: Document,
    typed: bool,
    above: frozenset[int],
) -> Any:
    found.lines[place] = node.start_mark.line + 1
    found.parts += 1
    if found.parts > MOST:
        document.complaints[(found.name, 1, f"more than {MOST} parts")] = None
        return None
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
