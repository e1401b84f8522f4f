import pytest

from app.registries.load import PACKAGED, load
from app.registries.schema import Definition
from tests.make.entries import Desk

LUNG = PACKAGED / "early-lung-cancer-detection" / "1.12.0"


@pytest.fixture(scope="session")
def lung() -> Definition:
    return load(LUNG)


@pytest.fixture(scope="session")
def exams(lung: Definition) -> Desk:
    return Desk(lung, "exam")


@pytest.fixture(scope="session")
def follow_ups(lung: Definition) -> Desk:
    return Desk(lung, "follow_up")
