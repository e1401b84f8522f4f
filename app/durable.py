"""
On the disk: what has to be there before anything is said of it.

A file system gives written bytes their place when they are sent to the disk, and ends a transaction
for whoever waits. Files that are sent and waited for one by one cost a transaction each, and all of
that time. So whoever writes a file sends it off at once; when somebody waits for it, it is there, or
on its way with others, and the first wait is nearly all of the waiting.
"""

import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE of <fcntl.h>: begin to write what is not yet on its way."""


def send(descriptor: int) -> None:
    """Send what was written to an open file on its way to the disk, without waiting for it.

    Nothing may rest on it: where it cannot be done nothing is, and a failure shows in `settle`.
    """
    if _send is not None:
        _send(descriptor, 0, 0, _WRITE)


def settle(paths: Iterable[Path | str]) -> None:
    """What was written to these files, or the names in these folders, is on the disk after this.

    Raises `OSError` when it is not.
    """
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sender() -> Callable[[int, int, int, int], int] | None:
    """`sync_file_range(2)`, where there is one: on Linux."""
    found = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found


_send = _sender()
