"""
On the disk: what has to be there before anything is said of it.

A file system gives written bytes their place when they are sent to the disk, and ends a transaction
of its own for whoever waits. Files that are waited for one after the other cost a transaction each;
so all of them are sent first, which nobody waits for, and the first wait is nearly all of the waiting.
"""

import ctypes
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

_AT_ONCE = 256
"""Files held open together: systems allow a process some thousand."""
_WRITE = 2
"""SYNC_FILE_RANGE_WRITE of <fcntl.h>: begin to write what is not yet on its way."""


def settle(paths: Sequence[Path | str]) -> None:
    """Files that were written are on the disk when this returns. Raises `OSError` if one is not."""
    for start in range(0, len(paths), _AT_ONCE):
        with ExitStack() as opened:
            some = []
            for path in paths[start : start + _AT_ONCE]:
                some.append(os.open(path, os.O_RDONLY))
                opened.callback(os.close, some[-1])
            if _send is not None:
                for descriptor in some:
                    _send(descriptor, 0, 0, _WRITE)  # in vain at worst: what counts comes next
            for descriptor in some:
                os.fsync(descriptor)


def settle_folders(folders: Iterable[Path | str]) -> None:
    """The names in these folders are on the disk when this returns."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
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
