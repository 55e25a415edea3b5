"""Translates results and errors to HTTP: the only table of status codes, and the exception handlers."""

from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, TypeVar

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic_core import to_json
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from app.api.problems import problem
from app.core.cqrs import CQRSError, OperationMetadata, OperationResult, OperationStatus, ValidationError

T = TypeVar("T")

HTTP: Mapping[OperationStatus, tuple[int, str]] = {
    OperationStatus.SUCCESS: (200, "Done"),
    OperationStatus.CREATED: (201, "Created"),
    OperationStatus.ACCEPTED: (202, "Accepted"),
    OperationStatus.NO_CONTENT: (204, "Done"),
    OperationStatus.BAD_REQUEST: (400, "The request makes no sense"),
    OperationStatus.VALIDATION_ERROR: (422, "Some fields are not valid"),
    OperationStatus.UNAUTHENTICATED: (401, "Sign in first"),
    OperationStatus.FORBIDDEN: (403, "You may not do this"),
    OperationStatus.NOT_FOUND: (404, "Not found"),
    OperationStatus.CONFLICT: (409, "It contradicts what is stored"),
    OperationStatus.BUSINESS_RULE: (422, "A rule forbids this"),
    OperationStatus.RATE_LIMITED: (429, "Too many requests"),
    OperationStatus.TIMEOUT: (504, "It took too long"),
    OperationStatus.UNAVAILABLE: (503, "Not available now"),
    OperationStatus.FAILED: (500, "Something went wrong"),
}
"""The HTTP status of each outcome, and the title of its problem."""

FAILED_SENTENCE = "Something went wrong on our side; it is in the logs, under the id given here."
SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take this method."}
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
MOST_ERRORS, LONGEST_FIELD = 50, 100
logger = structlog.get_logger(__name__)


def answer(result: OperationResult[T], make: Callable[[T], object] | None = None, **headers: str) -> Response:
    """The response for a result; `make` converts the data first.

    Raises the CQRSError of a failed operation, which is then answered with a problem document.
    """
    content = result.kept_json if make is None else None
    if content is None:
        content = to_json(make(result.unwrap()) if make else result.unwrap())
    if result.is_replay:
        headers["Idempotency-Replayed"] = "true"
    if result.status is OperationStatus.NO_CONTENT:
        return Response(status_code=204, headers=headers)
    return Response(content, HTTP[result.status][0], headers or None, "application/json")


def error_problem(scope: Scope, error: CQRSError) -> Response:
    """The problem document for an error; for an unexpected one it contains only the ids to find it in the logs."""
    failed = error.status is OperationStatus.FAILED
    status, title = HTTP[error.status]
    return problem(
        scope,
        status,
        FAILED_SENTENCE if failed else error.message,
        kind=f"urn:problem:{error.status.value}",
        title=title,
        errors=None if failed else _fields(error.details),
        operation_id=error.operation_id,
        headers=_headers(error),
    )


def unexpected_problem(scope: Scope) -> Response:
    """The problem document for a bug."""
    return error_problem(scope, CQRSError(FAILED_SENTENCE))


def tell_bug(scope: Scope, error: Exception) -> None:
    """Log a bug outside of any operation with its traceback, and report it if error reports are configured."""
    method = scope.get("method", "WEBSOCKET")
    logger.error("request_failed", method=method, path=scope["path"], exc_info=error)
    service, state = getattr(scope["app"].state, "service", None), scope["state"]
    if service is None or service.telemetry.reports is None:
        return
    request = OperationMetadata(state["request_id"], correlation_id=state["correlation_id"], source=scope["type"])
    name = f"{method} {getattr(scope.get('route'), 'path', '')}".strip()
    service.telemetry.reports.report(error, name, request)


def answer_errors(app: FastAPI) -> None:
    """Register exception handlers that answer with problem documents; unexpected errors are left to the edge."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid_handshake)
    app.add_exception_handler(CQRSError, _operation_error)


def _fields(details: Mapping[str, Any]) -> dict[str, str]:
    return {str(field): _text(message) for field, message in details.items() if field != "retry_after"}


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else str(value)


def _headers(error: CQRSError) -> dict[str, str]:
    headers = {"Idempotency-Replayed": "true"} if getattr(error.returned, "is_replay", False) else {}
    if error.status is OperationStatus.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status in (OperationStatus.RATE_LIMITED, OperationStatus.UNAVAILABLE):
        wait = error.details.get("retry_after", 1)
        headers["Retry-After"] = str(max(1, ceil(wait if isinstance(wait, int | float) else 1)))
    return headers


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {"Allow": _methods_here(request.scope)} if error.status_code == 405 else error.headers
    return problem(request.scope, error.status_code, SENTENCES.get(error.status_code, error.detail), headers=headers)


def _methods_here(scope: Scope) -> str:
    """The methods of all routes for this path; Starlette lists only those of the first route."""
    routes = [route for route in scope["app"].routes if isinstance(route, Route)]
    here = [route.methods or () for route in routes if route.matches(scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for methods in here for method in methods}))


async def _operation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CQRSError)
    if error.status is OperationStatus.FAILED and error.operation_id is None:  # else the bus has logged it
        tell_bug(request.scope, error)
    return error_problem(request.scope, error)


async def _invalid_request(request: Request, error: Exception) -> Response:
    """Name the invalid fields but not their values: a body without its e-mail still contains its password."""
    assert isinstance(error, RequestValidationError)
    if wanted := _wanted_content_type(request, error.body):
        return problem(request.scope, 415, f"Send the body as {wanted}, and say so in Content-Type.")
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(request.scope, 400, "The body is not JSON.")
    return error_problem(request.scope, ValidationError("Some fields are not valid.", details=field_errors(found)))


async def _invalid_handshake(request: Request, error: Exception) -> Response:
    assert isinstance(error, WebSocketRequestValidationError)
    wrong = ValidationError("Some parameters are not valid.", details=field_errors(error.errors()))
    return error_problem(request.scope, wrong)


def _wanted_content_type(request: Request, body: object) -> str | None:
    """The content type that a body should have had which could not be parsed; None: it was parsed."""
    if isinstance(body, bytes):
        return "application/json"
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return FORMS[0] if isinstance(body, FormData) and sent not in FORMS else None


def field_errors(found: Iterable[Any]) -> dict[str, str]:
    """Field -> its problem, from pydantic's errors."""
    errors: dict[str, str] = {}
    for each in found:
        if len(errors) == MOST_ERRORS:
            break
        errors.setdefault(_field(each["loc"]), each["msg"].removeprefix("Value error, "))
    return errors


def _field(location: tuple[Any, ...]) -> str:
    """The place of an error: `("body", "users", 0, "email")` is `users.0.email`."""
    return ".".join(map(str, location[1:] or location))[:LONGEST_FIELD]
