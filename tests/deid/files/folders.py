"""Folders of objects whose names and contents both identify, and what must not come out of them."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests import nursery
from tests.make.instances import ct, packed

ROOT = Path(__file__).parents[3]
SECRETS = (
    "Quizzleberry",
    "Ottoline",
    "MRN-7730015",
    "Thistlewood",
    "Riverside",
    "Quillmark",
    "ACC-0000",
    "19610704",
    "S77123",
    "1.2.826.0.1.3680043.10.999",
)
"""What `ct()` plants in every object."""


def study(folder: Path, number: int, objects: int, **change: Any) -> list[Path]:
    """A study of small CT slices under a folder that is called like its patient."""
    home = folder / f"Quizzleberry_Ottoline_{number}" / "CT 1"
    home.mkdir(parents=True)
    paths = []
    for place in range(objects):
        made = ct(place + 1, study=number, PatientID=f"MRN-7730015-{number}", **change)
        path = home / f"Ottoline{place:03d}"
        path.write_bytes(packed(made))
        paths.append(path)
    return paths


def archive(path: Path, members: dict[str, bytes]) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def key(folder: Path, secret: bytes = b"0123456789abcdef0123456789abcdef") -> Path:
    """A key file as it should be."""
    path = folder / "secret.key"
    path.write_bytes(secret)
    path.chmod(0o600)
    return path


def command(*words: object, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """`hounsfield deid …` as a process of its own; `limit` is the largest file it may write."""
    told = ["deid", *map(str, words)]
    surroundings = {name: value for name, value in os.environ.items() if "HOUNSFIELD" not in name}
    if limit is None:
        return nursery.run(told, surroundings, 200)

    def confined() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "app.cli", *told],
        cwd=ROOT,
        env=surroundings,
        preexec_fn=confined,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def outputs(out: Path) -> dict[str, bytes]:
    """Every output by its name, the working folder left out."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.relative_to(out).parts[0].startswith(".")
    }


def read(path: Path) -> dict[str, Any]:
    """A JSON file."""
    return dict(json.loads(path.read_text(encoding="ascii")))
