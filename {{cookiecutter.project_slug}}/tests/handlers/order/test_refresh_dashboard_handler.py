from uuid import uuid4

from app.core.cqrs.testing import FixedClock, MemoryCache
from app.domain.order_events import OrderAddressUpdated
from app.handlers.order.refresh_dashboard_handler import RefreshDashboardHandler


async def test_only_the_customers_dashboard_is_dropped() -> None:
    cache, ada, bob = MemoryCache(FixedClock()), uuid4(), uuid4()
    for user_id in (ada, bob):
        tag = f"user:{user_id}"
        await cache.set(tag, b"{}", 60, (tag,), await cache.generation((tag,)))
    handler = RefreshDashboardHandler(cache=cache)
    for customer in (ada, None):
        await handler.handle(
            OrderAddressUpdated(order_id=uuid4(), customer_user_id=customer, customer_address="2 Low Street")
        )
    assert [await cache.get(f"user:{user_id}") is None for user_id in (ada, bob)] == [True, False]
