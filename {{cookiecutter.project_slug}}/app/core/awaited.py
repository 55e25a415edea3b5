"""Marks a function that returns another function's coroutine as a coroutine function."""

import inspect
import sys
from asyncio import coroutines
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def coroutine_function(function: F) -> F:
    """Mark a function whose calls must be awaited, as `async def` does, without an additional coroutine.

    Background tasks and schedulers inspect a function before they call it, and drop the coroutine that a plain function
    returns. Python 3.11 has only asyncio's mark: `asyncio.iscoroutinefunction`, which Starlette and FastAPI use there,
    recognises it, and `inspect.iscoroutinefunction` does not.
    """
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function
