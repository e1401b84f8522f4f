"""The how-to pages of de-identification, followed to the letter."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deid.files.folders import archive, outputs, study
from tests.make.instances import ct, packed

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def followed(page: str, folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Every command of a page, run in a folder."""
    found = BLOCK.findall((HOW_TO / page).read_text(encoding="utf-8"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return [
        subprocess.run(
            ["bash", "-c", block.replace("| less", "| cat")],
            cwd=folder,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for block in found
    ]


def test_the_pages_of_de_identification_do_what_they_say(tmp_path: Path) -> None:
    study(tmp_path / "exports", 1, 2)
    archive(tmp_path / "archive.zip", {"x": packed(ct(1, study=2)), "letter.pdf": b"%PDF"})
    (first,) = followed("de-identify.md", tmp_path)
    assert first.returncode == 0, first.stderr
    assert len(outputs(tmp_path / "cleaned")) == 3
    mapped = json.loads((tmp_path / "map.json").read_bytes())
    assert mapped["archive.zip/letter.pdf"] is None
    reasons = json.loads((tmp_path / "map.reasons.json").read_bytes())
    assert reasons == {"archive.zip/letter.pdf": "not-dicom"}
    told = json.loads((tmp_path / "report.json").read_bytes())
    for member in ("method", "policy", "options", "key", "totals", "objects", "treatments"):
        assert member in told

    (tmp_path / "deid.yaml").write_text("profile: basic\nedition: 2026d\n")
    explained, searched = followed("check-de-identification.md", tmp_path)
    assert explained.returncode == 0
    assert "PatientName" in explained.stdout
    assert (searched.returncode, searched.stdout) == (1, ""), "nothing was found"


@pytest.mark.parametrize("member", [r"`keep`", r"`scrub`", r"`clean`"])
def test_the_words_that_the_pages_use_are_those_of_the_report(member: str) -> None:
    said = (HOW_TO / "check-de-identification.md").read_text(encoding="utf-8")
    reference = (HOW_TO.parent / "reference" / "de-identification.md").read_text(encoding="utf-8")
    assert member in said
    assert f"| {member} |" in reference
