"""What to simulate: everything the nation depends on, so that equal plans give equal nations."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

LAST_DAY = date(2026, 9, 30)
"""The last day on which anything is simulated to happen. Fixed: a nation follows from its seed,
not from the day on which somebody asks for it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A nation to simulate. Shares are fractions of one."""

    seed: int = 1
    facilities: int = 20
    cases: int = 2_000
    flawed: float = 0.02
    studies: int = 0
    """How many cases are also sent as CT studies."""
    instances: int = 2
    """CT instances of one study."""
    years: int = 4
    until: date = LAST_DAY
    numbers: tuple[int, ...] = ()
    """The facilities' six-digit numbers in the nation's order, where a registry issued them."""
    doors: tuple[str, ...] = ()
    """How facilities send, in turn; all doors when empty."""
    rows_per_file: int = 5_000
    single_posts: int = 40
    """How many entries at most a facility posts one by one; more of them go into a file."""

    def __post_init__(self) -> None:
        if self.facilities < 1 or self.cases < 1:
            raise ValueError("a nation has at least one facility and one case")
        if not 0 <= self.flawed <= 0.5:
            raise ValueError("the share of flawed entries lies between 0 and 0.5")
        if self.numbers and len(self.numbers) != self.facilities:
            raise ValueError("give as many facility numbers as there are facilities")

    @property
    def since(self) -> date:
        """The first day on which anybody is screened."""
        return self.until - timedelta(days=round(365.25 * self.years))

    def number(self, facility: int) -> int:
        """The six-digit number of the nation's facility at this place."""
        return self.numbers[facility] if self.numbers else 200_001 + facility


def dice(*of: object) -> Random:
    """Dice that always fall the same for the same words: a simulation must be repeatable."""
    return Random(" ".join(str(one) for one in of))  # noqa: S311 - nothing here is a secret
