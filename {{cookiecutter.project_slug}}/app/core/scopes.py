"""Request scopes of the container, as the bus uses them."""

from types import TracebackType
from typing import Any, TypeVar

from dishka import AsyncContainer
from dishka.exceptions import ExitError

T = TypeVar("T")


class RequestScopes:
    """Opens a scope for each attempt of an operation.

    It is the container itself, but for one thing: what goes wrong while a scope is closed is raised as it is, and
    not wrapped, so that the operation fails with the sentence that says what went wrong.
    """

    def __init__(self, container: AsyncContainer) -> None:
        self._container = container

    async def get(self, dependency_type: type[T], /) -> T:
        """An object that lives as long as the service."""
        return await self._container.get(dependency_type)

    def __call__(self) -> "RequestScope":
        """A new scope."""
        return RequestScope(self._container())


class RequestScope:
    """One scope, to be used with `async with`."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    async def __aenter__(self) -> AsyncContainer:
        container: AsyncContainer = await self._scope.__aenter__()
        return container

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, at)
        except ExitError as wrapper:
            raise wrapper.exceptions[0] from error
