"""Single-flight: concurrent callers with the same key share one load."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One load in progress."""

    def __init__(self) -> None:
        self.landed = asyncio.Event()
        self.outcome: list[T] = []
        self.error: Exception | None = None
        self.traceback: TracebackType | None = None


class SingleFlight(Generic[T]):
    """The loads in progress by key; empty when nothing is being loaded."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}

    async def fly(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """Load the value, or wait for the load of this key that is already in progress.

        A failed load fails for all waiting callers, each with a copy of the error. A cancelled load does not: a waiting
        caller takes over, because the deadline that expired was not its own.
        """
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise _copied(flight.error, flight.traceback)
            if flight.outcome:
                return flight.outcome[0]
        return await self._lead(key, load)

    async def fly_next(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """Like `fly`, but never join a load that began before this call: callers during a load share the next one."""
        if (earlier := self._flights.get(key)) is not None:
            await earlier.landed.wait()
        return await self.fly(key, load)

    async def _lead(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[key] = Flight()
        try:
            loaded = await load()
            flight.outcome.append(loaded)
            return loaded
        except Exception as error:
            flight.error, flight.traceback = _copied(error, error.__traceback__), error.__traceback__
            raise
        finally:
            del self._flights[key]
            flight.landed.set()


def _copied(error: Exception, traceback: TracebackType | None) -> Exception:
    """A copy of the error with this traceback, for another caller.

    Each raise of one object would make its traceback longer, and each caller would write its operation into it.
    """
    try:
        own = copy(error)
        own.args = error.args  # a constructor that composes its message has done so twice
    except Exception:  # its class cannot be copied
        own = error
    if notes := getattr(error, "__notes__", None):
        own.__notes__ = [*notes]
    own.__cause__, own.__context__ = error.__cause__, error.__context__
    own.__suppress_context__ = error.__suppress_context__
    return own.with_traceback(traceback)
