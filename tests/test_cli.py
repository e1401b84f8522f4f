"""One command brings everything up, and takes it down again, whatever happens to it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import COMMANDS, GROUPS, assembled
from app.commands.demo import listening
from app.commands.running import await_ready, environment, listen, metrics_folder
from app.commands.serve import OPENAPI
from app.errors import Unavailable
from app.postgres import Embedded
from app.postgres.programs import alive
from app.settings import Settings
from tests import nursery

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 180


class Deployment:
    """A folder on which commands are run, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(data=folder / "data", port=free_port())
        self.log = (folder / "log").open("w+")
        self.running: list[subprocess.Popen[str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if "HOUNSFIELD" not in name}
        return plain | environment(self.settings)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what is started and goes on is a real process."""
        return nursery.run(words, self.environment, SECONDS)

    def start(self, *words: str, keep: Sequence[int] = ()) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *words],
            cwd=ROOT,
            env=self.environment,
            pass_fds=keep,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.running.append(process)
        return process

    def up(self, *words: str, keep: Sequence[int] = ()) -> subprocess.Popen[str]:
        process = self.start("up", *words, keep=keep)
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C" in line:
                return process
        raise AssertionError(Path(self.log.name).read_text())

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.terminate()
                process.wait(SECONDS)
            if process.stdout is not None:
                process.stdout.close()
        self.log.close()
        Embedded(self.settings.data).destroy()
        shutil.rmtree(self.folder)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    made = Deployment(Path(tempfile.mkdtemp(prefix="hounsfield-cli-")))
    yield made
    made.end()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def children(parent: int) -> dict[int, str]:
    """The processes a process has started, with what they run."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True
    ).stdout
    pairs = (line.strip().split(" ", 1) for line in listed.splitlines())
    return {int(pid): words for pid, words in pairs}


def child(parent: int, command: str) -> int:
    return next(
        (pid for pid, words in children(parent).items() if f"app.cli {command}" in words), 0
    )


def eventually(what: object, seconds: float = SECONDS) -> bool:
    patience = time.monotonic() + seconds
    assert callable(what)
    while not what():
        if time.monotonic() > patience:
            return False
        time.sleep(0.1)
    return True


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.timeout(400)  # on a machine that is busy with other work
def test_up_serves_heals_is_followed_when_it_is_killed_and_stops_without_leaving_anything(
    deployment: Deployment,
) -> None:
    first = deployment.up()
    assert answers(deployment.url)
    assert httpx.get(f"{deployment.url}/health/live").json() == {"status": "live"}

    made = deployment.run("key", "create", "--role", "operator")
    assert re.fullmatch(r"hk_[a-z2-7]{12}_[0-9a-f]{64}\n", made.stdout), made.stderr
    bearer = {"authorization": f"Bearer {made.stdout.strip()}"}
    assert httpx.get(f"{deployment.url}/metrics").status_code == 401
    metrics = httpx.get(f"{deployment.url}/metrics", headers=bearer).text
    counted = r'hounsfield_requests_total\{method="GET",route="/health/live",status="200"\} 1\.0'
    assert re.search(counted, metrics), "counted in all processes: " + metrics
    assert 'hounsfield_waiting_rows{job="submission",state="held"} 0.0' in metrics

    for command in ("serve", "worker"):
        before = child(first.pid, command)
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: child(first.pid, command) not in (0, before))  # noqa: B023
    assert eventually(lambda: answers(deployment.url))

    started = children(first.pid)
    postgres = [pid for pid, words in started.items() if "postgres" in words]
    ours = [pid for pid in started if pid not in postgres]
    first.kill()
    first.wait()
    assert eventually(lambda: not any(alive(pid) for pid in ours)), "they hold a lifeline"
    assert alive(postgres[0])

    with listen(deployment.settings) as kept:  # as a demonstration does, which keeps its port so
        second = deployment.up("--fd", str(kept.fileno()), keep=[kept.fileno()])
    assert httpx.get(f"{deployment.url}/metrics", headers=bearer).status_code == 200
    left = [*children(second.pid), *postgres]
    assert len(left) >= 3, "PostgreSQL, a web process and a worker"
    second.send_signal(signal.SIGTERM)
    assert second.wait(SECONDS) == 0
    assert not any(alive(pid) for pid in left), "what was adopted is stopped in the end"
    assert not answers(deployment.url)


