import asyncio

import pytest

from app.adapters.shared_connection import SharedConnection


class Line:
    def __init__(self) -> None:
        self.alive = True
        self.closed = False


class Exchange:
    """Opens lines, or fails to."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.attempts = 0
        self.down = False
        self.shared = SharedConnection(self.connect, self.disconnect, self.is_alive)

    async def connect(self) -> Line:
        self.attempts += 1
        await asyncio.sleep(0.01)
        if self.down:
            raise OSError("down")
        self.lines.append(Line())
        return self.lines[-1]

    async def disconnect(self, line: Line) -> None:
        line.closed = True

    async def is_alive(self, line: Line) -> bool:
        return line.alive


async def test_all_who_ask_get_the_same_one() -> None:
    exchange = Exchange()
    lines = await asyncio.gather(*(exchange.shared.get() for _ in range(100)))
    assert set(lines) == {await exchange.shared.get()} == set(exchange.lines)
    assert exchange.attempts == 1


async def test_an_attempt_fails_for_all_who_wait_and_the_next_is_a_new_one() -> None:
    exchange = Exchange()
    exchange.down = True
    outcomes = await asyncio.gather(*(exchange.shared.get() for _ in range(100)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {OSError}
    assert exchange.attempts == 1
    exchange.down = False
    assert await exchange.shared.get() is exchange.lines[0]


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    exchange = Exchange()
    impatient = asyncio.create_task(exchange.shared.get())
    patient = asyncio.create_task(exchange.shared.get())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is exchange.lines[0]


async def test_a_dropped_one_is_closed_once_and_replaced() -> None:
    exchange = Exchange()
    first = await exchange.shared.get()
    exchange.shared.drop(first)
    second = await exchange.shared.get()
    exchange.shared.drop(first)
    assert await exchange.shared.get() is second is not first
    await exchange.shared.close()
    assert first.closed and second.closed


async def test_a_dead_one_is_replaced() -> None:
    exchange = Exchange()
    first = await exchange.shared.get()
    first.alive = False
    lines = await asyncio.gather(*(exchange.shared.get() for _ in range(10)))
    assert set(lines) == {exchange.lines[1]}
    await exchange.shared.close()
    assert first.closed


async def test_what_is_still_being_opened_is_given_up_at_the_end() -> None:
    exchange = Exchange()
    waiting = asyncio.create_task(exchange.shared.get())
    await asyncio.sleep(0)
    await exchange.shared.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not exchange.lines
