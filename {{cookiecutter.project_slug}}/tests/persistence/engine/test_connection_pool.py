"""Who waits for a connection."""

import asyncio
from time import monotonic

from app.core.config import Settings
from app.core.cqrs import TransientError
from app.persistence.engine.database import Database
from tests.core.cqrs.support import within_patience


async def test_connections_are_given_in_the_order_in_which_they_are_asked_for(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1}))
    asked: list[int] = []
    served: list[int] = []

    async def take(number: int, steps: int = 0) -> None:
        for _ in range(number % 100 * steps):
            await asyncio.sleep(0)
        asked.append(number)
        async with database.writing_engine.connect():
            served.append(number)

    await take(0)
    for steps in range(1, 9):
        await asyncio.gather(*(take(100 * steps + number, steps) for number in range(50)))
    await database.close()
    overtaken = [asked.index(number) - served.index(number) for number in asked]
    assert max(map(abs, overtaken)) <= 1


async def test_all_who_wait_too_long_may_come_again_at_about_the_same_time(settings: Settings) -> None:
    most = {"database_pool_size": 1, "database_pool_timeout_seconds": 0.5}
    database = Database(settings.model_copy(update=most))

    async def take() -> None:
        async with database.writing_engine.connect():
            pass

    async with database.writing_engine.connect():
        began = monotonic()
        late = await asyncio.gather(*(take() for _ in range(50)), return_exceptions=True)
        assert monotonic() - began < 20, "and not one after the other"
    assert {type(error) for error in late} == {TransientError}
    await take()
    await database.close()


async def test_who_is_cancelled_while_waiting_lets_the_next_go_on(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"database_pool_size": 1}))

    async def take() -> None:
        async with database.writing_engine.connect():
            pass

    async with database.writing_engine.connect():
        waiting = [asyncio.create_task(take()) for _ in range(4)]
        for _ in range(100):
            await asyncio.sleep(0)
        for one in waiting[::2]:
            one.cancel()
    await within_patience(asyncio.gather(*waiting, return_exceptions=True))
    assert [one.cancelled() for one in waiting] == [True, False, True, False]
    await database.close()
