"""What is found in folders and archives, hostile ones too, and in which order."""

import os
import random
import stat
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from app.deid.files import archives, secret
from app.deid.files.archives import Archive, Unopened
from app.deid.files.journal import Journal
from app.deid.files.outcomes import REMEDIES, Fate, Obstacle, fate
from app.deid.files.run import BYTES_TOGETHER, TOGETHER, batches
from app.deid.files.sources import Source, walk, weighed
from app.deid.pixels import Reason
from app.errors import Unprocessable
from tests.deid.files.folders import archive, key


def names(*inputs: Path) -> list[str]:
    return [source.name for source in walk(inputs)]


def test_names_come_in_the_order_of_their_bytes_whatever_the_folder_says(tmp_path: Path) -> None:
    said = ["b", "a", "B", "é", "e\u0301", "名前", "a b", "sub/z", "sub/Z", "sub.x"]
    order = list(said)
    random.Random(1).shuffle(order)
    for name in order:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = names(tmp_path / "in")
    assert sorted(found) == sorted(said)
    assert found == ["B", "a", "a b", "b", "e\u0301", "sub/Z", "sub/z", "sub.x", "é", "名前"]


def test_a_name_that_is_no_unicode_is_found_and_comes_back_from_the_map(tmp_path: Path) -> None:
    import json

    from app.deid.files.account import Map

    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)
    with open(folder + b"/\xffM\xfcller", "wb") as stream:
        stream.write(b"x")
    (name,) = names(tmp_path / "in")
    mapped = Map(tmp_path / "map.json")
    mapped.add(name, None, "not-dicom")
    mapped.finish()
    told = json.loads((tmp_path / "map.json").read_bytes())
    assert os.fsencode(next(iter(told))) == b"\xffM\xfcller"


def test_links_pipes_and_folders_that_may_not_be_read_are_listed_and_not_followed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_bytes(b"x")
    (folder / "loop").symlink_to(folder)
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "file").symlink_to(tmp_path / "outside" / "x")
    (folder / "broken").symlink_to(tmp_path / "none")
    os.mkfifo(folder / "pipe")
    found = {source.name: source.obstacle for source in walk([folder])}
    link = Obstacle.SYMBOLIC_LINK
    assert found == {
        "broken": link,
        "file": link,
        "loop": link,
        "out": link,
        "pipe": Obstacle.NOT_A_FILE,
    }
    assert names(folder / "out") == ["x"], "a link that was named as an input is meant"


def test_the_names_of_several_inputs_never_meet(tmp_path: Path) -> None:
    for home in ("one", "two"):
        (tmp_path / home / "in").mkdir(parents=True)
        (tmp_path / home / "in" / "x").write_bytes(b"x")
        (tmp_path / home / "file").write_bytes(b"x")
    given = [tmp_path / home / part for home in ("one", "two") for part in ("in", "file")]
    assert names(*given) == ["in/x", "file", "in#2/x", "file#2"]
    assert names(given[0]) == ["x"]
    assert names(given[1]) == ["file"]
    assert weighed(given) == 4


def test_members_are_found_by_content_their_names_lead_nowhere_and_double_names_are_told_apart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("../up", "/root", "C:\\\\dir\\\\x", "a//b/./c", "..", "été"):
            made.writestr(name, b"x")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("été", b"y")
        made.mkdir("folder")
    path = path.rename(tmp_path / "no_suffix")
    assert names(path) == ["up", "root", "C:/dir/x", "a/b/c", "unnamed", "été", "été#2"]
    assert names(tmp_path)[0] == "no_suffix/up"


def test_archives_in_archives_are_opened_and_only_so_deep(tmp_path: Path) -> None:
    content = b"x"
    for depth in range(5):
        content = archive(tmp_path / "x.zip", {f"level{depth}": content}).read_bytes()
    (found,) = walk([tmp_path / "x.zip"])
    assert found.name == "level4/level3/level2"
    assert found.obstacle is Obstacle.ARCHIVE_TOO_DEEP
    shallow = archive(
        tmp_path / "y.zip", {"in.zip": archive(tmp_path / "z", {"a": b"abc"}).read_bytes()}
    )
    (found,) = walk([shallow])
    assert (found.name, found.members) == ("in.zip/a", (0, 0))
    inner = archives.opened(found.path, found.members[:-1])
    assert inner.read(found.members[-1]) == b"abc"
    inner.close()


