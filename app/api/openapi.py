"""
The description of the wire: what FastAPI says of each operation, and what is true of all.

`openapi/openapi.json` is written from here; a test fails when it and the application differ.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api import outcomes
from app.api.problems import Problem, problems

DESCRIPTION = """\
Submit entries and images to imaging registries, follow what became of them, and read benchmarks.

Errors are problems (RFC 9457). Lists come in pages (`Link`, RFC 8288). What is not within your key
is not found; what you may see but not do is forbidden. Addresses never hold a submitted value.
"""
OUTCOME = {outcomes.MEDIA_TYPE: {"schema": {"type": "object"}}}
_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
_REFERENCE = "#/components/schemas/{model}"


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application, made once."""
    if app.openapi_schema is None:
        described = get_openapi(
            title="Hounsfield",
            version=version("hounsfield"),
            summary="National imaging registries.",
            description=DESCRIPTION,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            routes=app.routes,
            separate_input_output_schemas=app.separate_input_output_schemas,
        )
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        for name in _FRAMEWORKS_OWN:
            schemas.pop(name, None)
        problem = Problem.model_json_schema(ref_template=_REFERENCE)
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        for path, operation in _operations(described):
            _complete(path, operation)
        app.openapi_schema = described
    return app.openapi_schema


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for name, operation in methods.items():
            if name != "parameters":
                yield path, operation


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add the problems every operation of this kind may answer with."""
    responses = operation["responses"]
    parameters = operation.get("parameters", [])
    general = {500, 503}
    if operation.get("security"):
        general |= {401}
    if "requestBody" in operation:
        general |= {400, 413}
    if parameters or "requestBody" in operation:
        general |= {422}
    if any(parameter["in"] == "path" for parameter in parameters):
        general |= {404}
    ours = problems(*general, *(int(status) for status in responses if _failed(status)))
    for status, response in ours.items():
        kept = responses.get(str(status), {})
        content = kept.get("content", {})
        if path.startswith(outcomes.PREFIX):
            content = OUTCOME
        elif not content or any("HTTPValidationError" in str(body) for body in content.values()):
            content = response["content"]
        responses[str(status)] = {**response, **kept, "content": content}
    operation["responses"] = dict(sorted(responses.items()))


def _failed(status: str) -> bool:
    return status.isdigit() and int(status) >= 400
