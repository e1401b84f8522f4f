"""What a process from the nursery has of its parent: the modules, and nothing that is open or running."""

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from tests import nursery

PAGE = 4096


def test_a_fork_holds_the_descriptors_it_was_given_and_one_thread_of_its_own() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE)
    with os.fdopen(reading, "rb", buffering=0) as said, os.fdopen(writing, "wb") as out:
        words = ["deid", "--help"]  # more than the pipe takes: it waits for a reader
        process = nursery.start(words, os.environ, out=out, err=out)
        out.close()
        heard = said.read(1)
        _until_it_waits(process.pid)
        held = {
            int(one.name): os.readlink(one) for one in Path(f"/proc/{process.pid}/fd").iterdir()
        }
        ignored = _signals(process.pid, "SigIgn"), _signals(process.pid, "SigCgt")
        heard += said.read()
        assert process.wait(60) == 0
    assert len(heard) > PAGE
    assert set(held) == {0, 1, 2}
    assert held[0] == os.devnull
    assert held[1] == held[2]
    assert signal.SIGINT not in ignored[0], "Ctrl-C ends it, as it would any other"
    assert signal.SIGCHLD not in ignored[1]


def test_a_variable_that_a_fork_comes_too_late_for_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as out, pytest.raises(AssertionError, match="too late"):
        nursery.start(["version"], os.environ | {"PYTHONHASHSEED": "7"}, out=out, err=out)


def _until_it_waits(pid: int) -> None:
    """Until the process has slept at each of some looks: what it says fits nowhere any more."""
    slept, deadline = 0, time.monotonic() + 60
    while slept < 5:
        assert time.monotonic() < deadline, "it never waits"
        time.sleep(0.02)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        slept = slept + 1 if state == "S" else 0


def _signals(pid: int, kind: str) -> set[int]:
    """The numbers in one of a process's masks of signals."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name == kind:
            return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}
    raise AssertionError(kind)
