"""Events through Redis Streams: one stream, and a consumer group that tracks unacknowledged messages.

The server's configuration decides how durable a confirmed event is: set `appendonly yes` and a suitable `appendfsync`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, cast
from uuid import uuid4

from faststream import AckPolicy
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import RedisError, ResponseError

from app.adapters.carrier import (
    FETCHED,
    FINISH_SECONDS,
    PUBLISH_SECONDS,
    TAKE_OVER_SECONDS,
    Carrier,
    Received,
    Take,
    as_it_is,
    handing,
    library_logger,
)
from app.adapters.event_headers import headers_of
from app.adapters.exchange_settings import ExchangeSettings
from app.adapters.faststream_events import FastStreamEvents
from app.core.broker import Broker, EventMessage

ENCRYPTED = "rediss"
BODY = "event"
"""The field of a stream entry that holds the event."""
TOO_LARGE = "Protocol error"
SMALLEST_LIMIT = 1024 * 1024
"""The least that `proto-max-bulk-len` can be, in bytes. Redis closes the connection of a larger message while that is
being sent, so that its answer is mostly lost."""
PUBLISHING_AT_ONCE = 10
"""Each concurrent publish uses a connection of its own from the pool."""
ABANDONED_SECONDS = 3600
"""After this time without a request, a consumer is one of a process that has ended: each process brings another."""
DELETE_ABANDONED = """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local name, pending, idle = consumer[2], consumer[4], consumer[6]
    if pending == 0 and idle >= tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    end
end
"""
"""A script, because a message that arrives between the question and the deletion would be lost."""


def open_broker(settings: ExchangeSettings) -> AbstractAsyncContextManager[Broker]:
    """The broker of `redis://` and `rediss://`."""
    return FastStreamEvents(RedisCarrier(settings))


class RedisCarrier(Carrier[RedisBroker]):
    """A stream named after the topic, and a consumer group in which every process is a separate consumer."""

    outages = (RedisError,)

    def __init__(self, settings: ExchangeSettings) -> None:
        super().__init__(settings)
        self._consumer = uuid4().hex
        self._publishing = asyncio.Semaphore(PUBLISHING_AT_ONCE)

    def make(self, *, consuming: bool) -> RedisBroker:
        """Create the client, with timeouts for a server that does not answer."""
        return RedisBroker(
            self.url,
            socket_timeout=PUBLISH_SECONDS,
            socket_connect_timeout=PUBLISH_SECONDS,
            apply_types=False,
            graceful_timeout=FINISH_SECONDS,
            logger=library_logger,
        )

    async def prepare(self, broker: RedisBroker) -> None:
        """Create the consumer group, which starts at the beginning of the stream, or delete its abandoned consumers."""
        client = client_of(broker)
        try:
            await client.xgroup_create(self.topic, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):  # it exists already
                raise
            with suppress(ResponseError):  # scripts may be forbidden
                await client.eval(DELETE_ABANDONED, 1, self.topic, self.group, str(int(ABANDONED_SECONDS * 1000)))

    async def send(self, broker: RedisBroker, message: EventMessage) -> None:
        """Add the event to the stream; the server's reply is the confirmation."""
        async with self._publishing:
            fields: dict[Any, Any] = {**headers_of(message), BODY: message.body}
            client = client_of(broker)
            try:
                await client.xadd(self.topic, fields)
            except LostError as error:
                if len(message.body) < SMALLEST_LIMIT:
                    raise
                await client.ping()
                raise ResponseError(f"{TOO_LARGE}: Redis closed the connection, and answers over another.") from error

    def refuses(self, error: Exception, message: EventMessage) -> bool:
        """Whether the message is too large, which Redis reports as a protocol error; all other errors are outages."""
        return isinstance(error, ResponseError) and str(error).startswith(TOO_LARGE)

    def subscribe(self, broker: RedisBroker, take: Take) -> None:
        """Consume new entries, and take over entries that another consumer left unacknowledged."""
        new = StreamSub(self.topic, group=self.group, consumer=self._consumer, max_records=FETCHED)
        left = StreamSub(
            self.topic,
            group=self.group,
            consumer=self._consumer,
            min_idle_time=int(TAKE_OVER_SECONDS * 1000),
            polling_interval=1000,
        )
        for stream in (new, left):
            broker.subscriber(stream=stream, parser=parse, ack_policy=AckPolicy.MANUAL, decoder=as_it_is)(handing(take))

    async def keep(self, broker: RedisBroker, held: Collection[Received]) -> None:
        """Claim the entries again, which resets their idle time."""
        ids = [message_id for received in held for message_id in received.raw_message["message_ids"]]
        if ids:
            client = client_of(broker)
            await client.xclaim(self.topic, self.group, self._consumer, min_idle_time=0, message_ids=ids, justid=True)


def client_of(broker: RedisBroker) -> Redis:
    """The client of a connected broker. For a dropped broker, `broker.connect()` would open one that is never closed.

    Raises:
        IncorrectState: if the broker is not connected, or not any more.
    """
    return cast(Redis, broker.config.broker_config.connection.client)


async def parse(raw: dict[str, Any], original: Callable[[dict[str, Any]], Awaitable[Received]]) -> Received:
    """Parse an entry of any publisher: one field contains the event, the other fields are optional headers."""
    fields = {name.decode(errors="replace"): value for name, value in raw["data"].items()}
    received = await original({**raw, "data": {}})
    received.body = fields.pop(BODY, b"")
    received.headers = {name: value.decode(errors="replace") for name, value in fields.items()}
    return received
