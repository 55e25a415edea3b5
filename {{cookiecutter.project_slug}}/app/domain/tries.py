"""Tries of a secret, such as a password: failed ones are counted, and those that were not decided are not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.domain.ports import Throttle


@asynccontextmanager
async def counted(throttle: Throttle, what: str, failure: type[Exception]) -> AsyncIterator[None]:
    """Count a try while its outcome is open, so that concurrent guesses are counted too.

    Success forgets all tries so far. An overloaded hasher, a lost database or a cancellation is no wrong guess, so such
    a try is taken back.

    Args:
        throttle: limits the tries.
        what: the key of the tries, such as an account.
        failure: the error of the block that is a wrong guess.

    Raises:
        RateLimitedError: if it is one try too many.
    """
    await throttle.count(what)
    try:
        yield
    except failure:
        raise
    except BaseException:
        await throttle.take_back(what)
        raise
    await throttle.forgive(what)
