"""Every worked example of every shipped measure, through the engine that runs in production."""

from pathlib import Path

import pytest

from app.benchmarks.engine import Engine
from app.benchmarks.examples import miscounted
from app.registries.schema import Definition
from tests.make.definitions import packaged

DEFINITIONS = packaged()
EXAMPLES = [
    (definition, measure, example)
    for definition in DEFINITIONS
    for measure in definition.measures
    for example in measure.examples
]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.id)
def test_worked_examples_count_what_they_say(definition: Definition, tmp_path: Path) -> None:
    assert list(miscounted(Engine("1GB", "1GB", tmp_path), definition)) == []


def test_every_shipped_measure_has_an_example() -> None:
    assert DEFINITIONS
    for definition in DEFINITIONS:
        assert [one.id for one in definition.measures if not one.examples] == []
