from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.persistence.mappings.order_read_tables import kitchen_queue
from tests.orders import completed, placed
from tests.rows import rows_of
from tests.users import Person


async def test_an_order_is_in_the_queue_with_its_commit_and_its_pizzas_are_counted(
    service: RunningService, bus: CQRSBus, cook: Person
) -> None:
    order_id = await placed(bus)
    (row,) = await rows_of(service, kitchen_queue)
    assert (row.order_id, row.version, row.status, row.special_instructions) == (order_id, 1, "pending", ["well done"])
    (await cook.command(CancelOrderCommand(order_id))).unwrap()
    ready = await completed(bus, cook)
    rows = {row.order_id: row for row in await rows_of(service, kitchen_queue)}
    assert (rows[order_id].version, rows[order_id].status) == (2, "cancelled")
    assert (rows[ready].status, rows[ready].pizza_count, rows[ready].pizzas_ready) == ("completed", 2, 2)
