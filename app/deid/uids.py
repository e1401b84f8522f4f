"""Keys, pseudonyms and UIDs: equal originals give equal replacements, nothing leads back."""

import base64
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

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


def replaced(key: bytes, uid: str) -> str:
    """A UID of the 2.25 form (PS3.5 B.2) with 128 keyed bits; the same for the same original."""
    mac = hmac.digest(key, uid.strip("\0 ").encode(), "sha256")
    return f"2.25.{int.from_bytes(mac[:16], 'big')}"


def token(key: bytes, *parts: str) -> str:
    """16 characters of base32 for an identifier of one or more parts, each trimmed."""
    encoded = [part.strip(" \0").encode() for part in parts]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return base64.b32encode(hmac.digest(key, text, "sha256")[:TOKEN_BYTES]).decode("ascii")


def digest(content: bytes) -> str:
    """SHA-256 as hexadecimal text."""
    return sha256(content).hexdigest()
