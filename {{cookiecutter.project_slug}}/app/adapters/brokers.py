"""The broker of `BROKER_URL`, if there is one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.adapters.by_scheme import adapter_module
from app.core.broker import Broker
from app.core.config import Settings


@asynccontextmanager
async def open_broker(settings: Settings) -> AsyncIterator[Broker | None]:
    """The broker; None without a `BROKER_URL`: events stay in this service. Nothing is connected before it is used.

    Raises:
        ConfigurationError: nobody here understands the URL, or the driver is not installed.
    """
    if not settings.broker_url:
        yield None
        return
    async with adapter_module("broker", settings.broker_url).open_broker(settings) as broker:
        yield broker
