"""
How fast objects are de-identified, beside a plain copy and beside the tools others use.

    python perf/deid.py [--short] [--rounds N] [--scratch FOLDER] [--no-tools] [--only WORD]

Makes its own objects (`bench/objects.py`) and installs the tools in a scratch folder
(`bench/tools.py`). In each round every way treats every file of a kind, file to file, one process,
in turns; told is the best turn of each, as other work on the machine only ever slows one down:
objects and megabytes per second of wall time and of CPU time, and how many times the CPU of a plain
copy that is. De-identification is without the second look, whose cost is stated beside it.

What a turn before left behind must not be in the next one's figures: files that are deleted make new
ones dearer for a while (ext4 does not give their inodes away at once), and a virtual machine returns
free memory to its host, which a write then pays for. So outputs are emptied and stay until a kind is
done, and as much memory as a turn fills is fetched before its clock runs, for each way alike.
"""

import argparse
import gc
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from bench.objects import Kind, corpus, studies
from bench.tools import Absent, Tool, tools
from pydicom import dcmread

from app.deid.deidentify import Deidentified, deidentify
from app.deid.files.crew import COLLECT_AFTER
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look
from app.deid.write import save

UNSCREENED = "without screening"
ONE, TWO, APART = "--jobs 1", "--jobs 2", "two runs of --jobs 1 at once"
COPY, OURS, LOOK, PYDICOM = "plain copy", "hounsfield", "its second look", "pydicom read + save"
HOUNSFIELD = Path(sys.executable).with_name("hounsfield")
FORK = get_context("fork")
Pairs = list[tuple[Path, Path]]


@dataclass
class Spent:
    """What a way took for all files of a kind, round by round, in seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


class Ours:
    """De-identification, and the second look at what it made, as `hounsfield deid` does them."""

    def __init__(self, screening: bool = True) -> None:
        nowhere: dict[str, tuple[str, ...]] = {"modalities": (), "sop_classes": ()}
        self.profile = Profile.of({} if screening else {"burned_in": nowhere})
        self.keys = Keys.of(b"k" * 32)

    def deidentify(self, pairs: Pairs) -> None:
        """From file to file."""
        for source, target in pairs:
            with source.open("rb", buffering=0) as stream:
                made = deidentify(stream.readall(), self.profile, self.keys)
            if not isinstance(made, Deidentified):
                raise SystemExit(f"{source.name} gave no output: {made.reason}")
            with target.open("wb", buffering=0) as stream:
                save(stream.fileno(), made.parts)

    def look(self, pairs: Pairs) -> None:
        """At every output's bytes, and at every value of the first one of a series."""
        for number, (source, target) in enumerate(pairs):
            if second_look(source.read_bytes(), target.read_bytes(), decode=not number):
                raise SystemExit(f"the second look holds {source.name} back")


def copied(pairs: Pairs) -> None:
    """The limit: the kernel copies the file."""
    for source, target in pairs:
        shutil.copyfile(source, target)


def saved(pairs: Pairs) -> None:
    """What every tool on pydicom pays before it de-identifies anything."""
    for source, target in pairs:
        dcmread(source).save_as(target)


