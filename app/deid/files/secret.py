"""
The secret of a run: read from its file, or made fresh.

Who holds the secret can tell which pseudonym belongs to which number. A file that others may write
is refused: they could have chosen it. One that others may read is told of and taken, since secrets
that are mounted into a container often come so.
"""

import base64
import os
import secrets
import stat
from pathlib import Path

from app.errors import Unprocessable

LEAST = 32
"""Bytes a secret has at least."""
MOST = 4096
"""Bytes a secret's file has at most: what is longer was not meant."""

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


def fresh() -> bytes:
    """A new secret of 32 random bytes."""
    return secrets.token_bytes(LEAST)


def read(path: Path) -> bytes:
    """The secret of a file: its bytes, or its text without the space around it.

    Raises `Unprocessable` when others may write the file, or when it is too short to be a secret.
    """
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            said = stream.read(MOST + 1)
    except OSError:
        raise Unprocessable(
            "The key file cannot be read. `--make-key` makes it where there is none."
        ) from None
    if found.st_mode & OTHERS_WRITE:
        raise Unprocessable("Others may write the key file: make it yours alone (chmod 600).")
    if len(said) > MOST:
        raise Unprocessable(f"The key file is longer than {MOST} bytes: it is no key.")
    secret = said.strip() if _is_text(said) else said
    if len(secret) < LEAST:
        raise Unprocessable(
            f"The key file is too short: it must hold at least {LEAST} random bytes, or as many "
            "characters that write them."
        )
    return secret


def is_open(path: Path) -> bool:
    """May others read the file?"""
    return bool(path.stat().st_mode & OTHERS_READ)


def made(path: Path) -> bytes:
    """The secret of a file, which is made when there is none: base64, for its owner alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read(path)
    except OSError:
        raise Unprocessable("The key file cannot be made there.") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(base64.b64encode(fresh()) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return read(path)


def _is_text(said: bytes) -> bool:
    """Printed characters and space alone: a secret that somebody wrote with a text program."""
    return all(32 <= byte < 127 or byte in b"\r\n\t" for byte in said)
