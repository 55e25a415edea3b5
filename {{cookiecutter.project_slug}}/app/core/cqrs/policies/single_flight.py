"""Of several callers who want the same thing at once, one fetches it and all get it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One load in progress."""

    def __init__(self) -> None:
        self.landed = asyncio.Event()
        self.outcome: list[T] = []
        self.error: Exception | None = None


class SingleFlight(Generic[T]):
    """Loads in progress by key; empty whenever nothing is being loaded."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}

    async def fly(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """What `load` returns, or what the load that is already under way for this key returns.

        A load that fails fails for everybody who waits. One that is cancelled does not: somebody who waits takes
        over, because the deadline that passed was not theirs.
        """
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.outcome:
                return flight.outcome[0]
        return await self._lead(key, load)

    async def fly_next(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """The same, but never by a load that began before this call: who comes during one shares the next."""
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
            flight.error = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
