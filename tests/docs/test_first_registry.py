"""The how-to of a first registry: its files are written and its commands run, in its order."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import assembled

PAGE = (Path(__file__).parents[2] / "docs/how-to/first-registry.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"# (\S+) \((a new file|added at the end|the whole file)\)")
LAST = "hounsfield demo"


def run(script: str, folder: Path) -> str:
    """What a block prints; `hounsfield` runs in this process, which saves it starting five times."""
    said = ""
    for line in script.splitlines():
        words = shlex.split(line)
        if words[0] == "hounsfield":
            with contextlib.chdir(folder):
                done = CliRunner().invoke(assembled(), words[1:], catch_exceptions=False)
            assert done.exit_code == 0, line + done.output
            said += done.output
        else:
            said += subprocess.run(
                words, cwd=folder, capture_output=True, text=True, check=True
            ).stdout
    return said


def demonstrate(line: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=folder,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TMPDIR": str(folder),
            "HOUNSFIELD_PORT": "0",
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def write(block: str, folder: Path) -> None:
    first, _, text = block.partition("\n")
    place = PLACE.fullmatch(first)
    assert place is not None, f"a file's block begins with where it belongs: {first}"
    path = folder / place[1]
    assert path.exists() is (place[2] != "a new file"), first
    text = path.read_text() + "\n" + text if place[2] == "added at the end" else text
    path.write_text(text)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """The folder after every step but the last, what each command said, and the last one."""
    folder = tmp_path_factory.mktemp("first")
    blocks = BLOCK.findall(PAGE)
    kind, last = blocks.pop()
    assert kind == "sh"
    assert last.startswith(LAST)
    answers = {}
    for kind, block in blocks:
        if kind == "yaml":
            write(block, folder)
        else:
            answers[block] = run(block, folder)
    return folder, answers, last


def test_every_step_does_what_the_page_says(said: tuple[Path, dict[str, str], str]) -> None:
    folder, answers, _ = said
    begun, counted, drawn, written = answers.values()
    assert "knee-imaging 1.0.0: 1 forms, 7 elements, 2 rules, 1 measures, digest" in begun
    assert "2 forms, 12 elements, 4 rules, 3 measures" in counted
    assert '"severity"' in drawn
    assert "dictionary/index.html" in written
    index = (folder / "dictionary" / "index.html").read_text()
    assert "Knee imaging" in index
    measures = (folder / "dictionary" / "measures.html").read_text()
    assert "Result is not “Not diagnostic”" in measures
    assert "“A biopsy within 90 days showed cancer” holds" in measures
    assert (folder / "dictionary" / "dictionary.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.timeout(300)
def test_the_demonstration_of_the_first_registry_holds(
    said: tuple[Path, dict[str, str], str],
) -> None:
    folder, _, last = said
    claims = [
        line
        for line in demonstrate(last, folder).splitlines()
        if line.startswith(("held", "failed"))
    ]
    assert len(claims) == 12
    assert all(line.startswith("held") for line in claims)
