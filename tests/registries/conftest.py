import pytest

from app.registries.load import load
from app.registries.schema import Definition
from tests.make.definitions import small


@pytest.fixture(scope="session")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    return load(small(tmp_path_factory.mktemp("visits")))
