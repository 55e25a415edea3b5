"""Provides the adapters that orders need to the container."""

from collections.abc import AsyncIterator

from dishka import Provider, provide

from app.adapters.by_scheme import adapter_module
from app.adapters.order_settings import OrderSettings
from app.core.config import Settings, checked
from app.core.scopes import Lifetime
from app.domain.kitchen import Kitchen
from app.domain.payments import Payments
from app.persistence.engine.database import Database
from app.read_models.shop_days import require_same_days


class OrderAdaptersProvider(Provider):
    """The settings of orders, the kitchen as they describe it, and the payment provider of `PAYMENT_URL`."""

    @provide(scope=Lifetime.SERVICE)
    def order_settings(self) -> OrderSettings:
        """The settings that orders add."""
        found = checked(OrderSettings)
        adapter_module("payment", found.payment_url)  # an unsupported scheme fails the start, not the first payment
        return found

    @provide(scope=Lifetime.SERVICE)
    async def kitchen(self, order_settings: OrderSettings, database: Database) -> Kitchen:
        """The kitchen's hours and capacity, after a check that stored sales use the shop's current time zone."""
        await require_same_days(database)
        return order_settings.kitchen

    @provide(scope=Lifetime.SERVICE)
    async def payments(self, order_settings: OrderSettings, settings: Settings) -> AsyncIterator[Payments]:
        """The payment provider."""
        url = order_settings.payment_url
        async with adapter_module("payment", url).open_payments(url, settings) as payments:
            yield payments
