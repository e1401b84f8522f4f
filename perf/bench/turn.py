"""
One tool's turns: started by the Python the tool is installed in, it imports nothing of ours.

    python turn.py TOOL [PROGRAM]

It says `ready`, then, for each line of JSON `[[source, target], ...]`, treats the files one after
the other in this process (a program of its own: in one child process) and answers
`[wall seconds, CPU seconds, files written]`. Imports and start-up are not in the figures.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Pairs = list[list[str]]


def dcmanon(_: str) -> Callable[[Pairs], None]:
    tool = import_module("dcmanon").Anonymizer()

    def turn(pairs: Pairs) -> None:
        for source, target in pairs:
            with open(target, "wb") as file:
                file.write(tool.anonymize(source))

    return turn


def dicognito(_: str) -> Callable[[Pairs], None]:
    read = import_module("pydicom").dcmread
    tool = import_module("dicognito.anonymizer").Anonymizer(seed="perf")

    def turn(pairs: Pairs) -> None:
        for source, target in pairs:
            with read(source) as dataset:
                tool.anonymize(dataset)
                dataset.save_as(target)

    return turn


def dicom_anonymizer(_: str) -> Callable[[Pairs], None]:
    tool = import_module("dicomanonymizer.simpledicomanonymizer").anonymize_dicom_file

    def turn(pairs: Pairs) -> None:
        for source, target in pairs:
            tool(source, target)

    return turn


def gdcmanon(program: str) -> Callable[[Pairs], None]:
    """Its `--dumb` mode, which takes a list of attributes: the faster of its two modes."""
    # What a short Basic Profile would name; values that must stay valid are replaced.
    asked = [
        f"--{action}={tag}"
        for action, tags in (
            ("empty", ("8,50", "8,90", "10,30", "8,20", "8,30")),
            ("remove", ("8,80", "8,81", "8,1010", "8,1040", "8,1048", "8,1050", "8,1070", "10,21")),
            ("remove", ("10,4000", "10,21b0", "18,1000", "32,1032", "40,275", "40,253", "20,4000")),
            ("replace", ("10,10=REMOVED", "10,20=REMOVED", "20,10=REMOVED")),
        )
        for tag in tags
    ]

    def turn(pairs: Pairs) -> None:
        source, target = (os.path.dirname(pairs[0][side]) for side in (0, 1))
        subprocess.run(
            [program, "--dumb", "-r", "-i", source, "-o", target, *asked],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return turn


TOOLS: dict[str, Callable[[str], Callable[[Pairs], None]]] = {
    "dcmanon": dcmanon,
    "dicognito": dicognito,
    "dicom-anonymizer": dicom_anonymizer,
    "gdcmanon": gdcmanon,
}


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(spent.ru_utime + spent.ru_stime for spent in own)


def main() -> None:
    """Turns until the input ends."""
    turn = TOOLS[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else "")
    answers = os.fdopen(os.dup(1), "w")  # whatever a tool prints goes nowhere
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _say(answers, "ready")
    for line in sys.stdin:
        pairs: Pairs = json.loads(line)
        wall, cpu, failed = time.perf_counter(), _cpu(), ""
        try:
            turn(pairs)
        except Exception as error:
            failed = type(error).__name__
        spent = [time.perf_counter() - wall, _cpu() - cpu]
        written = sum(os.path.exists(target) for _, target in pairs)
        _say(answers, failed or [*spent, written])


def _say(answers: Any, what: object) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
