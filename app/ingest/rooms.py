"""What a step of this station is given to work with."""

from collections import Counter
from typing import Protocol

from app.catalogue import Catalogue
from app.database import Database
from app.ingest.cores import Cores
from app.settings import Settings
from app.vault import Vault
from app.vault.quarantine import Quarantine

BATCH = 5_000
"""Rows that a step moves in one transaction."""

EVERY_SO_OFTEN = 4

_turns: Counter[str] = Counter()


def large_has_turn(step: str) -> bool:
    """Whether a large submission is looked for though small ones keep coming: every fourth time."""
    _turns[step] += 1
    return _turns[step] % EVERY_SO_OFTEN == 0


class Rooms(Protocol):
    """The process's own, made once at its start."""

    @property
    def settings(self) -> Settings:
        """What the operator chose."""

    @property
    def database(self) -> Database:
        """In the worker's role."""

    @property
    def catalogue(self) -> Catalogue:
        """Which definitions are in force."""

    @property
    def vault(self) -> Vault:
        """Keys, tokens, seals."""

    @property
    def cores(self) -> Cores:
        """Processes beside this one."""

    @property
    def quarantine(self) -> Quarantine:
        """Received bytes."""
