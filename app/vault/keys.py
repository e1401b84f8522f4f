"""The master key, and the keys derived from it: one per purpose, registry and facility."""

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from app.durable import settle
from app.errors import Unavailable
from app.settings import Settings

KEY_BYTES = 32


def master_key(settings: Settings) -> bytes:
    """The master key: from the environment, else from its file, which the first start makes."""
    if settings.vault_key is not None:
        return _decoded(settings.vault_key.get_secret_value(), "HOUNSFIELD_VAULT_KEY")
    path = settings.vault_key_file or settings.data / "vault.key"
    try:
        return _decoded(path.read_text(encoding="ascii", errors="replace"), str(path))
    except FileNotFoundError:
        if settings.vault_key_file is not None:
            raise Unavailable(f"The vault's key file {path} does not exist.") from None
    _create(path)
    return _decoded(path.read_text(encoding="ascii", errors="replace"), str(path))


def derive(master: bytes, *info: str | int) -> bytes:
    """A key of its own for each purpose: HKDF-SHA256 (RFC 5869), expanded from the master key.

    The master key is uniformly random, so the extraction step of RFC 5869 is not needed. Each part
    of `info` is preceded by its length: ("a", "bc") and ("ab", "c") give different keys.
    """
    parts = [str(part).encode() for part in ("hounsfield", *info)]
    label = b"".join(len(part).to_bytes(4) + part for part in parts)
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=label).derive(master)


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise Unavailable(f"{where} does not hold a vault key: {KEY_BYTES} bytes in base64.")
    return key


def _create(path: Path) -> None:
    """Write a new key, readable by its owner alone, whole and on disk before it has its name.

    Two processes that start together agree: the name is given by link, which the second cannot
    do again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    settle([path.parent])
