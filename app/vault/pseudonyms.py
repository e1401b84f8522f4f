"""Keyed tokens: equal identifiers give equal tokens, and a token tells nothing without the key."""

import base64
import hashlib
from collections.abc import Sequence

# 80 bits: 16 characters of base32, which is what an AccessionNumber (SH, PS3.5 6.2) has room for.
# Tokens are compared within one facility, where a million cases collide with odds of 1 in 10^12.
TOKEN_BYTES = 10


def canonical(parts: Sequence[str]) -> bytes:
    """The bytes that are hashed: trimmed parts, each preceded by its length."""
    if len(parts) == 1:
        return parts[0].strip().encode()
    if len(parts) == 2:  # the usual case, by the same rule
        first, second = parts[0].strip().encode(), parts[1].strip().encode()
        return len(first).to_bytes(4) + first + len(second).to_bytes(4) + second
    encoded = [part.strip().encode() for part in parts]
    return b"".join([len(part).to_bytes(4) + part for part in encoded])


def keyed(key: bytes, content: bytes, size: int) -> bytes:
    """A message authentication code of so many bytes: keyed BLAKE2b (RFC 7693)."""
    return hashlib.blake2b(content, key=key, digest_size=size).digest()


def case_token(key: bytes, parts: Sequence[str]) -> str:
    """16 characters of base32."""
    return base64.b32encode(keyed(key, canonical(parts), TOKEN_BYTES)).decode("ascii")


def subject_token(key: bytes, parts: Sequence[str]) -> str:
    """32 hexadecimal digits: 128 bits, for they are compared across a nation."""
    return keyed(key, canonical(parts), 16).hex()


def subject_pseudonym(key: bytes, kind: str, token: str) -> str:
    """16 characters of base32, keyed apart from the tokens that lead to the subject."""
    return case_token(key, (kind, token))


def identifies(national: str) -> bool:
    """Whether a national identifier can tell people apart: not one that is typed to fill a field."""
    digits = [character for character in national if character.isalnum()]
    return len(set(digits)) > 1 and "".join(digits) not in _FILLERS


_FILLERS = frozenset({"123456789", "987654321", "012345678", "1234567890"})
