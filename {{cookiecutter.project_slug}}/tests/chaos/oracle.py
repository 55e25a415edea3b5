"""What a scenario raises when something is not as it has to be, and how it waits: never without a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
BETWEEN_LOOKS_SECONDS = 0.02


class Violation(Exception):
    """An oracle was violated; the sentence says which, with the figures."""


def require(holds: bool, otherwise: str) -> None:
    """Make sure of something.

    Raises:
        Violation: it is not so.
    """
    if not holds:
        raise Violation(otherwise)


async def until(look: Callable[[], Awaitable[T]], what: str, seconds: float) -> T:
    """Look again and again until there is something to see, and answer what it is.

    Raises:
        Violation: there was nothing within so many seconds.
    """
    ends = time.monotonic() + seconds
    while not (seen := await look()):
        if time.monotonic() > ends:
            raise Violation(f"{what}: not within {seconds:g} s.")
        await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
    return seen
