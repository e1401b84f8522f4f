"""Every operation of an OpenAPI document as a request that aims at somebody's objects."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]

GLOBAL: Mapping[str, Any] = {
    "form_id": "exam",
    "code": "not-found",
    "period": "2025",
    "periodStart": "2025",
    "periodEnd": "2025",
    "year": 2025,
    "peer_group": "all",
    "chart": "run",
    "module_id": "fleischner-2017",
    "list_id": "exam_names",
    "worklist_id": "incidental-follow-up",
    "version": "1.12.0",
    "proposal_id": 1,
    "accept_from": "2100-01-01",
    "use_case_id": "HUC-01260001",
    "use_case_version": 1,
    "comment_id": 1,
    "questionnaire_id": "early-lung-cancer-detection-exam",
    "measure_id": None,  # any there is
    "registry_id": None,
}
"""Parameters that name what everybody may name. All other path parameters name somebody's objects."""

BODIES: Mapping[str, Any] = {
    "npi": "1234567893",
    "tin": "123456789",
    "email": "ada@example.org",
    "state": "OH",
    "country": "US",
    "postal_code": "43210",
    "phone": "+1 614 555 0100",
    "expires_at": None,
    "on": None,
    "id": None,
    "note": None,
}
"""What members of bodies hold where the schema alone would not tell; None leaves one out."""


@dataclass(frozen=True)
class Call:
    """A request, and whether its address or body names somebody's objects."""

    operation: str
    method: str
    path: str
    query: Mapping[str, Any]
    body: Any
    media_type: str | None
    aimed: bool
    names: frozenset[str] = field(default=frozenset())

    def __str__(self) -> str:
        return f"{self.operation} ?{'&'.join(self.query)}"


def operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every method, path and operation of a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "put", "post", "delete", "patch", "head", "options"}:
                yield method.upper(), path, operation


def calls(document: Document, owned: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Call]:
    """For each operation a call that names owned objects wherever it can, and one that names none
    in its query. A path parameter that nobody taught us is an error: teach `owned` or `GLOBAL`."""
    for method, path, operation in operations(document):
        parameters = operation.get("parameters", [])
        where = {p["name"] for p in parameters if p["in"] == "path"}
        unknown = where - owned.keys() - known.keys() - GLOBAL.keys()
        assert not unknown, f"{method} {path} has parameters that the walk does not know: {unknown}"
        filled = path
        for name in where:
            # One operation may want another object than the others: `owned` says "<path> <name>".
            usual = owned.get(name, known.get(name) or GLOBAL.get(name))
            value = owned.get(f"{path} {name}", usual)
            filled = filled.replace(f"{{{name}}}", str(value))
        asked = {p["name"]: p for p in parameters if p["in"] == "query"}
        plain = {
            name: known.get(name, GLOBAL.get(name))
            for name, p in asked.items()
            if p.get("required")
        }
        owning = {name: owned[name] for name in asked if name in owned}
        bodies = list(_bodies(document, operation, owned, known))
        for media_type, body in bodies or [(None, None)]:
            in_path = bool(where & owned.keys())
            in_body = body is not None and any(
                f'"{name}"' in json.dumps(body, default=str) for name in owned
            )
            yield Call(
                f"{method} {path}", method, filled, plain, body, media_type, in_path or in_body
            )
            if owning:
                yield Call(
                    f"{method} {path}",
                    method,
                    filled,
                    plain | owning,
                    body,
                    media_type,
                    True,
                    frozenset(owning),
                )


def _bodies(
    document: Document,
    operation: Mapping[str, Any],
    owned: Mapping[str, Any],
    known: Mapping[str, Any],
) -> Iterator[tuple[str, Any]]:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type in known:
            yield media_type, known[media_type]
        elif media_type == "application/json":
            yield media_type, example(document, content["schema"], owned)


def example(
    document: Document, schema: Mapping[str, Any], owned: Mapping[str, Any], name: str = ""
) -> Any:
    """A body that a schema takes, naming owned objects wherever a member may name one."""
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    if name in owned:
        return [owned[name]] if schema.get("type") == "array" else owned[name]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            options = [one for one in schema[choice] if one.get("type") != "null"]
            return example(document, options[0], owned, name)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if name in BODIES:
        return BODIES[name]
    kind = schema.get("type")
    if kind == "object":
        required = schema.get("required", ())
        members = {
            member: example(document, described, owned, member)
            for member, described in schema.get("properties", {}).items()
            if member in required or member in owned
        }
        return {member: value for member, value in members.items() if value is not None}
    if kind == "array":
        return [example(document, schema["items"], owned, name)]
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    if kind == "boolean":
        return False
    return "Aaaa"


def without(text: str, sent: Call) -> str:
    """An answer without what the request itself said, and without the name of its trace."""
    text = re.sub(r'"trace_id":\s*"[0-9a-f]+"', "", text)
    for part in sorted(
        [*sent.path.split("/"), *map(str, sent.query.values())], key=len, reverse=True
    ):
        if len(part) > 3:
            text = text.replace(part, "")
    return text
