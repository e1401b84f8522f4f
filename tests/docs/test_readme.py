"""What the README says is done, by the commands that it prints."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.served import FACILITY, Served, whole_service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START, SESSION = README.split("## A session with curl")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    with whole_service(settings) as service:
        yield service


def test_a_bare_machine_needs_exactly_two_commands() -> None:
    assert [block.strip() for block in BLOCK.findall(START)] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^demo: install.*\n\t\$\(BIN\)/hounsfield demo$", makefile, re.MULTILINE)
    assert re.search(r"^test: check.*\n\t\$\(BIN\)/python -m pytest ", makefile, re.MULTILINE)


def test_every_command_of_the_session_does_what_is_said_of_it(
    served: Served, tmp_path: Path
) -> None:
    blocks = BLOCK.findall(SESSION)
    script = "\necho '== next =='\n".join(blocks)
    script = script.replace("sleep 2\n", "sleep 8\n")  # beside a whole suite on two cores
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOUNSFIELD": served.url,
            "KEY": served.registrar,
            "FACILITY": str(FACILITY),
            "no_proxy": "*",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    said = done.stdout.split("== next ==")
    assert len(said) == len(blocks)
    settled, dictionary, sent, findings, metrics, report, withdrawn = said
    assert settled.strip() == ""
    assert '"registry":"early-lung-cancer-detection"' in dictionary
    assert '"state":"completed"' in sent
    assert '"created":1' in sent
    assert '"rejected":1' in sent
    assert "smoking_status" in findings
    assert "77" not in findings
    assert '"measure":"ctdivol"' in metrics
    assert '"denominator":1,' in metrics
    assert '"facility":{"id":' in report
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert '"withdrawn":1' in withdrawn


def test_every_command_line_that_is_named_exists() -> None:
    from typer.main import get_command

    from app.cli import assembled

    known = get_command(assembled())
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    missing = []
    for page in pages:
        for words in re.findall(r"`hounsfield ([a-z][a-z ]*)", page.read_text(encoding="utf-8")):
            command = known
            for word in words.split():
                children = getattr(command, "commands", None)
                if children is None:
                    break
                if word not in children:
                    missing.append(f"{page.name}: hounsfield {words}")
                    break
                command = children[word]
    assert missing == []


def test_every_setting_that_is_named_exists() -> None:
    named = set()
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        named |= set(re.findall(r"`HOUNSFIELD_([A-Z_]+)[`=]", page.read_text(encoding="utf-8")))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_every_file_of_ours_that_is_named_exists() -> None:
    missing = []
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for path in re.findall(
            r"`((?:app|tests|docs|perf|migrations|openapi)/[\w./-]+)`",
            page.read_text(encoding="utf-8"),
        ):
            if not (ROOT / path).exists():
                missing.append(f"{page.name}: {path}")
    assert missing == []
