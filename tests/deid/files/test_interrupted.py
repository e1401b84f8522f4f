"""A kill, a full disk, a dying worker: nothing half written, nothing without its line, and it goes on."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread

from app.deid.files.crew import Crew
from app.deid.files.journal import FOLDER
from app.deid.files.outcomes import Treated
from app.deid.files.run import Order, batches, run
from app.deid.files.sources import Source, walk
from app.deid.files.treat import Bench
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.errors import Conflict, Unavailable
from tests.deid.files.folders import ROOT, command, key, outputs, read, study

PATIENCE = 120.0


def lines(out: Path) -> list[dict[str, object]]:
    """The journal's whole lines."""
    journal = out / FOLDER / "journal.ndjson"
    whole = journal.read_text().split("\n")[:-1] if journal.exists() else []
    return [json.loads(line) for line in whole]


def accounted(out: Path) -> None:
    """Every output is whole, and its line stands in the journal."""
    told = {line["output"] for line in lines(out) if line.get("output")}
    for name in outputs(out):
        assert name in told
        assert dcmread(out / name).PatientIdentityRemoved == "YES"


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
def test_a_run_that_is_killed_leaves_whole_outputs_with_their_lines_and_the_next_one_finishes(
    tmp_path: Path, how: signal.Signals
) -> None:
    for number in range(1, 5):
        study(tmp_path / "in", number, 90, Rows=128, Columns=128, PixelData=b"\1\0" * 16384)
    secret, out = key(tmp_path), tmp_path / "out"
    words = [tmp_path / "in", out, "--key-file", secret, "--jobs", "2"]
    words += ["--map", tmp_path / "map.json", "--report", tmp_path / "report.json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "deid", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    patience = time.monotonic() + PATIENCE
    while not any(out.rglob("*.dcm")) and time.monotonic() < patience:
        time.sleep(0.005)
    os.kill(process.pid, how)
    assert process.wait(PATIENCE) == (130 if how is signal.SIGINT else -how)
    before = outputs(out)
    assert before, "something was written"
    assert len(before) < 360, "and something was still to do"
    accounted(out)
    assert not (tmp_path / "map.json").exists()
    assert not (tmp_path / "report.json").exists()
    while time.monotonic() < patience and members(process.pid):
        time.sleep(0.05)
    assert not members(process.pid), "its workers have ended by themselves"

    ended = command(*words)
    assert ended.returncode == 0, ended.stderr
    undisturbed = [tmp_path / "in", tmp_path / "clean", "--key-file", secret]
    undisturbed += ["--map", tmp_path / "clean.map", "--report", tmp_path / "clean.report"]
    assert command(*undisturbed).returncode == 0
    assert outputs(out) == outputs(tmp_path / "clean")
    assert (tmp_path / "map.json").read_bytes() == (tmp_path / "clean.map").read_bytes()
    assert (tmp_path / "report.json").read_bytes() == (tmp_path / "clean.report").read_bytes()
    assert [path.name for path in (out / FOLDER).iterdir()] == ["journal.ndjson"]


def test_two_runs_do_not_write_to_one_folder_at_once(tmp_path: Path) -> None:
    study(tmp_path / "in", 1, 1)
    secret, out = key(tmp_path), tmp_path / "out"
    assert command(tmp_path / "in", out, "--key-file", secret).returncode == 0
    with (out / FOLDER / "journal.ndjson").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = command(tmp_path / "in", out, "--key-file", secret)
    assert ended.returncode == 1
    assert "Another run" in ended.stderr


def hear_interrupts() -> None:
    """A suite that runs in the background hands down that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def members(session: int) -> list[str]:
    """The processes of a session."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--sid", str(session)], capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


@pytest.mark.parametrize(
    "limit", [2_000, *(pytest.param(one, marks=pytest.mark.soak) for one in (6_000, 60_000))]
)
def test_a_full_disk_leaves_nothing_half_written_and_the_next_run_goes_on(
    tmp_path: Path, limit: int
) -> None:
    """A limit on files: outputs do not fit, then the journal does not, then the map does not."""
    for number in range(1, 5):
        study(tmp_path / "in", number, 60)
    secret, out = key(tmp_path), tmp_path / "out"
    words = [tmp_path / "in", out, "--key-file", secret, "--map", tmp_path / "map.json"]
    ended = command(*words, limit=limit)
    assert ended.returncode == 1, ended.stderr
    assert "run the same command again" in ended.stderr
    assert "Traceback" not in ended.stderr
    accounted(out)
    assert len(outputs(out)) < 240 or not (tmp_path / "map.json").exists()
    assert not (tmp_path / "map.json").exists()

    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert len(outputs(out)) == 240
    accounted(out)


def test_a_folder_that_cannot_be_made_is_said_and_no_failure_of_ours(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "no-folder").write_bytes(b"")
    order = Order([tmp_path / "in"], tmp_path / "no-folder" / "out", Profile(), b"k" * 32)
    with pytest.raises(Unavailable, match="cannot be written"):
        run(order)


