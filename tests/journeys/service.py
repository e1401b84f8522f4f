"""The service as processes of their own, on a database of the test's: what `kill -9` can be done to."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from types import TracebackType

import httpx

from app.postgres import Addresses
from tests import nursery

HOUNSFIELD = Path(sys.executable).with_name("hounsfield")
VAULT_KEY = base64.b64encode(bytes(range(32))).decode()
"""The same for every run, so that keyed tokens of two runs can be compared."""


class Service:
    """One API process and some workers."""

    def __init__(
        self,
        addresses: Addresses,
        folder: Path,
        *,
        workers: int = 1,
        lease: float = 3.0,
        definitions: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.log = folder / "service.log"
        self._workers = workers
        self._running: dict[str, nursery.Started] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith("HOUNSFIELD_")
        } | {
            "HOUNSFIELD_DATA": str(folder / "data"),
            "HOUNSFIELD_DATABASE_URL": addresses.owner,
            "HOUNSFIELD_DATABASE_URL_WEB": addresses.web,
            "HOUNSFIELD_DATABASE_URL_WORKER": addresses.worker,
            "HOUNSFIELD_DATABASE_POOL": "4",
            "HOUNSFIELD_VAULT_KEY": VAULT_KEY,
            "HOUNSFIELD_PORT": str(self.port),
            "HOUNSFIELD_LEASE_SECONDS": str(lease),
            "HOUNSFIELD_TRIES": "50",
        }
        self.env |= more or {}
        if definitions is not None:
            self.env["HOUNSFIELD_DEFINITIONS"] = str(definitions)

    def __enter__(self) -> "Service":
        try:
            self.start_api()
            for number in range(self._workers):
                self.start_worker(number)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def command(self, *words: str, timeout: float = 120) -> str:
        """Run a `hounsfield` command to its end; returns what it printed."""
        done = nursery.run(words, self.env, timeout)
        with self.log.open("a") as log:
            log.write(done.stderr)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words[:2])} ended {done.returncode}: {done.stderr}")
        return done.stdout

    def operator(self) -> str:
        """A new operator's key."""
        return self.command("key", "create", "--role", "operator").strip().splitlines()[-1]

    def start_api(self) -> None:
        """Start the web process and wait until it says that it is ready."""
        self._start("api", "serve")
        deadline = time.monotonic() + 180  # on a machine that is busy with other work
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as client:
            while time.monotonic() < deadline and self._running["api"].poll() is None:
                with suppress(httpx.TransportError):
                    if client.get("/health/ready").status_code == 200:
                        return
                time.sleep(0.1)
        raise AssertionError(f"the API did not become ready:\n{self.log.read_text()[-3000:]}")

    def start_worker(self, number: int) -> None:
        """Start a worker process."""
        self._start(f"worker {number}", "worker")

    def kill_a_worker(self, rng: Random) -> None:
        """`kill -9` one worker, and start another in its place."""
        name = f"worker {rng.randrange(self._workers)}"
        self._kill(name)
        self._start(name, "worker")

    def restart_api(self) -> None:
        """`kill -9` the web process, and start it again."""
        self._kill("api")
        self.start_api()

    def kill(self) -> None:
        """`kill -9` everything: the machine is gone."""
        for name in list(self._running):
            self._kill(name)

    def _kill(self, name: str) -> None:
        process = self._running.pop(name)
        assert process.poll() is None, f"{name} had ended:\n{self.log.read_text()[-3000:]}"
        process.send_signal(signal.SIGKILL)
        process.wait()

    def _start(self, name: str, command: str) -> None:
        with self.log.open("ab") as log:
            self._running[name] = nursery.start([command], self.env, out=log, err=log)
