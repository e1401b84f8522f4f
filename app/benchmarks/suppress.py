"""
Suppress: what may be told about a peer group.

A spread is told only if it cannot point at somebody: enough facilities, none of them most of the
group, no small count behind it, and no single gap among groups that their total would fill. The limits
are those of CMS's cell suppression policy (no count of 1 to 10, nor what gives it away) and of our own
judgement for the rest; `docs/reference` names which is which. They hold for what is told about others:
a facility may see its own small counts.
"""

from collections.abc import Collection, Mapping, Sequence

SMALLEST_COUNT = 11
FEWEST_FACILITIES = 5
MOST_PERCENT = 50
FEWEST_FOR_TAILS = 20
"""Below this many facilities the 10th and 90th percentile would lie next to single facilities."""

REASONS: Mapping[str, str] = {
    "few-facilities": f"Fewer than {FEWEST_FACILITIES} facilities of this peer group have a rate to show.",
    "dominance": "One facility holds more than half of this peer group's cases.",
    "small-count": f"A count behind this is below {SMALLEST_COUNT}.",
    "complementary": "Showing this would reveal what is withheld about another peer group.",
}


def is_small(count: int) -> bool:
    """Whether a count is one that must not be shown: 1 to 10. That there is none may be said."""
    return 0 < count < SMALLEST_COUNT


def withheld(volumes: Sequence[int], numerator: int | None) -> str | None:
    """Why a peer group's spread may not be told, or None.

    `volumes` are its facilities' denominators; `numerator` is that of all, None where a mean is told.
    """
    total = sum(volumes)
    if len(volumes) < FEWEST_FACILITIES:
        return "few-facilities"
    if max(volumes) * 100 > total * MOST_PERCENT:
        return "dominance"
    if total < SMALLEST_COUNT:
        return "small-count"
    if numerator is not None and (is_small(numerator) or is_small(total - numerator)):
        return "small-count"
    return None


def complementary(volumes: Mapping[str, int], hidden: Collection[str]) -> str | None:
    """The group to withhold as well when exactly one of those that make up a whole is withheld.

    The smallest that is shown, the first by name among equals. A group with nobody in it hides nothing.
    """
    behind = [group for group in hidden if volumes.get(group)]
    shown = sorted((volume, group) for group, volume in volumes.items() if group not in hidden)
    if len(behind) != 1 or not shown:
        return None
    return shown[0][1]
