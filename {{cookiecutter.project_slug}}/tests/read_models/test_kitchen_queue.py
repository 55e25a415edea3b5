from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.persistence.mappings.order_read_tables import kitchen_queue
from tests.orders import completed, placed
from tests.rows import rows_of
from tests.users import Person


async def test_an_order_is_in_the_queue_with_its_commit(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    order_id = await placed(bus)
    (row,) = await rows_of(service, kitchen_queue)
    assert (row.order_id, row.version, row.status, row.special_instructions) == (order_id, 1, "pending", ["well done"])
    (await cook.command(CancelOrderCommand(order_id))).unwrap()
    (row,) = await rows_of(service, kitchen_queue)
    assert (row.version, row.status) == (2, "cancelled")


async def test_its_pizzas_are_counted_as_they_are_ready(service: RunningService, bus: CQRSBus, cook: Person) -> None:
    await completed(bus, cook)
    (row,) = await rows_of(service, kitchen_queue)
    assert (row.status, row.pizza_count, row.pizzas_ready) == ("completed", 2, 2)
