import pytest

from app.adapters.throttle_memory import MemoryThrottle
from app.core.cqrs import RateLimitedError


class Seconds:
    """A clock that goes only when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_so_many_tries_are_allowed_and_then_it_is_time_to_wait() -> None:
    seconds = Seconds()
    throttle = MemoryThrottle(2, 60, seconds)
    await throttle.count("ada")
    seconds.now = 10
    await throttle.count("ada")
    with pytest.raises(RateLimitedError) as raised:
        await throttle.count("ada")
    assert raised.value.details == {"retry_after": 50}
    await throttle.count("bob")
    seconds.now = 60
    await throttle.count("ada")


async def test_what_is_taken_back_does_not_count_and_the_window_stays() -> None:
    seconds = Seconds()
    throttle = MemoryThrottle(2, 60, seconds)
    await throttle.count("ada")
    seconds.now = 10
    for _ in range(3):
        await throttle.count("ada")
        await throttle.take_back("ada")
    await throttle.count("ada")
    with pytest.raises(RateLimitedError) as raised:
        await throttle.count("ada")
    assert raised.value.details == {"retry_after": 50}
    for _ in range(3):
        await throttle.take_back("ada")
    await throttle.count("ada")
    await throttle.count("ada")


async def test_what_is_forgiven_does_not_count() -> None:
    throttle = MemoryThrottle(1, 60)
    for _ in range(3):
        await throttle.count("ada")
        await throttle.forgive("ada")
    await throttle.forgive("nobody")
