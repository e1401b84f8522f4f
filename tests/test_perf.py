"""Speed scripts are run by people who measure; here, that they come to their end."""

import subprocess
import sys
from pathlib import Path

import pytest

PERF = Path(__file__).parent.parent / "perf"


@pytest.mark.soak
@pytest.mark.parametrize("script", sorted(one.name for one in PERF.glob("*.py")))
def test_a_short_run_of_a_speed_script_ends_with_figures(script: str) -> None:
    ended = subprocess.run(
        [sys.executable, PERF / script, "--short"], capture_output=True, text=True, timeout=1800
    )
    # A limit may be missed on a slow machine, and is told so; anything else that ends it is a fault.
    missed = "MISSED" in ended.stdout + ended.stderr and "Traceback" not in ended.stderr
    assert ended.returncode == 0 or missed, ended.stderr
    assert any(letter.isdigit() for letter in ended.stdout)
