"""Score a set by hand: `python -m tests.deid.adversary.run SEED [TIMES]` prints every failure."""

import sys
from collections import Counter

from tests.deid.adversary.door import through
from tests.deid.adversary.score import scored
from tests.deid.adversary.sets import cases


def main() -> None:
    """Print the score, every leak by its place, what was withheld and what else failed."""
    given = [int(one) for one in sys.argv[1:]]
    seed, times = (given + [1, 3][len(given) :])[:2]
    score = scored(cases(seed, times), through)
    say = sys.stdout.write
    say(score.told() + "\n")
    for reason, count in Counter(score.withheld.values()).most_common():
        say(f"withheld {count}: {reason}\n")
    for line in score.failures:
        say(line + "\n")


if __name__ == "__main__":
    main()
