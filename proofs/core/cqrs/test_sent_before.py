"""A message carries its caller: one that another request or operation sent is refused, and never runs for it."""

import asyncio
from typing import Any

import pytest

from app.core.cqrs import ConfigurationError, CQRSBus
from app.core.cqrs.testing import MemoryBus
from app.core.request_bus import RequestBus, SocketBus
from tests.core.cqrs.support import Ask, Do, DoMore, handler_of, sent_by

SENT_BEFORE = "was sent before, by another request"


def caller(message: Any) -> Any:
    """Answer who sent it."""
    return message.metadata.user_id


def of(bus: CQRSBus, user_id: str, kind: str) -> RequestBus:
    """The bus of a request or of a socket of this user."""
    if kind == "socket":
        return SocketBus(bus, user_id, f"of {user_id}", None, None, None)
    return RequestBus(bus, user_id, f"of {user_id}", None, "key")


@pytest.mark.parametrize("kind", ["request", "socket"])
@pytest.mark.parametrize("message", [Ask, Do])
async def test_two_requests_share_no_message(kind: str, message: Any) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def work(sent: Any) -> Any:
        entered.set()
        await go_on.wait()
        return sent.metadata.user_id

    bus, shared = MemoryBus(handler_of(message, work)), message()

    async def send(user_id: str) -> Any:
        sender = of(bus, user_id, kind)
        return await (sender.execute_query(shared) if message is Ask else sender.execute_command(shared))

    ada = asyncio.create_task(send("ada"))
    await entered.wait()
    with pytest.raises(ConfigurationError, match=SENT_BEFORE):
        await send("bob")
    go_on.set()
    assert (await ada).data == "ada"


async def test_a_request_may_send_its_message_again() -> None:
    bus, command = MemoryBus(handler_of(Do, lambda _: "done")), Do()
    sender = of(bus, "ada", "request")
    assert [(await sender.execute_command(command)).data for _ in range(2)] == ["done", "done"]


async def by_itself(sending: Any) -> Any:
    return await sending


async def in_a_task(sending: Any) -> Any:
    return (await asyncio.gather(sending))[0]


@pytest.mark.parametrize("how", [by_itself, in_a_task])
async def test_two_operations_share_no_message(how: Any) -> None:
    shared = Ask()

    async def work(_: Any) -> Any:
        return (await how(bus.execute_query(shared))).data

    bus = MemoryBus(handler_of(Do, work), handler_of(Ask, caller))
    assert (await bus.execute_command(sent_by("ada", Do()))).data == "ada"
    refused = await bus.execute_command(sent_by("bob", Do()))
    assert SENT_BEFORE in str(refused.error_message)


async def test_nor_a_request_and_an_operation() -> None:
    shared = Ask()

    async def work(_: Any) -> Any:
        return (await bus.execute_query(shared)).data

    bus = MemoryBus(handler_of(Do, work), handler_of(Ask, caller))
    assert (await of(bus, "ada", "request").execute_query(shared)).data == "ada"
    assert SENT_BEFORE in str((await bus.execute_command(sent_by("bob", Do()))).error_message)


async def test_an_operation_may_send_its_own_again_and_one_that_was_prepared() -> None:
    prepared, times = sent_by("system", Ask()), []

    async def work(_: Any) -> Any:
        own = Ask()
        answers = [(await bus.execute_query(one)).data for one in (own, own, prepared)]
        return (await bus.execute_command(DoMore())).data, answers

    async def more(_: Any) -> Any:
        times.append(1)
        return len(times)

    bus = MemoryBus(handler_of(Do, work), handler_of(DoMore, more), handler_of(Ask, caller))
    for number, user_id in enumerate(("ada", "bob"), start=1):
        result: Any = await bus.execute_command(sent_by(user_id, Do()))
        assert result.data == (number, [user_id, user_id, "system"])
