"""Real objects, broken: bits, lengths, tags, pieces moved, cut and joined."""

import struct
from collections.abc import Callable
from random import Random

LENGTHS = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
VRS = (
    b"SQ",
    b"UN",
    b"OB",
    b"OW",
    b"UT",
    b"PN",
    b"DS",
    b"IS",
    b"DA",
    b"DT",
    b"AT",
    b"FD",
    b"UI",
    b"XX",
    b"\0\0",
)
TAGS = (
    (0xFFFE, 0xE000),
    (0xFFFE, 0xE00D),
    (0xFFFE, 0xE0DD),
    (0x7FE0, 0x0010),
    (0x0008, 0x0005),
    (0x0002, 0x0010),
    (0x0009, 0x0010),
    (0x0000, 0x0000),
    (0xFFFC, 0xFFFC),
)


def flip(random: Random, body: bytearray) -> None:
    """One bit."""
    body[random.randrange(len(body))] ^= 1 << random.randrange(8)


def replace(random: Random, body: bytearray) -> None:
    """A few bytes by others."""
    at = random.randrange(len(body))
    size = random.choice((1, 2, 4, 8))
    body[at : at + size] = random.randbytes(size)


def length(random: Random, body: bytearray) -> None:
    """What may be a length, by one that is dangerous."""
    at = random.randrange(max(1, len(body) - 4))
    number = random.choice(LENGTHS)
    form = random.choice(("<H", "<L", ">H", ">L"))
    body[at : at + struct.calcsize(form)] = struct.pack(
        form, number & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
    )


def tag(random: Random, body: bytearray) -> None:
    """What may be a tag, by one that means something."""
    at = random.randrange(max(1, len(body) - 4))
    body[at : at + 4] = struct.pack(random.choice(("<HH", ">HH")), *random.choice(TAGS))


def vr(random: Random, body: bytearray) -> None:
    """A VR, by another."""
    places = [at for at in range(132, min(len(body) - 2, 6000)) if bytes(body[at : at + 2]) in VRS]
    at = random.choice(places) if places else random.randrange(max(1, len(body) - 2))
    body[at : at + 2] = random.choice(VRS)


def cut(random: Random, body: bytearray) -> None:
    """The end away."""
    del body[random.randrange(1, len(body)) :]


def drop(random: Random, body: bytearray) -> None:
    """A piece away."""
    at = random.randrange(len(body))
    del body[at : at + random.choice((1, 2, 8, 64, 500))]


def double(random: Random, body: bytearray) -> None:
    """A piece twice."""
    at = random.randrange(len(body))
    piece = body[at : at + random.choice((2, 8, 64, 500))]
    body[at:at] = piece


def insert(random: Random, body: bytearray) -> None:
    """Something in between."""
    at = random.randrange(len(body))
    body[at:at] = random.choice(
        (
            b"\0" * 8,
            b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
            b"\xfe\xff\xdd\xe0\0\0\0\0",
            random.randbytes(6),
        )
    )


MUTATIONS: tuple[Callable[[Random, bytearray], None], ...] = (
    flip,
    replace,
    length,
    tag,
    vr,
    cut,
    drop,
    double,
    insert,
)


def mutated(random: Random, source: bytes, other: bytes) -> bytes:
    """A broken object; sometimes the head of one and the tail of another."""
    body = bytearray(source)
    if random.random() < 0.05:
        body = bytearray(
            source[: random.randrange(len(source))] + other[random.randrange(len(other)) :]
        )
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        if len(body) < 16:
            break
        # Headers are where it hurts: most of the changes go to the first kilobytes.
        head = bytearray(body[: random.choice((400, 2_000, 8_000, len(body)))])
        rest = body[len(head) :]
        random.choice(MUTATIONS)(random, head)
        body = head + rest
    return bytes(body)
