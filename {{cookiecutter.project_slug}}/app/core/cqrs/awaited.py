"""Functions that return the coroutine of another, for who asks before the call whether there is one to await."""

import inspect
import sys
from asyncio import coroutines
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def coroutine_function(function: F) -> F:
    """Mark a function as one whose calls have to be awaited, as `async def` does, without a coroutine more.

    Background tasks and schedulers ask before they call, and drop what a plain function returns. Python 3.11 has only
    asyncio's mark, which `asyncio.iscoroutinefunction` sees (that is whom Starlette and FastAPI ask there), and
    `inspect.iscoroutinefunction` does not.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function
