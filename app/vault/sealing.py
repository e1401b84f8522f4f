"""Authenticated encryption: small values in one piece, large bodies as a chain of frames."""

import os
from collections.abc import AsyncIterator, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Unavailable

NONCE = 12
FRAME = 256 * 1024
LENGTH = 4


class BrokenSeal(Unavailable):
    """Sealed bytes do not open: another key, another context, or they were altered."""

    code = "broken-seal"
    title = "Sealed content does not open"


class Sealer:
    """Seal and open small values under one key. The context is bound in, and not stored."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Nonce and ciphertext of `data`, which opens with the same context only."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, data, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed under this context."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], context)
        except (InvalidTag, ValueError):
            raise BrokenSeal("Sealed content does not open with this key and context.") from None


class Framing:
    """Frames of one object, under a key that this object alone has.

    A frame's nonce is its number and whether it is the last, so that frames can be neither
    reordered nor cut off unnoticed. The key is used for one object, so no nonce is used twice.
    """

    def __init__(self, key: bytes, context: bytes) -> None:
        self._cipher = AESGCM(key)
        self._context = context
        self._count = 0

    def _nonce(self, last: bool) -> bytes:
        nonce = self._count.to_bytes(NONCE - 1) + (b"\1" if last else b"\0")
        self._count += 1
        return nonce

    def seal(self, data: bytes, *, last: bool) -> bytes:
        """One frame: its length, then its ciphertext."""
        sealed = self._cipher.encrypt(self._nonce(last), data, self._context)
        return len(sealed).to_bytes(LENGTH) + sealed

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        """What one frame holds."""
        try:
            return self._cipher.decrypt(self._nonce(last), sealed, self._context)
        except (InvalidTag, ValueError):
            raise BrokenSeal("A quarantined object was altered or cut short.") from None


def frames(pieces: Iterator[bytes], framing: Framing) -> Iterator[bytes]:
    """The plain content of an encrypted object that arrives in pieces of any size."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        yield from _complete(buffer, framing)
    yield _final(buffer, framing)


async def frames_arriving(pieces: AsyncIterator[bytes], framing: Framing) -> AsyncIterator[bytes]:
    """`frames`, for pieces that are awaited."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        for plain in _complete(buffer, framing):
            yield plain
    yield _final(buffer, framing)


def _complete(buffer: bytearray, framing: Framing) -> Iterator[bytes]:
    """Open the frames that are followed by another one; the last is left in the buffer."""
    while True:
        end = LENGTH + int.from_bytes(buffer[:LENGTH])
        if len(buffer) < LENGTH or len(buffer) <= end:
            return
        plain = framing.open(bytes(buffer[LENGTH:end]), last=False)
        del buffer[:end]
        yield plain


def _final(buffer: bytearray, framing: Framing) -> bytes:
    if len(buffer) < LENGTH or len(buffer) != LENGTH + int.from_bytes(buffer[:LENGTH]):
        raise BrokenSeal("A quarantined object was altered or cut short.")
    return framing.open(bytes(buffer[LENGTH:]), last=True)
