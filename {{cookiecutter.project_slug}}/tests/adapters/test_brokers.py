"""All brokers keep the same promises. The servers are real ones."""

import asyncio
import gc
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules
from time import monotonic
from uuid import uuid4

import pytest

from app import adapters
from app.adapters import carrier, consumption, faststream_events
from app.adapters.brokers import open_broker
from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import Broker, BrokerDownError, EventMessage, MessageRefusedError
from tests.brokers import SERVERS, ClosingServer, LimitedServer, Server, wire_to
from tests.databases import part_settings
from tests.surroundings import require_server

pytestmark = pytest.mark.integration

PREFIX = "broker_"
ADAPTERS = {
    found.name.removeprefix(PREFIX): import_module(f"{adapters.__name__}.{found.name}")
    for found in iter_modules(adapters.__path__)
    if found.name.startswith(PREFIX)
}
DEADLINE = 20.0
SOON = 1.0


@pytest.fixture
def topic() -> str:
    """A topic that nobody else has."""
    return f"test_{uuid4().hex}"


@pytest.fixture(params=sorted(SERVERS))
async def server(request: pytest.FixtureRequest, topic: str) -> AsyncIterator[Server]:
    """Every test that uses it, or `settings`, runs with every broker."""
    found = SERVERS[request.param]
    require_server(found.url, "this broker was not tested")
    yield found
    await found.forget(topic)


@pytest.fixture
def settings(server: Server, topic: str) -> ExchangeSettings:
    """The settings of a service with this broker."""
    return at(server.url, topic)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.adapters.in_turn.FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("app.adapters.faststream_events.WATCH_SECONDS", 0.1)
    everywhere("FINISH_SECONDS", 2.0, monkeypatch)


def everywhere(name: str, seconds: float, patch: pytest.MonkeyPatch) -> None:
    """Change a time-out in each module that has it."""
    for module in (carrier, consumption, faststream_events, *ADAPTERS.values()):
        if hasattr(module, name):
            patch.setattr(module, name, seconds)


def take_over_after(seconds: float, patch: pytest.MonkeyPatch) -> None:
    """Whoever does not say for so long that he still works on a message is taken for dead."""
    everywhere("TAKE_OVER_SECONDS", seconds, patch)


