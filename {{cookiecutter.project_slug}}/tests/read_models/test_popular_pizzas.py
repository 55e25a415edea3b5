import asyncio

from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.persistence.mappings.order_read_tables import popular_pizzas, popular_pizzas_orders
from tests.orders import placed
from tests.rows import deliver_again, rows_of


async def test_orders_at_once_are_counted_once_each(service: RunningService, bus: CQRSBus) -> None:
    await asyncio.gather(*(placed(bus) for _ in range(8)))
    await bus.settled()
    counted = await rows_of(service, popular_pizzas)
    assert [(row.pizza_id, row.quantity) for row in counted] == [("margherita", 8), ("pepperoni", 8)]
    await deliver_again(service)
    assert await rows_of(service, popular_pizzas) == counted
    assert len(await rows_of(service, popular_pizzas_orders)) == 8
