"""The pool of connections: it serves callers in the order in which they come, and its time-out is a transient error."""

import asyncio
from time import monotonic
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool, PoolProxiedConnection, exc
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import AsyncAdaptedQueue

from app.core.cqrs import TransientError
from app.persistence.engine.errors import final


class _InOrder(AsyncAdaptedQueue[Any]):
    """A queue of connections in which callers that wait are served first, in the order in which they came.

    From `asyncio.Queue`, a newcomer takes the connection that a waiting task was just woken for, and the task is the
    last again: of 200 requests at once, some waited for more than 30 seconds.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self._turn = asyncio.Lock()  # it is fair

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take a connection; raises Empty if none was returned within `timeout` seconds."""
        if not block or not (self._turn.locked() or self.empty()):
            return self.get_nowait()
        began = monotonic()
        await_only(self._turn.acquire())  # not for longer than `timeout`: those who came before give up earlier
        try:
            return super().get(block, None if timeout is None else max(0.0, timeout - (monotonic() - began)))
        finally:
            self._turn.release()


class ConnectionPool(AsyncAdaptedQueuePool):
    """A pool that is fair, and whose time-out is a transient error."""

    _queue_class = _InOrder

    def connect(self) -> PoolProxiedConnection:
        """Check out a connection.

        Raises:
            TransientError: if all are in use and none was returned in time.
        """
        try:
            return super().connect()
        except exc.TimeoutError as error:
            raise final(TransientError("The service is busy, try again in a moment.")) from error
