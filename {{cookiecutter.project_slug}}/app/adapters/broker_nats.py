"""Events through NATS JetStream: a stream stored in a file, which discards duplicates by event id."""

import asyncio
import re
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, suppress

import nats.errors
import nats.js.errors
from faststream import AckPolicy
from faststream.exceptions import IncorrectState
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.subscriber.usecases import stream_pull_subscriber
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StorageType, StreamConfig

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

DUPLICATES_SECONDS = 600
"""How long the server remembers event ids, to discard duplicates."""
UNACKNOWLEDGED = 10_000
"""How many messages all consumers together may hold unacknowledged."""
HEADER_BYTES = 500
"""Room for the headers of client and library. The server counts headers, the client does not, and the server closes the
connection of a message that is too large."""
FETCH_SECONDS = 1.0
# An empty fetch ends with the client's own TimeoutError or, if the server answers at the last moment, with Python's.
# FastStream treats the second as a failure: it logs a traceback and starts a new task without ending the old one.
stream_pull_subscriber.TimeoutError = TimeoutError  # type: ignore[assignment,attr-defined]
NOT_IN_A_SUBJECT = re.compile(r"[^A-Za-z0-9_.-]+")


def open_broker(settings: ExchangeSettings) -> AbstractAsyncContextManager[Broker]:
    """The broker of `nats://`."""
    return FastStreamEvents(NatsCarrier(settings))


class NatsCarrier(Carrier[NatsBroker]):
    """A stream named after the topic, and a durable consumer named after the group."""

    outages = (nats.errors.Error,)

    def make(self, *, consuming: bool) -> NatsBroker:
        """Create the client. A publisher fails at once when the server is gone; a consumer keeps reconnecting."""
        return NatsBroker(
            self.url.split(","),
            allow_reconnect=consuming,
            max_reconnect_attempts=-1 if consuming else 1,
            reconnect_time_wait=1 if consuming else 0,
            connect_timeout=int(PUBLISH_SECONDS),
            apply_types=False,
            graceful_timeout=FINISH_SECONDS,
            logger=library_logger,
        )

    async def is_alive(self, broker: NatsBroker) -> bool:
        """Whether the connection is open."""
        return (await broker.connect()).is_connected

    async def disconnect(self, broker: NatsBroker) -> None:
        """Close the connection, including a lost one, which would otherwise try to reconnect for ever."""
        stopping = asyncio.create_task(broker.stop())
        _, late = await asyncio.wait([stopping], timeout=PUBLISH_SECONDS)
        while late:  # the client reacts to the first cancellation by waiting for the server again, for ten seconds
            stopping.cancel()
            _, late = await asyncio.wait([stopping], timeout=0.1)
        try:
            with suppress(IncorrectState):  # it is closed already
                await broker.connection.close()
        finally:
            if not stopping.cancelled():
                stopping.result()

    async def prepare(self, broker: NatsBroker) -> None:
        """Create the stream unless it exists; the limits of an existing stream were an operator's decision."""
        context = (await broker.connect()).jetstream()
        if await self._has_stream(context):
            return
        stream = StreamConfig(
            name=self.topic, subjects=[f"{self.topic}.>"], storage=StorageType.FILE, duplicate_window=DUPLICATES_SECONDS
        )
        try:
            await context.add_stream(stream)
        except nats.js.errors.BadRequestError:  # also if another process creates it at the same moment
            if not await self._has_stream(context):
                raise

    async def _has_stream(self, context: JetStreamContext) -> bool:
        try:
            await context.stream_info(self.topic)
        except nats.js.errors.NotFoundError:
            return False
        return True

    async def send(self, broker: NatsBroker, message: EventMessage) -> None:
        """Publish to the subject of the event's type."""
        headers = {"Nats-Msg-Id": message.id, **headers_of(message)}
        if len(message.body) + len(str(headers).encode()) + HEADER_BYTES > (await broker.connect()).max_payload:
            raise nats.errors.MaxPayloadError
        await broker.publish(
            message.body,
            f"{self.topic}.{_subject_of(message.event_type)}",
            headers=headers,
            stream=self.topic,
            timeout=PUBLISH_SECONDS,
        )

    def refuses(self, error: Exception, message: EventMessage) -> bool:
        """Whether the message is too large for the server or the stream."""
        return isinstance(error, (nats.errors.MaxPayloadError, nats.js.errors.BadRequestError))

    def subscribe(self, broker: NatsBroker, take: Take) -> None:
        """Fetch the next messages of the consumer group."""
        broker.subscriber(
            f"{self.topic}.>",
            durable=self.group,
            stream=JStream(self.topic, declare=False),
            pull_sub=PullSub(batch_size=FETCHED, timeout=FETCH_SECONDS),
            config=ConsumerConfig(ack_wait=TAKE_OVER_SECONDS, max_ack_pending=UNACKNOWLEDGED),
            ack_policy=AckPolicy.MANUAL,
            decoder=as_it_is,
        )(handing(take))

    async def keep(self, broker: NatsBroker, held: Collection[Received]) -> None:
        """Restart the acknowledgement deadline of these messages."""
        for received in held:
            await received.raw_message.in_progress()
        # To a fetch, a consumer that is gone looks like one without messages.
        await (await broker.connect()).jetstream().consumer_info(self.topic, self.group)

    async def give_back(self, received: Received) -> None:
        """Return the message after this process's pending fetch has expired, or the server would send it here again."""
        await received.raw_message.nak(delay=FETCH_SECONDS)


def _subject_of(event_type: str) -> str:
    """The event type without forbidden characters. Dots stay: `events.orders.>` matches types such as `orders.paid`."""
    return ".".join(filter(None, NOT_IN_A_SUBJECT.sub("_", event_type).split("."))) or "_"
