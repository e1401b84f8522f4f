"""
Colour profiles, made anew from their numbers (ICC.1:2022; ICC Profile, PS3.3 C.11.15).

A profile names its maker, its machine and its day, carries free text, and has room between its
parts. Only curves, matrices and tables are taken over, each when its size is what its type says.
"""

import struct
from functools import lru_cache

_HEADER = 128
_MOST = 64 << 20
_CLASSES = frozenset((b"scnr", b"mntr", b"prtr", b"spac", b"abst", b"link"))
_SPACES = frozenset(
    (
        b"XYZ ",
        b"Lab ",
        b"Luv ",
        b"YCbr",
        b"Yxy ",
        b"RGB ",
        b"GRAY",
        b"HSV ",
        b"HLS ",
        b"CMYK",
        b"CMY ",
    )
)
_NUMERIC = frozenset(
    (
        *(b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"bkpt", b"lumi", b"rTRC", b"gTRC", b"bTRC", b"kTRC"),
        *(b"chad", b"chrm", b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"gamt"),
    )
)
_PARAMETERS = (1, 3, 4, 5, 7)
_PROFILE_TEXT = "Colour profile"
_RIGHTS_TEXT = "None"


@lru_cache(maxsize=64)
def rebuilt(profile: bytes) -> bytes | None:
    """The same colours under a header and texts that say nothing; None for what is no profile."""
    if not _HEADER + 4 <= len(profile) <= _MOST or profile[36:40] != b"acsp":
        return None
    kind, space, target = profile[12:16], profile[16:20], profile[20:24]
    if kind not in _CLASSES or space not in _SPACES or target not in _SPACES:
        return None
    (count,) = struct.unpack_from(">L", profile, _HEADER)
    if count > 100 or _HEADER + 4 + 12 * count > len(profile):
        return None
    kept: dict[bytes, bytes] = {}
    for place in range(count):
        name, start, size = struct.unpack_from(">4sLL", profile, _HEADER + 4 + 12 * place)
        part = profile[start : start + size]
        if name in _NUMERIC and len(part) == size and _is_whole(part):
            kept[name] = part[:4] + bytes(4) + part[8:]
    if not kept:
        return None
    version = profile[8] if profile[8] in (2, 4) else 2
    intent = bytes(3) + bytes([profile[67] & 3])
    return _written(version, kind, space, target, intent, profile[68:80], kept)


@lru_cache(maxsize=1)
def plain() -> bytes:
    """A profile near sRGB, for where one must be and the one that came cannot be told."""
    curve = b"curv" + struct.pack(">LLH", 0, 1, 0x0233)  # gamma 2.2
    points = {
        b"wtpt": (0.9642, 1.0, 0.8249),
        b"rXYZ": (0.4361, 0.2225, 0.0139),
        b"gXYZ": (0.3851, 0.7169, 0.0971),
        b"bXYZ": (0.1431, 0.0606, 0.7139),
    }
    kept = {name: b"XYZ " + bytes(4) + _point(*point) for name, point in points.items()}
    kept |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _written(2, b"mntr", b"RGB ", b"XYZ ", bytes(4), _point(0.9642, 1.0, 0.8249), kept)


def _is_whole(part: bytes) -> bool:
    """Is a part exactly as long as its type and its own counts say?"""
    size, kind = len(part), part[:4]
    if size < 12:
        return False
    if kind == b"XYZ ":
        return size == 20
    if kind == b"sf32":
        return size in (44, 20)
    if kind == b"curv":
        return size == 12 + 2 * int(struct.unpack_from(">L", part, 8)[0])
    if kind == b"para":
        (form,) = struct.unpack_from(">H", part, 8)
        return bool(form < len(_PARAMETERS) and size == 12 + 4 * _PARAMETERS[form])
    if kind in (b"mft1", b"mft2") and size > 52:
        inputs, outputs, grid = part[8], part[9], part[10]
        table = int(grid) ** int(inputs) * int(outputs)
        if kind == b"mft1":
            return bool(size == 48 + 256 * inputs + table + 256 * outputs)
        entries, exits = struct.unpack_from(">HH", part, 48)
        return bool(size == 52 + 2 * (entries * inputs + table + exits * outputs))
    return bool(kind == b"chrm" and size == 12 + 8 * struct.unpack_from(">H", part, 8)[0])


def _written(
    version: int,
    kind: bytes,
    space: bytes,
    target: bytes,
    intent: bytes,
    illuminant: bytes,
    kept: dict[bytes, bytes],
) -> bytes:
    parts = {
        b"desc": _told(version, _PROFILE_TEXT, b"desc"),
        b"cprt": _told(version, _RIGHTS_TEXT, b"text"),
    }
    parts |= kept
    directory, body = b"", b""
    start = _HEADER + 4 + 12 * len(parts)
    places: dict[bytes, int] = {}
    for name, part in sorted(parts.items()):
        if part not in places:  # three channels often share one curve
            places[part] = start + len(body)
            body += part + bytes(-len(part) % 4)
        directory += struct.pack(">4sLL", name, places[part], len(part))
    day = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    header = struct.pack(">L4sB3s", start + len(body), bytes(4), version, bytes(3)) + kind + space
    header += target + day + b"acsp" + bytes(24) + intent + illuminant
    return header.ljust(_HEADER, b"\0") + struct.pack(">L", len(parts)) + directory + body


def _told(version: int, said: str, kind: bytes) -> bytes:
    if version >= 4:
        words = said.encode("utf-16-be")
        return b"mluc" + struct.pack(">LLL4sLL", 0, 1, 12, b"enUS", len(words), 28) + words
    letters = said.encode("ascii") + b"\0"
    if kind == b"text":
        return b"text" + bytes(4) + letters
    return b"desc" + bytes(4) + struct.pack(">L", len(letters)) + letters + bytes(8 + 3 + 67)


def _point(*coordinates: float) -> bytes:
    return b"".join(struct.pack(">l", round(one * 65536)) for one in coordinates)
