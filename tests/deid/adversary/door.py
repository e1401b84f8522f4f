"""The one place where the adversary meets what it attacks: the public entry, as ingest uses it."""

from dataclasses import dataclass, field

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look

KEYS = Keys.of(b"adversary's secret of 32 bytes.." * 2, "registry facility")


@dataclass(frozen=True, slots=True)
class Through:
    """What came of an object: its bytes, or the reason why there are none."""

    content: bytes | None = field(repr=False)
    reason: str = ""
    first_look: bytes | None = field(default=None, repr=False)
    """The output that the second look held back."""


def through(source: bytes, profile: Profile | None = None, keys: Keys = KEYS) -> Through:
    """De-identify and verify, as `ingest.images` does."""
    outcome = deidentify(source, profile or Profile(), keys)
    if not isinstance(outcome, Deidentified):
        return Through(None, str(outcome.reason))
    traces = second_look(source, outcome.content, decode=True)
    if traces:
        return Through(None, f"second look: {', '.join(sorted(traces))}", outcome.content)
    return Through(outcome.content)
