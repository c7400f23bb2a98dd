"""The OpenAPI document, made from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobs.web.api.table import FILE, JSON, Operation, Parameter
from migrator import __version__

_ERRORS = {
    400: "a parameter is not what it must be, or is none that is known",
    401: "there is no token, or it does not belong to this installation",
    403: "the token's scope does not allow this",
    404: "there is no such thing",
    409: "something else is at work on it, or it is over",
    413: "the body is too large",
    422: "what was asked for makes no sense, or cannot be done",
    429: "too many wrong tokens from this address",
}
_ALWAYS = (400, 401, 403, 429)
_PARTS = {"name": "the name of an account", "id": "the id of a message: 8 or more of the first digits of its digest"}
_NUMBERS = {"number": "the number of a job"}


def document(operations: Sequence[Operation]) -> dict[str, object]:
    """Return the document of these operations (OpenAPI 3.1)."""
    paths: dict[str, dict[str, object]] = {}
    for one in operations:
        paths.setdefault(f"/{shown_path(one)}", {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "mailferry", "version": __version__, "description": "What the page shows and does."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _error_schema()},
        },
    }


def shown_path(one: Operation) -> str:
    """Return an operation's address as OpenAPI has it: parts are named, and nothing else."""
    return one.path.replace(":int}", "}")


def _operation(one: Operation) -> dict[str, object]:
    responses = {str(one.status): _answer(one)}
    for status in sorted({*_ALWAYS, *one.errors}):
        responses[str(status)] = {
            "description": _ERRORS[status],
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    body = {"requestBody": _body(one)} if one.body else {}
    return {
        "operationId": _identity(one),
        "summary": one.text,
        "description": f"Needs the scope {one.scope}.",
        "parameters": [*map(_part, re.findall(r"\{(\w+)\}", shown_path(one))), *map(_parameter, one.parameters)],
        **body,
        "responses": responses,
    }


def _body(one: Operation) -> dict[str, object]:
    fields = {field.name: {**field.schema, "description": field.text} for field in one.body}
    required = [field.name for field in one.body if field.is_required]
    schema = {"type": "object", "properties": fields, "required": required, "additionalProperties": False}
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _identity(one: Operation) -> str:
    words = [part.strip("{}") for part in shown_path(one).split("/")]
    return "_".join([one.method.lower(), *words])


def _answer(one: Operation) -> dict[str, object]:
    if not one.fields:
        return {"description": "the bytes", "content": {FILE: {"schema": {"type": "string", "format": "binary"}}}}
    schema = {"type": "object", "properties": dict(one.fields), "required": list(one.fields)}
    return {"description": one.text, "content": {JSON: {"schema": schema}}}


def _part(name: str) -> dict[str, object]:
    kind = "integer" if name in _NUMBERS else "string"
    text = {**_PARTS, **_NUMBERS}[name]
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": kind}}


def _parameter(one: Parameter) -> dict[str, object]:
    return {
        "name": one.name,
        "in": "query",
        "required": one.is_required,
        "description": one.text,
        "schema": dict(one.schema),
    }


def _error_schema() -> dict[str, object]:
    error = {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "text": {"type": "string"}},
        "required": ["kind", "text"],
    }
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}
