"""Whether messages leave anything behind: objects and bytes are counted before and after many of them."""

import asyncio
import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.dispatch.case import Case

WARM_UP, MESSAGES = 500, 20_000
# The event loop keeps up to a hundred cancelled timers; what is kept for every message would be a hundred times this.
OBJECTS_AT_MOST, BYTES_AT_MOST = 200, 40_000


@dataclass(frozen=True)
class Growth:
    """What one case left behind after many messages."""

    case: Case
    objects: int
    size: int

    @property
    def ok(self) -> bool:
        """Whether that is nothing for each message."""
        return self.objects <= OBJECTS_AT_MOST and self.size <= BYTES_AT_MOST


async def growth_of(cases: Sequence[Case], messages: int = MESSAGES) -> list[Growth]:
    """Send messages made anew through each case and count what is left of them."""
    return [await _growth(case, messages) for case in cases]


async def _growth(case: Case, messages: int) -> Growth:
    await _send(case, WARM_UP)
    tracemalloc.start()
    try:
        await _send(case, WARM_UP)
        objects, size = _left()
        await _send(case, messages)
        objects_after, size_after = _left()
    finally:
        tracemalloc.stop()
    return Growth(case, objects_after - objects, size_after - size)


async def _send(case: Case, messages: int) -> None:
    for _ in range(messages):
        await case.send(case.make())
    await asyncio.sleep(0)


def _left() -> tuple[int, int]:
    gc.collect()
    return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