def test_the_web_alone_runs_as_several_processes_on_a_migrated_database(
    deployment: Deployment,
) -> None:
    deployment.settings = deployment.settings.model_copy(update={"web_processes": 2})
    done = deployment.run("migrate")
    assert (done.returncode, done.stderr) == (0, "")
    web = deployment.start("serve")
    assert eventually(lambda: answers(deployment.url), SECONDS), Path(
        deployment.log.name
    ).read_text()
    assert len([1 for words in children(web.pid).values() if "app.cli serve" in words]) == 2
    web.send_signal(signal.SIGINT)
    assert web.wait(SECONDS) == 0


def test_a_port_that_is_taken_is_told_in_one_line(deployment: Deployment) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", deployment.settings.port))
        taken.listen()
        done = deployment.run("serve")
    assert done.returncode == 1
    assert "HOUNSFIELD_PORT" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_two_demonstrations_that_begin_at_once_have_a_port_each() -> None:
    settings = Settings(port=free_port())
    with listening(settings) as first, listening(settings) as second:
        assert first.getsockname()[1] == settings.port
        for listener in (first, second):
            with socket.create_connection(listener.getsockname()) as client:
                accepted, caller = listener.accept()
                accepted.close()
                assert caller == client.getsockname(), "who calls one does not reach the other"


def test_a_service_that_does_not_become_ready_is_told_with_what_was_waited_for() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=r"within 1 s: http.*/health/ready.*nothing answered"):
        await_ready(url, lambda: False, seconds=0.6)
    with pytest.raises(Unavailable, match="ended before it was ready"):
        await_ready(url, lambda: True)


def test_a_data_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings = Settings(data=tmp_path / "file" / "data")
    done = nursery.run(["migrate"], os.environ | environment(settings), SECONDS)
    assert done.returncode == 1
    assert done.stderr.startswith("hounsfield: The data folder")
    assert "Traceback" not in done.stderr


def test_the_description_of_the_wire_is_written_and_compared(tmp_path: Path) -> None:
    runner, path = CliRunner(), tmp_path / "openapi.json"
    assert runner.invoke(assembled("openapi"), ["openapi", "--out", str(path)]).exit_code == 0
    assert path.read_text() == OPENAPI.read_text(), "with which `make check` compares it too"
    path.write_text(path.read_text().replace("Hounsfield", "Something else"))
    check = ["openapi", "--check", "--out", str(path)]
    assert runner.invoke(assembled("openapi"), check).exit_code == 1


@pytest.mark.soak  # a second or more for each
@pytest.mark.parametrize("word", [*COMMANDS, *GROUPS])
def test_a_command_loads_all_it_needs_in_a_process_that_nothing_loaded_before(word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", word, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert word in done.stdout


def test_every_command_is_found_where_the_command_line_looks_for_it() -> None:
    whole = CliRunner().invoke(assembled(), ["--help"]).output
    for name in (*COMMANDS, *GROUPS):
        assert re.search(rf"\b{name}\b", whole)
        alone = CliRunner().invoke(assembled(name), [name, "--help"])
        assert alone.exit_code == 0, name
    modules = {path.stem for path in (ROOT / "app/commands").glob("*.py")}
    groups = {name.replace("-", "_") for name in GROUPS}
    assert {*COMMANDS.values(), *groups} <= modules


def test_a_child_reads_the_settings_its_parent_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = Settings.model_validate(
        {
            "data": tmp_path,
            "database_url": "postgresql://o:p@h/d",
            "vault_key": "AAAA",
            "port": 1234,
            "lease_seconds": 7.5,
            "definitions": tmp_path / "own",
        }
    )
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given


def test_what_dead_runs_counted_is_swept_and_what_living_ones_count_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for pid in (dead.pid, 1):
        (tmp_path / "metrics" / str(pid)).mkdir(parents=True)
    own = metrics_folder(tmp_path)
    assert {path.name for path in (tmp_path / "metrics").iterdir()} == {"1", own.name}
