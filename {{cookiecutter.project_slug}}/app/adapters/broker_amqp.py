"""Events through RabbitMQ: a durable topic exchange, and a durable queue for each group."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed, DeliveryError, PublishError
from faststream import AckPolicy
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue

from app.adapters.carrier import FINISH_SECONDS, HELD, PUBLISH_SECONDS, Carrier, Take, as_it_is, handing, library_logger
from app.adapters.event_headers import headers_of
from app.adapters.exchange_settings import ExchangeSettings
from app.adapters.faststream_events import FastStreamEvents
from app.core.broker import CONTENT_TYPE, Broker, EventMessage

ENCRYPTED = "amqps"
REDELIVERIES = 2**31 - 1
"""How often a message may be redelivered before RabbitMQ drops it: its own limit is 20 since RabbitMQ 4. The -1 that
stands for no limit there is a limit of 0 in RabbitMQ 3."""

logger = structlog.get_logger(__name__)


def open_broker(settings: ExchangeSettings) -> AbstractAsyncContextManager[Broker]:
    """The broker of `amqp://` and `amqps://`."""
    return FastStreamEvents(AmqpCarrier(settings))


class AmqpCarrier(Carrier[RabbitBroker]):
    """Uses an exchange named after the topic; the queue of the consumer group receives everything published to it."""

    outages = (AMQPError, RuntimeError)
    breaking = (ChannelPreconditionFailed,)

    def __init__(self, settings: ExchangeSettings) -> None:
        super().__init__(settings)
        self._exchange = RabbitExchange(self.topic, type=ExchangeType.TOPIC, durable=True)
        self._queue = RabbitQueue(f"{self.topic}.{self.group}", declare=False, routing_key="#")

    def make(self, *, consuming: bool) -> RabbitBroker:
        """Create the client. A published message that reaches no queue raises an error instead of being lost."""
        return RabbitBroker(
            self.url,
            default_channel=Channel(prefetch_count=HELD, publisher_confirms=True, on_return_raises=True),
            timeout=PUBLISH_SECONDS,
            apply_types=False,
            graceful_timeout=FINISH_SECONDS,
            logger=library_logger,
        )

    async def prepare(self, broker: RabbitBroker) -> None:
        """Declare exchange and queue before anything is published: without a bound queue no message is stored."""
        exchange = await broker.declare_exchange(self._exchange)
        try:
            await self._declare(broker, {"x-delivery-limit": REDELIVERIES})
        except ChannelPreconditionFailed:  # its arguments cannot be changed
            await self._declare(broker, {})
            logger.warning(
                "delivery_limit_unknown",
                queue=self._queue.name,
                what_to_do="RabbitMQ 4 drops what it has redelivered 20 times from this older queue, without a policy: "
                f"rabbitmqctl set_policy {self._queue.name} '^{self._queue.name}$' "
                f"""'{{"delivery-limit": {REDELIVERIES}}}' --apply-to queues""",
            )
        queue = await broker.declare_queue(self._queue)
        await queue.bind(exchange, routing_key="#")

    async def _declare(self, broker: RabbitBroker, limit: dict[str, int]) -> None:
        """Create the queue unless it exists, over a channel of its own: a refused declaration closes its channel."""
        arguments: dict[str, Any] = {"x-queue-type": "quorum", **limit}
        async with (await broker.connect()).channel() as channel:
            await channel.declare_queue(self._queue.name, durable=True, arguments=arguments, robust=False)

    async def is_alive(self, broker: RabbitBroker) -> bool:
        """Whether the connection is open; the client's own reconnection is too slow to wait for."""
        return (await broker.connect()).connected.is_set()

    async def send(self, broker: RabbitBroker, message: EventMessage) -> None:
        """Publish with the event's type as routing key."""
        await broker.publish(
            message.body,
            exchange=self._exchange,
            routing_key=message.event_type,
            headers=dict(headers_of(message)),
            content_type=CONTENT_TYPE,
            message_id=message.id,
            message_type=message.event_type,
            persist=True,
            mandatory=True,
            timeout=PUBLISH_SECONDS,
        )

    def refuses(self, error: Exception, message: EventMessage) -> bool:
        """Whether a queue is full, or this message too large: then all on their way fail with an error of its size.

        A missing queue is an outage, which ends when a new connection declares it again.
        """
        if isinstance(error, ChannelPreconditionFailed):
            return f"message size {len(message.body)} is larger" in str(error)
        return isinstance(error, DeliveryError) and not isinstance(error, PublishError)

    def subscribe(self, broker: RabbitBroker, take: Take) -> None:
        """Consume the queue of the consumer group."""
        broker.subscriber(self._queue, self._exchange, ack_policy=AckPolicy.MANUAL, decoder=as_it_is)(handing(take))
