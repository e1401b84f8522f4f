"""A disk of a few megabytes that can really be full: a file system in memory, mounted for a test."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_LIBC = ctypes.CDLL(None, use_errno=True)
PAGE = 4096


@dataclass(frozen=True)
class SmallDisk:
    """Where it is mounted."""

    folder: Path

    def fill(self, room: int = 0) -> None:
        """Take everything but some bytes of room."""
        free = os.statvfs(self.folder)
        taken = max(free.f_bavail * free.f_frsize - room, 0)
        with (self.folder / "ballast").open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(taken, 1))

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.folder / "ballast").unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount it; whoever may not mount skips the test."""
    folder.mkdir()
    options = f"size={megabytes}m".encode()
    if _LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) != 0:
        pytest.skip("nothing can be mounted here: it takes root in Linux")
    try:
        yield SmallDisk(folder)
    finally:
        _LIBC.umount2(os.fsencode(folder), 2)  # MNT_DETACH: whatever still has a file open
