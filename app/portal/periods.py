"""The reporting periods a visitor is offered."""

from datetime import UTC, date, datetime


def recent_periods(today: date | None = None, quarters: int = 6) -> list[str]:
    """The current and the last quarters, then this year and the two before."""
    today = today or datetime.now(UTC).date()
    count = today.year * 4 + (today.month - 1) // 3
    offered = [f"{place // 4}Q{place % 4 + 1}" for place in range(count, count - quarters, -1)]
    return offered + [str(today.year - back) for back in range(3)]
