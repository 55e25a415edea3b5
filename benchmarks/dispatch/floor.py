"""The floor: a direct `await handler._handle(message)`, which nothing that finds the handler can undercut."""

import asyncio
from dataclasses import dataclass

from benchmarks.dispatch.case import Case, Counter
from benchmarks.dispatch.lines import Line


@dataclass
class Ping:
    """A message of no framework."""

    number: int = 1


def floor() -> Case:
    """A handler that bumps its counter and answers."""
    counter = Counter()

    class Handler:
        async def _handle(self, message: Ping) -> int:
            counter.hits += 1
            return 1

    return Case(Line.FLOOR, "floor", Handler()._handle, Ping, counter)


def slow_floor() -> Case:
    """The same, giving way to the event loop once."""
    counter = Counter()

    class Handler:
        async def _handle(self, message: Ping) -> int:
            counter.hits += 1
            await asyncio.sleep(0)
            return 1

    return Case(Line.SLOW_FLOOR, "floor", Handler()._handle, Ping, counter)
