"""Lifetimes of objects in the container, and scopes of operations for the bus."""

from types import TracebackType
from typing import TypeVar

from dishka import AsyncContainer, BaseScope, new_scope
from dishka.exceptions import ExitError

T = TypeVar("T")


class Lifetime(BaseScope):
    """Scopes of the container. dishka's own scopes have two more between these, and each slows down every operation."""

    SERVICE = new_scope("SERVICE")
    """From the start of the service to its end."""
    OPERATION = new_scope("OPERATION")
    """One attempt of an operation, with everything it dispatches."""


class OperationScopes:
    """Opens a scope for each attempt of an operation.

    It behaves like the container with one exception: an error while a scope is closed is raised as it is, not wrapped,
    so that the operation fails with the message of that error.
    """

    def __init__(self, container: AsyncContainer) -> None:
        self._container = container

    async def get(self, dependency_type: type[T], /) -> T:
        """An object that lives as long as the service."""
        return await self._container.get(dependency_type)

    def __call__(self) -> "OperationScope":
        """Open a new scope."""
        return OperationScope(self._container())


class OperationScope:
    """One scope, to be used with `async with`."""

    __slots__ = ("_container",)

    def __init__(self, container: AsyncContainer) -> None:
        self._container = container

    async def __aenter__(self) -> AsyncContainer:
        return self._container

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self._container.__aexit__(kind, error, at)
        except ExitError as wrapper:
            raise wrapper.exceptions[0] from error
