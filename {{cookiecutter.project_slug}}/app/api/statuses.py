"""The statuses that an operation may be answered with, from what its endpoint and its handlers declare."""

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple, get_type_hints

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.core.cqrs import ICommand, IQuery, authorize, idempotent, transactional, validate_input
from app.core.cqrs.plan import Declaration, declarations_of, declared_handlers, policies_of
from app.dependencies import reads_caller, requires_caller, takes_keys
from app.domain.ports import Throttle

ALWAYS = (400, 413, 414, 431, 500, 501)
"""Those of any request: it is not valid HTTP, it is too large, or it meets a bug."""
OF_A_BODY = (408, 415, 422)


class Handled(NamedTuple):
    """A handler that an endpoint sends a message to, and how it was declared for that message."""

    handler: type
    declaration: Declaration

    def has(self, policy: type) -> bool:
        """Whether a decorator put this policy on the handler."""
        return policy in policies_of(self.handler)

    @property
    def _validates_itself(self) -> bool:
        return getattr(self.declaration.message_type, "validate", None) not in (None, ICommand.validate)

    def statuses(self) -> Iterator[int]:
        """The statuses of its refusals, apart from those that only its code knows."""
        yield 503
        if self.declaration.timeout_seconds is not None:
            yield 504
        if self.has(authorize):
            yield from (401, 403)
        if self.has(transactional):
            yield 409
        if self.has(idempotent) or self.has(validate_input) or self._validates_itself:
            yield 422
        if Throttle in get_type_hints(self.handler).values():
            yield 429


class Operation:
    """What is known about the operation of a route before a request arrives."""

    def __init__(self, route: APIRoute) -> None:
        self._route = route
        self._dependants = list(_with_dependencies(route.dependant))
        self.has_bus = any(takes_keys(one.call) for one in self._dependants)
        self.handled = [*_handled(route.endpoint)]

    @property
    def is_known(self) -> bool:
        """Whether its handlers were found in its code. If not, nothing is said about them that may be wrong."""
        return bool(self.handled) or not self.has_bus

    @property
    def requires_caller(self) -> bool:
        """Whether it is refused without an access token."""
        return any(requires_caller(one.call) for one in self._dependants) or any(
            one.has(authorize) for one in self.handled
        )

    @property
    def keys(self) -> bool | None:
        """Whether it must be sent with an `Idempotency-Key`; None: it takes none."""
        policies = [policies_of(one.handler)[idempotent] for one in self.handled if one.has(idempotent)]
        if policies or not self.has_bus or self.is_known:
            return any(policy.required for policy in policies) if policies else None
        return None if {"GET", "HEAD"}.issuperset(self._route.methods or ()) else False

    def statuses(self) -> list[int]:
        """The statuses of its problems, in order."""
        found = {*ALWAYS, *self._of_request()}
        for one in self.handled:
            found.update(one.statuses())
        if not self.is_known:
            found.update((401, 403, 404, 409, 422, 503, 504))
        return sorted(found)

    def _of_request(self) -> Iterator[int]:
        if self._route.body_field is not None:
            yield from OF_A_BODY
        if any(reads_caller(one.call) for one in self._dependants):
            yield 401
        if any(one.path_params for one in self._dependants):
            yield from (404, 422)
        if any(one.query_params or one.header_params or one.cookie_params for one in self._dependants):
            yield 422


def _with_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _with_dependencies(one)


def _handled(endpoint: Any) -> Iterator[Handled]:
    messages = {*_messages(endpoint, set())}
    for handler in declared_handlers:
        yield from (Handled(handler, one) for one in declarations_of(handler) if one.message_type in messages)


def _messages(function: Any, seen: set[FunctionType]) -> Iterator[type]:
    """The commands and queries that a function names, or another function of its module that it calls."""
    if not isinstance(function, FunctionType) or function in seen:
        return
    seen.add(function)
    for name in _names(function.__code__):
        named = function.__globals__.get(name)
        if isinstance(named, type) and issubclass(named, ICommand | IQuery):
            yield named
        elif getattr(named, "__module__", None) == function.__module__:
            yield from _messages(named, seen)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