def clocked(way: Callable[[Pairs], object], pairs: Pairs) -> tuple[float, float]:
    """Wall and CPU seconds of one turn in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    way(pairs)
    return time.perf_counter() - wall, time.process_time() - cpu


def afresh(way: Callable[[Pairs], object], pairs: Pairs, first: Pairs) -> tuple[float, float]:
    """The same in a process of its own, which remembers nothing of the turns before.

    `first` is treated before the clock runs, so that a detector of text is loaded.
    """
    here, there = FORK.Pipe(duplex=False)

    def turn() -> None:
        gc.set_threshold(COLLECT_AFTER)  # as in a worker
        way(first)
        there.send(clocked(way, pairs))

    child = FORK.Process(target=turn)
    child.start()
    there.close()
    try:
        spent: tuple[float, float] = here.recv()
    except EOFError:
        raise SystemExit("a turn of our own failed; see above") from None
    child.join()
    return spent


def fetched(scratch: Path, size: int) -> None:
    """Memory for `size` bytes of files, in use a moment ago: at hand, whoever asks for it next."""
    file = scratch / "fetched"
    piece = bytes(1 << 20)
    with file.open("wb", buffering=0) as stream:
        for _ in range(0, size, len(piece)):
            stream.write(piece)
    os.truncate(file, 0)


class Table:
    """The turns of one kind, and what they say."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.spent: dict[str, Spent] = {}

    def note(self, name: str, wall: float, cpu: float) -> None:
        """One turn."""
        spent = self.spent.setdefault(name, Spent())
        spent.wall.append(wall)
        spent.cpu.append(cpu)

    def drop(self, name: str) -> None:
        """A way that failed has no figures."""
        self.spent.pop(name, None)

    def best(self, name: str, clock: str) -> float:
        """Seconds of a way's best turn."""
        seconds: list[float] = getattr(self.spent[name], clock)
        return min(seconds)

    def ratio(self, name: str, to: str, clock: str) -> float:
        """How many times the time of another way it took."""
        return self.best(name, clock) / self.best(to, clock)

    def told(self) -> None:
        """Print it."""
        print(f"\n{self.kind.told}:")
        print(f"  {'':<22}{'objects/s':>10}{'MB/s':>7}{'per CPU s':>11}{'MB':>7}   CPU ÷ copy's")
        for name in self.spent:
            count, size = len(self.kind.files), self.kind.size / 1e6
            wall, cpu = self.best(name, "wall"), self.best(name, "cpu")
            print(
                f"  {name:<22}{count / wall:10.0f}{size / wall:7.0f}"
                f"{count / cpu:11.0f}{size / cpu:7.0f}{self.ratio(name, COPY, 'cpu'):12.1f}"
            )
        others = [name for name in self.spent if name not in (COPY, OURS, UNSCREENED, LOOK)]
        told = [
            f"{self.ratio(other, OURS, 'wall'):.1f}× {other} ({self.ratio(other, OURS, 'cpu'):.1f}× by CPU)"
            for other in others
        ]
        print(f"  hounsfield is {', '.join(told)}")
        if UNSCREENED in self.spent:
            more = self.best(OURS, "cpu") - self.best(UNSCREENED, "cpu")
            each = more / len(self.kind.files) * 1000
            print(f"  looking for text in the pixels takes {each:.0f} ms of CPU an object")
        both = 1 + self.ratio(LOOK, OURS, "cpu")
        print(
            f"  with the second look it takes {both:.1f} times the CPU of de-identification alone"
        )


def measured(kind: Kind, rounds: int, scratch: Path, others: Sequence[Tool]) -> None:
    """All ways, interleaved, over one kind of object."""
    ours, table = Ours(), Table(kind)
    first = [(kind.files[-1], scratch / "first")] if kind.screened else []
    ways: dict[str, Callable[[Pairs], tuple[float, float]]] = {
        COPY: lambda pairs: clocked(copied, pairs),
        OURS: lambda pairs: afresh(ours.deidentify, pairs, first),
        PYDICOM: lambda pairs: clocked(saved, pairs),
        **{tool.name: tool.turn for tool in others},
    }
    if kind.screened and not kind.colour:  # colour is always looked at
        bare = Ours(screening=False)
        ways[UNSCREENED] = lambda pairs: afresh(bare.deidentify, pairs, [])
    with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as outputs:
        for number in range(rounds):
            for name, way in list(ways.items()):
                folder = Path(outputs, f"{name} {number}")
                folder.mkdir()
                pairs = [(file, folder / file.name) for file in kind.files]
                fetched(scratch, kind.size)
                try:
                    table.note(name, *way(pairs))
                    if name == OURS:
                        table.note(LOOK, *afresh(ours.look, pairs, []))
                except Absent as reason:
                    print(f"no figure for {kind.name}: {reason}")
                    table.drop(name)
                    del ways[name]
                for file in folder.iterdir():
                    os.truncate(file, 0)
    table.told()


