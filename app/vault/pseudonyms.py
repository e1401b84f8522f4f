"""Keyed tokens: equal identifiers give equal tokens, and a token tells nothing without the key."""

import base64
import hmac
from collections.abc import Sequence

# 80 bits: 16 characters of base32, which is what an AccessionNumber (SH, PS3.5 6.2) has room for.
# Tokens are compared within one facility, where a million cases collide with odds of 1 in 10^12.
TOKEN_BYTES = 10


def canonical(parts: Sequence[str]) -> bytes:
    """The bytes that are hashed: trimmed parts, each preceded by its length."""
    encoded = [part.strip().encode() for part in parts]
    if len(encoded) == 1:
        return encoded[0]
    return b"".join(len(part).to_bytes(4) + part for part in encoded)


def case_token(key: bytes, parts: Sequence[str]) -> str:
    """16 characters of base32."""
    mac = hmac.digest(key, canonical(parts), "sha256")
    return base64.b32encode(mac[:TOKEN_BYTES]).decode("ascii")


def subject_token(key: bytes, parts: Sequence[str]) -> bytes:
    """32 bytes."""
    return hmac.digest(key, canonical(parts), "sha256")
