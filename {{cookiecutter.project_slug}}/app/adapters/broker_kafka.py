"""Events through Kafka: one topic, in which all events of one aggregate are in the same partition."""

from contextlib import AbstractAsyncContextManager
from ssl import create_default_context
from urllib.parse import unquote, urlsplit

from aiokafka.errors import CorruptRecordException, InvalidMessageError, KafkaError, MessageSizeTooLargeError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext

from app.adapters.carrier import FINISH_SECONDS, Carrier, Received, Take, as_it_is, library_logger
from app.adapters.event_headers import headers_of
from app.adapters.exchange_settings import ExchangeSettings
from app.adapters.faststream_events import FastStreamEvents
from app.core.broker import Broker, EventMessage

ENCRYPTED = "kafkas"
PORT = 9092
REFUSALS = (MessageSizeTooLargeError, InvalidMessageError, CorruptRecordException)


def open_broker(settings: ExchangeSettings) -> AbstractAsyncContextManager[Broker]:
    """The broker of `kafka://host:9092,host2:9092` and, with TLS, `kafkas://`."""
    return FastStreamEvents(KafkaCarrier(settings))


class KafkaCarrier(Carrier[KafkaBroker]):
    """Consumes one message at a time; its offset is committed after it was handled."""

    outages = (KafkaError,)

    def make(self, *, consuming: bool) -> KafkaBroker:
        """Create the client. Its publisher is idempotent, and waits for all in-sync replicas to confirm."""
        url = urlsplit(self.url)
        return KafkaBroker(
            _servers(url.netloc),
            acks="all",
            enable_idempotence=True,
            security=_security(self.url),
            apply_types=False,
            graceful_timeout=FINISH_SECONDS,
            logger=library_logger,
        )

    def refuses(self, error: Exception, message: EventMessage) -> bool:
        """Whether Kafka rejects this message, for instance because it is too large."""
        return isinstance(error, REFUSALS)

    async def send(self, broker: KafkaBroker, message: EventMessage) -> None:
        """Publish to the partition of the key."""
        await broker.publish(message.body, self.topic, key=message.key.encode(), headers=headers_of(message))

    def subscribe(self, broker: KafkaBroker, take: Take) -> None:
        """Consume the partitions assigned to this process, one message at a time: a commit covers all earlier ones."""

        async def hand(received: Received) -> None:
            await (await take(received))

        broker.subscriber(
            self.topic, group_id=self.group, auto_offset_reset="earliest", ack_policy=AckPolicy.MANUAL, decoder=as_it_is
        )(hand)


def _servers(netloc: str) -> list[str]:
    hosts = netloc.rpartition("@")[2].split(",")
    return [host if ":" in host else f"{host}:{PORT}" for host in hosts]


def _security(url: str) -> BaseSecurity | None:
    split = urlsplit(url)
    tls = create_default_context() if split.scheme == ENCRYPTED else None
    if split.username is None:
        return BaseSecurity(tls) if tls else None
    return SASLPlaintext(unquote(split.username), unquote(split.password or ""), tls)
