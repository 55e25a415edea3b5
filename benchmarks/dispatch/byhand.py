"""What our bus does around every message, in the few lines that a team would add to a peer to have it too.

A behaviour of the peer writes `with Operation() as operation: operation.data = await next()` and returns the
operation: an error becomes a failed result, and a message sent by a handler is known to be nested, so it raises.
"""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self


class Operation:
    """One message under way, and its result afterwards."""

    __slots__ = ("_outer", "_token", "data", "error")

    def __init__(self) -> None:
        self.data: Any = None
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._outer = current.get()
        self._token: Token[Operation | None] = current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        current.reset(self._token)
        if self._outer is not None or not isinstance(error, Exception):
            return False
        self.error = error
        return True


current: ContextVar[Operation | None] = ContextVar("current_operation", default=None)


async def pass_on(request: Any, handle: Any) -> Any:
    """A behaviour that does nothing, as diator and python-cqrs take them."""
    return await handle(request)


async def guard(request: Any, handle: Any) -> Any:
    """The behaviour that gives them what our bus does."""
    with Operation() as operation:
        operation.data = await handle(request)
    return operation
