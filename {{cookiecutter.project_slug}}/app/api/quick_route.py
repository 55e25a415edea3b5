"""Routes that call plain endpoints directly, and leave everything else to FastAPI.

FastAPI examines the declaration of an endpoint again for each request, which takes two fifths of the time of a cached
read. Here that is done once, for endpoints that are plain: coroutines that return a `Response`, whose dependencies are
coroutines, and whose values come from the path, the query and a JSON body.
"""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from functools import cached_property
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from fastapi import params
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_typed_return_annotation, request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

ELSEWHERE: tuple[Match, Scope] = (Match.NONE, {})
"""The answer of a route that does not match. A constant: an enum lookup takes as long as comparing the path."""


class Call(NamedTuple):
    """A call of the endpoint, or of one of its dependencies, and the origin of its arguments."""

    function: Callable[..., Awaitable[Any]]
    connections: list[str]
    """The arguments that are the request itself."""
    answers: list[tuple[str, int]]
    """The arguments that are the answers of earlier calls, with the numbers of those."""
    path: list[ModelField]
    query: list[ModelField]
    defaults: dict[str, Any] | None
    """The arguments from an empty query; None if they differ from request to request, or one must be sent."""

    def arguments(self, request: Request) -> dict[str, Any] | None:
        """The arguments that do not depend on other calls; None if a value is not valid."""
        if self.defaults is None or request.scope["query_string"]:
            arguments, errors = request_params_to_args(self.query, request.query_params)
        else:
            arguments, errors = self.defaults.copy(), []
        for field in self.path:
            arguments[field.name], problems = field.validate(request.path_params[field.alias])
            errors += problems
        for name in self.connections:
            arguments[name] = request
        return None if errors else arguments


class QuickRoute(APIRoute):
    """A route that compares the literal part of its path first, and calls its endpoint directly if that is plain.

    A request whose parameters or JSON are not valid is left to FastAPI, which reads it again and finds the errors.
    """

    others: frozenset[str] = frozenset()
    """The paths of other routes that have no parameters, and that the pattern of this route would match."""

    @cached_property
    def beginning(self) -> str:
        """The literal beginning of the path, before its first parameter."""
        return self.path.partition("{")[0]

    @cached_property
    def body(self) -> ModelField | None:
        """The parameter that is the body."""
        return next(iter(self.dependant.body_params), None)

    @cached_property
    def calls(self) -> list[Call]:
        """The calls that answer a request, that of the endpoint last; empty if the endpoint is not plain."""
        returned, calls = get_typed_return_annotation(self.endpoint), list[Call]()
        is_plain = isinstance(returned, type) and issubclass(returned, Response) and self.max_body_size is None
        if self.body is not None:
            is_plain = is_plain and type(self.body.field_info) is params.Body and not self._embed_body_fields
        return calls if is_plain and _add_calls(calls, self.dependant) is not None else []

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this route; called once a request for every route before the right one."""
        if not scope.get("root_path"):
            path = scope["path"]
            if not path.startswith(self.beginning):
                return ELSEWHERE
            if path == self.path == self.beginning and scope.get("method") in (self.methods or ()):
                return Match.FULL, {"endpoint": self.endpoint, "path_params": {}, "route": self}
        if self.others and get_route_path(scope) in self.others:
            return ELSEWHERE
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not self.calls or scope["app"].dependency_overrides or scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        arguments = await self._arguments(request)
        if arguments is None:
            await super().handle(scope, _again(request), send)
            return
        answers: list[Any] = []
        for call, given in zip(self.calls, arguments, strict=True):
            for name, number in call.answers:
                given[name] = answers[number]
            if self.body is not None and call is self.calls[-1]:  # after the dependencies, which may refuse the caller
                given[self.body.name] = _valid(self.body, given[self.body.name])
            answers.append(await call.function(**given))
        await answers[-1](scope, receive, send)

    async def _arguments(self, request: Request) -> list[dict[str, Any]] | None:
        """The arguments of each call, of the body its JSON; None if the request is for FastAPI."""
        arguments = [given for call in self.calls if (given := call.arguments(request)) is not None]
        if len(arguments) < len(self.calls):
            return None
        if self.body is not None:
            if request.headers.get("content-type") != "application/json":
                return None
            try:
                arguments[-1][self.body.name] = await request.json()
            except (ValueError, RecursionError, ClientDisconnect):
                return None
        return arguments


def _valid(body: ModelField, sent: Any) -> Any:
    value, errors = body.validate(sent, loc=("body",))
    if errors:
        raise RequestValidationError(errors, body=sent)
    return value


def _add_calls(calls: list[Call], dependant: Dependant) -> int | None:
    """Add the call of a function after those of its dependencies; its number, or None if one of them is not plain."""
    function: Any = dependant.call
    functions = [call.function for call in calls]
    if function in functions:
        return functions.index(function)
    rare = (dependant.header_params, dependant.cookie_params, dependant.response_param_name, dependant.concurrency)
    rarer = (dependant.background_tasks_param_name, dependant.security_scopes_param_name, dependant.own_oauth_scopes)
    is_coroutine = iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)
    if any(rare + rarer) or not dependant.use_cache or not is_coroutine:
        return None
    answers = []
    for needed in dependant.dependencies:
        number = None if needed.body_params or needed.scope else _add_calls(calls, needed)
        if number is None:
            return None
        if needed.name is not None:
            answers.append((needed.name, number))
    connections = filter(None, (dependant.http_connection_param_name, dependant.request_param_name))
    query = dependant.query_params
    calls.append(Call(function, [*connections], answers, dependant.path_params, query, _defaults(query)))
    return len(calls) - 1


def _defaults(query: list[ModelField]) -> dict[str, Any] | None:
    if any(field.field_info.default_factory is not None for field in query):
        return None
    values, errors = request_params_to_args(query, QueryParams())
    is_constant = all(deepcopy(value) is value for value in values.values())
    return values if is_constant and not errors else None


def _again(request: Request) -> Receive:
    """Receive what a request received, although its body may have been read."""
    unread = [request.body]

    async def receive() -> Message:
        if unread:
            return {"type": "http.request", "body": await unread.pop()(), "more_body": False}
        return await request.receive()

    return receive
