"""
A definition as a folder of YAML again, so that what is kept of one can be read, altered and published.

What comes out reads as the same definition, to the digest. Comments are not part of a definition, and
neither are `README.md` and `simulation.yaml`: they stay with whoever keeps the folder.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from app.registries.load import canonical
from app.registries.schema import Definition

_FILES = {
    "rules": "rules.yaml",
    "derived": "derived.yaml",
    "peers": "peers.yaml",
    "images": "images.yaml",
    "conversions": "conversion.yaml",
    "worklists": "worklists.yaml",
    "reported": "reported.yaml",
    "deid": "deid.yaml",
}
_FOLDERS = {
    "forms": "elements",
    "measures": "measures",
    "decisions": "decisions",
    "improvement": "improvement",
    "value_sets": "value_sets",
}


def written(definition: Definition) -> dict[str, str]:
    """File name -> YAML: a definition's folder."""
    document = canonical(definition)
    until = definition.accept_until
    if until is not None:
        document["accept_until"] = until.isoformat()
    apart = _FILES.keys() | _FOLDERS.keys()
    files = {
        "registry.yaml": yaml_of({key: one for key, one in document.items() if key not in apart})
    }
    for key, folder in _FOLDERS.items():
        parts = document.get(key) or {}
        named = list(_named(parts if isinstance(parts, list) else list(parts.values())))
        files |= {f"{folder}/{name}.yaml": yaml_of(part) for name, part in named}
    files |= {name: yaml_of(document[key]) for key, name in _FILES.items() if document.get(key)}
    return files


def _named(parts: list[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each part and its file's name: files are read in the order of their names, which must be the parts'."""
    names = [f"{one['id']}.yaml" for one in parts]
    ordered = names == sorted(set(names))
    width = len(str(len(parts)))
    for number, one in enumerate(parts, start=1):
        yield one["id"] if ordered else f"{number:0{width}}-{one['id']}", one


class _Writer(yaml.SafeDumper):
    """YAML as definitions are written."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    # Lines that end in blanks cannot stand in a block.
    block = "\n" in value and not any(line != line.rstrip() for line in value.splitlines())
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if block else None)


_Writer.add_representer(str, _text)


def yaml_of(data: Any) -> str:
    """YAML as definitions are written: block style, in the order given, codes quoted."""
    text: str = yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=100)
    return text
