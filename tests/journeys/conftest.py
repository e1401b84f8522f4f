"""Databases that a journey may commit to: made for one module, dropped after it."""

import os
from collections.abc import Callable, Iterator

import pytest

from app.postgres import Addresses


@pytest.fixture(scope="module")
def databases(cluster, request) -> Iterator[Callable[[str], Addresses]]:
    """Makes migrated databases of the module's own; the same name twice is a new one."""
    made: list[str] = []

    def make(name: str) -> Addresses:
        module = request.module.__name__.rpartition(".")[2]
        made.append(f"{module}_{name}_{os.getpid()}_{len(made)}")
        return cluster.create(made[-1])

    yield make
    for name in made:
        cluster.drop(name)
