"""Keys, pseudonyms and UIDs: equal originals give equal replacements, nothing leads back."""

import base64
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hashlib import _Hash

TOKEN_BYTES = 10  # 80 bits: 16 characters of base32, the room an SH value has (PS3.5 6.2)


@dataclass(frozen=True, slots=True)
class Keys:
    """One key a purpose, from one secret and a scope (a registry's facility, or a name)."""

    uid: bytes = field(repr=False)
    patient: bytes = field(repr=False)
    accession: bytes = field(repr=False)
    dates: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes, scope: str = "") -> Self:
        """HMAC-SHA256 of the purpose and the scope under the secret, which must be random."""
        if len(secret) < 32:
            raise ValueError("a de-identification key has at least 32 bytes")
        return cls(
            *(
                hmac.digest(secret, f"hounsfield deid {purpose}\0{scope}".encode(), "sha256")
                for purpose in ("uid", "patient", "accession", "dates")
            )
        )


@lru_cache(maxsize=8192)  # an object refers to the same ones again and again
def replaced(key: bytes, uid: str) -> str:
    """A UID of the 2.25 form (PS3.5 B.2) with 128 keyed bits; the same for the same original."""
    mac = _mac(key, uid.strip("\0 ").encode())
    return f"2.25.{int.from_bytes(mac[:16], 'big')}"


def token(key: bytes, *parts: str) -> str:
    """16 characters of base32 for an identifier of one or more parts, each trimmed."""
    encoded = [part.strip(" \0").encode() for part in parts]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return base64.b32encode(_mac(key, text)[:TOKEN_BYTES]).decode("ascii")


def _mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104): `hmac.digest` in less than half its time, its key prepared once."""
    begun, ended = _prepared(key)
    inner, outer = begun.copy(), ended.copy()
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=64)
def _prepared(key: bytes) -> "tuple[_Hash, _Hash]":
    """The inner and the outer hash, each with the key in it."""
    block = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))


_BLOCK = 64
_INNER, _OUTER = (bytes(code ^ pad for code in range(256)) for pad in (0x36, 0x5C))


def digest(content: bytes) -> str:
    """SHA-256 as hexadecimal text."""
    return sha256(content).hexdigest()
