"""A connection with many concurrent users: opened on first use, and again after it was lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

C = TypeVar("C")


class SharedConnection(Generic[C]):
    """Callers that arrive while the connection is being opened share one attempt and its error.

    Args:
        connect: opens a connection.
        disconnect: closes a connection that `connect` has opened.
        is_alive: whether a connection is still usable, as far as the client knows.
    """

    def __init__(
        self,
        connect: Callable[[], Coroutine[Any, Any, C]],
        disconnect: Callable[[C], Awaitable[None]],
        is_alive: Callable[[C], Awaitable[bool]],
    ) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._is_alive = is_alive
        self._attempt: asyncio.Task[C] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def get(self) -> C:
        """The open connection.

        Raises:
            Exception: the error that the attempt to open it has raised.
        """
        attempt = self._attempt
        if attempt is not None and attempt.done():
            if _opened(attempt) and await self._is_alive(attempt.result()):
                return attempt.result()
            self._forget(attempt)
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._connect())
            self._attempt.add_done_callback(_opened)
        return await asyncio.shield(self._attempt)  # a cancelled caller does not cancel it for the others

    def drop(self, connection: C) -> None:
        """Close this connection, unless that was done already; the next caller gets a new one."""
        attempt = self._attempt
        if attempt is not None and attempt.done() and _opened(attempt) and attempt.result() is connection:
            self._forget(attempt)

    async def close(self) -> None:
        """Close the connection, and wait until all dropped ones are closed too."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])
            self._forget(self._attempt)
        if self._closing:
            await asyncio.wait(self._closing)

    def _forget(self, attempt: asyncio.Task[C]) -> None:
        if self._attempt is not attempt:
            return  # another caller did
        self._attempt = None
        if _opened(attempt):
            closing = asyncio.create_task(self._close(attempt.result()))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close(self, connection: C) -> None:
        with suppress(Exception):  # the connection is given up in any case
            await self._disconnect(connection)


def _opened(attempt: asyncio.Task[C]) -> bool:
    return not attempt.cancelled() and attempt.exception() is None
