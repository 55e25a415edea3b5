"""Publishing and consuming events through FastStream, the same way with every broker."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Self

import structlog
from faststream.exceptions import FastStreamException

from app.adapters.carrier import PUBLISH_SECONDS, TAKE_OVER_SECONDS, Carrier, Received
from app.adapters.consumption import Consumption
from app.adapters.in_turn import pause_unless
from app.adapters.shared_connection import SharedConnection
from app.core.broker import BrokerDownError, EventMessage, MessageRefusedError, Receive

START_SECONDS = 5.0
WATCH_SECONDS = 1.0

logger = structlog.get_logger(__name__)


class FastStreamEvents:
    """A `Broker`. All publishers share one connection; consuming uses a separate one."""

    def __init__(self, carrier: Carrier[Any]) -> None:
        self._carrier = carrier
        self._outages: tuple[type[Exception], ...] = (
            *carrier.outages,
            FastStreamException,
            OSError,
        )  # a TimeoutError is an OSError
        self._connection = SharedConnection[Any](self._connect, carrier.disconnect, carrier.is_alive)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def publish(self, message: EventMessage) -> None:
        """Send a message, and wait until the broker has confirmed that it is stored.

        Raises:
            BrokerDownError: if the broker cannot be reached; the message may or may not have arrived.
            MessageRefusedError: if the broker rejects this message.
        """
        broker = None
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                broker = await self._connection.get()
                await self._carrier.send(broker, message)
        except self._outages as error:
            refused = broker is not None and self._carrier.refuses(error, message)
            if broker is not None and (not refused or isinstance(error, self._carrier.breaking)):
                self._connection.drop(broker)
            if refused:
                raise MessageRefusedError(f"{type(error).__name__}: {error}") from error
            raise BrokerDownError(f"The broker is down: {type(error).__name__}.") from error

    @asynccontextmanager
    async def consuming(self, receive: Receive) -> AsyncIterator[None]:
        """Receive messages while the context is open. On exit, messages in progress are finished."""
        stopping = asyncio.Event()  # some clients swallow a cancellation
        task = asyncio.create_task(self._consume(receive, stopping))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.wait([task])

    async def _connect(self) -> Any:
        broker = self._carrier.make(consuming=False)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await broker.connect()
                await self._carrier.prepare(broker)
        except BaseException:
            with suppress(Exception):
                await self._carrier.disconnect(broker)
            raise
        return broker

    async def _consume(self, receive: Receive, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self._consume_until_lost(receive, stopping)
            except Exception as error:
                logger.warning("broker_lost", reason=f"{type(error).__name__}: {error}")
            await pause_unless(stopping, WATCH_SECONDS)

    async def _consume_until_lost(self, receive: Receive, stopping: asyncio.Event) -> None:
        broker = self._carrier.make(consuming=True)
        consumption = Consumption(receive, self._carrier.give_back)
        self._carrier.subscribe(broker, consumption.take)
        try:
            async with asyncio.timeout(START_SECONDS):
                await broker.connect()
                await self._carrier.prepare(broker)
                await broker.start()
            logger.info("consumer_started", topic=self._carrier.topic, group=self._carrier.group)
            await self._watch(broker, consumption.held, stopping)
        finally:
            consumption.close()
            with suppress(Exception):  # the connection may be lost already
                for subscriber in broker.subscribers:
                    await subscriber.stop()
            await consumption.finish()
            with suppress(Exception):
                await self._carrier.disconnect(broker)

    async def _watch(self, broker: Any, held: Collection[Received], stopping: asyncio.Event) -> None:
        kept_at = monotonic()
        while not stopping.is_set():
            if not (await broker.ping(PUBLISH_SECONDS) and all(each.running for each in broker.subscribers)):
                raise BrokerDownError("The connection is lost.")
            if monotonic() - kept_at > TAKE_OVER_SECONDS / 3:
                kept_at = monotonic()
                await self._carrier.keep(broker, tuple(held))
            await pause_unless(stopping, WATCH_SECONDS)
