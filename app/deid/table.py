"""
The standard's own words, as shipped: Tables E.1-1 and E.3.4-1 of PS3.15, and our lists beside it.

`ps315_2026d.json` holds the tables of the edition it names; `attributes.yaml` says how attributes
are treated that no row of Table E.1-1 names.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from app.deid.actions import Action

_MEANING = {
    "products": (Action.PRODUCT, "listed: makers and products"),
    "technical": (Action.TERM, "listed: technical text"),
    "code_parts": (Action.CODE, "listed: part of a code"),
    "class_uids": (Action.CLASS_UID, "listed: names a class"),
    "bulk": (Action.KEEP, "listed: numbers by definition"),
    "remove": (Action.REMOVE, "listed: of no use"),
}


@cache
def table() -> dict[str, Any]:
    """Tables E.1-1 (`rules`) and E.3.4-1 (`content_items`), and where they are from (`source`)."""
    return dict(json.loads(_text("ps315_2026d.json")))


@cache
def named_rows() -> Mapping[int, Mapping[str, Any]]:
    """The rows that name one tag; the others are overlays, curves and private attributes."""
    return {
        int(row["tag"], 16): row
        for row in table()["rules"]
        if set(row["tag"]) <= set("0123456789ABCDEF")
    }


@cache
def listed() -> Mapping[str, tuple[Action, str]]:
    """Keyword to action and rule, for attributes that no row names."""
    lists = yaml.safe_load(_text("attributes.yaml"))
    return {keyword: _MEANING[name] for name, keywords in lists.items() for keyword in keywords}


@cache
def digest() -> str:
    """SHA-256 of every list a policy rests on, as hexadecimal text."""
    shipped = sorted(file.name for file in files("app.deid").iterdir())
    named = [name for name in shipped if name.endswith((".json", ".yaml"))]
    sums = "".join(hashlib.sha256(_text(name).encode()).hexdigest() for name in named)
    return hashlib.sha256(sums.encode()).hexdigest()


def _text(name: str) -> str:
    return files("app.deid").joinpath(name).read_text(encoding="utf-8")
