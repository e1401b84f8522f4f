"""What `compose.yaml` says, read as Docker reads it, and put onto this machine's own ports."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parents[2] / "compose.yaml"
SECRETS = {
    "POSTGRES_PASSWORD": "a-password",
    "S3_SECRET": "a-secret-of-the-tests",
    "HOUNSFIELD_VAULT_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}
"""What an operator writes into `.env`."""
_ASKED = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def composition(given: Mapping[str, str] = SECRETS) -> dict[str, Any]:
    """The file with its variables filled in; KeyError for one that is wanted and not given."""

    def value(found: re.Match[str]) -> str:
        name, kind, other = found.groups()
        return given.get(name, other) if kind == "-" else given[name]

    filled = _ASKED.sub(value, FILE.read_text()).replace("$$", "$")
    document: dict[str, Any] = yaml.safe_load(filled)
    return document


def wanted() -> set[str]:
    """The variables that have to be given."""
    return {name for name, kind, _ in _ASKED.findall(FILE.read_text()) if kind != "-"}


def here(service: str, *, s3: str) -> dict[str, str]:
    """A service's environment, the store being at a port of this machine."""
    found = composition()["services"][service]["environment"]
    return {name: str(value).replace("http://s3:8333", s3) for name, value in found.items()}


def without_ours() -> dict[str, str]:
    """This process's environment without what would decide a service's settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOUNSFIELD_", "AWS_"))
    }