def test_a_bomb_is_not_opened(tmp_path: Path) -> None:
    grown = archive(tmp_path / "grown.zip", {"zeros": b"\0" * 1000})
    content = bytearray(grown.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    struct.pack_into("<L", content, at + 24, 0xFFFFFFF0)  # it declares four gigabytes
    for number in range(2):
        (tmp_path / f"bomb{number}.zip").write_bytes(content)
    found = Archive(tmp_path / "bomb0.zip")
    with pytest.raises(Unopened) as stopped:
        found.read(0, limit=1 << 20)
    assert stopped.value.obstacle is Obstacle.TOO_LARGE
    found.close()

    one = BytesIO()
    with zipfile.ZipFile(one, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", random.Random(1).randbytes(4000))
    content = bytearray(one.getvalue())
    at = content.rindex(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    entry = bytes(content[at:end])
    many = 50  # every entry of the directory shows the same bytes
    tail = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, many, many, len(entry) * many, at, 0)
    overlapping = tmp_path / "overlapping.zip"
    overlapping.write_bytes(bytes(content[:at]) + entry * many + tail)
    (source,) = walk([overlapping])
    assert source.obstacle is Obstacle.ARCHIVE_TOO_LARGE


def test_an_archive_whose_members_lie_or_are_locked_says_so(tmp_path: Path) -> None:
    whole = archive(tmp_path / "x.zip", {"a": b"A" * 500, "b": b"B" * 500}).read_bytes()
    broken = tmp_path / "broken.zip"
    broken.write_bytes(whole[:31] + bytes(byte ^ 255 for byte in whole[31:34]) + whole[34:])
    found = {source.name: source.obstacle for source in walk([broken])}
    assert found == {"a": Obstacle.ARCHIVE_BROKEN, "b": None}
    short = tmp_path / "short.zip"
    short.write_bytes(whole[:60])
    (source,) = walk([short])
    assert (source.name, source.obstacle) == ("short.zip", Obstacle.ARCHIVE_BROKEN)
    locked = bytearray(whole)
    for at in (locked.index(b"PK\1\2") + 8, locked.index(b"PK\3\4") + 6):
        locked[at] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    found = {source.name: source.obstacle for source in walk([tmp_path / "locked.zip"])}
    assert found["a"] is Obstacle.ARCHIVE_ENCRYPTED


def test_batches_are_cut_by_number_and_by_size_and_lose_nothing() -> None:
    sizes = [1] * (TOGETHER + 5) + [BYTES_TOGETHER * 2] + [BYTES_TOGETHER // 2 + 1] * 3
    sources = [Source(str(place), Path("x"), (), size) for place, size in enumerate(sizes)]
    made = list(batches(iter(sources)))
    assert [source for batch in made for source in batch.sources] == sources
    assert [batch.number for batch in made] == list(range(len(made)))
    assert [len(batch.sources) for batch in made] == [TOGETHER, 5, 1, 1, 1, 1]


def test_every_reason_has_a_fate_and_only_what_is_no_object_is_passed_by() -> None:
    passed = {reason for reason in (*Reason, *Obstacle) if fate(reason.value) is Fate.PASSED_BY}
    assert {one.value for one in passed} == {
        "not-dicom",
        "not-an-instance",
        "symbolic-link",
        "not-a-file",
    }
    assert fate(None) is Fate.WRITTEN
    for reason in Reason:
        assert (fate(reason.value) is Fate.HELD) == reason.holds
    assert {reason.value for reason in (*Reason, *Obstacle)} <= set(REMEDIES)
    assert all(REMEDIES.values())


def test_a_key_is_nobody_elses_to_write_long_enough_and_the_same_as_bytes_or_as_text(
    tmp_path: Path,
) -> None:
    path = key(tmp_path)
    assert secret.read(path) == b"0123456789abcdef0123456789abcdef"
    path.write_bytes(b"  0123456789abcdef0123456789abcdef\r\n")
    assert secret.read(path) == b"0123456789abcdef0123456789abcdef"
    raw = bytes(range(10, 42)) + b"\n"
    path.write_bytes(raw)
    assert secret.read(path) == raw, "bytes are taken as they are"
    for mode in (0o620, 0o602, 0o660, 0o666):
        path.chmod(mode)
        with pytest.raises(Unprocessable, match="chmod 600"):
            secret.read(path)
    for mode in (0o640, 0o604, 0o444):
        path.chmod(mode)
        assert secret.is_open(path)
        assert secret.read(path) == raw
    path.chmod(0o600)
    assert not secret.is_open(path)
    for content in (b"", b"short", b"x" * 31, b"y" * 5000):
        path.write_bytes(content)
        with pytest.raises(Unprocessable, match=r"short|longer"):
            secret.read(path)
    made = tmp_path / "made.key"
    first = secret.made(made)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert secret.made(made) == first == secret.read(made)
    assert len(first) >= secret.LEAST
    assert secret.fresh() != secret.fresh()


def test_lines_after_the_last_mark_of_a_journal_do_not_count(tmp_path: Path) -> None:
    from app.deid.files.journal import Line

    heading = {"format": 1, "rows": False}
    line = Line("00" * 16, "a.dcm", None, "", 1, "", {}, [])
    journal = Journal(tmp_path, heading, b"k" * 32)
    journal.write(line)
    journal.mark()
    journal.write(Line("01" * 16, "b.dcm", None, "", 1, "", {}, []))
    journal.close()
    with journal.path.open("ab") as stream:
        stream.write(b'{"input": "02')
    again = Journal(tmp_path, heading, b"k" * 32)
    assert list(again.known) == [bytes(16)]
    assert [one["output"] for one in again.read(again.known.values())] == ["a.dcm"]
    again.write(Line("03" * 16, "c.dcm", None, "", 1, "", {}, []))
    again.mark()
    again.close()
    third = Journal(tmp_path, heading, b"k" * 32)
    assert [one["output"] for one in third.read(third.known.values())] == ["a.dcm", "c.dcm"]
    third.close()
