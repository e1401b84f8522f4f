"""Look for planted identities in anything that came out: text, tables, files, bytes."""

import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as parquet

_RUN = re.compile(rb"[0-9A-Za-z]+(?:[.\-][0-9A-Za-z]+)*")
_PART = re.compile(rb"[0-9A-Za-z]+")
_PLANTED = re.compile(
    rb"z[xf][a-z2-7]{8}|mq[a-z2-7]{8}|(?:dv|pi|st)[a-z2-7]{8}|(?:zq|xv|yj|rq|oq|iq|cq|pq)[a-z]{8}"
)


class Canaries:
    """The planted identities of a nation, ready to be searched for."""

    def __init__(self, planted: Iterable[tuple[str, str]]) -> None:
        self._kinds: dict[bytes, str] = {}
        for kind, value in planted:
            for spelling in _spellings(kind, value):
                self._kinds[spelling.lower().encode("ascii")] = kind

    @classmethod
    def read(cls, path: Path) -> "Canaries":
        """Those that a simulation listed in `canaries.txt`."""
        with path.open(encoding="ascii") as lines:
            return cls(
                (kind, value)
                for kind, _, value in (line.rstrip("\n").partition("\t") for line in lines)
            )

    def __len__(self) -> int:
        return len(self._kinds)

    def found_in(self, content: bytes | str, *, but: Iterable[str] = ()) -> dict[str, str]:
        """Each identity found (in lower case) and its kind; kinds named in `but` do not count.

        Whole words are looked up, and whatever has the shape of a planted name or number is also
        looked up inside longer runs of letters, so that glued text gives nothing away.
        """
        excused = frozenset(but)
        text = (content.encode() if isinstance(content, str) else content).lower()
        found: dict[str, str] = {}
        words: set[bytes] = set(_RUN.findall(text))
        words.update(_PART.findall(text))
        words.update(_PLANTED.findall(text))
        if b"\x00" in text:
            # Text in two bytes a letter, as some formats keep it.
            narrow = text.replace(b"\x00", b"")
            words.update(_RUN.findall(narrow))
            words.update(_PART.findall(narrow))
        for word in words:
            kind = self._kinds.get(word)
            if kind is not None and kind not in excused:
                found[word.decode("ascii")] = kind
        return found

    def found_in_files(self, folder: Path, *, but: Iterable[str] = ()) -> dict[str, str]:
        """The identities in any file under a folder, by content or by name.

        Parquet is compressed, so it is read back as text; folders named in `but` are left out.
        """
        left_out = frozenset(but)
        found: dict[str, str] = {}
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not left_out.intersection(inside.parts):
                found |= self.found_in(str(inside))
                found |= self.found_in(path.read_bytes())
                if path.suffix == ".parquet":
                    for batch in parquet.ParquetFile(path).iter_batches():
                        found |= self.found_in(repr(batch.to_pylist()))
        return found


def _spellings(kind: str, value: str) -> Iterable[str]:
    yield value
    if kind == "national identifier":
        yield value.replace("-", "")
        if "-" not in value:
            yield f"{value[:3]}-{value[3:5]}-{value[5:]}"
    elif kind == "birth date":
        yield value.replace("-", "")
