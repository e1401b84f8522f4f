"""The demonstration checks itself, leaves nothing behind, and says with its exit code if it held."""

import io
import os
import signal
import subprocess
import time

import httpx
import pytest
from rich.console import Console

from app.commands.checks import Checks
from app.registries.load import PACKAGED, folders
from tests.journeys.service import HOUNSFIELD

SMALL = ("--facilities", "3", "--cases", "60", "--images", "2")


@pytest.mark.soak  # a smaller registry's runs with its how-to, in tests/docs/test_first_registry.py
def test_the_demonstration_holds_to_its_own_truth_and_stops(tmp_path):
    done = subprocess.run(
        [HOUNSFIELD, "demo", "--exit", *SMALL],
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"TMPDIR": str(tmp_path), "HOUNSFIELD_PORT": "0"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    claims = [line for line in done.stdout.splitlines() if line.startswith(("held", "failed"))]
    assert len(claims) == 13
    assert all(line.startswith("held") for line in claims)
    assert list(tmp_path.iterdir()) == [], "the data folder is taken away again"


@pytest.mark.soak
@pytest.mark.parametrize("registry", sorted({folder.parent.name for folder in folders(PACKAGED)}))
def test_the_demonstration_of_each_registry_holds(registry, tmp_path):
    sizes = ("--facilities", "3", "--cases", "150", "--images", "6")
    done = subprocess.run(
        [HOUNSFIELD, "demo", "--exit", "--registry", registry, *sizes],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"TMPDIR": str(tmp_path), "HOUNSFIELD_PORT": "0"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    claims = [line for line in done.stdout.splitlines() if line.startswith(("held", "failed"))]
    assert len(claims) >= 12
    assert all(line.startswith("held") for line in claims)


@pytest.mark.soak
def test_without_exit_it_serves_until_it_is_interrupted(tmp_path):
    log = tmp_path / "demo.log"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [HOUNSFIELD, "demo", *SMALL, "--images", "0"],
            stdout=output,
            stderr=output,
            env=os.environ | {"TMPDIR": str(scratch), "HOUNSFIELD_PORT": "0"},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 240
        while "Serving until Ctrl-C" not in log.read_text():
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.3)
        told = log.read_text()
        report = told.partition("  report    ")[2].split()[0]
        key = next(line.strip() for line in told.splitlines() if line.strip().startswith("hk_"))
        with httpx.Client(
            timeout=30, follow_redirects=True, headers={"Accept": "text/html"}
        ) as browser:
            asked = browser.get(report)
            assert asked.status_code == 200
            origin, _, page = report.partition("/sign-in?next=")
            answer = browser.post(
                f"{origin}/sign-in", data={"key": key, "next": page}, headers={"Origin": origin}
            )
        assert str(answer.url) == origin + page
        assert answer.status_code == 200
        assert "Abnormal interpretation" in answer.text
        assert httpx.get(told.partition("  pages     ")[2].split()[0]).status_code in (
            200,
            303,
            307,
        )
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        status = process.wait(120)
    assert status == 0, log.read_text()[-3000:]
    assert list(scratch.iterdir()) == []


def test_a_check_that_fails_is_told_with_its_first_differences():
    output = io.StringIO()
    checks = Checks(Console(file=output, width=200))
    checks.add("counts add up", [])
    assert checks.held
    checks.add("findings equal the key", [f"difference {number}" for number in range(9)])
    assert not checks.held
    told = output.getvalue()
    assert "held    counts add up" in told
    assert "failed  findings equal the key: 9 differences" in told
    assert "difference 4" in told
    assert "difference 5" not in told
