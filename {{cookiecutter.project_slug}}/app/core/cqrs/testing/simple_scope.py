"""A dependency container for tests."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from inspect import signature
from typing import TypeGuard, TypeVar, get_type_hints

from typing_extensions import get_protocol_members, is_protocol

from app.core.cqrs import AccessPolicy, Cache, ConfigurationError, CQRSBus, UnitsOfWork

T = TypeVar("T")
PORTS = [get_protocol_members(port) for port in (AccessPolicy, Cache, UnitsOfWork)]
"""The members of each; to look for them takes as long as to build a handler."""


class SimpleScope:
    """A container without configuration: it returns the given objects, and builds others from them.

    A given object serves its class, the bases of its class, and every protocol whose members it has.

    Args:
        given: the objects; of several that fit, the first is returned.
        fakes: objects for what no given object fits.
    """

    def __init__(self, *given: object, fakes: Iterable[object] = ()) -> None:
        self.given = [*given]
        self._fakes = [*fakes]
        self.opened = 0
        self.closed = 0

    async def get(self, dependency_type: type[T], /) -> T:
        """A given object of this type, or a new instance built from given objects.

        Raises:
            ConfigurationError: if no given object fits, and the type is a protocol, a bus, or an implementation of one
                of its ports: a new one would share nothing with the bus of the test.
        """
        for candidate in (*self.given, *self._fakes):
            if _is_a(candidate, dependency_type):
                return candidate
        if is_protocol(dependency_type) or issubclass(dependency_type, CQRSBus) or _is_port(dependency_type):
            name = dependency_type.__name__
            raise ConfigurationError(f"Nothing given is a {name}: give one, such as MemoryBus(..., given=[fake]).")
        hints = get_type_hints(dependency_type.__init__)
        needed = [p.name for p in signature(dependency_type).parameters.values() if p.default is p.empty]
        return dependency_type(**{name: await self.get(hints[name]) for name in needed})

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator["SimpleScope"]:
        """Open a scope; `opened` and `closed` count the scopes."""
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1


def _is_port(cls: type) -> bool:
    return any(all(hasattr(cls, member) for member in members) for members in PORTS)


def _is_a(candidate: object, dependency_type: type[T]) -> TypeGuard[T]:
    if is_protocol(dependency_type):
        return all(hasattr(candidate, member) for member in get_protocol_members(dependency_type))
    return isinstance(candidate, dependency_type)
