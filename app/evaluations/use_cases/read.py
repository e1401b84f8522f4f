"""Read a use case from a YAML file, and say everything that is wrong with it, each with its line."""

from pathlib import Path

from pydantic import ValidationError

from app.errors import InvalidUseCase
from app.evaluations.use_cases.document import UseCaseDocument
from app.evaluations.use_cases.soundness import Definitions, unsound
from app.registries.document import Document, read_file
from app.registries.load import PACKAGED
from app.registries.refused import said

EXAMPLES = PACKAGED / "use_cases"
"""Use cases of our own, to begin with; neither issued nor reviewed by anybody."""


def read_use_case(path: Path, definitions: Definitions) -> UseCaseDocument:
    """The use case in a file, or `InvalidUseCase` with every complaint."""
    document = Document()
    file = read_file(path.parent, path, document)
    if not file.failed and not isinstance(file.data, dict):
        document.complaints[(file.name, 1, "a use case is a mapping of its sections")] = None
    elif not file.failed:
        document.data = document.adopt((), file)
        try:
            found = UseCaseDocument.model_validate(document.data)
        except ValidationError as error:
            for one in error.errors(include_input=False, include_url=False):
                place = tuple(one["loc"])
                document.complain(place, said(UseCaseDocument, place, one["type"], one["msg"]))
        else:
            for place, message in unsound(found, definitions):
                document.complain(place, message)
            if not document.complaints:
                return found
    raise InvalidUseCase(document.written())


def examples() -> dict[str, Path]:
    """The shipped use cases by name."""
    return {path.stem: path for path in sorted(EXAMPLES.glob("*.yaml"))}
