"""Opens the broker that `BROKER_URL` selects, if it is set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.adapters.by_scheme import adapter_module
from app.adapters.exchange_settings import ExchangeSettings
from app.core.broker import Broker


@asynccontextmanager
async def open_broker(settings: ExchangeSettings) -> AsyncIterator[Broker | None]:
    """Yield the broker, or None without a `BROKER_URL`: events stay in this service. It connects on first use.

    Raises:
        ConfigurationError: if no adapter supports the URL's scheme, or its driver is not installed.
    """
    if not settings.broker_url:
        yield None
        return
    async with adapter_module("broker", settings.broker_url).open_broker(settings) as broker:
        yield broker
