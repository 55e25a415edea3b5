from app.core.cqrs import CQRSBus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_kitchen_queue_handler import GetKitchenQueueQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from tests.orders import placed
from tests.users import Person


async def test_first_in_first_out_and_seen_at_once(bus: CQRSBus, cook: Person) -> None:
    async def queue(status: str | None = None) -> list[object]:
        return [order.order_id for order in (await cook.query(GetKitchenQueueQuery(status))).unwrap()]

    first, second, third = [await placed(bus) for _ in range(3)]
    assert await queue() == [first, second, third]
    (await cook.command(StartCookingCommand(second, "staff-7", 20))).unwrap()
    assert (await queue("pending"), await queue("cooking")) == ([first, third], [second])
    (await cook.command(CancelOrderCommand(first))).unwrap()
    (await cook.command(MarkPizzaReadyCommand(second, 1))).unwrap()
    assert await queue() == [second, third]

    making, waiting = (await cook.query(GetKitchenQueueQuery())).unwrap()
    assert (waiting.started_at, waiting.pizza_count, waiting.pizzas_ready) == (None, 2, 0)
    assert (waiting.total_preparation_minutes, waiting.special_instructions) == (33, ("well done",))
    assert (making.customer_name, making.status, making.pizzas_ready) == ("Luigi", "cooking", 1)
    assert making.started_at is not None
    assert making.order_time < making.started_at < making.estimated_ready_time
    (await cook.command(MarkPizzaReadyCommand(second, 0))).unwrap()
    assert await queue() == [third]
    assert (await cook.query(GetKitchenQueueQuery("completed"))).errors == {"status": "must be pending or cooking"}
