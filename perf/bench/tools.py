"""
The tools others use, each installed by itself in a scratch folder outside the repository.

What cannot be installed or does not run is said, with the reason, and measured by nobody. Python
tools come from PyPI, at the versions named here; gdcmanon is the one on the PATH, else Debian's
packages, unpacked in the scratch folder without installing anything on the machine.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSIONS = {"dcmanon": "0.3.1", "dicognito": "0.19.0", "dicom-anonymizer": "2.1.0"}
NAMES = ("dcmanon", "gdcmanon", "dicognito", "dicom-anonymizer")
_DEBIAN = ("libgdcm-tools", "libgdcm3.0", "libcharls2", "libsocket++1", "libopenjp2-7")
_TURN = Path(__file__).with_name("turn.py")


class Absent(Exception):
    """A tool that cannot be measured here, and why."""


class Tool:
    """A tool that runs and waits for its turns."""

    def __init__(self, name: str, command: list[str], env: dict[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._answer() != "ready":
            self.end()
            raise Absent(f"{name} was installed but does not start")

    def turn(self, pairs: list[tuple[Path, Path]]) -> tuple[float, float]:
        """Wall and CPU seconds for these files. Raises `Absent` when it fails at any."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([[str(a), str(b)] for a, b in pairs]) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if not isinstance(answer, list):
            raise Absent(f"{self.name} stopped: {answer or 'it ended'}")
        wall, cpu, written = answer
        if written != len(pairs):
            raise Absent(f"{self.name} wrote {written} of {len(pairs)} files")
        return wall, cpu

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _answer(self) -> object:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None


@contextmanager
def tools(scratch: Path) -> Iterator[tuple[list[Tool], list[str]]]:
    """The tools that run here, and a sentence for each that does not."""
    ready: list[Tool] = []
    missing: list[str] = []
    for name in NAMES:
        try:
            ready.append(_started(name, scratch))
        except Absent as reason:
            missing.append(str(reason))
    try:
        yield ready, missing
    finally:
        for tool in ready:
            tool.end()


def _started(name: str, scratch: Path) -> Tool:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if name == "gdcmanon":
        program, libraries = _gdcmanon(scratch / name)
        if libraries:
            env["LD_LIBRARY_PATH"] = libraries
        return Tool(name, [sys.executable, "-S", str(_TURN), name, program], env)
    return Tool(name, [str(_from_pypi(name, scratch / name)), str(_TURN), name], env)


def _from_pypi(name: str, folder: Path) -> Path:
    python, done = folder / "bin" / "python", folder / f"{VERSIONS[name]}.installed"
    if not done.exists():
        _run(name, [sys.executable, "-m", "venv", "--clear", str(folder)])
        wanted = f"{name}=={VERSIONS[name]}"
        _run(name, [str(python), "-m", "pip", "install", "--quiet", wanted])
        done.touch()
    return python


def _gdcmanon(folder: Path) -> tuple[str, str]:
    """The program, and where its libraries are (empty: where the machine has them)."""
    if found := shutil.which("gdcmanon"):
        return found, ""
    program, libraries = folder / "usr" / "bin" / "gdcmanon", folder / "usr" / "lib"
    if not program.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise Absent("gdcmanon: not on the PATH, and no Debian here to take it from")
        packages = folder / "packages"
        packages.mkdir(parents=True, exist_ok=True)
        _run("gdcmanon", ["apt-get", "download", *_DEBIAN], cwd=packages)
        for package in packages.glob("*.deb"):
            _run("gdcmanon", ["dpkg-deb", "--extract", str(package), str(folder)])
    where = [str(path) for path in libraries.iterdir() if path.is_dir()]
    return str(program), ":".join(where)


def _run(name: str, command: list[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        raise Absent(
            f"{name}: `{Path(command[0]).name} {' '.join(command[1:4])} …` failed"
            f" ({type(error).__name__})"
        ) from error
