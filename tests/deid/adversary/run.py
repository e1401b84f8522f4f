"""
Score a set by hand: `python -m tests.deid.adversary.run SEED [TIMES] [all]`.

Prints the score and each kind of failure once, with how often it happened and one object where it
did; with `all`, every failure.
"""

import re
import sys
from collections import Counter

from tests.deid.adversary.door import through
from tests.deid.adversary.score import scored
from tests.deid.adversary.sets import cases


def kind(failure: str) -> str:
    """A failure without the object, the numbers and the values in it."""
    _, _, what = failure.partition(": ")
    if ", found " in what:
        what = what.partition(":")[0] + ": found at " + what.rpartition(", found ")[2]
    return re.sub(r"\d+", "#", re.sub(r"'[^']*'|\"[^\"]*\"", "…", what))


def main() -> None:
    """Print the score, what was withheld, and what failed."""
    given = [int(one) for one in sys.argv[1:] if one != "all"]
    seed, times = (given + [1, 3][len(given) :])[:2]
    score = scored(cases(seed, times), through)
    say = sys.stdout.write
    say(score.told() + "\n")
    for reason, count in Counter(score.withheld.values()).most_common():
        say(f"withheld {count}: {reason}\n")
    if "all" in sys.argv:
        say("".join(f"{line}\n" for line in score.failures))
        return
    kinds = Counter(kind(line) for line in score.failures)
    examples = {kind(line): line for line in reversed(score.failures)}
    for what, count in kinds.most_common():
        say(f"{count:4} {examples[what]}\n")


if __name__ == "__main__":
    main()
