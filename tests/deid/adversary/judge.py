"""Dicom3tools' dciodvfy as a judge of form: the errors it sees, without the values it repeats."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "dciodvfy"
_VALUE = re.compile(r"\s*\[[^\]]*\]\s*=\s*<.*|<[^<>=]*>(?= for value)")
_NUMBER = re.compile(r"0x[0-9a-f]+|\b[\d.]*\d\b")


def errors(content: bytes) -> frozenset[str]:
    """The kinds of errors in an object: which rule at which attribute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "object.dcm")
        path.write_bytes(content)
        ran = subprocess.run([PROGRAM, str(path)], capture_output=True, timeout=60)
    said = (ran.stderr + ran.stdout).decode("utf-8", "replace")
    return frozenset(_kinds(said))


def _kinds(said: str) -> Iterator[str]:
    for line in said.splitlines():
        if line.startswith("Error"):
            yield _NUMBER.sub("#", _VALUE.sub("", line)).strip()
