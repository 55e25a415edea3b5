from uuid import uuid4

from app.core.cqrs import CQRSBus, OperationStatus
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_order_status_handler import GetOrderStatusQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.start_cooking_handler import StartCookingCommand
from tests.orders import placed
from tests.users import People, Person


async def test_it_is_kept_until_it_changes_whoever_asks(bus: CQRSBus, people: People, cook: Person) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    steps = (
        None,
        StartCookingCommand(order_id, "staff-7", 20),
        MarkPizzaReadyCommand(order_id, 0),
        MarkPizzaReadyCommand(order_id, 1),
    )
    seen = []
    for step in steps:
        if step is not None:
            (await cook.command(step)).unwrap()
        for reader, hit in ((bus.execute_query, False), (ada.query, True)):
            read = await reader(GetOrderStatusQuery(order_id))
            assert read.cache_info and read.cache_info["hit"] is hit
        status = read.unwrap()
        seen.append((status.status, [pizza.is_ready for pizza in status.pizzas]))
    assert seen == [
        ("pending", [False, False]),
        ("cooking", [False, False]),
        ("cooking", [True, False]),
        ("completed", [True, True]),
    ]


async def test_it_tells_neither_address_nor_phone_and_who_cancels_sees_it_at_once(people: People) -> None:
    ada = await people.member()
    order_id = await placed(ada)
    told = (await ada.query(GetOrderStatusQuery(order_id))).unwrap().model_dump()
    assert told["status"] == "pending"
    assert list(told) == [
        "order_id",
        "status",
        "customer_name",
        "order_time",
        "estimated_ready_time",
        "total_amount",
        "pizzas",
    ]
    (await ada.command(CancelOrderCommand(order_id))).unwrap()
    assert (await ada.query(GetOrderStatusQuery(order_id))).unwrap().status == "cancelled"
    assert (await ada.query(GetOrderStatusQuery(uuid4()))).status is OperationStatus.NOT_FOUND