def test_a_second_run_over_the_same_folder_changes_nothing_and_mends_what_was_lost(
    tmp_path: Path,
) -> None:
    study(tmp_path / "in", 1, 5)
    out = tmp_path / "out"
    order = Order([tmp_path / "in"], out, Profile(), b"k" * 32, report_file=tmp_path / "report")
    run(order)
    report = order.report_file.read_bytes() if order.report_file else b""
    first = {name: (out / name).stat().st_mtime_ns for name in outputs(out)}
    content = outputs(out)
    run(order)
    assert {name: (out / name).stat().st_mtime_ns for name in outputs(out)} == first
    assert (tmp_path / "report").read_bytes() == report
    (out / next(iter(first))).unlink()
    study(tmp_path / "in", 2, 2)
    totals = run(order)
    assert totals.outputs == 7
    assert content.items() <= outputs(out).items()
    assert len(outputs(out)) == 7
    told = read(tmp_path / "report")
    assert [one["output"] for one in told["objects"] if one["output"] in content] == list(
        dict.fromkeys(one["output"] for one in json.loads(report)["objects"])
    )


def test_a_report_may_be_asked_for_later(tmp_path: Path) -> None:
    study(tmp_path / "in", 1, 2)
    order = Order([tmp_path / "in"], tmp_path / "out", Profile(), b"k" * 32)
    run(order)
    before = outputs(tmp_path / "out")
    run(replace(order, report_file=tmp_path / "report"))
    run(order)
    run(replace(order, report_file=tmp_path / "again"))
    assert outputs(tmp_path / "out") == before
    assert read(tmp_path / "report")["treatments"]
    assert (tmp_path / "report").read_bytes() == (tmp_path / "again").read_bytes()


def test_outputs_of_two_keys_or_two_policies_are_never_mixed(tmp_path: Path) -> None:
    study(tmp_path / "in", 1, 2)
    order = Order([tmp_path / "in"], tmp_path / "out", Profile(), b"k" * 32)
    run(order)
    before = outputs(tmp_path / "out")
    other = Profile.of({"options": ["clean_pixel_data"]})
    for change in ({"secret": b"l" * 32}, {"scope": "other"}, {"profile": other}):
        with pytest.raises(Conflict, match="another key"):
            run(replace(order, **change))
    assert outputs(tmp_path / "out") == before


class Fragile(Bench):
    """A worker that one object kills."""

    def batch(self, number: int, sources: Sequence[Source]) -> list[Treated]:
        if any("042" in source.name for source in sources):
            os._exit(9)
        return super().batch(number, sources)


@pytest.mark.parametrize(
    ("jobs", "threads"), [(1, 0), (2, 0), pytest.param(2, 1, marks=pytest.mark.soak)]
)
def test_an_object_that_kills_its_worker_is_told_and_the_others_are_done(
    tmp_path: Path, jobs: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of the next batch, which the worker had in hand; copied from here or begun anew."""
    study(tmp_path / "in", 1, 100)
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    make = partial(Fragile, Profile(), Keys.of(b"k" * 32), drafts, False)
    monkeypatch.setattr("threading.active_count", lambda: 1 + threads)
    with Crew(jobs) as crew:
        done = [
            one
            for together in crew.results(make, batches(walk([tmp_path / "in"])))
            for one in together
        ]
    results = [one for _, treated in done for one in treated or ()]
    assert [batch.number for batch, _ in done] == [0, 1, 2, 3]
    assert [one.reason for one in results] == [None] * 42 + ["failed"] + [None] * 57
    assert len({one.draft for one in results if one.draft}) == 99
    assert all((drafts / one.draft).exists() for one in results if one.draft)
    names = [source.name[-3:] for batch, _ in done for source in batch.sources]
    assert names == [f"{number:03d}" for number in range(100)]


def test_workers_end_when_the_process_they_were_copied_from_is_gone(tmp_path: Path) -> None:
    """Each of them, though they are copies of a process that held the pipes of all."""
    said = subprocess.run(
        [sys.executable, "-c", ABANDONED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    left = {int(word) for word in said.stdout.split()}
    assert len(left) == 3
    patience = time.monotonic() + PATIENCE
    while left and time.monotonic() < patience:
        left = {pid for pid in left if Path(f"/proc/{pid}").exists()}
        time.sleep(0.02)
    assert not left


ABANDONED = """
import os
from app.deid.files.crew import Crew
with Crew(3) as crew:
    print(*(one.process.pid for one in crew._workers), flush=True)
    os._exit(0)
"""


def test_an_output_has_its_name_only_when_its_bytes_and_its_line_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be left if the power failed: nothing but what was settled before."""
    study(tmp_path / "in", 1, 70)
    out = tmp_path / "out"
    settled: dict[str, int] = {}
    waited, renamed, replace_one = os.fsync, [], os.replace

    def fsync(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        settled[path] = os.fstat(descriptor).st_size
        waited(descriptor)

    def replacing(draft: str, output: str) -> None:
        journal = (out / FOLDER / "journal.ndjson").read_bytes()
        safe = journal[: settled[str(out / FOLDER / "journal.ndjson")]].split(b"\n")
        name = os.path.relpath(output, out)
        line = next(one for one in safe if name.encode() in one)
        assert b'{"mark":1}' in safe[safe.index(line) :]
        assert settled[str(draft)] == json.loads(line)["size"] == os.path.getsize(draft)
        renamed.append(output)
        replace_one(draft, output)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr("app.deid.files.run.os.replace", replacing)
    run(Order([tmp_path / "in"], out, Profile(), b"k" * 32))
    assert len(renamed) == len(outputs(out)) == 70
    assert {os.path.dirname(path) for path in renamed} <= settled.keys(), "so are their names"
    assert str(out) in settled