def command(runs: Sequence[tuple[Path, Path, int]], key: Path) -> tuple[float, float]:
    """Wall and CPU seconds of `hounsfield deid`, all runs (input, output, jobs) begun at once."""
    words: list[list[str | Path]] = [
        [HOUNSFIELD, "deid", source, target, "--key-file", key, "--jobs", str(number)]
        for source, target, number in runs
    ]
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    started = [
        subprocess.Popen(one, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for one in words
    ]
    said = [run.communicate()[1] for run in started]
    wall = time.perf_counter() - begun
    for run, told in zip(started, said, strict=True):
        if run.returncode:
            raise SystemExit(f"hounsfield deid: exit code {run.returncode}: {told.strip()[-300:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime


def jobs(short: bool, scratch: Path) -> None:
    """The command itself, everything on, with one job and with two.

    Beside it, what the machine has for two at once: two runs of one job that share nothing; and how
    many times as many it is without the time to begin and to end, which a run over one object takes.
    """
    kind, rounds = studies(scratch / "bulk", count=2 if short else 40), 1 if short else 2
    whole, count = kind.files[0].parent, len(kind.files)
    halves = [scratch / "half", scratch / "other half"]
    for place, half in enumerate(halves):
        half.mkdir()
        for file in kind.files[place * count // 2 : (place + 1) * count // 2]:
            os.link(file, half / file.name)
    key = scratch / "key"
    key.touch(mode=0o600)
    key.write_text(os.urandom(32).hex(), encoding="ascii")
    alone = scratch / "one object"
    alone.mkdir()
    os.link(kind.files[0], alone / kind.files[0].name)
    bare = {
        name: min(
            command([(alone, scratch / f"bare {name} {turn}", number)], key)[0]
            for turn in (1, 2, 3)
        )
        for name, number in ((ONE, 1), (TWO, 2))
    }
    ways = {ONE: [(whole, 1)], TWO: [(whole, 2)], APART: [(half, 1) for half in halves]}
    spent = {name: Spent() for name in ways}
    for turn in range(rounds):
        for name, asked in ways.items():
            target = scratch / f"{name} {turn}"
            target.mkdir()
            fetched(scratch, kind.size)
            os.sync()  # what was emptied is given back to the disk, which others would wait for
            wall, cpu = command(
                [(source, target / source.name, number) for source, number in asked], key
            )
            spent[name].wall.append(wall)
            spent[name].cpu.append(cpu)
            written = list(target.rglob("*.dcm"))
            if len(written) != count:
                raise SystemExit(f"hounsfield deid wrote {len(written)} of {count} objects")
            for file in written:
                os.truncate(file, 0)
    print(f"\nhounsfield deid, start-up and second look included, {kind.told}:")
    best = {name: min(one.wall) for name, one in spent.items()}
    for name, one in spent.items():
        wall = best[name]
        busy = one.cpu[one.wall.index(wall)] / wall
        print(
            f"  {name:<32}{count / wall:6.0f} objects/s, {busy:.1f} cores busy,"
            f" {best[ONE] / wall:.2f} times as many as with one job"
        )
    if short:
        return  # too little for what follows
    going = {name: best[name] - seconds for name, seconds in bare.items()}
    print(
        f"  beginning and ending take {bare[ONE]:.2f} and {bare[TWO]:.2f} s; without them two jobs do"
        f" {going[ONE] / going[TWO]:.2f} times as many as one"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer objects, one round")
    parser.add_argument("--rounds", type=int, help="5, or 1 when short")
    parser.add_argument("--scratch", type=Path, help="where the tools are installed, and stay")
    parser.add_argument("--no-tools", action="store_true", help="only the copy and pydicom beside")
    parser.add_argument("--only", default="", help="kinds with this word in their name")
    asked = parser.parse_args()
    rounds = asked.rounds or (1 if asked.short else 5)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="hounsfield-perf-") as name:
        scratch = Path(name)
        installed: Path = asked.scratch or scratch / "tools"
        installed.mkdir(parents=True, exist_ok=True)
        (scratch / "objects").mkdir()
        kinds = [
            kind
            for kind in corpus(scratch / "objects", short=asked.short)
            if asked.only in kind.name
        ]
        clocked(Ours().deidentify, [(kinds[0].files[0], scratch / "first")])  # loads tables
        gc.freeze()  # a turn in a forked process should not copy them
        if asked.no_tools:
            for kind in kinds:
                measured(kind, rounds, scratch, ())
        else:
            with tools(installed) as (others, missing):
                for sentence in missing:
                    print(f"not measured: {sentence}")
                for kind in kinds:
                    measured(kind, rounds, scratch, others)
        jobs(asked.short, scratch)


if __name__ == "__main__":
    main()
