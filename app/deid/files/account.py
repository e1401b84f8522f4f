"""
MAP.json and REPORT.json: where each input went, and what was done to it.

Both are written under another name and renamed when they are whole. The map names inputs, whose
names may be somebody's: it is its owner's alone. The report names none: an object is known by its
output and by its place in the map.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
from pydicom.datadict import keyword_for_tag

from app.deid.files.outcomes import REMEDIES, Fate, fate


def reasons_beside(path: Path) -> Path:
    """Where the reasons of a map's nulls are: `map.reasons.json` beside `map.json`.

    The map itself has inputs for its members and nothing else, so that whoever reads it need not
    know of an exception.
    """
    return path.with_name(f"{path.stem}.reasons.json")


@dataclass(slots=True)
class Totals:
    """How many inputs ended how, and what was done in all."""

    fates: Counter[Fate] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    outputs: int = 0
    size: int = 0
    levels: tuple[set[int], set[int], set[int]] = field(
        default_factory=lambda: (set(), set(), set()), repr=False
    )

    def add(self, line: dict[str, Any]) -> None:
        """Count one input by its journal line."""
        ended = fate(line["reason"])
        self.fates[ended] += 1
        if line["reason"] is not None:
            self.reasons[line["reason"]] += 1
            return
        if not line["repeats"]:
            self.outputs += 1
            self.size += line["size"]
            self.actions.update(line["actions"])
        parts = line["output"].split("/")
        for depth, level in enumerate(self.levels if len(parts) > len(self.levels) else (), 1):
            level.add(hash("/".join(parts[:depth])))

    def told(self) -> dict[str, Any]:
        """As the report says it."""
        patients, studies, series = map(len, self.levels)
        return {
            "inputs": sum(self.fates.values()),
            **{kind.value: self.fates[kind] for kind in Fate},
            "outputs": self.outputs,
            "bytes": self.size,
            "patients": patients,
            "studies": studies,
            "series": series,
            "reasons": dict(sorted(self.reasons.items())),
            "actions": dict(sorted(self.actions.items())),
        }


class Draft:
    """A file that is there whole or not at all."""

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self._draft = path.with_name(f".{path.name}.part")  # one name: the next run replaces it
        handle = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        self.stream: IO[bytes] = os.fdopen(handle, "wb")

    def finish(self) -> None:
        """On disk, and under its name."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.stream.close()
        self._draft.replace(self.path)

    def drop(self) -> None:
        """Leave nothing, unless it was finished."""
        with suppress(OSError):
            self.stream.close()
        self._draft.unlink(missing_ok=True)


class Map:
    """MAP.json, written as inputs end: input to output, null for those without; and why, beside it."""

    def __init__(self, path: Path) -> None:
        self._outputs = _Members(path)
        try:
            self._reasons = _Members(reasons_beside(path))
        except BaseException:
            self._outputs.draft.drop()
            raise

    def add(self, name: str, output: str | None, reason: str | None) -> None:
        """One input."""
        self._outputs.add(name, output)
        if reason is not None:
            self._reasons.add(name, reason)

    def finish(self) -> None:
        """Both files, the map last."""
        self._reasons.finish()
        self._outputs.finish()

    def drop(self) -> None:
        """Leave nothing, unless it was finished."""
        self._reasons.draft.drop()
        self._outputs.draft.drop()


class _Members:
    """A JSON object, written member by member."""

    def __init__(self, path: Path) -> None:
        self.draft = Draft(path, 0o600)
        self._between = b"{\n"

    def add(self, name: str, value: str | None) -> None:
        # ASCII alone: a name that is not Unicode comes back as it was (os.fsencode).
        pair = f"  {json.dumps(name)}: {json.dumps(value)}"
        self.draft.stream.write(self._between + pair.encode())
        self._between = b",\n"

    def finish(self) -> None:
        if self._between == b"{\n":
            self.draft.stream.write(b"{")
        self.draft.stream.write(b"\n}\n")
        self.draft.finish()


def report(
    path: Path,
    heading: dict[str, Any],
    totals: Totals,
    lines: Iterable[dict[str, Any]],
    treatments: Iterable[dict[str, Any]],
) -> None:
    """REPORT.json, from journal lines in the order of inputs and treatments in any order."""
    draft = Draft(path, 0o644)
    try:
        for chunk in _report(heading, totals, lines, treatments):
            draft.stream.write(chunk)
        draft.finish()
    finally:
        draft.drop()


def _report(
    heading: dict[str, Any],
    totals: Totals,
    lines: Iterable[dict[str, Any]],
    treatments: Iterable[dict[str, Any]],
) -> Iterator[bytes]:
    for name, said in heading.items():
        yield (b"{" if name == next(iter(heading)) else b",") + b"\n" + _member(name, said)
    yield b",\n" + _member("totals", totals.told())
    yield b',\n"objects": ['
    for number, line in enumerate(lines, 1):
        yield (b",\n" if number > 1 else b"\n") + orjson.dumps(_object(number, line))
    yield b'\n],\n"treatments": {'
    for number, said in enumerate(treatments, 1):
        rows = [orjson.dumps(_attribute(*row)) for row in said["rows"]]
        begun = b",\n" if number > 1 else b"\n"
        yield begun + orjson.dumps(said["treatment"]) + b": [\n" + b",\n".join(rows) + b"\n]"
    yield b"\n}\n}\n"


def _member(name: str, said: object) -> bytes:
    return orjson.dumps(name) + b": " + orjson.dumps(said, option=orjson.OPT_INDENT_2)


def _object(number: int, line: dict[str, Any]) -> dict[str, Any]:
    """One input: `input` is its place in the map, from 1."""
    told: dict[str, Any] = {
        "input": number,
        "output": line["output"],
        "outcome": fate(line["reason"]).value,
    }
    if line["reason"] is not None:
        told |= {"reason": line["reason"], "remedy": REMEDIES.get(line["reason"], "")}
        if line["traces"]:
            told["traces"] = line["traces"]
        return told
    if line["repeats"]:
        told["repeats"] = True
    return told | {
        "sop_class_uid": line["sop_class"],
        "treatment": line["treatment"],
        "actions": line["actions"],
    }


def _attribute(place: str, action: str, rule: str, times: int) -> dict[str, Any]:
    """One attribute: its tags, its keywords where the standard has them, what was done and why."""
    words = [
        keyword_for_tag(int(tag, 16)) or tag
        if len(tag) == 8 and set(tag) <= set("0123456789ABCDEF")
        else tag
        for tag in place.split("/")
    ]
    return {
        "attribute": place,
        "keyword": "/".join(words),
        "action": action,
        "rule": rule,
        "times": times,
    }
