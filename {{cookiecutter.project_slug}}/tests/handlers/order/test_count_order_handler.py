from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.persistence.order_tables import placed_orders
from tests.orders import MARGHERITA, placed, stored_order
from tests.rows import deliver_again, rows_of


async def test_each_order_counts_once_however_often_the_event_comes(service: RunningService, bus: CQRSBus) -> None:
    ids = [await placed(bus), await placed(bus, pizza_items=(MARGHERITA,))]
    await deliver_again(service)
    expected = {(order.placed_at, order.total) for order in [await stored_order(service, one) for one in ids]}
    counted = await rows_of(service, placed_orders)
    assert {(row.placed_at, row.total) for row in counted} == expected
    assert sorted(row.pizza_count for row in counted) == [1, 2]