def wait_for_answers(seconds: float, patch: pytest.MonkeyPatch) -> None:
    """Whoever does not answer for so long is given up."""
    everywhere("PUBLISH_SECONDS", seconds, patch)
    everywhere("START_SECONDS", seconds, patch)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is given up soon, and who does not go on soon taken for dead: on purpose some do not."""
    wait_for_answers(SOON, monkeypatch)
    take_over_after(1.5, monkeypatch)


def at(url: str, topic: str) -> ExchangeSettings:
    return part_settings(ExchangeSettings, broker_url=url, broker_topic=topic)


def message(number: int = 0, key: str = "a key", event_type: str = "UserCreated") -> EventMessage:
    return EventMessage(f"{number}-{uuid4()}", key, event_type, b'{"number": %d}' % number)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until_settled(server: Server, topic: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while await server.unsettled(topic):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def publish_soon(broker: Broker) -> None:
    """The first attempt may still be on a connection that nobody knows to be lost; the second must not be."""
    with suppress(BrokerDownError):
        return await broker.publish(message())
    return await broker.publish(message())


class Inbox:
    """Remembers what it receives."""

    def __init__(self) -> None:
        self.received: list[EventMessage] = []

    async def __call__(self, received: EventMessage) -> None:
        self.received.append(received)

    def has(self, number: int) -> Callable[[], bool]:
        return lambda: len(self.received) >= number


async def test_a_confirmed_message_is_stored_before_there_ever_was_a_consumer(
    server: Server, settings: ExchangeSettings, topic: str
) -> None:
    sent = [message(number) for number in range(3)]
    async with open_broker(settings) as broker:
        assert broker is not None
        for each in sent:
            await broker.publish(each)
        assert await server.stored(topic) == 3

        inbox = Inbox()
        async with broker.consuming(inbox):
            await until(inbox.has(3))
            assert {each.id for each in inbox.received} == {each.id for each in sent}
            await until_settled(server, topic)


@pytest.mark.parametrize("text", ["Zoë 1", "a\nb\tc", "100 %", "x.y*>z"])
async def test_any_key_and_type_arrive_as_they_were(settings: ExchangeSettings, text: str) -> None:
    sent = EventMessage(str(uuid4()), text, text, '{"é": "\\n"}'.encode(), text)
    inbox = Inbox()
    async with open_broker(settings) as broker:
        assert broker is not None
        await broker.publish(sent)
        async with broker.consuming(inbox):
            await until(inbox.has(1))
    assert inbox.received == [sent]


@pytest.mark.parametrize("server", [name for name in SERVERS if SERVERS[name].drops_duplicates], indirect=True)
async def test_the_same_message_sent_twice_is_stored_once(
    server: Server, settings: ExchangeSettings, topic: str
) -> None:
    sent = message()
    async with open_broker(settings) as first, open_broker(settings) as second:
        assert first is not None and second is not None
        await first.publish(sent)
        await second.publish(sent)
        await second.publish(message())
    assert await server.stored(topic) == 2


async def test_equal_keys_come_one_after_the_other_and_others_at_once(settings: ExchangeSettings) -> None:
    numbers: dict[str, list[bytes]] = defaultdict(list)
    busy: list[str] = []
    overlaps: list[str] = []
    most = 0

    async def receive(received: EventMessage) -> None:
        nonlocal most
        if received.key in busy:
            overlaps.append(received.key)
        busy.append(received.key)
        most = max(most, len(busy))
        await asyncio.sleep(0.02)
        busy.remove(received.key)
        numbers[received.key].append(received.body)

    sent = [message(number, key=str(number // 5)) for number in range(100)]
    async with open_broker(settings) as broker:
        assert broker is not None
        for each in sent:
            await broker.publish(each)
        async with broker.consuming(receive):
            await until(lambda: sum(map(len, numbers.values())) >= 100)

    assert not overlaps
    assert 1 < most <= 10
    for key, bodies in numbers.items():
        assert bodies == [each.body for each in sent if each.key == key]


@pytest.mark.parametrize("server", [name for name in SERVERS if SERVERS[name].keeps_all], indirect=True)
async def test_a_group_that_comes_late_gets_all_that_is_kept(settings: ExchangeSettings) -> None:
    inbox = Inbox()
    late = settings.model_copy(update={"broker_group": "late"})
    async with open_broker(settings) as broker, open_broker(late) as other:
        assert broker is not None and other is not None
        await broker.publish(message())
        async with other.consuming(inbox):
            await until(inbox.has(1))


async def test_what_fails_comes_again_later_and_holds_up_only_its_key(
    server: Server, settings: ExchangeSettings, topic: str
) -> None:
    times: list[float] = []
    inbox = Inbox()

    async def receive(received: EventMessage) -> None:
        if received.key == "poison" and len(times) < 3:
            times.append(monotonic())
            if len(times) < 3:
                raise ValueError("not now")
            await until(inbox.has(1))
        await inbox(received)

    sent = [message(1, "poison"), message(2, "poison"), message(3, "other")]
    async with open_broker(settings) as broker:
        assert broker is not None
        for each in sent:
            await broker.publish(each)
        async with broker.consuming(receive):
            await until(inbox.has(3))
            await until_settled(server, topic)

    assert [each.body for each in inbox.received] == [sent[2].body, sent[0].body, sent[1].body]
    assert times[1] - times[0] >= 0.08  # not 0.1: clocks are corrected by some milliseconds
    assert times[2] - times[1] >= 0.18


async def test_consumers_share_the_messages(
    server: Server, settings: ExchangeSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_answers(DEADLINE, monkeypatch)
    first, second = Inbox(), Inbox()

    async def slow(received: EventMessage) -> None:
        await asyncio.sleep(0.2)
        await first(received)

    async def quick(received: EventMessage) -> None:
        await asyncio.sleep(0.02)
        await second(received)

    sent = [message(number, key=str(number)) for number in range(400)]
    begun = []
    async with open_broker(settings) as one, open_broker(settings) as other:
        assert one is not None and other is not None
        async with one.consuming(slow), other.consuming(quick):
            while not (first.received and second.received):
                new = message(key=str(uuid4()))
                with suppress(MessageRefusedError):  # as one does while a new queue has no leader
                    await one.publish(new)
                    begun.append(new)
                await until(lambda: len(first.received) + len(second.received) == len(begun))
            before = len(first.received), len(second.received)
            await asyncio.gather(*(one.publish(each) for each in sent))
            await until(lambda: len(first.received) + len(second.received) >= len(begun) + len(sent))
            await until_settled(server, topic)

    received = [each.id for each in (*first.received, *second.received)]
    assert sorted(received) == sorted(each.id for each in (*begun, *sent))
    assert len(first.received) > before[0]
    assert len(second.received) > before[1]


async def test_what_was_begun_is_finished_at_the_end_and_the_rest_is_left(
    server: Server, settings: ExchangeSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over_after(2, monkeypatch)
    begun = asyncio.Event()
    inbox = Inbox()

    async def receive(received: EventMessage) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        await inbox(received)

    async with open_broker(settings) as broker:
        assert broker is not None
        for number in range(3):
            await broker.publish(message(number))
        async with broker.consuming(receive):
            await asyncio.wait_for(begun.wait(), DEADLINE)
        assert len(inbox.received) == 1

        rest = Inbox()
        async with broker.consuming(rest):
            await until(rest.has(2))
            await until_settled(server, topic)


@pytest.mark.usefixtures("_impatient")
async def test_what_a_dead_consumer_held_goes_to_another(
    server: Server, settings: ExchangeSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    inbox = Inbox()
    sent = message()

    async def never(_: EventMessage) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with wire_to(server.url) as wire, open_broker(at(wire.url, topic)) as dying, open_broker(settings) as other:
        assert dying is not None and other is not None
        with monkeypatch.context() as patient:
            wait_for_answers(DEADLINE, patient)
            await other.publish(sent)
        async with dying.consuming(never):
            await asyncio.wait_for(begun.wait(), DEADLINE)
            await wire.cut()
            async with other.consuming(inbox):
                await until(inbox.has(1))
                await until_settled(server, topic)
    assert inbox.received == [sent]


async def test_what_is_worked_on_for_long_does_not_go_to_another(
    server: Server, settings: ExchangeSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over_after(6, monkeypatch)
    begun = asyncio.Event()
    first, second = Inbox(), Inbox()

    async def slow(received: EventMessage) -> None:
        begun.set()
        await asyncio.sleep(8)
        await first(received)

    async with open_broker(settings) as one, open_broker(settings) as other:
        assert one is not None and other is not None
        await one.publish(message())
        async with one.consuming(slow):
            await asyncio.wait_for(begun.wait(), DEADLINE)
            async with other.consuming(second):
                await until(first.has(1))
                await until_settled(server, topic)
    assert len(first.received) == 1
    assert not second.received


@pytest.mark.parametrize("body", [b"\xff{", b"", b'{"specversion": "1.0", "data": "x", "headers": {}}'])
async def test_whoever_sends_is_heard_with_or_without_headers(
    server: Server, settings: ExchangeSettings, topic: str, body: bytes
) -> None:
    inbox = Inbox()
    async with open_broker(settings) as broker:
        assert broker is not None
        await broker.publish(message(1))
        await server.send(topic, body)
        await server.send(topic, body)
        async with broker.consuming(inbox):
            await until(inbox.has(3))
            await until_settled(server, topic)
    assert Counter(each.body for each in inbox.received) == {message(1).body: 1, body: 2}
    assert len({(each.id, each.key) for each in inbox.received if each.body == body}) == 1


async def test_what_is_sent_is_read_without_a_library_of_ours(
    server: Server, settings: ExchangeSettings, topic: str
) -> None:
    sent = [EventMessage(str(uuid4()), "k", "warehouse.ParcelSent", b'{"number": %d}' % number) for number in (1, 2)]
    async with open_broker(settings) as broker:
        assert broker is not None
        for each in sent:
            await broker.publish(each)
    assert await server.read(topic) == [each.body for each in sent]


async def test_an_outage_is_told_at_once_and_the_next_publish_works(
    server: Server, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with wire_to(server.url) as wire, open_broker(at(wire.url, topic)) as broker:
        assert broker is not None
        await broker.publish(message())
        await wire.cut()
        with monkeypatch.context() as impatient:
            wait_for_answers(SOON, impatient)
            async with asyncio.timeout(DEADLINE):  # much less than one after the other
                outcomes = await asyncio.gather(
                    *(broker.publish(message()) for _ in range(100)), return_exceptions=True
                )
        assert {type(outcome) for outcome in outcomes} == {BrokerDownError}

        await wire.mend()
        await broker.publish(message())
        await wire.cut()  # and back again before anybody has noticed
        await wire.mend()
        await publish_soon(broker)
    assert await server.stored(topic) == 3


@pytest.mark.usefixtures("_impatient")
async def test_an_outage_in_the_middle_loses_nothing_that_was_confirmed(server: Server, topic: str) -> None:
    confirmed: list[str] = []
    inbox = Inbox()

    async with wire_to(server.url) as wire, open_broker(at(wire.url, topic)) as broker:
        assert broker is not None

        async def publish(number: int) -> None:
            sent = message(number, str(number))
            while sent.id not in confirmed:
                try:
                    await broker.publish(sent)
                    confirmed.append(sent.id)
                except (BrokerDownError, MessageRefusedError):  # as while a new queue has no leader
                    await asyncio.sleep(0.05)

        async with broker.consuming(inbox):
            await publish(0)
            await until(inbox.has(1))
            publishing = asyncio.gather(*(publish(number) for number in range(1, 300)))
            await until(lambda: len(confirmed) > 20)
            await wire.cut()
            await asyncio.sleep(0.3)
            await wire.mend()
            await asyncio.wait_for(publishing, DEADLINE)
            await until(lambda: len({each.id for each in inbox.received}) >= 300)
            await until_settled(server, topic)
    assert {each.id for each in inbox.received} == set(confirmed)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_broker_that_is_silent_is_not_waited_for(
    server: Server, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        wire_to(server.url) as wire,
        asyncio.timeout(2 * DEADLINE),  # for its end, too
        open_broker(at(wire.url, topic)) as broker,
    ):
        assert broker is not None
        await broker.publish(message())
        wire.frozen = True
        with monkeypatch.context() as impatient:
            wait_for_answers(SOON, impatient)
            for _ in range(2):
                with pytest.raises(BrokerDownError):
                    await broker.publish(message())
        wire.frozen = False
        await publish_soon(broker)
    gc.collect()  # a client may leave the socket of an attempt that is given up to the collector


@pytest.mark.parametrize("server", [name for name in SERVERS if hasattr(SERVERS[name], "refuse_large")], indirect=True)
async def test_a_message_that_the_broker_does_not_take_is_no_outage(
    server: LimitedServer, settings: ExchangeSettings, topic: str
) -> None:
    await server.refuse_large(topic)
    async with open_broker(settings) as broker:
        assert broker is not None
        large = EventMessage(str(uuid4()), "a key", "Large", b"." * 2000)
        outcomes = await asyncio.gather(
            broker.publish(large), *(broker.publish(message()) for _ in range(20)), return_exceptions=True
        )
        assert isinstance(outcomes[0], MessageRefusedError)
        assert outcomes[1:] == [None] * 20


@pytest.mark.parametrize("server", [name for name in SERVERS if hasattr(SERVERS[name], "too_large")], indirect=True)
async def test_a_message_over_the_limit_of_the_server_is_no_outage_and_the_only_one_that_is_refused(
    server: LimitedServer, settings: ExchangeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_answers(DEADLINE, monkeypatch)  # it is large
    async with open_broker(settings) as broker:
        assert broker is not None
        large = EventMessage(str(uuid4()), "a key", "Large", bytes(await server.too_large()))
        outcomes = await asyncio.gather(
            broker.publish(large), *(broker.publish(message()) for _ in range(20)), return_exceptions=True
        )
        assert isinstance(outcomes[0], MessageRefusedError)
        assert {type(one) for one in outcomes[1:]} <= {type(None), BrokerDownError}
        await broker.publish(message())


@pytest.mark.parametrize("server", [name for name in SERVERS if hasattr(SERVERS[name], "closes_above")], indirect=True)
async def test_a_message_that_breaks_its_connection_is_refused_while_the_broker_answers_over_another(
    server: ClosingServer, topic: str
) -> None:
    async with wire_to(server.url) as wire, open_broker(at(wire.url, topic)) as broker:
        assert broker is not None
        await broker.publish(message())
        wire.closes_above = limit = server.closes_above
        large = EventMessage(str(uuid4()), "a key", "Large", bytes(limit))
        with pytest.raises(MessageRefusedError):
            await broker.publish(large)
        await broker.publish(message())
        await wire.cut()
        with pytest.raises(BrokerDownError):
            await broker.publish(large)
        await wire.mend()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "scheme", [*ADAPTERS, *(one.ENCRYPTED for one in ADAPTERS.values() if hasattr(one, "ENCRYPTED"))]
)
@pytest.mark.usefixtures("_impatient")
async def test_where_nobody_answers_the_service_starts_and_publishing_fails(
    scheme: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # a log would keep what it is about
    async with open_broker(at(f"{scheme}://127.0.0.1:9", topic)) as broker:
        assert broker is not None
        async with broker.consuming(Inbox()):
            async with asyncio.timeout(DEADLINE):
                with pytest.raises(BrokerDownError):
                    await broker.publish(message())
    gc.collect()  # FastStream leaves a producer that could not connect to the collector


@pytest.mark.parametrize("deleted", ["forget", "forget_group"])
@pytest.mark.usefixtures("_impatient")
async def test_what_is_deleted_at_the_broker_is_made_again(
    server: Server, settings: ExchangeSettings, topic: str, deleted: str
) -> None:
    inbox = Inbox()
    async with open_broker(settings) as broker, open_broker(settings) as consumer, asyncio.timeout(DEADLINE):
        assert broker is not None and consumer is not None
        async with consumer.consuming(inbox):
            await _until_received(inbox, "before", broker)
            await getattr(server, deleted)(topic)
            await _until_received(inbox, "later", broker)


async def _until_received(inbox: "Inbox", key: str, broker: Broker) -> None:
    while not any(received.key == key for received in inbox.received):
        with suppress(BrokerDownError, MessageRefusedError):  # as while a new queue has no leader
            await broker.publish(message(key=key))
        await asyncio.sleep(0.05)


async def test_without_a_url_there_is_no_broker() -> None:
    async with open_broker(at("", "events")) as broker:
        assert broker is None
