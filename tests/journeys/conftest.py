"""Databases that a journey may commit to: made for one test, dropped after it."""

import os
from collections.abc import Callable, Iterator

import pytest

from app.postgres import Addresses


@pytest.fixture
def fresh(cluster) -> Iterator[Callable[[str], Addresses]]:
    """Makes migrated databases of the test's own."""
    made: list[str] = []

    def make(name: str) -> Addresses:
        made.append(f"journey_{name}_{os.getpid()}")
        return cluster.create(made[-1])

    yield make
    for name in made:
        cluster.drop(name)


@pytest.fixture
def addresses(fresh) -> Addresses:
    """A database of the test's own."""
    return fresh("one")
