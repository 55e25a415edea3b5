import asyncio
from decimal import Decimal

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.persistence.mappings.order_read_tables import daily_sales
from tests.orders import placed
from tests.rows import deliver_again, rows_of
from tests.users import Person


async def test_orders_at_once_are_summed_up_once_each(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    first, *_ = await asyncio.gather(*(placed(bus) for _ in range(8)))
    (await cook.command(CancelOrderCommand(first))).unwrap()
    await bus.settled()
    counted = await rows_of(service, daily_sales)
    assert sum(row.total_orders for row in counted) == 7
    assert sum(row.cancelled_orders for row in counted) == 1
    assert sum((row.total_revenue for row in counted), Decimal(0)) == 7 * Decimal("35.28")
    await deliver_again(service)
    assert await rows_of(service, daily_sales) == counted
