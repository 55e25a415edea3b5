"""The broker of `BROKER_URL`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.broker import Broker
from app.core.config import Settings


@asynccontextmanager
async def open_broker(settings: Settings) -> AsyncIterator[Broker | None]:
    """The broker; None: events stay in this process."""
    yield None
