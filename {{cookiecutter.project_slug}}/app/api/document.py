"""The OpenAPI document: made when it is first asked for, and exact about the answers of each operation."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api.errors import HTTP
from app.api.problems import MEDIA_TYPE, Problem
from app.api.statuses import Operation
from app.dependencies import LONGEST_KEY, bearer

TITLES = dict(HTTP.values()) | {422: "Some fields are not valid, or a rule forbids it"}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
WAIT = {"Retry-After": "In how many seconds to try again."}
HEADERS: Mapping[int, Mapping[str, str]] = {401: {"WWW-Authenticate": "How to log in."}, 429: WAIT, 503: WAIT}
REQUIRED: list[dict[str, list[str]]] = [{bearer.scheme_name: []}]
OPTIONAL: list[dict[str, list[str]]] = [{}, *REQUIRED]
IDEMPOTENCY_KEY: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A name of your own for this request, such as a UUID. A request sent again under its key has no "
    "second effect and gets the first answer, with `Idempotency-Replayed: true`. Another request under that key is "
    "refused with 422. What failed, and changed nothing, may be tried again under its key.",
    "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": LONGEST_KEY},
}


def describe(app: FastAPI) -> None:
    """Complete the app's OpenAPI document, when it is made, by what FastAPI cannot know."""
    make = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(make(), [route for route in app.routes if isinstance(route, APIRoute)])
        return make()

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _complete(document: dict[str, Any], routes: list[APIRoute]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= _with_whole_numbers(schemas)
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which this service never sends
        schemas.pop(name, None)
    used: set[int] = set()
    for route, described in _described(document, routes):
        operation = Operation(route)
        statuses = [status for status in operation.statuses() if status not in route.responses]
        used.update(statuses)
        _complete_operation(described, operation, statuses)
    components["responses"] = {str(status): response_of(status) for status in sorted(used)}


def _described(document: dict[str, Any], routes: list[APIRoute]) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    """Each route with its part of the document; of two routes for one operation, the first answers it."""
    for route in reversed(routes):
        for method in (route.methods or ()) if route.include_in_schema else ():
            yield route, document["paths"][route.path_format][method.lower()]


def _complete_operation(described: dict[str, Any], operation: Operation, statuses: list[int]) -> None:
    described["responses"] |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}
    described["responses"] = dict(sorted(described["responses"].items()))
    if "security" in described:
        described["security"] = REQUIRED if operation.requires_caller else OPTIONAL
    if (required := operation.keys) is not None:
        key = {**IDEMPOTENCY_KEY, "required": required}
        described["parameters"] = [*described.get("parameters", ()), key]
    for parameter in described.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out: it cannot be sent as null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) != 1 or len(kinds) == len(schema["anyOf"]):
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _with_whole_numbers(schema: Any) -> Any:
    """The same, with bounds of integers as integers, which FastAPI writes as 1.0."""
    if isinstance(schema, list):
        return [_with_whole_numbers(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _with_whole_numbers(value) for name, value in schema.items()}
    if schema.get("type") == "integer":
        found |= {name: int(value) for name, value in found.items() if name in BOUNDS}
    return found


def response_of(status: int) -> dict[str, Any]:
    """The description of problems with this status."""
    described: dict[str, Any] = {
        "description": TITLES.get(status) or HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if names := HEADERS.get(status):
        described["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in names.items()
        }
    return described


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the `responses` of a route: statuses that its code knows and no declaration shows."""
    return {status: response_of(status) for status in statuses}
